// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package flat

import (
	"bytes"

	"github.com/wasmill/wasmill/state"
)

// Batch finds many keys at once. A key that is not in the processor's caches takes three loads that
// wait for each other: index, entry, record. A Batch does each for all keys before the next, so
// that the processor waits for many at a time.
//
// Who reads a batch mostly writes it next. So a Batch remembers which keys it found, and finds them
// again by comparing the lists.
type Batch struct {
	Hashes []uint32 // of the keys
	Found  []uint32 // their entries, None where there is none
	refs   []ref
	loaded byte // makes the compiler keep the loads

	keys    state.Strings // that Hashes and Found are of, where there are not too many
	in      *Map          // where they were found
	removed uint64        // of in, at that time: numbers are of the same entries while it is
}

// Batches are the batches found last, of several states: an operator with some reads them one after the other, and
// then writes them.
type Batches struct{ of [4]Batch }

// Find returns a batch of stored keys, found in a store of some groups, valid until the next call. It panics for a key of
// another group.
func (b *Batches) Find(m *Map, keys *state.Strings, groups state.Groups) *Batch {
	at := 0
	if keys.Len() > 0 {
		groups.Check(keys.At(0))
		at = int(stateOf(keys.At(0))) % len(b.of)
	}
	found := &b.of[at]
	if found.knows(m, keys) {
		found.findNew(m)
		return found
	}
	for i := range keys.Len() {
		groups.Check(keys.At(i))
	}
	found.findAll(m, keys)
	return found
}

// Bytes returns how much memory the batches hold.
func (b *Batches) Bytes() (bytes int64) {
	for i := range b.of {
		bytes += b.of[i].Bytes()
	}
	return bytes
}

// mostKept is how many bytes of keys a Batch remembers at most.
const mostKept = 256 << 10

// Find fills Hashes and Found for keys.
func (b *Batch) Find(m *Map, keys *state.Strings) {
	if b.knows(m, keys) {
		b.findNew(m)
	} else {
		b.findAll(m, keys)
	}
}

// knows says whether keys are the ones found last.
func (b *Batch) knows(m *Map, keys *state.Strings) bool {
	return b.in == m && b.removed == m.removed && len(b.Found) == keys.Len() && b.keys.Equal(keys)
}

// findAll finds keys and remembers them.
func (b *Batch) findAll(m *Map, keys *state.Strings) {
	b.find(m, keys)
	b.in = nil
	if keys.Size() <= mostKept && keys.Len() <= mostKept/8 {
		b.keys.Copy(keys)
		b.in, b.removed = m, m.removed
	}
}

// findNew finds the keys that had no entry when the batch was found last.
func (b *Batch) findNew(m *Map) {
	for i, n := range b.Found {
		if n == None {
			b.Found[i] = m.Find(b.keys.At(i), b.Hashes[i])
		}
	}
}

func (b *Batch) find(m *Map, keys *state.Strings) {
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
func (b *Batch) Bytes() int64 {
	return int64(4*(cap(b.Hashes)+cap(b.Found)+cap(b.refs))) + b.keys.Bytes()
}
