// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

// slab keeps a short run of bytes a slot; a nil one is none.
type slab struct {
	spans   []span
	data    []byte
	garbage int
}

type span struct {
	at       int64
	used     uint32
	capacity uint32 // 0 for a slot that keeps nothing
}

func (s *slab) get(slot uint32) []byte {
	if int(slot) >= len(s.spans) || s.spans[slot].used == 0 {
		return nil
	}
	p := s.spans[slot]
	return s.data[p.at : p.at+int64(p.used)]
}

func (s *slab) set(slot uint32, value []byte) {
	s.spans = reach(s.spans, []uint32{slot})
	p := &s.spans[slot]
	if int(p.capacity) < len(value) {
		s.garbage += int(p.capacity)
		*p = span{at: int64(len(s.data)), capacity: uint32(len(value))}
		s.data = append(s.data, value...)
	}
	p.used = uint32(copy(s.data[p.at:p.at+int64(p.capacity)], value))
	// compact looks at all spans: there is a byte of garbage for each.
	if s.garbage > max(4096, len(s.spans)) && 2*s.garbage > len(s.data) {
		s.compact()
	}
}

func (s *slab) clear(slot uint32) {
	if int(slot) < len(s.spans) {
		s.garbage += int(s.spans[slot].capacity)
		s.spans[slot] = span{}
	}
}

func (s *slab) compact() {
	kept := make([]byte, 0, len(s.data)-s.garbage)
	for i := range s.spans {
		if p := &s.spans[i]; p.capacity > 0 {
			at := int64(len(kept))
			kept = append(kept, s.data[p.at:p.at+int64(p.used)]...)
			*p = span{at: at, used: p.used, capacity: p.used}
		}
	}
	s.data, s.garbage = kept, 0
}

// copy gives slots what other slots keep.
func (s *slab) copy(into, from []uint32) {
	for i, slot := range into {
		if v := s.get(from[i]); v != nil {
			s.set(slot, v)
		} else {
			s.clear(slot)
		}
	}
}

// memory returns about how many bytes are kept.
func (s *slab) memory() int64 { return int64(len(s.data) - s.garbage) }
