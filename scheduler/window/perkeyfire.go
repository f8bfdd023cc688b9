// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state/timer"
)

// Watermark fires the windows that end by t, and forgets those whose lateness is over.
func (w *PerKey) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	before := w.mark
	w.mark = t
	w.out = out
	defer func() { w.out = nil }()
	if w.trigger != nil {
		if err := w.trigger.op.Watermark(ctx, t, w.trigger); err != nil {
			return err
		}
	}
	for more := true; more; {
		var err error
		if more, err = w.pop(ctx, w.timers, int64(t)); err != nil {
			return err
		}
		if err := w.fire(ctx, before, out); err != nil {
			return err
		}
		for _, place := range w.places {
			if err := w.forget(place); err != nil {
				return err
			}
		}
		if err := w.settle(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// pop takes some timers up to a time: w.places are the keys that they are of.
func (w *PerKey) pop(ctx context.Context, timers *timer.Timers, upTo int64) (more bool, err error) {
	was := len(w.keys)
	w.places = w.places[:0]
	more, err = timers.Pop(upTo, chunk, func(t *timer.Timer) error {
		place, err := w.index.put(t.Key, w.fresh)
		w.places = append(w.places, place)
		return err
	})
	if err != nil {
		return false, err
	}
	return more, w.read(ctx, was)
}

// fire gives the results of windows of the keys at w.places that end after the watermark of before and by
// that of now.
func (w *PerKey) fire(ctx context.Context, before abi.EventTime, out operator.Output) error {
	if w.trigger != nil {
		return nil
	}
	w.due = w.due[:0]
	for _, place := range w.places {
		k := &w.keys[place]
		for i := range k.windows {
			if at := w.fires(&k.windows[i]); at > before && at <= w.mark {
				w.due = append(w.due, firing{place: place, slot: k.windows[i].slot})
			}
		}
	}
	err := w.give(ctx, w.due, out)
	w.due = w.due[:0]
	return err
}

// forget drops the windows of a key that are over. Its timer is due.
func (w *PerKey) forget(place uint32) error {
	k := &w.keys[place]
	k.due = watermark.Min
	had := len(k.windows)
	if had == 0 {
		return nil
	}
	k.windows = slices.DeleteFunc(k.windows, func(of ofWindow) bool {
		over := w.over(w.fires(&of))
		if over {
			w.drop(&of)
		}
		return over
	})
	if len(k.windows) > 0 {
		w.write(place)
		w.arming = append(w.arming, place)
		return nil
	}
	return w.emptied(place)
}

// drop releases what a window has in memory.
func (w *PerKey) drop(of *ofWindow) {
	w.groups.release([]uint32{of.slot})
	w.kept -= of.kept.size()
	for i := range of.told {
		w.told -= int64(len(of.told[i].values))
	}
}

// emptied removes a key whose last window is gone from the store.
func (w *PerKey) emptied(place uint32) error {
	k := &w.keys[place]
	w.live--
	if !k.stored {
		return nil
	}
	k.stored = false
	w.text = w.index.appendKey(w.text[:0], int(place))
	w.value = w.appendStoredKey(w.value[:0], w.text)
	return w.store.Delete(w.value)
}

// schedule sets the time of the next early results.
func (w *PerKey) schedule() error {
	if w.clock == nil {
		return nil
	}
	w.tick = time.Time{}
	next, err := w.clock.Next(math.MaxInt64)
	if next != nil {
		w.tick = time.UnixMicro(next.Time)
	}
	return err
}

// Next returns when early results are due, or the trigger is to have its tick.
func (w *PerKey) Next() time.Time {
	if w.trigger != nil {
		return w.trigger.next()
	}
	return w.tick
}

// Tick gives the results so far of windows that have changed and have not fired, or those that the trigger wants.
func (w *PerKey) Tick(ctx context.Context, now time.Time, out operator.Output) error {
	if w.trigger != nil {
		w.out = out
		defer func() { w.out = nil }()
		if err := w.trigger.tick(ctx, now); err != nil {
			return err
		}
		return w.settle(ctx, out)
	}
	for more := true; more; {
		var err error
		if more, err = w.pop(ctx, w.clock, now.UnixMicro()); err != nil {
			return err
		}
		w.due = w.due[:0]
		for _, place := range w.places {
			k := &w.keys[place]
			k.early = false
			w.write(place)
			for i := range k.windows {
				if of := &k.windows[i]; of.changed && w.fires(of) > w.mark {
					w.due = append(w.due, firing{place: place, slot: of.slot})
				}
			}
		}
		err = w.give(ctx, w.due, out)
		w.due = w.due[:0]
		if err != nil {
			return err
		}
		if err := w.settle(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// window returns the window of a key that has a slot.
func (w *PerKey) window(f firing) *ofWindow {
	windows := w.keys[f.place].windows
	if len(windows) == 1 {
		return &windows[0]
	}
	return &windows[slices.IndexFunc(windows, func(of ofWindow) bool { return of.slot == f.slot })]
}

// give adds the results of windows as of now.
func (w *PerKey) give(ctx context.Context, all []firing, out operator.Output) error {
	r := &w.results
	for rest := all; len(rest) > 0; {
		r.slots = r.slots[:0]
		for _, f := range rest[:min(resultChunk, len(rest))] {
			r.slots = append(r.slots, f.slot)
		}
		n := w.groups.few(r.slots)
		if w.spec.Keep != nil {
			n = 1 // how large results are is not known before the rows are there
		}
		some := rest[:n]
		rest = rest[n:]
		if w.spec.Keep != nil {
			if err := w.foldKept(ctx, some); err != nil {
				return err
			}
		}
		to := r.rows
		if r.updates != Append {
			to = r.fresh
		}
		if err := w.append(ctx, to, some); err != nil {
			return err
		}
		if r.updates != Append {
			if err := w.update(some); err != nil {
				return err
			}
		}
		for _, f := range some {
			w.gave(f)
		}
		if r.rows.Rows() >= resultRows || r.rows.Bytes() >= resultBytes {
			if err := r.flush(ctx, out); err != nil {
				return err
			}
		}
	}
	if w.spec.Global && w.spec.Purge {
		return w.purged(all)
	}
	return nil
}

// gave notes that a result of a window was given.
func (w *PerKey) gave(f firing) {
	if w.spec.Count != nil {
		return // its slices go on
	}
	of := w.window(f)
	of.changed, of.since = false, 0
	w.write(f.place)
	if w.spec.Purge || w.spec.Keep != nil {
		w.empty(of.slot)
	}
	if w.spec.Purge {
		w.kept -= of.kept.size()
		of.kept = keptRows{}
	}
}

// append appends a row for each window that has rows to a batch.
func (w *PerKey) append(ctx context.Context, to *batch.Builder, some []firing) error {
	r := &w.results
	r.slots = r.slots[:0]
	for _, f := range some {
		if !w.groups.hasRows(f.slot) {
			continue
		}
		r.slots = append(r.slots, f.slot)
		if err := w.index.appendValue(to, r.columns, int(f.place)); err != nil {
			return err
		}
		of := f.of
		if w.spec.Count == nil {
			found := w.window(f)
			of = span{found.start, found.end}
		}
		w.appendBounds(to, of)
		to.AppendTime(of.end - 1)
	}
	if err := r.aggregates(ctx, to); err != nil {
		return err
	}
	to.EndRows(len(r.slots))
	return nil
}

// appendBounds appends window_start and window_end: nulls of a window that has no bounds.
func (w *PerKey) appendBounds(to *batch.Builder, of span) {
	w.appendBoundsTo(to.Column(w.results.keys), to.Column(w.results.keys+1), of)
}

func (w *PerKey) appendBoundsTo(start, end *batch.ColumnBuilder, of span) {
	if w.spec.Global {
		start.AppendNull()
		end.AppendNull()
		return
	}
	start.AppendInt64(int64(of.start))
	end.AppendInt64(int64(of.end))
}

// update appends what has changed in the results of windows, whose results are in r.fresh, since they
// were last told.
func (w *PerKey) update(some []firing) error {
	fresh := w.results.fresh.Finish()
	defer fresh.Release()
	row := 0
	for _, f := range some {
		if !w.groups.hasRows(f.slot) {
			continue
		}
		if err := w.replace(fresh, row, w.window(f)); err != nil {
			return err
		}
		row++
	}
	return nil
}

// replace appends a row of a batch of results, and takes back what was told of its window before.
func (w *PerKey) replace(fresh *batch.Batch, row int, of *ofWindow) error {
	r := &w.results
	w.value = w.value[:0]
	for i := range w.groups.members {
		w.value = batch.AppendValue(w.value, &fresh.Columns[r.keys+2+i], row)
	}
	kind := batch.Insert
	if len(of.told) == 1 && (w.spec.Global || of.told[0].start == of.start && of.told[0].end == of.end) {
		if bytes.Equal(of.told[0].values, w.value) {
			return nil
		}
		kind = batch.UpdateAfter
	}
	for i := range of.told {
		before := &of.told[i]
		w.told -= int64(len(before.values))
		switch {
		case kind == batch.Insert: // of a window that was another one
			if err := w.takeBack(fresh, row, before, batch.Delete); err != nil {
				return err
			}
		case r.updates == Retract:
			if err := w.takeBack(fresh, row, before, batch.UpdateBefore); err != nil {
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
	of.told = append(of.told[:0], told{of.start, of.end, slices.Clone(w.value)})
	w.told += int64(len(w.value))
	return nil
}

// takeBack appends a result as it was told, of the key in a row of a batch of results.
func (w *PerKey) takeBack(fresh *batch.Batch, row int, before *told, kind batch.RowKind) error {
	r := &w.results
	for i := range r.keys {
		r.rows.Column(i).AppendRow(&fresh.Columns[i], row)
	}
	w.appendBounds(r.rows, span{before.start, before.end})
	if err := r.appendBefore(before.values, before.end-1, kind); err != nil {
		return fmt.Errorf("taking a result back: %w", err)
	}
	return nil
}
