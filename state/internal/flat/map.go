// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flat holds many keys and values in few pieces of memory: a hash table, Map, and an order
// over its entries, Tree. Neither holds a pointer per entry, so that millions of them cost the
// collector nothing.
//
// A Map keeps its records in a log of segments: a new record goes to the youngest, and the oldest
// is cleaned to win space. Memory is bounded by whole segments and never fragments, whatever sizes
// come, and cleaning the oldest first while sparing what was used since is the CLOCK policy.
//
//	index    [hash 32 | entry + 1 32] ...      open addressing, linear probing
//	entries  {record, size of the value, flags} ...
//	segment  | entry 4 | key size 4 | room for the value 4 | key | value | to a multiple of 8 | ...
package flat

import (
	"bytes"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// None is the number of no entry.
const None = ^uint32(0)

// Flag is a mark of an entry. Those but Used are the caller's.
type Flag uint8

// The marks.
const (
	Used   Flag = 1 << iota // since the log's hand last passed
	Dirty                   // to be written to what lies below
	Absent                  // known to have no value
	New                     // known to have no value in what lies below
)

// Map is a hash table from bytes to bytes. It gives each key a number, dense and reused after
// removal. The zero value is empty. It belongs to one goroutine.
type Map struct {
	index   []uint64
	entries []entry
	free    []uint32
	live    int
	removed uint64 // how many entries ever were
	log     log
}

type entry struct {
	ref   ref
	size  uint32 // of the value
	flags Flag
}

const entrySize = 12

// Hash is the hash by which Map finds a key.
func Hash(key []byte) uint32 { return uint32(xxhash.Sum64(key)) }

// Len returns how many entries there are.
func (m *Map) Len() int { return m.live }

// Cap returns a bound that every number is below.
func (m *Map) Cap() int { return len(m.entries) }

// Bytes returns how much memory the map holds.
func (m *Map) Bytes() int64 {
	return int64(8*cap(m.index)) + int64(entrySize*cap(m.entries)) + int64(4*cap(m.free)) + m.log.held
}

// Segments returns how many segments the log has.
func (m *Map) Segments() int { return len(m.log.queue) }

// Has says whether a number is of an entry.
func (m *Map) Has(n uint32) bool { return m.entries[n].ref != noRef }

// Key returns the key of an entry, valid until the next call that may change the map.
func (m *Map) Key(n uint32) []byte {
	rec := m.log.at(m.entries[n].ref)
	size := binary.LittleEndian.Uint32(rec[4:])
	return rec[recordHead : recordHead+size : recordHead+size]
}

// Value returns the value of an entry, valid as long as a key.
func (m *Map) Value(n uint32) []byte {
	e := &m.entries[n]
	rec := m.log.at(e.ref)
	from := recordHead + binary.LittleEndian.Uint32(rec[4:])
	return rec[from : from+e.size : from+e.size]
}

// RecordSize returns what an entry's record takes.
func (m *Map) RecordSize(n uint32) int { return sizeOf(m.log.at(m.entries[n].ref)) }

// Flags returns the marks of an entry.
func (m *Map) Flags(n uint32) Flag { return m.entries[n].flags }

// SetFlags sets marks and leaves the others.
func (m *Map) SetFlags(n uint32, f Flag) { m.entries[n].flags |= f }

// ClearFlags takes marks away.
func (m *Map) ClearFlags(n uint32, f Flag) { m.entries[n].flags &^= f }

// Find returns the entry of a key, None where there is none. hash is Hash(key).
func (m *Map) Find(key []byte, hash uint32) uint32 {
	if len(m.index) == 0 {
		return None
	}
	_, n := m.find(key, hash)
	return n
}

func (m *Map) find(key []byte, hash uint32) (at int, n uint32) {
	mask := len(m.index) - 1
	for at = int(hash) & mask; ; at = (at + 1) & mask {
		slot := m.index[at]
		if slot == 0 {
			return at, None
		}
		if n := uint32(slot) - 1; uint32(slot>>32) == hash && bytes.Equal(m.Key(n), key) {
			return at, n
		}
	}
}

// Insert adds an entry for a key that has none. It has no marks.
func (m *Map) Insert(key []byte, hash uint32, value []byte) uint32 {
	if 4*(m.live+1) > 3*len(m.index) {
		m.rehash(max(64, 2*len(m.index)))
	}
	mask := len(m.index) - 1
	at := int(hash) & mask
	for m.index[at] != 0 {
		at = (at + 1) & mask
	}
	var n uint32
	if last := len(m.free) - 1; last >= 0 {
		n = m.free[last]
		m.free = m.free[:last]
	} else {
		n = uint32(len(m.entries))
		m.entries = append(m.entries, entry{})
	}
	m.index[at] = uint64(hash)<<32 | uint64(n+1)
	m.live++
	m.entries[n] = entry{ref: m.log.add(n, key, value), size: uint32(len(value))}
	return n
}

// SetValue replaces the value of an entry; value may be part of the map.
func (m *Map) SetValue(n uint32, value []byte) {
	e := &m.entries[n]
	rec := m.log.at(e.ref)
	from := recordHead + int(binary.LittleEndian.Uint32(rec[4:]))
	if room := int(binary.LittleEndian.Uint32(rec[8:])); len(value) <= room {
		copy(rec[from:from+room], value)
		e.size = uint32(len(value))
		return
	}
	old := e.ref
	e.ref, e.size = m.log.add(n, rec[recordHead:from], value), uint32(len(value))
	m.log.drop(old)
}

// Remove forgets an entry, whose number Insert may hand out again.
func (m *Map) Remove(n uint32) {
	m.unlink(n)
	m.log.drop(m.entries[n].ref)
	m.entries[n] = entry{ref: noRef}
}

// unlink takes an entry out of the index and frees its number.
func (m *Map) unlink(n uint32) {
	mask := len(m.index) - 1
	gap := int(Hash(m.Key(n))) & mask
	for uint32(m.index[gap]) != n+1 {
		gap = (gap + 1) & mask
	}
	for at := (gap + 1) & mask; m.index[at] != 0; at = (at + 1) & mask {
		home := int(m.index[at]>>32) & mask
		if (at-home)&mask >= (at-gap)&mask {
			m.index[gap] = m.index[at]
			gap = at
		}
	}
	m.index[gap] = 0
	m.free = append(m.free, n)
	m.live--
	m.removed++
}

func (m *Map) rehash(size int) {
	old := m.index
	m.index = make([]uint64, size)
	mask := size - 1
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		at := int(slot>>32) & mask
		for m.index[at] != 0 {
			at = (at + 1) & mask
		}
		m.index[at] = slot
	}
}

