// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"iter"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// MapState is a map of each key, ordered by K: a field of an operator's struct. K and V are as T
// in ValueState; K has no list and no struct in it.
//
// An entry is read once in a call and then kept until its end, as are those that are put.
type MapState[K comparable, V any] struct {
	mapState
	entries []mapEntry[K, V]
	index   map[mapKey[K]]int // place in entries
	ends    [2]mapEntry[K, V] // of what is ranged over
}

type mapEntry[K, V any] struct {
	key   K
	value V
	group uint32 // number of the key that the map belongs to
	flags byte
}

type mapKey[K any] struct {
	group uint32
	key   K
}

// Get returns the value of a map key, zero where there is none.
func (m *MapState[K, V]) Get(key K) V {
	m.read()
	return m.entry(key, true).value
}

// Has says whether there is a value of a map key.
func (m *MapState[K, V]) Has(key K) bool {
	m.read()
	return m.entry(key, true).flags&present != 0
}

// Put sets the value of a map key. Strings and slices must not change until the call at hand
// returns.
func (m *MapState[K, V]) Put(key K, value V) {
	m.write()
	e := m.entry(key, false)
	e.value, e.flags = value, present|changed
}

// Remove removes the value of a map key.
func (m *MapState[K, V]) Remove(key K) {
	m.write()
	var none V
	e := m.entry(key, false)
	e.value, e.flags = none, changed
}

// Clear removes all entries of the key at hand, which it reads for that.
func (m *MapState[K, V]) Clear() {
	m.write()
	for key := range m.All() {
		m.Remove(key)
	}
}

// Fetch reads the values of map keys, of the keys with the given numbers, in one call of the host:
// Get finds them there.
func (m *MapState[K, V]) Fetch(groups []uint32, keys []K) {
	m.read()
	if !m.exact {
		return
	}
	from := len(m.entries)
	for i, key := range keys {
		m.ends[0].key = key
		m.keys.Zero(unsafe.Pointer(&m.ends))
		m.add(mapKey[K]{groups[i] & m.mask, m.ends[0].key})
	}
	m.fetch(from, len(m.entries))
}

// All returns the entries of the key at hand in the order of their map keys. What is put while a
// loop ranges over them may be seen by it or not.
func (m *MapState[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.scanned(m.some(wire.BoundsNone, 0), yield) }
}

// From is All from a map key on.
func (m *MapState[K, V]) From(from K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.ends[0].key = from
		m.scanned(m.some(wire.BoundsFrom, 1), yield)
	}
}

// To is All up to a map key, without it.
func (m *MapState[K, V]) To(to K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.ends[0].key = to
		m.scanned(m.some(wire.BoundsTo, 1), yield)
	}
}

// Range is All from a map key on up to another one, without that.
func (m *MapState[K, V]) Range(from, to K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.ends[0].key, m.ends[1].key = from, to
		m.scanned(m.some(wire.BoundsFromTo, 2), yield)
	}
}

// Prefix is All of the map keys that begin with one: a string or bytes with these bytes, and of
// several columns all but the last one are equal.
func (m *MapState[K, V]) Prefix(key K) iter.Seq2[K, V] {
	return m.PrefixN(key, len(m.keys.Fields))
}

// PrefixN is Prefix by the first columns of a map key only.
func (m *MapState[K, V]) PrefixN(key K, columns int) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.ends[0].key = key
		m.scanned(m.begins(columns), yield)
	}
}

// some begins a scan within bounds that are said by the first of the ends.
func (m *MapState[K, V]) some(bounds, ends int) *scan {
	return m.within(bounds, unsafe.Pointer(&m.ends), ends, len(m.keys.Fields))
}

func (m *MapState[K, V]) begins(columns int) *scan {
	return m.within(wire.BoundsPrefix, unsafe.Pointer(&m.ends), 1, columns)
}

// scanned yields the entries of a scan.
func (m *MapState[K, V]) scanned(s *scan, yield func(K, V) bool) {
	defer m.end(s)
	for m.next(s) {
		entries := unsafe.Slice((*mapEntry[K, V])(s.rows), s.n)
		for i := range entries {
			if !yield(entries[i].key, entries[i].value) {
				return
			}
		}
	}
}

// entry returns the entry of a map key; it is valid until the next one is added.
func (m *MapState[K, V]) entry(key K, fetch bool) *mapEntry[K, V] {
	if !m.exact || len(m.entries) >= 4*maxPending {
		m.flush()
		m.forget()
	}
	if m.nulls {
		m.ends[0].key = key
		m.keys.Zero(unsafe.Pointer(&m.ends))
		key = m.ends[0].key
	}
	ref := mapKey[K]{m.key(), key}
	at, known := m.index[ref]
	if !known {
		at = m.add(ref)
		if fetch {
			m.fetch(at, at+1)
		}
	}
	return &m.entries[at]
}

