// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package topn

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// headBytes bounds what the rows of one head may take, and so the size of a row.
const headBytes = 256 << 20

// Top is the operator of a Spec.
type Top struct {
	spec         Spec
	order        *rows.Order
	store        state.Store
	groups       int
	pool         *batch.Pool
	mark         abi.EventTime
	heads        heads
	calendar     *rows.Calendar // of the windows; nil where there are none
	size, offset abi.EventTime  // of tumbling windows
	out          *rows.Output
	unknown      *atomic.Int64
	lates        *atomic.Int64 // counts late rows

	// Scratch of one batch.
	late   []uint32
	key    []byte // of the row at hand
	group  state.Group
	stored []byte // its key in the store; prefix is the part before the row
	prefix int
	value  []byte
	keys   state.Strings
	values state.Strings
	merge  state.Merge // t.count: making it anew for each row would allocate
	delta  int
	wrong  error
}

var _ operator.Stateful = (*Top)(nil)

// New returns the operator of a spec that Output accepted.
func New(ctx operator.Context, spec Spec) (*Top, error) {
	schema, err := spec.Output()
	if err != nil {
		return nil, err
	}
	most := spec.Rows
	if spec.Changes {
		most = 2*spec.Rows + 16 // so that not each row that is taken back reads the store
	}
	t := &Top{
		spec: spec, order: rows.NewOrder(spec.Input, spec.By, spec.Key), store: ctx.State, groups: ctx.Groups, pool: ctx.Pool, mark: ctx.Watermark,
		heads: heads{store: ctx.State, most: most, bound: cacheBytes}, unknown: ctx.Counters.Get("unknown_deletions"), lates: ctx.Counters.Get("late"),
		out: rows.NewOutput(ctx.Pool, schema, PortTop, spec.Timed, spec.Window == nil),
	}
	if w := spec.Window; w != nil {
		t.calendar = rows.NewCalendar(ctx.State, stateWindows)
		t.size, t.offset = abi.EventTime(w.Size.Microseconds()), abi.EventTime(w.Offset.Microseconds())
	}
	t.merge = t.count
	return t, nil
}

// Open does nothing.
func (t *Top) Open(context.Context) error { return nil }

// Flush does nothing: what is kept is in the store.
func (t *Top) Flush(context.Context) error { return nil }

// Close does nothing.
func (t *Top) Close(context.Context) error { return nil }

// Process puts each row into its place, or takes it back.
func (t *Top) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if t.spec.Timed && b.Times == nil {
		return fmt.Errorf("top: a batch of %d rows without event time", b.Rows())
	}
	t.late = t.late[:0]
	for row := range b.Rows() {
		if err := t.row(ctx, b, row, out); err != nil {
			return fmt.Errorf("top: %w", err)
		}
		t.heads.trim()
		if err := t.out.SendFull(ctx, out); err != nil {
			return err
		}
	}
	if err := t.out.Send(ctx, out); err != nil {
		return err
	}
	if len(t.late) == 0 {
		return nil
	}
	t.lates.Add(int64(len(t.late)))
	return out.Emit(ctx, PortLate, t.pool.Take(b, t.late))
}

// row takes one row.
func (t *Top) row(ctx context.Context, b *batch.Batch, row int, out operator.Output) error {
	t.key = t.key[:0]
	for _, col := range t.spec.Key {
		t.key = batch.AppendValue(t.key, &b.Columns[col], row)
	}
	t.group = state.GroupOf(t.key, t.groups)
	if t.spec.Window == nil {
		t.stored = state.AppendKey(t.stored[:0], t.group, stateRows, t.key, nil)
	} else {
		end, err := t.windowEnd(b, row)
		if err != nil {
			return out.Fail(ctx, b, row, err)
		}
		if end <= t.mark {
			t.late = append(t.late, uint32(row))
			return nil
		}
		t.stored = state.AppendSized(t.calendar.AppendKey(t.stored[:0], t.group, end), t.key)
	}
	t.prefix = len(t.stored)
	t.stored = t.order.Append(t.stored, b, row)
	t.stored = state.AppendTime(t.stored, int64(rows.Time(b, row)))
	if most := min(state.MaxKey, headBytes/t.heads.most); len(t.stored) > most {
		return out.Fail(ctx, b, row, fmt.Errorf("a row of %d bytes; a top of %d rows takes rows of at most %d", len(t.stored), t.spec.Rows, most))
	}
	switch {
	case !t.spec.Changes:
		return t.add(ctx, out)
	case b.Kinds == nil || b.Kinds[row] == batch.Insert || b.Kinds[row] == batch.UpdateAfter:
		return t.insert(ctx, out)
	}
	return t.retract(ctx, out)
}

