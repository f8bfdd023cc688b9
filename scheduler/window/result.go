// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
)

// A batch of results has at most so many rows, and is sent when it has about so many bytes, which is
// looked at every few rows: an aggregate may keep much a group.
const (
	resultRows  = 1024
	resultBytes = 256 << 10
	resultChunk = 128
)

// span is a window.
type span struct{ start, end abi.EventTime }

// results makes rows of groups, and collects them until they make a batch. Where results are
// updated and those who follow are to know, it keeps the last result of each group in the store.
type results struct {
	keys    int   // columns
	columns []int // of the key: the first ones
	updates Updates
	rows    *batch.Builder
	keeper  *keeper

	fresh  *batch.Builder  // results that are yet to be compared
	told   []abi.EventTime // ends of the windows of which the store has results, sorted
	key    []byte
	value  []byte
	stored state.Strings
	before state.Strings
	slots  []uint32
	out    []*batch.ColumnBuilder
}

func newResults(spec *Spec, rows *batch.Builder, k *keeper) results {
	r := results{keys: len(spec.Key), updates: spec.Updates, rows: rows, keeper: k}
	for i := range spec.Key {
		r.columns = append(r.columns, i)
	}
	if r.updates != Append {
		r.fresh = k.accumulators.pool.NewBuilder(rows.Schema())
	}
	return r
}

// open finds the windows of which the store has results.
func (r *results) open() error {
	if r.updates == Append {
		return nil
	}
	var err error
	r.told, err = r.keeper.times(stateResults)
	return err
}

// flush sends what has been collected.
func (r *results) flush(ctx context.Context, out operator.Output) error {
	if r.rows.Rows() == 0 {
		return nil
	}
	return out.Emit(ctx, PortResults, r.rows.Finish())
}

// add adds the results of groups of a window: the keys at places of an index, and their slots.
// last says that none of them is updated any more.
func (r *results) add(ctx context.Context, x *index, places, slots []uint32, of span, last bool, out operator.Output) error {
	for from, to := 0, 0; from < len(places); from = to {
		to = from + r.keeper.accumulators.few(slots[from:])
		var err error
		if r.updates == Append {
			err = r.append(ctx, r.rows, x, places[from:to], slots[from:to], of)
		} else {
			err = r.update(ctx, x, places[from:to], slots[from:to], of, last)
		}
		if err != nil {
			return err
		}
		if r.rows.Rows() >= resultRows || r.rows.Bytes() >= resultBytes {
			if err := r.flush(ctx, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// append appends a row for each group that has rows to a batch.
func (r *results) append(ctx context.Context, to *batch.Builder, x *index, places, slots []uint32, of span) error {
	r.slots = r.slots[:0]
	for i, slot := range slots {
		if !r.keeper.accumulators.hasRows(slot) {
			continue
		}
		r.slots = append(r.slots, slot)
		if err := x.appendValue(to, r.columns, int(places[i])); err != nil {
			return err
		}
		to.Column(r.keys).AppendInt64(int64(of.start))
		to.Column(r.keys + 1).AppendInt64(int64(of.end))
		to.AppendTime(of.end - 1)
	}
	if err := r.aggregates(ctx, to); err != nil {
		return err
	}
	to.EndRows(len(r.slots))
	return nil
}

// aggregates appends the results of the groups in r.slots.
func (r *results) aggregates(ctx context.Context, to *batch.Builder) error {
	members := r.keeper.accumulators.members
	for i := range members {
		column := to.Column(r.keys + 2 + i)
		r.out = append(r.out[:0], column)
		if n := members[i].columns; n > 1 {
			r.out = r.out[:0]
			for child := range n {
				r.out = append(r.out, column.Child(child))
			}
		}
		if err := members[i].Result(ctx, r.slots, r.out); err != nil {
			return err
		}
		if members[i].columns > 1 {
			column.EndStructs(len(r.slots))
		}
	}
	return nil
}

// update appends what has changed in the results of groups since they were last told.
func (r *results) update(ctx context.Context, x *index, places, slots []uint32, of span, last bool) error {
	if err := r.append(ctx, r.fresh, x, places, slots, of); err != nil {
		return err
	}
	fresh := r.fresh.Finish()
	defer fresh.Release()
	r.stored.Reset()
	for _, place := range places {
		r.value = x.appendKey(r.value[:0], int(place))
		r.key = r.keeper.appendGroupKey(r.key[:0], stateResults, of.end, r.value)
		r.stored.Append(r.key)
	}
	if err := r.keeper.store.Get(&r.stored, &r.before); err != nil {
		return err
	}
	if at, ok := slices.BinarySearch(r.told, of.end); !ok && !last {
		r.told = slices.Insert(r.told, at, of.end)
	}
	row := 0
	for i, slot := range slots {
		var err error
		if r.keeper.accumulators.hasRows(slot) {
			err = r.change(fresh, row, r.before.At(i), r.stored.At(i), last)
			row++
		} else if before := r.before.At(i); before != nil {
			err = r.vanish(x, int(places[i]), of, before, r.stored.At(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// change appends a row of a batch of results, which replaces the one before, nil for none.
func (r *results) change(fresh *batch.Batch, row int, before, key []byte, last bool) error {
	r.value = r.value[:0]
	for i := range r.keeper.accumulators.members {
		r.value = batch.AppendValue(r.value, &fresh.Columns[r.keys+2+i], row)
	}
	if bytes.Equal(before, r.value) && before != nil {
		return nil
	}
	kind := batch.Insert
	if before != nil {
		kind = batch.UpdateAfter
		if r.updates == Retract {
			for i := range r.keys + 2 {
				r.rows.Column(i).AppendRow(&fresh.Columns[i], row)
			}
			if err := r.appendBefore(before, fresh.Times[row], batch.UpdateBefore); err != nil {
				return err
			}
		}
	}
	for i := range fresh.Columns {
		r.rows.Column(i).AppendRow(&fresh.Columns[i], row)
	}
	r.rows.AppendTime(fresh.Times[row])
	r.rows.AppendKind(kind)
	r.rows.EndRow()
	if last {
		return nil
	}
	return r.keeper.store.Put(key, r.value)
}

// vanish takes back the result of a group that has no rows any more.
func (r *results) vanish(x *index, place int, of span, before, key []byte) error {
	if err := x.appendValue(r.rows, r.columns, place); err != nil {
		return err
	}
	r.rows.Column(r.keys).AppendInt64(int64(of.start))
	r.rows.Column(r.keys + 1).AppendInt64(int64(of.end))
	if err := r.appendBefore(before, of.end-1, batch.Delete); err != nil {
		return err
	}
	return r.keeper.store.Delete(key)
}

// appendBefore ends a row, whose first columns are there, with the values of the result that was told.
func (r *results) appendBefore(before []byte, t abi.EventTime, kind batch.RowKind) error {
	rest := before
	for i := range r.keeper.accumulators.members {
		var err error
		if rest, err = r.rows.Column(r.keys + 2 + i).AppendValue(rest); err != nil {
			return fmt.Errorf("window: a result is stored as %x: %w", before, err)
		}
	}
	r.rows.AppendTime(t)
	r.rows.AppendKind(kind)
	r.rows.EndRow()
	return nil
}

// forget deletes what the store has of windows that are over for good by t.
func (r *results) forget(t, lateness abi.EventTime) error {
	gone := 0
	for _, end := range r.told {
		if end+lateness > t {
			break
		}
		if err := r.keeper.remove(stateResults, end); err != nil {
			return err
		}
		gone++
	}
	r.told = slices.Delete(r.told, 0, gone)
	return nil
}
