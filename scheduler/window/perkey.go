// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"errors"
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
	"github.com/wasmill/wasmill/state/timer"
)

var (
	_ operator.Stateful = (*PerKey)(nil)
	_ operator.Clocked  = (*PerKey)(nil)
)

// PerKey is the operator of a Spec that is PerKey: of windows of which each key has its own.
//
// A key has a list of windows, and each window a slot, its number in all aggregates. Keys lie in
// memory, and in the store as of the last Flush; when they take too much memory, all of them are
// dropped, and read again when they are met.
//
// Invariants: the windows of a key are disjoint and sorted; a key that is not dirty is in the
// store as it is in memory; a key with windows has one timer in event time, which is not after the first
// of them fires or is over. So rows that make a window longer move no timer: it is set anew when it is due.
type PerKey struct {
	spec     Spec
	lateness abi.EventTime
	pool     *batch.Pool
	now      func() time.Time
	late     *atomic.Int64
	mark     abi.EventTime
	modules  bool     // an aggregate may fail rows
	grid     grid     // of tumbling windows
	counting counting // of windows by count
	add      func(ctx context.Context, row int, place uint32) error

	key       *keyColumns
	groups    *accumulators
	store     state.Store
	keyGroups int
	timers    *timer.Timers
	clock     *timer.Timers // nil without early results
	tick      time.Time
	trigger   *triggered // nil where the watermark fires windows
	results   results

	index   index   // the slot of a key is its place
	keys    []ofKey // by place
	live    int     // keys with windows
	changed []uint32
	told    int64 // bytes of results that may be replaced
	kept    int64 // bytes of rows that windows keep
	keeps   []int // columns of theirs
	rebuilt *batch.Builder

	// Scratch of one batch.
	batch   *batch.Batch
	out     operator.Output
	places  []uint32 // of the key of each row
	lateRow []uint32
	rows    []uint32 // to be added, and to which slots
	slots   []uint32
	part    uint32   // number of those rows
	parts   []uint32 // by slot: the part in which it was last added to
	due     []firing
	ended   []ended
	arming  []uint32 // places of keys whose timer may be too late
	stored  state.Strings
	values  state.Strings
	text    []byte
	value   []byte
}

// ofKey is what is known of a key.
type ofKey struct {
	windows []ofWindow
	due     abi.EventTime // of its timer; watermark.Min where none is set
	rows    int64         // that have come, or fewer by whole windows, where windows are by count; of rows that are kept the last number
	dropped int           // windows that were just dropped from the beginning
	early   bool          // a timer of processing time is set since it was last read
	stored  bool          // the store has it
	dirty   bool          // it differs from what the store has
}

// ofWindow is a window of a key.
type ofWindow struct {
	start, end abi.EventTime
	slot       uint32
	changed    bool  // since the last result
	since      int64 // rows since then
	kept       keptRows
	told       []told
}

// told is a result that may yet be replaced: its window as it was, and the encoded values of its
// aggregates.
type told struct {
	start, end abi.EventTime
	values     []byte
}

// firing is a window of which a result is to follow.
type firing struct {
	place, slot uint32
	of          span // of a window by count; else it is that of the key's window with the slot
}

// chunk is how many keys are looked up at a time when they are due.
const chunk = 1024

