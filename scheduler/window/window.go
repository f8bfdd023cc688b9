// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

var (
	_ operator.Stateful = (*Aligned)(nil)
	_ operator.Clocked  = (*Aligned)(nil)
)

// Aligned is the operator of a Spec: of windows that begin and end at the same times for all keys.
//
// A group is a slice of event time and a key; its slot is its number in all aggregates. A window
// is made of slices, each of which a row is folded into once. Groups lie in memory, and in the store
// as of the last Flush; when they take too much memory, those that are not hot are dropped.
//
// Invariants: slices are sorted and disjoint; a slice that is not partial has all its groups in
// memory; a group that is not dirty is in the store as it is in memory; a slice all of whose windows
// are over, lateness included, is gone from both; every window that ends by mark has fired.
type Aligned struct {
	spec     Spec
	grid     grid
	lateness abi.EventTime
	pool     *batch.Pool
	now      func() time.Time
	late     *atomic.Int64
	mark     abi.EventTime

	key      *keyColumns
	groups   *accumulators
	keeper   keeper
	slices   []*slice
	spare    []*slice // to use again
	place    []uint32 // by slot: the place of its key in its slice
	keyBytes int64    // that the keys of all slices take
	results  results
	running  running // of windows of several slices
	tick     time.Time

	filling *slice // whose groups newSlot makes
	newSlot func() uint32

	// Scratch of one batch.
	runs   []run
	slots  []uint32
	rows   [3][]uint32 // by disposition: plain, at once, late
	ahead  []uint32    // by slot: rows that are not folded in yet
	due    []trigger
	places []uint32
	parts  []batch.Part
}

// slice is a slice that has groups.
type slice struct {
	number     int64
	start, end abi.EventTime
	keys       index
	partial    bool // the store may have groups that memory lacks
	dirty      bool // a group may be dirty
	changed    bool // a group in memory may have changed since the last early results
	changedOut bool // a group in the store, and not in memory, may have

	bytes    int64         // of keys, as they are counted in Aligned.keyBytes
	what     disposition   // of its rows,
	whatAt   abi.EventTime // as of this watermark,
	whatSure bool          // where it is known
}

// Slices that are kept to use again: so many, of so many keys.
const (
	spares    = 4
	spareKeys = 1 << 16
)

// disposition is what happens to a row.
type disposition uint8

const (
	plain  disposition = iota // it is folded in, and shows when its windows fire
	atOnce                    // a result follows
	tooLate
)

// run is a run of rows of a batch that lie in one slice. The slice is nil where they are too late.
type run struct {
	slice    *slice
	from, to int
	what     disposition
}

// trigger is a group of which a result is to follow.
type trigger struct {
	slice *slice
	slot  uint32
}

// New returns the operator of a spec that Output accepted. Without a store in the context it has
// one of its own, in memory.
func New(ctx operator.Context, spec Spec) (*Aligned, error) {
	schema, err := spec.Output()
	if err != nil {
		return nil, err
	}
	if ctx.State == nil {
		ctx.State, ctx.Groups, ctx.Watermark = memory.New(state.Groups{To: state.DefaultGroups}), state.DefaultGroups, watermark.Min
	}
	if ctx.Counters == nil {
		ctx.Counters = &operator.Counters{}
	}
	if ctx.Now == nil {
		ctx.Now = time.Now
	}
	if spec.Memory == 0 {
		spec.Memory = DefaultMemory
	}
	w := &Aligned{
		spec: spec, grid: newGrid(&spec), lateness: abi.EventTime(spec.Lateness.Microseconds()),
		pool: ctx.Pool, now: ctx.Now, late: ctx.Counters.Get("late"), mark: ctx.Watermark,
		key: newKeyColumns(spec.Input, spec.Key),
	}
	if w.groups, err = newAccumulators(ctx, &spec, spec.EarlyRows > 0); err != nil {
		return nil, err
	}
	if spec.Early > 0 {
		w.groups.touched |= changed
	}
	w.keeper = keeper{store: ctx.State, groups: ctx.Groups, accumulators: w.groups}
	w.results = newResults(&spec, ctx.Pool.NewBuilder(schema), &w.keeper)
	w.running = running{w: w}
	w.newSlot = w.fill
	w.groups.keyOf = w.keyOf
	return w, nil
}

