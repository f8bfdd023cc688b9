// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package table is a dictionary of byte strings: it gives each a small number, dense and reused
// after removal, so that whatever belongs to a key lies in plain slices indexed by that number.
// It holds no pointers but its few slices, so that millions of keys cost the collector nothing.
package table

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// None is the number of no key.
const None = ^uint32(0)

// Table is a dictionary. The zero value is empty and ready. It belongs to one goroutine.
type Table struct {
	index   []uint32 // open addressing, linear probing: an entry's number plus 1, 0 for none
	entries []entry
	free    []uint32 // numbers to reuse
	keys    []byte
	garbage int // bytes of keys that belong to no entry
	live    int
}

type entry struct {
	hash   uint64
	at     int64 // of the key in keys; -1 for a free entry
	length uint32
}

// Len returns how many keys there are.
func (t *Table) Len() int { return t.live }

// Cap returns a bound that every number is below.
func (t *Table) Cap() int { return len(t.entries) }

// Bytes returns how many bytes the keys take.
func (t *Table) Bytes() int { return len(t.keys) }

// Hash is the hash that Table and key groups go by: XXH64.
func Hash(key []byte) uint64 { return xxhash.Sum64(key) }

// Key returns the key of a number, valid until the next Put or Remove.
func (t *Table) Key(n uint32) []byte {
	e := &t.entries[n]
	return t.keys[e.at : e.at+int64(e.length)]
}

// Hash returns the hash of a number's key.
func (t *Table) Hash(n uint32) uint64 { return t.entries[n].hash }

// Get returns the number of a key, None where there is none. hash is Hash(key).
func (t *Table) Get(key []byte, hash uint64) uint32 {
	if len(t.index) == 0 {
		return None
	}
	_, n := t.find(key, hash)
	return n
}

// Put returns the number of a key, a new one where there was none. hash is Hash(key).
func (t *Table) Put(key []byte, hash uint64) (n uint32, fresh bool) {
	if 4*(t.live+1) > 3*len(t.index) {
		t.rehash(max(64, 2*len(t.index)))
	}
	at, n := t.find(key, hash)
	if n != None {
		return n, false
	}
	e := entry{hash: hash, at: int64(len(t.keys)), length: uint32(len(key))}
	t.keys = append(t.keys, key...)
	if last := len(t.free) - 1; last >= 0 {
		n = t.free[last]
		t.free = t.free[:last]
		t.entries[n] = e
	} else {
		n = uint32(len(t.entries))
		t.entries = append(t.entries, e)
	}
	t.index[at] = n + 1
	t.live++
	return n, true
}

// Reset forgets all numbers, and keeps the memory.
func (t *Table) Reset() {
	clear(t.index)
	t.entries, t.free, t.keys, t.garbage, t.live = t.entries[:0], t.free[:0], t.keys[:0], 0, 0
}

// find returns where a key stands in the index and its number, or where it would stand and None.
func (t *Table) find(key []byte, hash uint64) (at int, n uint32) {
	mask := len(t.index) - 1
	for at = int(hash) & mask; ; at = (at + 1) & mask {
		slot := t.index[at]
		if slot == 0 {
			return at, None
		}
		if t.entries[slot-1].hash == hash && bytes.Equal(t.Key(slot-1), key) {
			return at, slot - 1
		}
	}
}

// Remove forgets a number, which Put may hand out again.
func (t *Table) Remove(n uint32) {
	e := &t.entries[n]
	mask := len(t.index) - 1
	at := int(e.hash) & mask
	for t.index[at] != n+1 {
		at = (at + 1) & mask
	}
	t.close(at, mask)
	t.garbage += int(e.length)
	*e = entry{at: -1}
	t.free = append(t.free, n)
	t.live--
	// compact looks at all entries: there is a byte of garbage for each.
	if t.garbage > max(4096, len(t.entries)) && 2*t.garbage > len(t.keys) {
		t.compact()
	}
}

// close fills the gap at a place of the index with what was probed past it.
func (t *Table) close(gap, mask int) {
	for at := (gap + 1) & mask; t.index[at] != 0; at = (at + 1) & mask {
		home := int(t.entries[t.index[at]-1].hash) & mask
		if (at-home)&mask >= (at-gap)&mask {
			t.index[gap] = t.index[at]
			gap = at
		}
	}
	t.index[gap] = 0
}

func (t *Table) rehash(size int) {
	t.index = make([]uint32, size)
	mask := size - 1
	for n := range t.entries {
		if t.entries[n].at < 0 {
			continue
		}
		at := int(t.entries[n].hash) & mask
		for t.index[at] != 0 {
			at = (at + 1) & mask
		}
		t.index[at] = uint32(n) + 1
	}
}

func (t *Table) compact() {
	kept := make([]byte, 0, len(t.keys)-t.garbage)
	for n := range t.entries {
		e := &t.entries[n]
		if e.at < 0 {
			continue
		}
		at := int64(len(kept))
		kept = append(kept, t.keys[e.at:e.at+int64(e.length)]...)
		e.at = at
	}
	t.keys, t.garbage = kept, 0
}
