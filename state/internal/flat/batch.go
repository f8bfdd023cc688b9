// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package flat

import "bytes"

// Keys is a list of keys.
type Keys interface {
	Len() int
	At(i int) []byte
}

// Batch finds many keys at once. A key that is not in the processor's caches takes three loads that
// wait for each other: index, entry, record. A Batch does each for all keys before the next, so
// that the processor waits for many at a time.
type Batch struct {
	Hashes []uint32 // of the keys
	Found  []uint32 // their entries, None where there is none
	refs   []ref
	loaded byte // makes the compiler keep the loads
}

// Find fills Hashes and Found for keys.
func (b *Batch) Find(m *Map, keys Keys) {
	count := keys.Len()
	b.Hashes, b.Found, b.refs = b.Hashes[:0], b.Found[:0], b.refs[:0]
	for i := range count {
		b.Hashes = append(b.Hashes, Hash(keys.At(i)))
	}
	if len(m.index) == 0 {
		for range count {
			b.Found = append(b.Found, None)
		}
		return
	}
	mask := uint32(len(m.index) - 1)
	for _, hash := range b.Hashes {
		at := hash & mask
		for m.index[at] != 0 && uint32(m.index[at]>>32) != hash {
			at = (at + 1) & mask
		}
		b.Found = append(b.Found, uint32(m.index[at])-1) // None for 0
	}
	for _, n := range b.Found {
		r := noRef
		if n != None {
			r = m.entries[n].ref
		}
		b.refs = append(b.refs, r)
	}
	for i, r := range b.refs {
		if r != noRef {
			rec := m.log.at(r)
			value := min(recordHead+len(keys.At(i)), len(rec)-1) // may be in another cache line
			b.loaded ^= rec[0] ^ rec[value]
		}
	}
	for i, n := range b.Found {
		if n == None {
			continue
		}
		if key := keys.At(i); !bytes.Equal(m.Key(n), key) { // another key of the same hash
			_, b.Found[i] = m.find(key, b.Hashes[i])
		}
	}
}

// Bytes returns how much memory the lists hold.
func (b *Batch) Bytes() int64 { return int64(4 * (cap(b.Hashes) + cap(b.Found) + cap(b.refs))) }
