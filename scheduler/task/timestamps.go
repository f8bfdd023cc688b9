// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// Timestamps gives the rows of a stream their event time, and makes the watermark behind them. Rows
// without one fail.
type Timestamps struct {
	// Idle is how long an operator may give no row until it is left out of the watermark of those who
	// read it; 0 for ever. A split sees to that itself.
	Idle time.Duration

	column    int
	mark      int
	marks     *watermark.Generator
	pool      *batch.Pool
	backwards *atomic.Int64

	sent    abi.EventTime // the latest watermark that was sent, Min before the first
	quiet   bool          // nothing was since the stream was idle
	alone   bool          // it is idle while the operator's inputs are not
	active  time.Time     // when the operator gave rows last
	ignored int64         // of marks, as far as backwards has them
	kept    []uint32      // scratch
}

// NewTimestamps returns what takes event time from a column, or the time that rows have where it is -1.
// The watermark is bound behind, or comes from the column mark where that is not -1; those that are
// ignored are counted.
func NewTimestamps(column, mark int, bound time.Duration, pool *batch.Pool, counters *operator.Counters) *Timestamps {
	s := &Timestamps{column: column, mark: mark, pool: pool, sent: watermark.Min}
	if mark < 0 {
		s.marks = watermark.BoundedOutOfOrderness(bound)
	} else {
		s.marks, s.backwards = watermark.Punctuated(), counters.Get(counterBackwards)
	}
	return s
}

// counterBackwards is the name of a node's counter of watermarks that went backwards, and were ignored.
const counterBackwards = "watermarks_backwards"

// Timed is where rows with an event time go, and those without.
type Timed interface {
	Rows(ctx context.Context, b *batch.Batch) error // takes over a reference
	Watermark(ctx context.Context, t abi.EventTime) error
	// Resume says that the stream was idle, and its watermark is as before.
	Resume(ctx context.Context, t abi.EventTime) error
	Fail(ctx context.Context, b *batch.Batch, row int, reason error) error
}

// Put sends rows, cut where a watermark belongs between them. It takes over a reference to b.
func (s *Timestamps) Put(ctx context.Context, b *batch.Batch, to Timed) error {
	b, err := s.timed(ctx, b, to)
	if err != nil || b == nil {
		return err
	}
	defer b.Release()
	var marks *batch.Column
	if s.mark >= 0 {
		marks = &b.Columns[s.mark]
	}
	for from := 0; from < b.Rows(); {
		end := s.marks.Observe(b.Times, marks, from, s.sent)
		if err := s.part(ctx, b, from, end, to); err != nil {
			return err
		}
		if err := s.advance(ctx, to); err != nil {
			return err
		}
		from = end
	}
	if n := s.marks.Backwards(); n > s.ignored {
		s.backwards.Add(n - s.ignored)
		s.ignored = n
	}
	return nil
}

// part sends the rows [from, end) of b.
func (s *Timestamps) part(ctx context.Context, b *batch.Batch, from, end int, to Timed) error {
	switch {
	case from == end:
		return nil
	case end-from == b.Rows():
		return to.Rows(ctx, b.Retain())
	}
	s.kept = s.kept[:0]
	for row := from; row < end; row++ {
		s.kept = append(s.kept, uint32(row))
	}
	return to.Rows(ctx, s.pool.Take(b, s.kept))
}

// advance sends the watermark where it is later than the one before, or the stream was idle.
func (s *Timestamps) advance(ctx context.Context, to Timed) error {
	mark, quiet := s.marks.Current(), s.quiet
	s.quiet, s.alone = false, false
	switch {
	case mark > s.sent:
		s.sent = mark
		return to.Watermark(ctx, mark)
	case quiet:
		return to.Resume(ctx, mark)
	}
	return nil
}

// idleAt returns when the operator will have been without rows for too long, the zero time for never.
func (s *Timestamps) idleAt() time.Time {
	if s.Idle <= 0 || s.quiet {
		return time.Time{}
	}
	return s.active.Add(s.Idle)
}

// timed returns the rows of b with their event time, and lets those fail that have none. It returns
// nil where none is left. It takes over a reference to b, and gives one.
func (s *Timestamps) timed(ctx context.Context, b *batch.Batch, to Timed) (_ *batch.Batch, err error) {
	times := b.Times
	if s.column >= 0 {
		times = b.Columns[s.column].EventTimes()
	}
	if !s.clean(b, times) {
		if b, err = s.keep(ctx, b, times, to); b == nil {
			return nil, err
		}
	}
	if s.column < 0 {
		return b, nil
	}
	return s.pool.WithTimes(b, b.Columns[s.column].EventTimes()), nil
}

// clean says whether each row has an event time, at a glance.
func (s *Timestamps) clean(b *batch.Batch, times []abi.EventTime) bool {
	if s.column >= 0 && b.Columns[s.column].Nulls > 0 || s.mark >= 0 || len(times) < b.Rows() {
		return false
	}
	for _, t := range times {
		if outOfRange(t) {
			return false
		}
	}
	return true
}

// keep lets those rows of b fail that have no event time and returns the others, nil where there are
// none. It takes over a reference to b, and gives one.
func (s *Timestamps) keep(ctx context.Context, b *batch.Batch, times []abi.EventTime, to Timed) (*batch.Batch, error) {
	s.kept = s.kept[:0]
	for row := range b.Rows() {
		reason := s.wrong(b, times, row)
		if reason == nil {
			s.kept = append(s.kept, uint32(row))
			continue
		}
		if err := to.Fail(ctx, b, row, reason); err != nil {
			b.Release()
			return nil, err
		}
	}
	if len(s.kept) == b.Rows() {
		return b, nil
	}
	defer b.Release()
	if len(s.kept) == 0 {
		return nil, nil
	}
	return s.pool.Take(b, s.kept), nil
}

// wrong says why a row has no event time, nil where it has.
func (s *Timestamps) wrong(b *batch.Batch, times []abi.EventTime, row int) error {
	switch {
	case s.column < 0 && times == nil:
		return errors.New("the row has no event time")
	case s.column < 0 && outOfRange(times[row]):
		return fmt.Errorf("the event time is %d us, more than 146,000 years from 1970", times[row])
	case s.column >= 0 && (b.Columns[s.column].Null(row) || outOfRange(times[row])):
		return wrongTime(b, s.column, row, "the event time")
	case s.mark < 0 || b.Columns[s.mark].Null(row):
	case outOfRange(b.Columns[s.mark].EventTimes()[row]):
		return wrongTime(b, s.mark, row, "the watermark")
	}
	return nil
}

func outOfRange(t abi.EventTime) bool {
	return t > watermark.MaxEventTime || t < -watermark.MaxEventTime
}

func wrongTime(b *batch.Batch, column, row int, what string) error {
	name := b.Schema.Fields[column].Name
	if b.Columns[column].Null(row) {
		return fmt.Errorf("column %q, %s, is null", name, what)
	}
	return fmt.Errorf("column %q, %s, is %d us, more than 146,000 years from 1970", name, what, b.Columns[column].EventTimes()[row])
}
