// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

// Dedup is the operator of a Spec.
//
// A key that may be forgotten has a timer at the time when it may be. Rows that take the place of others
// do not move it: when it is due and the key has a newer row, it is set anew.
type Dedup struct {
	spec   Spec
	ttl    int64 // microseconds
	store  state.Store
	groups int
	pool   *batch.Pool
	clock  func() time.Time
	mark   abi.EventTime
	timers *timer.Timers // nil where nothing is ever due
	behind bool          // timers are due that a Tick has left
	out    *rows.Output
	lates  *atomic.Int64 // counts late rows

	// Scratch of one batch.
	now          int64 // of the clock that rows are told apart by
	rows         *batch.Batch
	first        int           // the row of the first key
	keys, stored state.Strings // encoded keys, and what the store has them under
	value        []byte
	late         []uint32
	set          []timer.Timer // to be set after the update, without their keys
	setKey       []int         // their keys, by number
	due          []timer.Timer // likewise
	wrong        error
	steps, fires state.Merge // d.step and d.fire: making them anew for each batch would allocate
}

var (
	_ operator.Stateful = (*Dedup)(nil)
	_ operator.Clocked  = (*Dedup)(nil)
)

// chunk is how many rows are looked up, and how many timers are taken, at once, so that what comes of
// them is bounded.
const chunk = 1024

// stampSize is the size of the stamp before a row.
const stampSize = 8

// The namespaces of timers: a row may be given, a key may be forgotten. Of one time, the first goes first.
var (
	give   = []byte("1")
	forget = []byte("2")
)

// New returns the operator of a spec.
func New(ctx operator.Context, spec Spec) *Dedup {
	d := &Dedup{
		spec: spec, ttl: spec.TTL.Microseconds(), store: ctx.State, groups: ctx.Groups, pool: ctx.Pool, clock: ctx.Now, mark: ctx.Watermark,
		out: rows.NewOutput(ctx.Pool, spec.Input, PortKept, spec.Timed, spec.Changes()), lates: ctx.Counters.Get("late"),
	}
	switch {
	case spec.By == Arrival && d.ttl > 0:
		d.timers = timer.New(ctx.State, timer.ProcessingTime)
	case spec.By == Time && (d.ttl > 0 || spec.Final):
		d.timers = timer.New(ctx.State, timer.EventTime)
	}
	d.steps, d.fires = d.step, d.fire
	return d
}

// Open does nothing.
func (d *Dedup) Open(context.Context) error { return nil }

// Flush does nothing: what is known is in the store.
func (d *Dedup) Flush(context.Context) error { return nil }

// Close does nothing.
func (d *Dedup) Close(context.Context) error { return nil }

// Process takes each row for the one of its key, for a duplicate, or for late.
func (d *Dedup) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if d.spec.Timed && b.Times == nil {
		return fmt.Errorf("dedup: a batch of %d rows without event time", b.Rows())
	}
	d.now = int64(d.mark)
	if d.spec.By == Arrival {
		d.now = d.clock().UnixMicro()
	}
	d.late = d.late[:0]
	for from := 0; from < b.Rows(); from += chunk {
		if err := d.part(b, from, min(from+chunk, b.Rows())); err != nil {
			return fmt.Errorf("dedup: %w", err)
		}
		if err := d.out.Send(ctx, out); err != nil {
			return err
		}
	}
	if len(d.late) == 0 {
		return nil
	}
	d.lates.Add(int64(len(d.late)))
	return out.Emit(ctx, PortLate, d.pool.Take(b, d.late))
}

// part takes the rows [from, to).
func (d *Dedup) part(b *batch.Batch, from, to int) error {
	d.keys.Reset()
	d.stored.Reset()
	for row := from; row < to; row++ {
		d.value = d.value[:0]
		for _, col := range d.spec.Key {
			d.value = batch.AppendValue(d.value, &b.Columns[col], row)
		}
		d.keys.Append(d.value)
		d.stored.AppendKey(state.GroupOf(d.value, d.groups), kept, d.value, nil)
	}
	d.rows, d.first = b, from
	err := d.update(d.steps)
	d.rows = nil
	return err
}

