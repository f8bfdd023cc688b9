// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
)

// merged is some groups of a window, merged over its slices: first those before its middle, the latest
// first, then the others, the earliest first. It is always made in this order, so that sums of floats
// are always rounded alike.
type merged struct {
	w      *Aligned
	keys   index // the slot of a key is its place
	early  []uint32
	late   []uint32 // by place: the slot of what is merged so far, plus 1; 0 for none
	places []uint32 // of the keys that are there,
	slots  []uint32 // and their slots, after finish
	into   []uint32
	from   []uint32
}

func newMerged(w *Aligned) *merged { return &merged{w: w, keys: index{key: w.key}} }

func (m *merged) place() uint32 {
	m.early, m.late = append(m.early, 0), append(m.late, 0)
	return uint32(len(m.early) - 1)
}

// before merges groups of a slice before all that is there. It takes the slots over.
func (m *merged) before(ctx context.Context, x *index) error {
	m.into, m.from = m.into[:0], m.from[:0]
	for i, slot := range x.slots {
		at := &m.early[m.keys.putOther(x, i, m.place)]
		if *at != 0 {
			m.into, m.from = append(m.into, slot), append(m.from, *at-1)
		}
		*at = slot + 1
	}
	return m.w.groups.absorb(ctx, m.into, m.from)
}

// after merges groups of a slice after those of the slices from the middle on.
func (m *merged) after(ctx context.Context, x *index) error {
	m.into, m.from = m.into[:0], m.from[:0]
	for i, slot := range x.slots {
		at := &m.late[m.keys.putOther(x, i, m.place)]
		if *at != 0 {
			m.into, m.from = append(m.into, *at-1), append(m.from, slot)
		} else {
			*at = slot + 1
		}
	}
	return m.w.groups.absorb(ctx, m.into, m.from)
}

// finish merges the two parts.
func (m *merged) finish(ctx context.Context) error {
	m.into, m.from = m.into[:0], m.from[:0]
	for place := range m.early {
		early, late := m.early[place], m.late[place]
		if early != 0 && late != 0 {
			m.into, m.from = append(m.into, early-1), append(m.from, late-1)
		}
		if early == 0 {
			early = late
		}
		m.places, m.slots = append(m.places, uint32(place)), append(m.slots, early-1)
	}
	return m.w.groups.absorb(ctx, m.into, m.from)
}

// gather merges the groups of a window that have these keys of another index.
func (w *Aligned) gather(ctx context.Context, e int64, of *index, places []uint32) (*merged, error) {
	m := newMerged(w)
	parts := w.within(e)
	middle := w.grid.middle(e)
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].number < middle {
			if err := w.pick(ctx, parts[i], of, places, m.before); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range parts {
		if s.number >= middle {
			if err := w.pick(ctx, s, of, places, m.after); err != nil {
				return nil, err
			}
		}
	}
	return m, m.finish(ctx)
}

// pick gives copies of the groups of a slice that have these keys to merge.
func (w *Aligned) pick(ctx context.Context, s *slice, of *index, places []uint32, merge func(context.Context, *index) error) error {
	w.filling = s
	if err := w.keeper.fetch(ctx, s, of, places, w.newSlot); err != nil {
		return err
	}
	x := index{key: w.key}
	var from []uint32
	for _, place := range places {
		if at, ok := s.keys.find(of, int(place)); ok {
			x.putOther(of, int(place), w.groups.slot)
			from = append(from, s.keys.slots[at])
		}
	}
	w.groups.copy(x.slots, from)
	return merge(ctx, &x)
}
