// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// Split reads one split of a source into a task's inbox, on a goroutine of its own: rows with
// their event time, the split's watermark after each batch, its idleness, its end.
type Split struct {
	Source   operator.Source
	Split    operator.Split
	Options  operator.ReadOptions // without Reject
	To       exchange.Target
	Failures Failures
	// Column is where event time comes from; -1 for rows without.
	Column int
	Marks  watermark.BoundedOutOfOrderness
	Idle   time.Duration // without rows for so long the split is idle; 0 never
	times  []uint32      // scratch: rows with an event time
}

// Run reads until the split ends, or until stop is done: the rows that were read before are sent in
// any case.
func (s *Split) Run(ctx context.Context, stop context.Context) (err error) {
	if stop.Err() != nil {
		return s.end(ctx)
	}
	opts := s.Options
	opts.Reject = func(record []byte, at batch.Position, reason error) error {
		letter, err := s.Failures.Record(record, at, reason)
		return s.dead(ctx, letter, err)
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
	idle := &idleness{stop: stop, after: s.Idle}
	defer idle.close()
	for {
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
	return s.put(ctx, exchange.Element{Kind: exchange.End})
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
			if err := s.put(ctx, exchange.Element{Kind: exchange.Idle}); err != nil {
				return nil, err
			}
			wait, quiet = stop, true
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
	if s.Column < 0 {
		return s.put(ctx, exchange.Element{Kind: exchange.Rows, Batch: b})
	}
	b, err := s.timed(ctx, b)
	if err != nil || b == nil {
		return err
	}
	s.Marks.Observe(b.Times)
	if err := s.put(ctx, exchange.Element{Kind: exchange.Rows, Batch: b}); err != nil {
		return err
	}
	return s.put(ctx, exchange.Element{Kind: exchange.Watermark, Mark: s.Marks.Current()})
}

// timed returns the rows of b with their event time, and lets those fail that have none. It
// returns nil where none is left.
func (s *Split) timed(ctx context.Context, b *batch.Batch) (*batch.Batch, error) {
	column := &b.Columns[s.Column]
	s.times = s.times[:0]
	for row, t := range column.EventTimes() {
		if !column.Null(row) && t <= watermark.MaxEventTime && t >= -watermark.MaxEventTime {
			s.times = append(s.times, uint32(row))
			continue
		}
		letter, err := s.Failures.Row(b, row, s.timeless(b, row, t))
		if err := s.dead(ctx, letter, err); err != nil {
			b.Release()
			return nil, err
		}
	}
	if len(s.times) < b.Rows() {
		kept := s.Options.Pool.Take(b, s.times)
		b.Release()
		if b = kept; b.Rows() == 0 {
			b.Release()
			return nil, nil
		}
	}
	return s.Options.Pool.WithTimes(b, b.Columns[s.Column].EventTimes()), nil
}

func (s *Split) timeless(b *batch.Batch, row int, t abi.EventTime) error {
	name := b.Schema.Fields[s.Column].Name
	if b.Columns[s.Column].Null(row) {
		return fmt.Errorf("column %q, the event time, is null", name)
	}
	return fmt.Errorf("column %q, the event time, is %d us, more than 146,000 years from 1970", name, t)
}

func (s *Split) dead(ctx context.Context, letter *batch.Batch, err error) error {
	if err != nil || letter == nil {
		return err
	}
	return s.put(ctx, exchange.Element{Kind: exchange.Rows, Batch: letter, Port: s.Failures.Port})
}

func (s *Split) put(ctx context.Context, e exchange.Element) error {
	return s.To.Inbox.Put(ctx, s.To.Channel, e)
}

// idleness ends the wait for a row after a while. One serves many waits: a context for each would
// be the only thing that reading a batch allocates.
type idleness struct {
	stop   context.Context
	after  time.Duration // 0: never
	wait   context.Context
	cancel context.CancelFunc
	timer  *time.Timer // cancels; nil where wait is used up
}

// begin returns the context of a wait, and whether that does not end by itself.
func (i *idleness) begin() (wait context.Context, quiet bool) {
	switch {
	case i.after <= 0:
		return i.stop, true
	case i.timer == nil:
		i.wait, i.cancel = context.WithCancel(i.stop)
		i.timer = time.AfterFunc(i.after, i.cancel)
	default:
		i.timer.Reset(i.after)
	}
	return i.wait, false
}

// end ends a wait. Each begin has its end.
func (i *idleness) end() {
	if i.timer != nil && !i.timer.Stop() {
		i.cancel()
		i.timer = nil
	}
}

// close frees what the last wait has left.
func (i *idleness) close() {
	if i.timer != nil {
		i.cancel()
	}
}