// update merges into the stored keys, and sets the timers that come of it.
func (d *Dedup) update(merge state.Merge) error {
	d.set, d.setKey, d.wrong = d.set[:0], d.setKey[:0], nil
	if err := d.store.Update(&d.stored, merge); err != nil {
		return fmt.Errorf("keeping rows: %w", err)
	}
	if d.wrong != nil {
		return d.wrong
	}
	for i, n := range d.setKey {
		t := d.set[i]
		t.Key = d.keys.At(n)
		t.Group = state.GroupOf(t.Key, d.groups)
		if err := d.timers.Set(t); err != nil {
			return err
		}
	}
	return nil
}

// schedule notes a timer of the i-th key.
func (d *Dedup) schedule(i int, at int64, namespace []byte) {
	d.set = append(d.set, timer.Timer{Time: at, Namespace: namespace})
	d.setKey = append(d.setKey, i)
}

// over says whether a key with a stamp is to be forgotten. At the end of all input nothing is.
func (d *Dedup) over(stamp int64) bool {
	return d.ttl > 0 && d.now >= stamp+d.ttl && d.now != int64(watermark.Max)
}

// tooLate says whether a row comes too late to be the one of a key that is not known.
func (d *Dedup) tooLate(t int64) bool {
	return d.spec.By == Time && (d.over(t) || d.spec.Final && t < d.now)
}

// better says whether a row takes the place of the one with another stamp.
func (d *Dedup) better(stamp, old int64) bool {
	switch {
	case d.spec.Keep == Last:
		return stamp >= old || d.spec.By == Arrival // the clock may go back
	case d.spec.By == Time:
		return stamp < old
	}
	return false
}

// step is what the i-th row of a part makes of what is known of its key.
func (d *Dedup) step(i int, old []byte, found bool) ([]byte, bool) {
	row := d.first + i
	t := int64(rows.Time(d.rows, row))
	stamp := t
	if d.spec.By == Arrival {
		stamp = d.now
	}
	stays := found
	if found && len(old) < stampSize {
		d.wrong = rows.ErrEncoding
		return old, true
	}
	if found = found && !d.over(state.Time(old)); found {
		if d.spec.Rows > 1 {
			return d.another(row, old)
		}
		given := d.spec.Final && len(old) == stampSize
		if had := state.Time(old); !d.better(stamp, had) {
			return old, true
		} else if given {
			d.late = append(d.late, uint32(row))
			return old, true
		}
	}
	if d.spec.Changelog && d.rows.Kinds != nil {
		switch d.rows.Kinds[row] {
		case batch.UpdateBefore:
			return old, stays
		case batch.Delete:
			if found {
				d.decode(old, batch.Delete)
			}
			return nil, false
		}
	}
	if d.tooLate(t) {
		d.late = append(d.late, uint32(row))
		return old, stays
	}
	d.value = state.AppendTime(d.value[:0], stamp)
	switch {
	case d.spec.Changes() || d.spec.Final:
		d.value = rows.Append(d.value, d.rows, row)
	case d.spec.Rows > 1:
		d.value = binary.AppendUvarint(d.value, 1)
	}
	if d.spec.Final {
		d.schedule(i, stamp+1, give)
	} else {
		d.emit(row, old, found)
	}
	if d.ttl > 0 && !found {
		d.schedule(i, stamp+d.ttl, forget)
	}
	return d.value, true
}

// another is what a row makes of a key that has had one already, where more than one are kept.
func (d *Dedup) another(row int, old []byte) ([]byte, bool) {
	n, size := binary.Uvarint(old[stampSize:])
	if size != len(old)-stampSize {
		d.wrong = rows.ErrEncoding
		return old, true
	}
	if n >= uint64(d.spec.Rows) {
		return old, true
	}
	d.value = binary.AppendUvarint(append(d.value[:0], old[:stampSize]...), n+1)
	d.out.Copy(d.rows, row)
	d.out.End(rows.Time(d.rows, row), batch.Insert)
	return d.value, true
}

// emit appends a row, which takes the place of the one in old where there is one.
func (d *Dedup) emit(row int, old []byte, found bool) {
	kind := batch.Insert
	if found {
		if bytes.Equal(old[stampSize:], d.value[stampSize:]) {
			return
		}
		d.decode(old, batch.UpdateBefore)
		kind = batch.UpdateAfter
	}
	d.out.Copy(d.rows, row)
	d.out.End(rows.Time(d.rows, row), kind)
}

// decode appends the row of a stored value.
func (d *Dedup) decode(value []byte, kind batch.RowKind) {
	t, err := d.out.Decode(value[stampSize:], len(d.spec.Input.Fields))
	if err != nil {
		d.wrong = err
		d.out.DropRow()
		return
	}
	d.out.End(t, kind)
}
