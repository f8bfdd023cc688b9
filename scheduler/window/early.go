// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
)

// foldAtOnce folds rows, cut into runs, each of which may make a result at once: one of a window that
// has fired, or the last of so many. Rows are folded together as long as no group has a result
// due, so that results do not depend on how rows come in batches.
func (w *Aligned) foldAtOnce(ctx context.Context, b *batch.Batch, out operator.Output) error {
	if err := w.assign(ctx, b); err != nil {
		return err
	}
	slots := w.slots
	w.due = w.due[:0]
	from := 0
	for _, r := range w.runs {
		fired := w.updates(r.slice.number) <= w.fired(r.slice.number)
		for row := r.from; row < r.to; row++ {
			slot := slots[row]
			if row > from && (w.grid.sliced() || w.groups.marks[slot]&pending != 0) {
				if err := w.addSome(ctx, b, from, row, slots, out); err != nil {
					return err
				}
				from = row
			}
			for int(slot) >= len(w.ahead) {
				w.ahead = append(w.ahead, 0)
			}
			w.ahead[slot]++
			if fired || w.reaches(slot, int64(w.ahead[slot])) {
				w.groups.marks[slot] |= pending
				w.due = append(w.due, trigger{r.slice, slot})
			}
		}
	}
	return w.addSome(ctx, b, from, len(slots), slots, out)
}

// reaches says whether a group with so many rows more has a number of rows at which an early result
// is due.
func (w *Aligned) reaches(slot uint32, more int64) bool {
	n := w.spec.EarlyRows
	return n > 0 && (w.groups.rows[slot]+more)%n == 0
}

// addSome folds rows of b and gives the results that are due.
func (w *Aligned) addSome(ctx context.Context, b *batch.Batch, from, to int, slots []uint32, out operator.Output) error {
	w.places = w.places[:0]
	for row := from; row < to; row++ {
		w.places = append(w.places, uint32(row))
		w.ahead[slots[row]] = 0
	}
	part := w.pool.Take(b, w.places)
	defer part.Release()
	added, err := w.groups.add(ctx, part, slots[from:to:to], out)
	if err != nil {
		return err
	}
	const gotRows = 1
	for _, slot := range added {
		w.ahead[slot] = gotRows
	}
	due := w.due[:0]
	for _, d := range w.due {
		w.groups.marks[d.slot] &^= pending
		if w.ahead[d.slot] == gotRows { // else its row failed
			due = append(due, d)
		}
	}
	for _, slot := range added {
		w.ahead[slot] = 0
	}
	w.due = w.due[:0]
	if !w.grid.sliced() {
		return w.giveTumbling(ctx, due, out)
	}
	for _, d := range due {
		if err := w.give(ctx, d, out); err != nil {
			return err
		}
	}
	return nil
}

// giveTumbling adds the results that are due of groups that got rows, where each is of one window.
func (w *Aligned) giveTumbling(ctx context.Context, due []trigger, out operator.Output) error {
	for len(due) > 0 {
		s := due[0].slice
		fired := w.fired(s.number) > s.number
		var places, slots []uint32
		for len(due) > 0 && due[0].slice == s {
			if slot := due[0].slot; fired || w.reaches(slot, 0) {
				places, slots = append(places, w.place[slot]), append(slots, slot)
			}
			due = due[1:]
		}
		of := span{s.start, s.end}
		if err := w.results.add(ctx, &s.keys, places, slots, of, w.last(of), out); err != nil {
			return err
		}
	}
	return nil
}

// give adds the results of the windows that have fired, of a group that got a row.
func (w *Aligned) give(ctx context.Context, d trigger, out operator.Output) error {
	n := d.slice.number
	place := []uint32{w.place[d.slot]}
	fired := w.fired(n)
	for e := w.updates(n); e <= fired; e = w.grid.next(e) {
		if w.grid.empty(e) {
			continue
		}
		if err := w.giveWindow(ctx, e, &d.slice.keys, place, out); err != nil {
			return err
		}
	}
	return nil
}

// giveWindow adds the results of some keys of a window as of now.
func (w *Aligned) giveWindow(ctx context.Context, e int64, of *index, places []uint32, out operator.Output) error {
	m, err := w.gather(ctx, e, of, places)
	if err != nil {
		return err
	}
	s := w.span(e)
	err = w.results.add(ctx, &m.keys, m.places, m.slots, s, w.last(s), out)
	w.groups.release(m.slots)
	return err
}