// Open opens the aggregates, and finds the slices that the store has.
func (w *Aligned) Open(ctx context.Context) error {
	if err := w.groups.open(ctx); err != nil {
		return err
	}
	ends, err := w.keeper.times(stateGroups)
	if err != nil {
		return err
	}
	for _, end := range ends {
		n := w.grid.slice(end - 1)
		if w.grid.start(n+1) != end {
			return fmt.Errorf("window: the state has windows that end at %v, which these windows do not: it is of windows of another size", moment(end))
		}
		s := w.ensure(n)
		s.partial, s.changedOut = true, w.spec.Early > 0
	}
	w.schedule()
	return w.results.open()
}

// Close closes the aggregates.
func (w *Aligned) Close(ctx context.Context) error { return w.groups.close(ctx) }

// fill returns a slot for a new key of w.filling.
func (w *Aligned) fill() uint32 {
	slot := w.groups.slot()
	for int(slot) >= len(w.place) {
		w.place = append(w.place, 0)
	}
	w.place[slot] = uint32(w.filling.keys.len())
	return slot
}

// Process folds rows, or groups that a Local sent, into their groups.
func (w *Aligned) Process(ctx context.Context, input int, b *batch.Batch, out operator.Output) error {
	if b.Times == nil {
		return fmt.Errorf("window: a batch of %d rows without event time", b.Rows())
	}
	var err error
	if input == InputPartials {
		err = w.merge(ctx, b, out)
	} else {
		err = w.process(ctx, b, out)
	}
	if err != nil {
		return err
	}
	w.schedule()
	if err := w.results.flush(ctx, out); err != nil {
		return err
	}
	return w.limit(ctx)
}

func (w *Aligned) process(ctx context.Context, b *batch.Batch, out operator.Output) error {
	if w.cut(b.Times) {
		return w.fold(ctx, b, out)
	}
	for what := range w.rows {
		w.rows[what] = w.rows[what][:0]
	}
	for _, r := range w.runs {
		for row := r.from; row < r.to; row++ {
			w.rows[r.what] = append(w.rows[r.what], uint32(row))
		}
	}
	if late := w.rows[tooLate]; len(late) > 0 {
		w.late.Add(int64(len(late)))
		if err := out.Emit(ctx, PortLate, w.pool.Take(b, late)); err != nil {
			return err
		}
	}
	if err := w.part(ctx, b, w.rows[plain], out, w.fold); err != nil {
		return err
	}
	return w.part(ctx, b, w.rows[atOnce], out, w.foldAtOnce)
}

// part folds some rows of a batch.
func (w *Aligned) part(ctx context.Context, b *batch.Batch, rows []uint32, out operator.Output, fold func(context.Context, *batch.Batch, operator.Output) error) error {
	if len(rows) == 0 {
		return nil
	}
	part := w.pool.Take(b, rows)
	defer part.Release()
	w.cut(part.Times)
	return fold(ctx, part, out)
}

// cut makes the runs of rows with these times, and says whether all of them are plain.
func (w *Aligned) cut(times []abi.EventTime) bool {
	w.runs = w.runs[:0]
	all := true
	for row := 0; row < len(times); {
		r := run{from: row}
		var start, end abi.EventTime
		if at, ok := w.at(times[row]); ok {
			s := w.slices[at]
			if !s.whatSure || s.whatAt != w.mark {
				s.what, s.whatAt, s.whatSure = w.disposition(s.number), w.mark, true
			}
			r.slice, r.what, start, end = s, s.what, s.start, s.end
		} else {
			n := w.grid.slice(times[row])
			r.what, start, end = w.disposition(n), w.grid.start(n), w.grid.start(n+1)
			if r.what != tooLate {
				r.slice = w.ensure(n)
			}
		}
		for row++; row < len(times) && times[row] >= start && times[row] < end; row++ {
		}
		r.to = row
		all = all && r.what == plain
		w.runs = append(w.runs, r)
	}
	return all
}

