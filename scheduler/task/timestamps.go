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
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// Timestamps gives the rows of a stream their event time, and makes the watermark behind them. Rows
// without one fail.
type Timestamps struct {
	Column    int // where event time comes from; -1 for the time that rows have already
	Mark      int // of a punctuated stream where its watermark comes from, else -1
	Marks     *watermark.Generator
	Pool      *batch.Pool
	Backwards *atomic.Int64 // counts watermarks that were ignored
	// Idle is how long an operator may give no row until it is left out of the watermark of those who
	// read it; 0 for ever. A split sees to that itself.
	Idle time.Duration

	sent    abi.EventTime // the latest watermark that was sent, where any was
	begun   bool          // one was
	quiet   bool          // nothing was since the stream was idle
	alone   bool          // it is idle while the operator's inputs are not
	active  time.Time     // when the operator gave rows last
	ignored int64         // of Marks, as far as Backwards has them
	kept    []uint32      // scratch
}

// timed is where rows with an event time go.
type timed interface {
	rows(ctx context.Context, b *batch.Batch) error // takes over a reference
	mark(ctx context.Context, t abi.EventTime) error
	resume(ctx context.Context, t abi.EventTime) error // the stream was idle, and its watermark is as before
	letter(ctx context.Context, b *batch.Batch) error  // takes over a reference
}

// put sends rows, cut where a watermark belongs between them. It takes over a reference to b.
func (s *Timestamps) put(ctx context.Context, b *batch.Batch, f *Failures, to timed) error {
	b, err := s.timed(ctx, b, f, to)
	if err != nil || b == nil {
		return err
	}
	defer b.Release()
	var marks *batch.Column
	if s.Mark >= 0 {
		marks = &b.Columns[s.Mark]
	}
	for from := 0; from < b.Rows(); {
		end := s.Marks.Observe(b.Times, marks, from, s.latest())
		if err := s.part(ctx, b, from, end, to); err != nil {
			return err
		}
		if err := s.advance(ctx, to); err != nil {
			return err
		}
		from = end
	}
	if n := s.Marks.Backwards(); n > s.ignored {
		s.Backwards.Add(n - s.ignored)
		s.ignored = n
	}
	return nil
}

// latest returns the latest watermark that was sent.
func (s *Timestamps) latest() abi.EventTime {
	if !s.begun {
		return watermark.Min
	}
	return s.sent
}

// part sends the rows [from, end) of b.
func (s *Timestamps) part(ctx context.Context, b *batch.Batch, from, end int, to timed) error {
	switch {
	case from == end:
		return nil
	case end-from == b.Rows():
		return to.rows(ctx, b.Retain())
	}
	s.kept = s.kept[:0]
	for row := from; row < end; row++ {
		s.kept = append(s.kept, uint32(row))
	}
	return to.rows(ctx, s.Pool.Take(b, s.kept))
}

// advance sends the watermark where it is later than the one before, or the stream was idle.
func (s *Timestamps) advance(ctx context.Context, to timed) error {
	mark, quiet := s.Marks.Current(), s.quiet
	s.quiet, s.alone = false, false
	switch {
	case mark > s.latest():
		s.sent, s.begun = mark, true
		return to.mark(ctx, mark)
	case quiet:
		return to.resume(ctx, mark)
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
func (s *Timestamps) timed(ctx context.Context, b *batch.Batch, f *Failures, to timed) (_ *batch.Batch, err error) {
	times := b.Times
	if s.Column >= 0 {
		times = b.Columns[s.Column].EventTimes()
	}
	if !s.clean(b, times) {
		if b, err = s.keep(ctx, b, times, f, to); b == nil {
			return nil, err
		}
	}
	if s.Column < 0 {
		return b, nil
	}
	return s.Pool.WithTimes(b, b.Columns[s.Column].EventTimes()), nil
}

// clean says whether each row has an event time, at a glance.
func (s *Timestamps) clean(b *batch.Batch, times []abi.EventTime) bool {
	if s.Column >= 0 && b.Columns[s.Column].Nulls > 0 || s.Mark >= 0 || len(times) < b.Rows() {
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
func (s *Timestamps) keep(ctx context.Context, b *batch.Batch, times []abi.EventTime, f *Failures, to timed) (*batch.Batch, error) {
	s.kept = s.kept[:0]
	for row := range b.Rows() {
		reason := s.wrong(b, times, row)
		if reason == nil {
			s.kept = append(s.kept, uint32(row))
			continue
		}
		letter, err := f.Row(b, row, reason)
		if err == nil && letter != nil {
			err = to.letter(ctx, letter)
		}
		if err != nil {
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
	return s.Pool.Take(b, s.kept), nil
}

// wrong says why a row has no event time, nil where it has.
func (s *Timestamps) wrong(b *batch.Batch, times []abi.EventTime, row int) error {
	switch {
	case s.Column < 0 && times == nil:
		return errors.New("the row has no event time")
	case s.Column < 0 && outOfRange(times[row]):
		return fmt.Errorf("the event time is %d us, more than 146,000 years from 1970", times[row])
	case s.Column >= 0 && (b.Columns[s.Column].Null(row) || outOfRange(times[row])):
		return wrongTime(b, s.Column, row, "the event time")
	case s.Mark < 0 || b.Columns[s.Mark].Null(row):
	case outOfRange(b.Columns[s.Mark].EventTimes()[row]):
		return wrongTime(b, s.Mark, row, "the watermark")
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