// Clone returns a copy that shares nothing with the map.
func (m *Map) Clone() *Map {
	return &Map{
		index:   append([]uint64(nil), m.index...),
		entries: append([]entry(nil), m.entries...),
		free:    append([]uint32(nil), m.free...),
		live:    m.live,
		log:     m.log.clone(),
	}
}

// CleanOldest frees the oldest segment. Entries in it that may stay move to the youngest; drop says
// which don't, and those are removed. It returns how many were.
func (m *Map) CleanOldest(drop func(n uint32) bool) int {
	id, ok := m.log.oldest()
	if !ok {
		return 0
	}
	dropped := 0
	seg := &m.log.segments[id]
	buf := seg.buf[:seg.used]
	for at := 0; at < len(buf); {
		rec := buf[at:]
		here := refOf(id, at)
		at += sizeOf(rec)
		n := binary.LittleEndian.Uint32(rec)
		e := &m.entries[n]
		if e.ref != here {
			continue
		}
		if drop(n) {
			m.unlink(n)
			*e = entry{ref: noRef}
			dropped++
			continue
		}
		key := recordHead + binary.LittleEndian.Uint32(rec[4:])
		e.ref = m.log.add(n, rec[recordHead:key], rec[key:key+e.size])
	}
	m.log.release(id)
	return dropped
}

// Compact cleans what is mostly garbage, a bounded part of the log at a time. A caller that
// never calls CleanOldest calls it after writes.
func (m *Map) Compact() {
	if !m.log.wasteful() {
		return
	}
	for range 4 {
		if m.log.skipFull() {
			continue
		}
		m.CleanOldest(func(uint32) bool { return false })
	}
}
