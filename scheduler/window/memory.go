// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
)

// Flush writes the groups that differ from what the store has.
func (w *Aligned) Flush(ctx context.Context) error {
	for _, s := range w.slices {
		if !s.dirty {
			continue
		}
		w.places = w.places[:0]
		for place, slot := range s.keys.slots {
			if w.groups.marks[slot]&dirty != 0 {
				w.places = append(w.places, uint32(place))
			}
		}
		if err := w.keeper.save(ctx, s, w.places); err != nil {
			return err
		}
		s.dirty = false
	}
	return nil
}

// memory returns about how many bytes the operator holds.
func (w *Aligned) memory() int64 { return w.groups.memory() + w.keyBytes }

// count brings w.keyBytes up to date after keys of a slice came or went.
func (w *Aligned) count(s *slice) {
	now := s.keys.memory()
	w.keyBytes += now - s.bytes
	s.bytes = now
}

// limit drops groups from memory where they take too much: those that are not hot, or all where most
// are.
func (w *Aligned) limit(ctx context.Context) error {
	if w.memory() <= w.spec.Memory {
		return nil
	}
	w.running.reset()
	keep := make([]bool, len(w.groups.marks))
	used := 0
	for slot, m := range w.groups.marks {
		if keep[slot] = m&hot != 0; keep[slot] {
			used++
		}
		w.groups.marks[slot] = m &^ hot
	}
	if 2*used > w.groups.live {
		clear(keep)
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	for _, s := range w.slices {
		w.shrink(s, keep)
	}
	return nil
}

// shrink drops the groups of a slice that are not to be kept.
func (w *Aligned) shrink(s *slice, keep []bool) {
	was := s.keys
	s.keys = index{key: w.key}
	var gone []uint32
	for place, slot := range was.slots {
		if keep[slot] {
			w.place[slot] = uint32(s.keys.len())
			s.keys.putOther(&was, place, func() uint32 { return slot })
			continue
		}
		s.changedOut = s.changedOut || w.groups.marks[slot]&changed != 0
		s.partial = true
		gone = append(gone, slot)
	}
	w.groups.release(gone)
	w.count(s)
}
