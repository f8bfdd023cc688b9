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
	opts := s.Options
	opts.Reject = func(record []byte, at batch.Position, reason error) error {
		letter, err := s.Failures.Record(record, at, reason)
		return s.dead(ctx, letter, err)
	}
	reader, err := s.Source.Read(stop, s.Split, opts)
	if err != nil {
		if stop.Err() != nil {
			return s.put(ctx, exchange.Element{Kind: exchange.End})
		}
		return s.named(err)
	}
	defer func() { err = errors.Join(err, s.named(reader.Close())) }()
	for {
		b, err := s.next(ctx, stop, reader)
		if err != nil {
			return err
		}
		if b == nil {
			return s.put(ctx, exchange.Element{Kind: exchange.End})
		}
		if err := s.send(ctx, b); err != nil {
			return err
		}
	}
}

// next returns the next rows, nil at the end.
func (s *Split) next(ctx, stop context.Context, reader operator.Reader) (*batch.Batch, error) {
	wait, cancel := stop, context.CancelFunc(func() {})
	if s.Idle > 0 {
		wait, cancel = context.WithTimeout(stop, s.Idle)
	}
	defer func() { cancel() }()
	for {
		b, err := reader.Next(wait)
		switch {
		case err == nil && b.Rows() == 0:
			b.Release()
		case err == nil:
			return b, nil
		case errors.Is(err, io.EOF):
			return nil, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case stop.Err() != nil:
			return nil, nil
		case wait.Err() != nil:
			if err := s.put(ctx, exchange.Element{Kind: exchange.Idle}); err != nil {
				return nil, err
			}
			wait, cancel = stop, func() {}
		default:
			return nil, s.named(err)
		}
	}
}

// named says in an error which source it is of.
func (s *Split) named(err error) error {
	if err == nil {
		return nil
	}
	return operator.Of(s.Failures.Node, operator.FaultEnvironment, err)
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