// disposition says what happens to a row of a slice.
func (w *Aligned) disposition(n int64) disposition {
	switch {
	case w.mark >= -watermark.MaxEventTime && w.grid.start(w.grid.lastEnd(n))+w.lateness <= w.mark:
		return tooLate
	case w.spec.EarlyRows > 0:
		return atOnce
	case w.updates(n) <= w.fired(n):
		return atOnce
	}
	return plain
}

// fired returns the last window that a slice is in and that has fired, one before the first where
// none has.
func (w *Aligned) fired(n int64) int64 {
	if w.mark < -watermark.MaxEventTime {
		return w.grid.firstEnd(n) - 1
	}
	return min(w.grid.lastEnd(n), w.grid.endAfter(w.clamped(w.mark))-1)
}

// updates returns the first window that a slice is in and whose lateness is not over.
func (w *Aligned) updates(n int64) int64 {
	if w.mark < -watermark.MaxEventTime {
		return w.grid.firstEnd(n)
	}
	return max(w.grid.firstEnd(n), w.grid.endAfter(w.clamped(w.mark-w.lateness)))
}

// clamped bounds a watermark to what the grid's arithmetic takes; no window ends beyond.
func (w *Aligned) clamped(t abi.EventTime) abi.EventTime {
	const far = watermark.MaxEventTime + 4*abi.EventTime(MaxSize/time.Microsecond)
	return max(-far, min(t, far))
}

// at returns where the slice is that a time lies in, or would be.
func (w *Aligned) at(t abi.EventTime) (int, bool) {
	return slices.BinarySearchFunc(w.slices, t, func(s *slice, t abi.EventTime) int {
		switch {
		case s.end <= t:
			return -1
		case s.start > t:
			return 1
		}
		return 0
	})
}

// ensure returns a slice, and makes it where there is none.
func (w *Aligned) ensure(n int64) *slice {
	at, ok := w.numbered(n)
	if ok {
		return w.slices[at]
	}
	s := &slice{keys: index{key: w.key}}
	if last := len(w.spare) - 1; last >= 0 {
		s, w.spare = w.spare[last], w.spare[:last]
	}
	s.number, s.start, s.end = n, w.grid.start(n), w.grid.start(n+1)
	w.slices = slices.Insert(w.slices, at, s)
	return s
}

// numbered returns where a slice is, or would be.
func (w *Aligned) numbered(n int64) (int, bool) {
	return slices.BinarySearchFunc(w.slices, n, func(s *slice, n int64) int {
		switch {
		case s.number < n:
			return -1
		case s.number > n:
			return 1
		}
		return 0
	})
}

// fold adds the rows of b, cut into runs, to their groups.
func (w *Aligned) fold(ctx context.Context, b *batch.Batch, out operator.Output) error {
	if err := w.assign(ctx, b); err != nil {
		return err
	}
	_, err := w.groups.add(ctx, b, w.slots, out)
	return err
}

// assign finds or makes the group of each row of b, cut into runs: w.slots has its slot.
func (w *Aligned) assign(ctx context.Context, b *batch.Batch) error {
	w.slots = w.slots[:0]
	for _, r := range w.runs {
		s := r.slice
		was := s.keys.len()
		w.filling = s
		w.slots = s.keys.assign(b, r.from, r.to, w.slots, w.newSlot)
		s.dirty = true
		s.changed = s.changed || w.spec.Early > 0
		if s.partial {
			if err := w.keeper.miss(ctx, s, was); err != nil {
				return err
			}
		}
		w.count(s)
		w.running.stale(s, w.slots[len(w.slots)-(r.to-r.from):])
	}
	return nil
}