// windowEnd returns when the window of a row ends.
func (t *Top) windowEnd(b *batch.Batch, row int) (abi.EventTime, error) {
	if t.spec.Window.End < 0 {
		into := (b.Times[row] - t.offset) % t.size
		if into < 0 {
			into += t.size
		}
		return b.Times[row] - into + t.size, nil
	}
	c := &b.Columns[t.spec.Window.End]
	name := b.Schema.Fields[t.spec.Window.End].Name
	if c.Null(row) {
		return 0, fmt.Errorf("column %q, which says when the row's window ends, is null", name)
	}
	end := c.EventTimes()[row]
	if end < -watermark.MaxEventTime || end > watermark.MaxEventTime {
		return 0, fmt.Errorf("column %q, which says when the row's window ends, is out of range: %d us", name, end)
	}
	return end, nil
}

// add takes a row of which nothing is ever taken back: no more than the top is kept, so that the head
// is all that there is.
func (t *Top) add(ctx context.Context, out operator.Output) error {
	h, err := t.heads.get(t.stored[:t.prefix])
	if err != nil {
		return err
	}
	row := t.stored[t.prefix:]
	place, full := h.end(row), h.len() == t.spec.Rows
	if full && place == h.len() {
		return nil
	}
	if t.spec.Window == nil {
		if err := t.inserted(ctx, h, place, row, out); err != nil {
			return err
		}
	}
	if err := t.keep(t.stored, h.copies(place, row)+1); err != nil {
		return err
	}
	if full {
		last := h.len() - 1
		t.value = append(append(t.value[:0], t.stored[:t.prefix]...), h.at(last)...)
		if err := t.keep(t.value, h.copies(last, h.at(last))); err != nil {
			return err
		}
		h.remove(last)
	}
	t.heads.insert(h, place, row)
	return nil
}

// keep sets how often a row is kept.
func (t *Top) keep(stored []byte, copies uint64) error {
	if copies == 0 {
		return t.store.Delete(stored)
	}
	var value [binary.MaxVarintLen64]byte
	return t.store.Put(stored, value[:binary.PutUvarint(value[:], copies)])
}

// insert takes a row of a changelog that is one more.
func (t *Top) insert(ctx context.Context, out operator.Output) error {
	h, err := t.heads.get(t.stored[:t.prefix])
	if err != nil {
		return err
	}
	if err := t.change(1); err != nil {
		return err
	}
	row := t.stored[t.prefix:]
	place := h.end(row)
	if place == h.len() && !h.whole {
		return nil
	}
	if err := t.inserted(ctx, h, place, row, out); err != nil {
		return err
	}
	if h.len() == t.heads.most {
		h.whole = false
		if place == h.len() {
			return nil
		}
		h.remove(h.len() - 1)
	}
	t.heads.insert(h, place, row)
	return nil
}

// retract takes a row of a changelog that is one less.
func (t *Top) retract(ctx context.Context, out operator.Output) error {
	if found, err := t.find(); !found || err != nil {
		return err
	}
	h, err := t.heads.get(t.stored[:t.prefix])
	if err != nil {
		return err
	}
	if !h.whole && h.len() <= t.spec.Rows {
		if err := t.heads.read(h, t.stored[:t.prefix]); err != nil {
			return err
		}
	}
	if err := t.change(-1); err != nil {
		return err
	}
	row := t.stored[t.prefix:]
	place := h.end(row) - 1
	if place < 0 || h.copies(place+1, row) == 0 {
		return nil // it lies behind the head
	}
	if err := t.removed(ctx, h, place, out); err != nil {
		return err
	}
	h.remove(place)
	return nil
}

// find says whether the row at hand is kept. Where it is not, but one that is equal save for its event
// time, that one takes its place.
func (t *Top) find() (bool, error) {
	t.keys.Reset()
	t.keys.Append(t.stored)
	if err := t.store.Get(&t.keys, &t.values); err != nil {
		return false, fmt.Errorf("reading rows: %w", err)
	}
	if t.values.At(0) != nil {
		return true, nil
	}
	from := t.stored[:len(t.stored)-timeSize]
	t.value = state.AppendEnd(t.value[:0], from)
	if _, err := t.store.Scan(from, t.value, state.Limit{Entries: 1}, &t.keys, &t.values); err != nil {
		return false, fmt.Errorf("reading rows: %w", err)
	}
	if t.keys.Len() == 0 || len(t.keys.At(0)) != len(t.stored) {
		t.unknown.Add(1)
		return false, nil
	}
	t.stored = append(t.stored[:0], t.keys.At(0)...)
	return true, nil
}

// change changes how often the row at hand is kept.
func (t *Top) change(delta int) error {
	t.keys.Reset()
	t.keys.Append(t.stored)
	t.delta, t.wrong = delta, nil
	if err := t.store.Update(&t.keys, t.merge); err != nil {
		return fmt.Errorf("keeping rows: %w", err)
	}
	return t.wrong
}

func (t *Top) count(_ int, old []byte, found bool) ([]byte, bool) {
	n := uint64(0)
	if found {
		if n, t.wrong = parseCopies(old); t.wrong != nil {
			return old, true
		}
	}
	if n += uint64(t.delta); n == 0 {
		return nil, false
	}
	t.value = binary.AppendUvarint(t.value[:0], n)
	return t.value, true
}