// add adds an entry, where there is none, and returns its place.
func (m *MapState[K, V]) add(ref mapKey[K]) int {
	at, known := m.index[ref]
	if known {
		return at
	}
	if m.index == nil {
		m.index = map[mapKey[K]]int{}
		m.drop = func() {
			clear(m.index)
			clear(m.entries)
			m.entries = m.entries[:0]
		}
	}
	at = len(m.entries)
	m.entries = append(m.entries, mapEntry[K, V]{key: ref.key, group: ref.group})
	m.index[ref] = at
	return at
}

// mapState is a MapState without its types. The entries follow it in memory.
type mapState struct {
	state
	keys    *row.Codec // of entries, of which it writes map keys
	values  *row.Codec // of entries, of which it reads values
	group   uintptr    // where in an entry the number of the key lies
	flags   uintptr    // and what is known of it
	exact   bool       // map keys are equal in Go where they are to the host: else none is kept
	nulls   bool       // there may be nulls in one
	drop    func()     // forgets all entries; nil where there has been none
	numbers []uint32   // of entries
	groups  []uint32   // theirs
	kinds   []byte
}

func (m *mapState) header() *header {
	return (*header)(unsafe.Add(unsafe.Pointer(m), unsafe.Sizeof(*m)))
}

func (m *mapState) begin() {
	m.state.begin()
	m.forget()
}

func (m *mapState) forget() {
	if m.drop != nil {
		m.drop()
	}
}

func (m *mapState) held() int { return m.header().len }

// at returns where an entry lies.
func (m *mapState) at(i int) unsafe.Pointer {
	return unsafe.Add(m.header().data, uintptr(i)*m.stored.Stride())
}

// gather collects the groups of m.numbers.
func (m *mapState) gather() {
	m.groups = m.groups[:0]
	for _, i := range m.numbers {
		m.groups = append(m.groups, *(*uint32)(unsafe.Add(m.at(int(i)), m.group)))
	}
}

// fetch reads the values of a run of entries.
func (m *mapState) fetch(from, to int) {
	for ; to-from > wire.MaxRows; from += wire.MaxRows {
		m.fetch(from, from+wire.MaxRows)
	}
	if from == to {
		return
	}
	memory := &m.call.memory
	mark := memory.mark()
	request := m.request(to-from, m.keys.Columns())
	m.keys.Write(request, m.at(from), to-from, maxInt)
	if m.mask != 0 {
		m.numbers = m.numbers[:0]
		for i := from; i < to; i++ {
			m.numbers = append(m.numbers, uint32(i))
		}
		m.gather()
		request.SetGroups(m.groups)
	}
	b := m.get(request.Bytes())
	if m.borrows {
		m.values.Forget()
	}
	m.values.Lenient(b, 0, to-from, m.at(from))
	kinds := b.Kinds()
	for i := range to - from {
		if kinds == nil || kinds[i] != wire.Delete {
			*(*byte)(unsafe.Add(m.at(from+i), m.flags)) = present
		}
	}
	if !m.borrows {
		memory.release(mark)
	}
}

// flush hands over the entries that have changed.
func (m *mapState) flush() {
	m.numbers, m.kinds = m.numbers[:0], m.kinds[:0]
	for i := range m.header().len {
		if flags := (*byte)(unsafe.Add(m.at(i), m.flags)); *flags&changed != 0 {
			m.numbers = append(m.numbers, uint32(i))
			m.kinds = append(m.kinds, (*flags&present^present)*wire.Delete)
			*flags &^= changed
		}
	}
	if len(m.numbers) == 0 {
		return
	}
	m.gather()
	m.putAt(m.header().data, m.numbers, m.groups, m.kinds)
	if m.held() >= maxPending {
		m.forget()
	}
}

// within begins to range over entries. ends are entries with the map keys that bound them, of
// which that many columns count.
func (m *mapState) within(bounds int, ends unsafe.Pointer, n, columns int) *scan {
	m.read()
	m.flush()
	if n == 0 {
		return m.scan(bounds, nil)
	}
	request := m.request(n, m.keys.Columns())
	m.keys.Write(request, ends, n, maxInt)
	for i := columns; i < len(m.keys.Fields); i++ {
		request.SetNull(i, m.keys.Fields[i].Type)
	}
	return m.scan(bounds, request.Bytes())
}
