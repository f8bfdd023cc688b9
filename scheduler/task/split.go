// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Split reads one split of a source into a task's inbox, on a goroutine of its own: rows with
// their event time, the split's watermark after each batch, its idleness, its end.
type Split struct {
	Source   operator.Source
	Split    operator.Split
	Options  operator.ReadOptions // without Reject
	To       exchange.Target
	Failures Failures
	Stats    *SplitStats
	Time     *Timestamps   // nil for rows without event time
	Idle     time.Duration // without rows for so long the split is idle; 0 never
	Align    *Aligned      // the group that the split keeps together with; nil where there is none
}

// Run reads until the split ends, or until stop is done: the rows that were read before are sent in
// any case.
func (s *Split) Run(ctx context.Context, stop context.Context) (err error) {
	if stop.Err() != nil {
		return s.end(ctx)
	}
	s.Align.Join()
	defer s.Align.leave()
	opts := s.Options
	opts.Reject = func(record []byte, at batch.Position, reason error) error {
		letter, err := s.Failures.Record(record, at, reason)
		if err != nil || letter == nil {
			return err
		}
		return s.letter(ctx, letter)
	}
	reader, err := s.Source.Read(stop, s.Split, opts)
	switch {
	case ended(stop, err):
		return s.end(ctx)
	case err != nil:
		return s.named(ctx, err)
	}
	defer func() {
		if failed := s.named(ctx, reader.Close()); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	if s.Time == nil { // whoever reads others too must not wait for a watermark of this one
		if err := s.put(ctx, exchange.Element{Kind: exchange.Idle}); err != nil {
			return err
		}
	}
	idle := &idleness{stop: stop, after: s.Idle, now: opts.Now}
	defer idle.close()
	for {
		if err := s.pause(ctx, stop); err != nil {
			return err
		}
		b, err := s.next(ctx, stop, reader, idle)
		if err != nil {
			return err
		}
		if b == nil {
			return s.end(ctx)
		}
		if err := s.send(ctx, b); err != nil {
			return err
		}
	}
}

// end ends the channel, unless it is the job that has ended.
func (s *Split) end(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.Stats.ended.Store(true)
	return s.put(ctx, exchange.Element{Kind: exchange.End})
}

// pause waits while the split is too far ahead of others.
func (s *Split) pause(ctx, stop context.Context) error {
	if s.Align.ahead() == nil {
		return nil
	}
	s.Stats.paused.Store(true)
	defer s.Stats.paused.Store(false)
	return s.Align.wait(ctx, stop)
}

// ended says whether an error is only that of a context which is done. Any other error counts, also
// one that comes at the same time.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// next returns the next rows, nil at the end.
func (s *Split) next(ctx, stop context.Context, reader operator.Reader, idle *idleness) (*batch.Batch, error) {
	wait, quiet := idle.begin()
	defer idle.end()
	for stop.Err() == nil { // a reader with rows at hand need not look
		b, err := reader.Next(wait)
		switch {
		case err == nil && b.Rows() == 0:
			b.Release()
		case err == nil:
			return b, nil
		case err == io.EOF: // one that is wrapped is of something else that came to its end
			return nil, nil
		case ended(stop, err):
			return nil, nil
		case !quiet && ended(wait, err):
			if wait, quiet = idle.again(); !quiet {
				continue
			}
			if err := s.idle(ctx); err != nil {
				return nil, err
			}
		default:
			return nil, s.named(ctx, err)
		}
	}
	return nil, nil
}

// named says in an error which source it is of. What is no *operator.Error is the environment's.
func (s *Split) named(ctx context.Context, err error) error {
	var user *operator.Error
	if err != nil && !errors.As(err, &user) {
		err = &operator.Error{Fault: operator.FaultEnvironment, Err: err}
	}
	return named(ctx, s.Failures.Node, err)
}

// send takes over a reference to b.
func (s *Split) send(ctx context.Context, b *batch.Batch) error {
	s.Stats.rows.Add(int64(b.Rows()))
	s.Stats.idle.Store(0)
	if s.Time == nil {
		return s.put(ctx, exchange.Element{Kind: exchange.Rows, Batch: b})
	}
	return s.Time.Put(ctx, b, (*timedSplit)(s))
}

func (s *Split) letter(ctx context.Context, b *batch.Batch) error {
	return s.put(ctx, exchange.Element{Kind: exchange.Rows, Batch: b, Port: s.Failures.Port})
}

// timedSplit is a split as its Timestamps see it.
type timedSplit Split

var _ Timed = (*timedSplit)(nil)

func (s *timedSplit) Rows(ctx context.Context, b *batch.Batch) error {
	return (*Split)(s).put(ctx, exchange.Element{Kind: exchange.Rows, Batch: b})
}

func (s *timedSplit) Watermark(ctx context.Context, t abi.EventTime) error {
	if err := (*Split)(s).put(ctx, exchange.Element{Kind: exchange.Watermark, Mark: t}); err != nil {
		return err
	}
	s.Stats.mark.Store(int64(t))
	s.Align.advance(t)
	return nil
}

func (s *timedSplit) Resume(ctx context.Context, t abi.EventTime) error { return s.Watermark(ctx, t) }

func (s *timedSplit) Fail(ctx context.Context, b *batch.Batch, row int, reason error) error {
	letter, err := s.Failures.Row(b, row, reason)
	if err != nil || letter == nil {
		return err
	}
	return (*Split)(s).letter(ctx, letter)
}

// idle says that nothing is to be expected for now.
func (s *Split) idle(ctx context.Context) error {
	if err := s.put(ctx, exchange.Element{Kind: exchange.Idle}); err != nil {
		return err
	}
	if s.Time != nil {
		s.Time.quiet = true
	}
	s.Stats.idle.Store(s.Options.Now().UnixMicro())
	s.Align.leave()
	return nil
}

func (s *Split) put(ctx context.Context, e exchange.Element) error {
	return s.To.Inbox.Put(ctx, s.To.Channel, e)
}
