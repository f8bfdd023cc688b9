// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package timesort puts the rows of a stream into order of event time.
//
// A row waits in the state until the watermark has passed its time, and goes on then: in order of
// event time, of the columns that the Spec names, and of the others from left to right, so that the
// order does not depend on the order in which rows of one time came. With a key, the rows of each key are
// in order; without one all are. A row that comes when the watermark has passed its time is late: it
// goes to the late output, as it came. The rows that wait lie in the store, and nowhere else:
//
//	| group 2 | state 2 | 0x00 | time 8 | row, in order |  ->  | how often, uvarint |
package timesort

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/state"
)

// Spec is an order.
type Spec struct {
	Input *abi.Schema
	Key   []int     // columns by which rows are dealt out; none for one order of all rows
	By    []rows.By // what rows of one time are ordered by
}

// The output ports.
const (
	PortSorted = 0
	PortLate   = 1 // rows that came too late, as they came in
)

// waiting is the state of the rows that wait.
const waiting = state.FirstReserved + 0x31

// Sort is the operator of a Spec. It takes inserts only.
type Sort struct {
	spec     Spec
	order    *rows.Order
	store    state.Store
	calendar *rows.Calendar
	pool     *batch.Pool
	groups   int
	mark     abi.EventTime
	sorted   *rows.Output
	lates    *atomic.Int64 // counts late rows

	// Scratch of one batch.
	keys  state.Strings
	key   []byte
	late  []uint32
	value []byte
	merge state.Merge
	wrong error
}

var _ operator.Stateful = (*Sort)(nil)

// New returns the operator of a spec.
func New(ctx operator.Context, spec Spec) *Sort {
	s := &Sort{
		spec: spec, order: rows.NewOrder(spec.Input, spec.By, nil), store: ctx.State, pool: ctx.Pool, groups: ctx.Groups, mark: ctx.Watermark,
		calendar: rows.NewCalendar(ctx.State, waiting),
		sorted:   rows.NewOutput(ctx.Pool, spec.Input, PortSorted, true, false), lates: ctx.Counters.Get("late"),
	}
	s.merge = s.count
	return s
}

// Open does nothing.
func (s *Sort) Open(context.Context) error { return nil }

// Flush does nothing: what waits is in the store.
func (s *Sort) Flush(context.Context) error { return nil }

// Close does nothing.
func (s *Sort) Close(context.Context) error { return nil }

// Process puts rows into the state.
func (s *Sort) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if b.Times == nil {
		return fmt.Errorf("sort: a batch of %d rows without event time", b.Rows())
	}
	s.keys.Reset()
	s.late = s.late[:0]
	for row, t := range b.Times {
		if t < s.mark {
			s.late = append(s.late, uint32(row))
			continue
		}
		s.key = s.key[:0]
		for _, col := range s.spec.Key {
			s.key = batch.AppendValue(s.key, &b.Columns[col], row)
		}
		group := state.GroupOf(s.key, s.groups)
		s.key = s.order.Append(s.calendar.AppendKey(s.key[:0], group, t), b, row)
		if len(s.key) > state.MaxKey {
			err := out.Fail(ctx, b, row, fmt.Errorf("a row of %d bytes can't be sorted; at most %d are possible", len(s.key), state.MaxKey))
			if err != nil {
				return err
			}
			continue
		}
		s.keys.Append(s.key)
	}
	if err := s.store.Update(&s.keys, s.merge); err != nil {
		return fmt.Errorf("sort: keeping rows: %w", err)
	}
	if s.wrong != nil {
		return s.wrong
	}
	if len(s.late) == 0 {
		return nil
	}
	s.lates.Add(int64(len(s.late)))
	return out.Emit(ctx, PortLate, s.pool.Take(b, s.late))
}

// count counts equal rows.
func (s *Sort) count(_ int, old []byte, found bool) ([]byte, bool) {
	n := uint64(0)
	if found {
		var size int
		if n, size = binary.Uvarint(old); size != len(old) {
			s.wrong = fmt.Errorf("sort: %w", rows.ErrEncoding)
		}
	}
	s.value = binary.AppendUvarint(s.value[:0], n+1)
	return s.value, true
}

// Watermark sends the rows before t.
func (s *Sort) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	s.mark = t
	err := s.calendar.Take(t, func(_ state.Group, at abi.EventTime, row, value []byte) error {
		n, size := binary.Uvarint(value)
		if size != len(value) {
			return rows.ErrEncoding
		}
		for range n {
			if rest, err := s.order.Decode(s.sorted, row); err != nil {
				return err
			} else if len(rest) > 0 {
				return rows.ErrEncoding
			}
			s.sorted.End(at, batch.Insert)
			if err := s.sorted.SendFull(ctx, out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	return s.sorted.Send(ctx, out)
}
