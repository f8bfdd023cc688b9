// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// How a batch is worked through: which of its rows fail, and what they may cost.

// failedRow is a row of the batch in hand.
type failedRow struct {
	row    int
	reason error
}

// begin is called before each batch.
func (s *subtask) begin() {
	s.batchFuel = batchCalls * s.module.engine.opts.Limits.CallFuel
	s.deaths, s.setbacks = 0, 0
	clear(s.failed)
	s.failed = s.failed[:0]
}

// fail notes that a row of a part of the batch in hand failed. rows are the part's rows in the
// batch, nil where it is the batch.
func (s *subtask) fail(rows []uint32, row int, reason error) {
	s.failed = append(s.failed, failedRow{int(original(rows, row)), reason})
}

// original returns the row of the batch in hand of a row of a part of it.
func original(rows []uint32, row int) uint32 {
	if rows == nil {
		return uint32(row)
	}
	return rows[row]
}

// split splits n rows of a part into two lists, of which the first has so many.
func split(n, at int, rows []uint32) (first, second []uint32) {
	if rows == nil {
		rows = make([]uint32, n)
		for i := range rows {
			rows[i] = uint32(i)
		}
	}
	return rows[:at], rows[at:]
}

// report tells of the failed rows of the batch in hand, in order and each once: where there is more
// than one reason, the first counts.
func (s *subtask) report(fail func(row int, reason error) error) error {
	slices.SortStableFunc(s.failed, func(a, b failedRow) int { return cmp.Compare(a.row, b.row) })
	for i, f := range s.failed {
		if i > 0 && f.row == s.failed[i-1].row {
			continue
		}
		if err := fail(f.row, f.reason); err != nil {
			return err
		}
	}
	return nil
}

// limitError is a batch that costs more than a batch may.
type limitError struct{ err error }

func (e *limitError) Error() string { return e.err.Error() }

func (e *limitError) Unwrap() error { return e.err }

// died counts an instance that a row has cost, and returns an error where the batch has cost too
// much.
func (s *subtask) died(err error) error {
	l := &s.module.engine.opts.Limits
	if s.deaths++; s.deaths == 1 {
		s.firstDeath = time.Now() // the clock is not looked at for batches that go well
	}
	switch {
	case s.deaths > l.BadRows+1: // the first was the whole batch's
		return &limitError{fmt.Errorf("more than %d rows of one batch brought it down, the last: %w", l.BadRows, err)}
	case s.batchFuel < 0:
		return &limitError{fmt.Errorf("one batch used more than %d times the fuel of a call, the last row: %w", batchCalls, err)}
	case time.Since(s.firstDeath) > batchCalls*l.CallTime:
		return &limitError{fmt.Errorf("one batch took more than %d times the time of a call, the last row: %w", batchCalls, err)}
	}
	return nil
}

// complete returns the rows of b, of the one input, that the guest is given, nil for all, and fails
// those in which a column is null that must not be.
func (s *subtask) complete(b *batch.Batch) (rows []uint32) { return s.completeOf(0, b) }

// completeOf is complete of an input.
func (s *subtask) completeOf(input int, b *batch.Batch) (rows []uint32) {
	for _, r := range s.required[input] {
		if b.Columns[r.column].Nulls > 0 {
			return s.completeRows(s.required[input], b)
		}
	}
	return nil
}

func (s *subtask) completeRows(required []requiredColumn, b *batch.Batch) []uint32 {
	rows := make([]uint32, 0, b.Rows())
rows:
	for row := range b.Rows() {
		for _, r := range required {
			if b.Columns[r.column].Null(row) {
				s.fail(nil, row, rowError(fmt.Sprintf("column %q is null, and operator %q needs a value", r.name, s.op.Name)))
				continue rows
			}
		}
		rows = append(rows, uint32(row))
	}
	return rows
}

// sizeError is a message that is larger than the contract allows.
type sizeError struct{ rows, size int }

func (e *sizeError) Error() string {
	return fmt.Sprintf("it has %d bytes, more than the %d that a guest can be given at once", e.size, abi.MaxBatchBytes)
}

// fits returns a *sizeError for a message that is larger than the contract allows.
func fits(m *batch.Message) error {
	if rows, size := m.Batch.Rows(), m.Size(); rows > abi.MaxRows || size > abi.MaxBatchBytes {
		return &sizeError{rows, size}
	}
	return nil
}

// attempt is one call with some rows of the batch in hand: part has the rows with the numbers in
// rows, nil where it is the whole batch. It leaves nothing behind where it fails.
type attempt func(ctx context.Context, part *batch.Batch, rows []uint32) error

// work does some rows of b, nil for all, in one attempt if it can. What is too large is done by
// halves. Where an attempt fails and a row may be at fault, the rows are done again one by one: each
// row that brings the guest down then costs one instance, where halving would cost one for each
// half on the way to it.
func (s *subtask) work(ctx context.Context, b *batch.Batch, rows []uint32, try attempt) error {
	part := b
	switch {
	case rows == nil:
	case len(rows) == 0:
		return nil
	default:
		part = s.ctx.Pool.Take(b, rows)
		defer part.Release()
	}
	failed := len(s.failed)
	err := try(ctx, part, rows)
	if err == nil {
		return nil
	}
	s.failed = s.failed[:failed]
	single := part.Rows() == 1
	var back *setback
	switch tooLarge := errors.As(err, new(*sizeError)); {
	case errors.As(err, &back):
		return s.after(ctx, b, part.Rows(), rows, back, try)
	case tooLarge && single:
		s.fail(rows, 0, rowError(err.Error()))
		return nil
	case tooLarge:
		first, second := split(part.Rows(), part.Rows()/2, rows)
		if err := s.work(ctx, b, first, try); err != nil {
			return err
		}
		return s.work(ctx, b, second, try)
	case !rowsFault(err):
		return err
	case single:
		s.fail(rows, 0, s.moduleError(err))
		return s.died(err)
	}
	if err := s.died(err); err != nil {
		return err
	}
	return s.oneByOne(ctx, b, part.Rows(), rows, try)
}

// oneByOne does the n rows of a part again, each alone.
func (s *subtask) oneByOne(ctx context.Context, b *batch.Batch, n int, rows []uint32, try attempt) error {
	for row := range n {
		if err := s.work(ctx, b, []uint32{original(rows, row)}, try); err != nil {
			return err
		}
	}
	return nil
}

// setback is an attempt that was taken back because a row of the part failed after the guest had written
// state, which the rows after it may have read. The instance is well.
type setback struct {
	row    int // the first that failed, of the part
	reason error
}

func (e *setback) Error() string { return e.reason.Error() }

// mostSetbacks is how often the rows before and behind a failed one are done again as two parts,
// before those of the batch that are left are done one by one: so the work is bounded by the rows.
const mostSetbacks = 8

// after goes on after a setback: the rows before the one that failed, which then fails, and those behind it.
func (s *subtask) after(ctx context.Context, b *batch.Batch, n int, rows []uint32, back *setback, try attempt) error {
	if n == 1 {
		s.fail(rows, 0, back.reason)
		return nil
	}
	if s.setbacks++; s.setbacks > mostSetbacks {
		return s.oneByOne(ctx, b, n, rows, try)
	}
	before, behind := split(n, back.row, rows)
	if err := s.work(ctx, b, before, try); err != nil {
		return err
	}
	s.fail(behind, 0, back.reason)
	return s.work(ctx, b, behind[1:], try)
}