// NewPerKey returns the operator of a spec that is PerKey and that Output accepted. Without a
// store in the context it has one of its own, in memory.
func NewPerKey(ctx operator.Context, spec Spec) (*PerKey, error) {
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
	w := &PerKey{
		spec: spec, lateness: abi.EventTime(spec.Lateness.Microseconds()),
		pool: ctx.Pool, now: ctx.Now, late: ctx.Counters.Get("late"), mark: ctx.Watermark,
		key: newKeyColumns(spec.Input, spec.Key), store: ctx.State, keyGroups: ctx.Groups,
		timers:  timer.New(ctx.State, timer.EventTime),
		modules: slices.ContainsFunc(spec.Aggregates, func(a Aggregate) bool { return a.Module != nil }),
	}
	if spec.Early > 0 {
		w.clock = timer.New(ctx.State, timer.ProcessingTime)
	}
	if w.groups, err = newAccumulators(ctx, &spec, spec.Purge || spec.Keep != nil || spec.Trigger != nil); err != nil {
		return nil, err
	}
	w.groups.keyOf = w.keyOf
	switch {
	case spec.Count != nil:
		w.add, w.counting = w.count, spec.Count.counting()
	case spec.Global:
		w.add = w.global
	case spec.Size > 0:
		w.add, w.grid = w.tumbling, newGrid(&spec)
	default:
		w.add = w.session
	}
	w.index = index{key: w.key}
	if spec.Keep != nil {
		w.keeps, w.rebuilt = spec.keptColumns(), ctx.Pool.NewBuilder(spec.Input)
	}
	w.results = newResults(&spec, ctx.Pool.NewBuilder(schema), &keeper{accumulators: w.groups})
	if spec.Trigger != nil {
		if w.trigger, err = newTriggered(ctx, w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Open opens the aggregates and the trigger.
func (w *PerKey) Open(ctx context.Context) error {
	if err := w.groups.open(ctx); err != nil {
		return err
	}
	if w.trigger != nil {
		if err := w.trigger.op.Open(ctx); err != nil {
			return err
		}
	}
	return w.schedule()
}

// Close closes the aggregates and the trigger.
func (w *PerKey) Close(ctx context.Context) error {
	err := w.groups.close(ctx)
	if w.trigger != nil {
		err = errors.Join(err, w.trigger.op.Close(ctx))
	}
	return err
}

// Process puts rows into the windows of their keys.
func (w *PerKey) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	switch {
	case b.Times == nil:
		return fmt.Errorf("window: a batch of %d rows without event time", b.Rows())
	case b.Kinds != nil:
		return fmt.Errorf("window: a batch of %d rows of a changelog, which this window can't follow", b.Rows())
	}
	was := len(w.keys)
	w.places = w.index.assign(b, 0, b.Rows(), w.places[:0], w.fresh)
	if err := w.read(ctx, was); err != nil {
		return err
	}
	w.out = out
	defer func() { w.out = nil }()
	var err error
	if w.trigger != nil {
		err = w.trigger.process(ctx, b)
	} else {
		err = w.addRows(ctx, b, w.places)
	}
	if err != nil {
		return err
	}
	return w.settle(ctx, out)
}

// addRows puts the rows of a batch, whose keys are at places, into windows.
func (w *PerKey) addRows(ctx context.Context, b *batch.Batch, places []uint32) error {
	w.batch = b
	defer func() { w.batch = nil }()
	for row, place := range places {
		if err := w.add(ctx, row, place); err != nil {
			return err
		}
	}
	if err := w.cut(ctx); err != nil {
		return err
	}
	return w.tooLate(ctx)
}

// settle ends a call that took rows.
func (w *PerKey) settle(ctx context.Context, out operator.Output) error {
	if err := w.arm(); err != nil {
		return err
	}
	if err := w.schedule(); err != nil {
		return err
	}
	if err := w.results.flush(ctx, out); err != nil {
		return err
	}
	return w.limit(ctx)
}

// tooLate sends the rows of the batch that came too late.
func (w *PerKey) tooLate(ctx context.Context) error {
	if len(w.lateRow) == 0 {
		return nil
	}
	w.late.Add(int64(len(w.lateRow)))
	late := w.pool.Take(w.batch, w.lateRow)
	w.lateRow = w.lateRow[:0]
	return w.out.Emit(ctx, PortLate, late)
}

// fresh makes a key, whose windows are yet to be read.
func (w *PerKey) fresh() uint32 {
	place := len(w.keys)
	if place < cap(w.keys) {
		w.keys = w.keys[:place+1]
		w.keys[place] = ofKey{windows: w.keys[place].windows[:0], due: watermark.Min}
	} else {
		w.keys = append(w.keys, ofKey{due: watermark.Min})
	}
	return uint32(place)
}

// slot returns an empty slot for a window.
func (w *PerKey) slot() uint32 {
	slot := w.groups.slot()
	for int(slot) >= len(w.parts) {
		w.parts = append(w.parts, 0)
	}
	w.parts[slot] = w.part - 1
	return slot
}

// write notes that a key differs from what the store has.
func (w *PerKey) write(place uint32) {
	if k := &w.keys[place]; !k.dirty {
		k.dirty = true
		w.changed = append(w.changed, place)
	}
}

// open adds a window to a key at a place of its list.
func (w *PerKey) open(place uint32, at int, start, end abi.EventTime) *ofWindow {
	k := &w.keys[place]
	if len(k.windows) == 0 {
		w.live++
	}
	k.windows = slices.Insert(k.windows, at, ofWindow{start: start, end: end, slot: w.slot()})
	return &k.windows[at]
}

// put adds the row to a window of its key, and notes what follows from that. No result of the window is
// pending.
func (w *PerKey) put(ctx context.Context, row int, place uint32, of *ofWindow) error {
	w.write(place)
	w.armAt(place, of)
	fired := w.fires(of) <= w.mark
	if w.modules && (fired || w.spec.EarlyRows > 0 || w.trigger != nil) {
		return w.putAlone(ctx, row, place, of)
	}
	if w.spec.Keep == nil {
		w.stage(row, of.slot)
	} else if err := w.keep(row, &w.keys[place], of); err != nil {
		return err
	}
	if w.counts(of, fired) {
		w.groups.marks[of.slot] |= pending
		w.due = append(w.due, firing{place: place, slot: of.slot})
		return nil
	}
	return w.change(row, place, of)
}

// putAlone adds the row alone, to see whether a module fails it.
func (w *PerKey) putAlone(ctx context.Context, row int, place uint32, of *ofWindow) error {
	if err := w.cut(ctx); err != nil {
		return err
	}
	had := w.groups.rows[of.slot]
	w.stage(row, of.slot)
	if err := w.cut(ctx); err != nil {
		return err
	}
	if w.groups.rows[of.slot] == had {
		return nil
	}
	if w.counts(of, w.fires(of) <= w.mark) {
		return w.give(ctx, []firing{{place: place, slot: of.slot}}, w.out)
	}
	return w.change(row, place, of)
}

// counts counts a row of a window, and says whether a result follows at once.
func (w *PerKey) counts(of *ofWindow, fired bool) bool {
	of.since++
	return w.trigger == nil && (fired || w.spec.EarlyRows > 0 && of.since >= w.spec.EarlyRows)
}

// change notes that a window has changed by a row and that no result has followed.
func (w *PerKey) change(row int, place uint32, of *ofWindow) error {
	if w.trigger != nil {
		w.trigger.saw(row, of)
	}
	if w.clock == nil {
		return nil
	}
	of.changed = true
	k := &w.keys[place]
	if k.early {
		return nil
	}
	k.early = true
	w.text = w.index.appendKey(w.text[:0], int(place))
	at := w.now().Truncate(w.spec.Early).Add(w.spec.Early)
	return w.clock.Set(timer.Timer{Group: state.GroupOf(w.text, w.keyGroups), Time: at.UnixMicro(), Key: w.text})
}

// stage has a row added to a slot with the next cut.
func (w *PerKey) stage(row int, slot uint32) {
	w.rows, w.slots = append(w.rows, uint32(row)), append(w.slots, slot)
	w.parts[slot] = w.part
}

// staged says whether rows are to be added to a slot with the next cut.
func (w *PerKey) staged(slot uint32) bool { return len(w.rows) > 0 && w.parts[slot] == w.part }

// cut adds the rows that are staged, and gives the results that are due.
func (w *PerKey) cut(ctx context.Context) error {
	if err := w.addStaged(ctx); err != nil {
		return err
	}
	if len(w.due) > 0 {
		for _, d := range w.due {
			w.groups.marks[d.slot] &^= pending
		}
		err := w.give(ctx, w.due, w.out)
		if w.due = w.due[:0]; err != nil {
			return err
		}
	}
	return w.giveEnded(ctx)
}

func (w *PerKey) addStaged(ctx context.Context) error {
	if len(w.rows) == 0 {
		return nil
	}
	part := w.batch
	if len(w.rows) < part.Rows() {
		part = w.pool.Take(part, w.rows)
		defer part.Release()
	}
	_, err := w.groups.add(ctx, part, w.slots, w.out)
	w.rows, w.slots = w.rows[:0], w.slots[:0]
	w.part++
	return err
}

// fires returns when a window fires: when the watermark reaches that.
func (w *PerKey) fires(of *ofWindow) abi.EventTime {
	if w.spec.Global {
		return watermark.Max
	}
	return of.end
}

// over says whether a window, or one that would be, is over, lateness included.
func (w *PerKey) over(end abi.EventTime) bool { return end+w.lateness <= w.mark }