// schedule sets the time of the next early results, where something has changed: at a multiple of
// the interval, so that it does not matter when the operator was made.
func (w *Aligned) schedule() {
	if w.spec.Early == 0 || !w.tick.IsZero() {
		return
	}
	for _, s := range w.slices {
		if s.changed || s.changedOut {
			w.tick = w.now().Truncate(w.spec.Early).Add(w.spec.Early)
			return
		}
	}
}

// Next returns when early results are due.
func (w *Aligned) Next() time.Time { return w.tick }

// Tick gives the results so far of the groups that have changed, in windows that have not fired.
func (w *Aligned) Tick(ctx context.Context, now time.Time, out operator.Output) error {
	w.tick = time.Time{}
	for _, s := range w.slices {
		if !s.changedOut {
			continue
		}
		if err := w.recall(ctx, s); err != nil {
			return err
		}
	}
	if err := w.tickWindows(ctx, out); err != nil {
		return err
	}
	for _, s := range w.slices {
		if s.changed {
			w.settle(s)
		}
	}
	if err := w.results.flush(ctx, out); err != nil {
		return err
	}
	return w.limit(ctx)
}

// tickWindows gives the results so far of each window that has not fired and in which something has
// changed.
func (w *Aligned) tickWindows(ctx context.Context, out operator.Output) error {
	if len(w.slices) == 0 {
		return nil
	}
	for at, e := 0, w.unfired(w.mark); ; {
		for at < len(w.slices) && (!w.slices[at].changed || w.slices[at].number < w.grid.begin(e)) {
			at++
		}
		if at == len(w.slices) {
			return nil
		}
		if n := w.slices[at].number; n >= e {
			e = w.grid.firstEnd(n)
			continue
		}
		if err := w.tickWindow(ctx, e, out); err != nil {
			return err
		}
		e = w.grid.next(e)
	}
}

// tickWindow gives the results so far of the keys of a window that have changed.
func (w *Aligned) tickWindow(ctx context.Context, e int64, out operator.Output) error {
	if !w.grid.sliced() {
		s := w.within(e)[0]
		var places, slots []uint32
		for place, slot := range s.keys.slots {
			if w.groups.marks[slot]&changed != 0 {
				places, slots = append(places, uint32(place)), append(slots, slot)
			}
		}
		of := span{s.start, s.end}
		return w.results.add(ctx, &s.keys, places, slots, of, w.last(of), out)
	}
	keys := index{key: w.key}
	none := func() uint32 { return 0 }
	for _, s := range w.within(e) {
		if !s.changed {
			continue
		}
		for place, slot := range s.keys.slots {
			if w.groups.marks[slot]&changed != 0 {
				keys.putOther(&s.keys, place, none)
			}
		}
	}
	if keys.len() == 0 || w.grid.empty(e) {
		return nil
	}
	var places []uint32
	for from := 0; from < keys.len(); from += resultRows {
		places = places[:0]
		for place := from; place < min(from+resultRows, keys.len()); place++ {
			places = append(places, uint32(place))
		}
		if err := w.giveWindow(ctx, e, &keys, places, out); err != nil {
			return err
		}
	}
	return nil
}

// settle notes that the groups of a slice have been told.
func (w *Aligned) settle(s *slice) {
	for _, slot := range s.keys.slots {
		if w.groups.marks[slot]&changed != 0 {
			w.groups.marks[slot] = w.groups.marks[slot]&^changed | dirty
		}
	}
	s.changed, s.dirty = false, true
}

// recall brings those groups of a slice into memory that have changed and lie in the store alone.
func (w *Aligned) recall(ctx context.Context, s *slice) error {
	w.filling = s
	s.changedOut = false
	var values state.Strings
	return w.keeper.scan(stateGroups, s.end, w.keeper.store.Groups(), func(k, v *state.Strings) error {
		values.Reset()
		was := s.keys.len()
		for i := range k.Len() {
			if !isChanged(v.At(i)) {
				continue
			}
			before := s.keys.len()
			if _, err := s.keys.put(k.At(i)[prefixSize:], w.newSlot); err != nil {
				return err
			}
			if s.keys.len() > before {
				values.Append(v.At(i))
			}
		}
		s.changed = s.changed || values.Len() > 0
		return w.groups.load(ctx, s.keys.slots[was:], values.At)
	})
}
