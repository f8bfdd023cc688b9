// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"

	"github.com/wasmill/wasmill/scheduler/operator"
)

// running keeps windows of several slices merged as they fire one after the other, so that a window
// costs two merges a key however many slices it has. A window is cut at its middle:
//
//	slices    begin ... | middle ... | end
//	early       suffixes: each group merged with the next one of its key before the middle
//	late                  one running group a key
//
// The middle stands while windows move over it. A slice that leaves takes its suffixes with it, and
// those that come next are there already; a slice that comes is merged into the running groups.
// When the middle moves, all is made anew.
//
// What is here are copies: nothing is lost by reset. Keys of rows that come into a slice which is
// merged already are stale, and are merged from their slices.
type running struct {
	w          *Aligned
	valid      bool
	begin, end int64 // the slices that are here
	middle     int64
	keys       index // the slot of a key is its place
	heads      []head
	next       []uint32 // by slot of a suffix: the slot of the next one of its key, plus 1
	suffixes   []suffixes

	places, slots, into, from []uint32
}

// head is what there is of a key. Slots are plus 1, 0 for none.
type head struct {
	suffix uint32 // of the first of its groups before the middle
	late   uint32
	stale  bool
}

// suffixes are those of a slice.
type suffixes struct {
	number        int64
	places, slots []uint32
}

func (r *running) place() uint32 {
	r.heads = append(r.heads, head{})
	return uint32(len(r.heads) - 1)
}

// reset releases all.
func (r *running) reset() {
	if !r.valid {
		return
	}
	groups := r.w.groups
	for _, s := range r.suffixes {
		groups.release(s.slots)
	}
	r.slots = r.slots[:0]
	for _, h := range r.heads {
		if h.late != 0 {
			r.slots = append(r.slots, h.late-1)
		}
	}
	groups.release(r.slots)
	*r = running{w: r.w, heads: r.heads[:0], next: r.next, suffixes: r.suffixes[:0], places: r.places, slots: r.slots, into: r.into, from: r.from}
}

// stale marks the keys of groups of a slice to which rows are added.
func (r *running) stale(s *slice, slots []uint32) {
	if !r.valid || s.number < r.begin || s.number >= r.end {
		return
	}
	for _, slot := range slots {
		h := &r.heads[r.keys.putOther(&s.keys, int(r.w.place[slot]), r.place)]
		h.stale = true
	}
}

// fire gives the results of a window all of whose slices are in memory.
func (r *running) fire(ctx context.Context, e int64, out operator.Output) error {
	if err := r.advance(ctx, e); err != nil {
		return err
	}
	of := r.w.span(e)
	last := r.w.last(of)
	var stale []uint32
	for from := 0; from < len(r.heads); {
		r.places = r.places[:0]
		for ; from < len(r.heads) && len(r.places) < resultChunk; from++ {
			switch h := &r.heads[from]; {
			case h.stale:
				stale = append(stale, uint32(from))
			case h.suffix != 0 || h.late != 0:
				r.places = append(r.places, uint32(from))
			}
		}
		if err := r.give(ctx, of, last, out); err != nil {
			return err
		}
	}
	if len(stale) == 0 {
		return nil
	}
	m, err := r.w.gather(ctx, e, &r.keys, stale)
	if err != nil {
		return err
	}
	defer func() { r.w.groups.release(m.slots) }()
	return r.w.results.add(ctx, &m.keys, m.places, m.slots, of, last, out)
}

// give adds the results of the keys at r.places.
func (r *running) give(ctx context.Context, of span, last bool, out operator.Output) error {
	groups := r.w.groups
	r.slots, r.into, r.from = r.slots[:0], r.into[:0], r.from[:0]
	var early []uint32
	for _, place := range r.places {
		h := &r.heads[place]
		switch {
		case h.late == 0:
			r.slots = append(r.slots, h.suffix-1)
		case h.suffix == 0:
			r.slots = append(r.slots, h.late-1)
		default:
			both := groups.slot()
			early, r.into, r.from = append(early, h.suffix-1), append(r.into, both), append(r.from, h.late-1)
			r.slots = append(r.slots, both)
		}
	}
	groups.copy(r.into, early)
	if err := groups.merge(ctx, r.into, r.from); err != nil {
		return err
	}
	err := r.w.results.add(ctx, &r.keys, r.places, r.slots, of, last, out)
	groups.release(r.into)
	return err
}

// advance makes what is here that of a window.
func (r *running) advance(ctx context.Context, e int64) error {
	g := &r.w.grid
	begin, middle := g.begin(e), g.middle(e)
	if !r.valid || e < r.end || middle != r.middle {
		r.reset()
		r.valid, r.begin, r.middle, r.end, r.keys = true, begin, middle, middle, index{key: r.w.key}
		parts := r.w.within(e)
		for i := len(parts) - 1; i >= 0; i-- {
			if parts[i].number < middle {
				if err := r.prepend(ctx, parts[i]); err != nil {
					return err
				}
			}
		}
	}
	// Suffixes lie with the latest slice first.
	for last := len(r.suffixes) - 1; last >= 0 && r.suffixes[last].number < begin; last-- {
		gone := &r.suffixes[last]
		for i, place := range gone.places {
			r.heads[place].suffix = r.next[gone.slots[i]]
		}
		r.w.groups.release(gone.slots)
		r.suffixes = r.suffixes[:last]
	}
	for _, s := range r.w.within(e) {
		if s.number >= r.end {
			if err := r.append(ctx, s); err != nil {
				return err
			}
		}
	}
	r.begin, r.end = begin, e
	return nil
}

// prepend makes the suffixes of a slice that is earlier than all that have any.
func (r *running) prepend(ctx context.Context, s *slice) error {
	groups := r.w.groups
	own := suffixes{number: s.number}
	r.into, r.from = r.into[:0], r.from[:0]
	for i := range s.keys.slots {
		place := r.keys.putOther(&s.keys, i, r.place)
		slot := groups.slot()
		own.places, own.slots = append(own.places, place), append(own.slots, slot)
		for int(slot) >= len(r.next) {
			r.next = append(r.next, 0)
		}
		h := &r.heads[place]
		if r.next[slot] = h.suffix; h.suffix != 0 {
			r.into, r.from = append(r.into, slot), append(r.from, h.suffix-1)
		}
		h.suffix = slot + 1
	}
	r.suffixes = append(r.suffixes, own)
	groups.copy(own.slots, s.keys.slots)
	return groups.merge(ctx, r.into, r.from)
}

// append merges a slice from the middle on into the running groups.
func (r *running) append(ctx context.Context, s *slice) error {
	groups := r.w.groups
	r.into, r.from = r.into[:0], r.from[:0]
	var fresh, of []uint32
	for i, slot := range s.keys.slots {
		h := &r.heads[r.keys.putOther(&s.keys, i, r.place)]
		if h.late != 0 {
			r.into, r.from = append(r.into, h.late-1), append(r.from, slot)
			continue
		}
		h.late = groups.slot() + 1
		fresh, of = append(fresh, h.late-1), append(of, slot)
	}
	groups.copy(fresh, of)
	return groups.merge(ctx, r.into, r.from)
}
