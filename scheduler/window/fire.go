// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// Watermark fires the windows that end by t, and forgets those whose lateness is over.
func (w *Aligned) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	before := w.mark
	w.mark = t
	if err := w.fireUpTo(ctx, before, t, out); err != nil {
		return err
	}
	if err := w.results.flush(ctx, out); err != nil {
		return err
	}
	return w.forget(t)
}

// fireUpTo fires the windows that end after the watermark of before and by t, in order of time.
func (w *Aligned) fireUpTo(ctx context.Context, before, t abi.EventTime, out operator.Output) error {
	if len(w.slices) == 0 {
		return nil
	}
	for e := w.unfired(before); ; {
		first, _ := w.numbered(w.grid.begin(e))
		if first == len(w.slices) {
			return nil
		}
		if n := w.slices[first].number; n >= e {
			e = w.grid.firstEnd(n)
			continue
		}
		if w.grid.start(e) > t {
			return nil
		}
		if !w.grid.empty(e) {
			if err := w.fire(ctx, e, out); err != nil {
				return err
			}
		}
		e = w.grid.next(e)
	}
}

// unfired returns the first window of those there are that ends after a watermark.
func (w *Aligned) unfired(mark abi.EventTime) int64 {
	e := w.grid.firstEnd(w.slices[0].number)
	if mark >= -watermark.MaxEventTime {
		e = max(e, w.grid.endAfter(w.clamped(mark)))
	}
	return e
}

// span returns the times of a window.
func (w *Aligned) span(e int64) span {
	return span{w.grid.start(w.grid.begin(e)), w.grid.start(e)}
}

// last says that a window is not updated any more.
func (w *Aligned) last(of span) bool { return of.end+w.lateness <= w.mark }

// within returns the slices of a window.
func (w *Aligned) within(e int64) []*slice {
	from, _ := w.numbered(w.grid.begin(e))
	to, _ := w.numbered(e)
	return w.slices[from:to]
}

// fire gives the results of a window.
func (w *Aligned) fire(ctx context.Context, e int64, out operator.Output) error {
	parts := w.within(e)
	switch {
	case slices.ContainsFunc(parts, func(s *slice) bool { return s.partial }):
		return w.fireStored(ctx, e, parts, out)
	case w.grid.sliced():
		return w.running.fire(ctx, e, out)
	}
	s := parts[0]
	w.places = w.places[:0]
	for place := range s.keys.slots {
		w.places = append(w.places, uint32(place))
	}
	of := w.span(e)
	return w.results.add(ctx, &s.keys, w.places, s.keys.slots, of, w.last(of), out)
}

// fireStored gives the results of a window that does not lie in memory whole: key group by key
// group it is read from the store, so that no more is in memory at once.
func (w *Aligned) fireStored(ctx context.Context, e int64, parts []*slice, out operator.Output) error {
	if err := w.Flush(ctx); err != nil {
		return err
	}
	of := w.span(e)
	middle, _ := slices.BinarySearchFunc(parts, w.grid.middle(e), func(s *slice, n int64) int { return int(s.number - n) })
	groups := w.keeper.store.Groups()
	for g := groups.From; g < groups.To; g++ {
		m := newMerged(w)
		one := state.Groups{From: g, To: g + 1}
		for i := middle - 1; i >= 0; i-- {
			if err := w.eachStored(ctx, parts[i], one, m.before); err != nil {
				return err
			}
		}
		for _, s := range parts[middle:] {
			err := w.eachStored(ctx, s, one, func(ctx context.Context, x *index) error {
				if len(parts) > 1 {
					return m.after(ctx, x)
				}
				defer w.groups.release(x.slots)
				return w.addAll(ctx, x, of, out)
			})
			if err != nil {
				return err
			}
		}
		if err := m.finish(ctx); err != nil {
			return err
		}
		if err := w.results.add(ctx, &m.keys, m.places, m.slots, of, w.last(of), out); err != nil {
			return err
		}
		w.groups.release(m.slots)
	}
	return nil
}

// addAll adds the results of all keys of an index.
func (w *Aligned) addAll(ctx context.Context, x *index, of span, out operator.Output) error {
	places := make([]uint32, x.len())
	for i := range places {
		places[i] = uint32(i)
	}
	return w.results.add(ctx, x, places, x.slots, of, w.last(of), out)
}

// eachStored loads the stored groups of a slice into slots of their own, chunk by chunk, and gives
// them to visit, which takes the slots over.
func (w *Aligned) eachStored(ctx context.Context, s *slice, groups state.Groups, visit func(context.Context, *index) error) error {
	return w.keeper.scan(stateGroups, s.end, groups, func(keys, values *state.Strings) error {
		x := index{key: w.key}
		for i := range keys.Len() {
			if _, err := x.put(keys.At(i)[prefixSize:], w.groups.slot); err != nil {
				return err
			}
		}
		if err := w.groups.load(ctx, x.slots, values.At); err != nil {
			return err
		}
		// visit may use the lists to read and write results.
		return visit(ctx, &x)
	})
}

// forget drops the slices all of whose windows are over for good by t.
func (w *Aligned) forget(t abi.EventTime) error {
	gone := 0
	for _, s := range w.slices {
		if w.grid.start(w.grid.lastEnd(s.number))+w.lateness > t {
			break
		}
		if err := w.keeper.forget(s); err != nil {
			return err
		}
		w.groups.release(s.keys.slots)
		w.keyBytes -= s.bytes
		if len(w.spare) < spares && s.keys.len() <= spareKeys {
			keys := s.keys
			keys.reset()
			w.spare = append(w.spare, s)
			*s = slice{keys: keys}
		}
		gone++
	}
	w.slices = slices.Delete(w.slices, 0, gone)
	if len(w.slices) == 0 {
		w.running.reset()
	}
	return w.results.forget(t, w.lateness)
}
