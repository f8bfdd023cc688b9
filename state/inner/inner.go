// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package inner is the store of an operator that runs inside another one, as a view of the store of that one.
//
// States of users are the same in both. Those of the engine, which both operators may have, are moved: what the inner
// operator calls state.FirstReserved + n is state.FirstReserved + Moved + n below. The outer operator has no
// states of users, and none of the engine's from state.FirstReserved + Moved on; the inner one never sees
// the others. Key groups stay, so that both are rescaled as one.
package inner

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/wasmill/wasmill/state"
)

// Moved is by how much the engine's states are moved. An inner operator has those below state.FirstReserved + Moved - 1,
// so that each ends before some key.
const Moved state.ID = 0x80

// from is the first state of the engine that is the inner operator's.
const from = state.FirstReserved + Moved

// idEnd is where the number of a state ends in a key.
const idEnd = 4

var (
	_ state.Store    = (*Store)(nil)
	_ state.Snapshot = (*snapshot)(nil)
)

// Store is a view of another store, with which it shares groups, limits, goroutine and life: to flush or close it flushes
// or closes that one.
type Store struct {
	outer state.Store
	view
	key  []byte
	keys state.Strings
}

// New returns a view of a store.
func New(outer state.Store) *Store { return &Store{outer: outer, view: view{outer: outer}} }

// Groups are those of the store below.
func (s *Store) Groups() state.Groups { return s.outer.Groups() }

// Get gets values.
func (s *Store) Get(keys, values *state.Strings) error {
	s.move(keys)
	return s.outer.Get(&s.keys, values)
}

// Update updates values.
func (s *Store) Update(keys *state.Strings, merge state.Merge) error {
	s.move(keys)
	return s.outer.Update(&s.keys, merge)
}

// Put sets the value of a key.
func (s *Store) Put(key, value []byte) error {
	s.key = appendKey(s.key[:0], key)
	return s.outer.Put(s.key, value)
}

// Delete removes a key.
func (s *Store) Delete(key []byte) error {
	s.key = appendKey(s.key[:0], key)
	return s.outer.Delete(s.key)
}

// Flush flushes the store below.
func (s *Store) Flush() error { return s.outer.Flush() }

// Snapshot returns a view of a snapshot of the store below.
func (s *Store) Snapshot() (state.Snapshot, error) {
	outer, err := s.outer.Snapshot()
	if err != nil {
		return nil, err
	}
	return &snapshot{outer: outer, view: view{outer: outer}}, nil
}

// Stats are those of the store below.
func (s *Store) Stats() state.Stats { return s.outer.Stats() }

// Close closes the store below.
func (s *Store) Close() error { return s.outer.Close() }

func (s *Store) move(keys *state.Strings) {
	s.keys.Reset()
	for i := range keys.Len() {
		s.keys.Close(appendKey(s.keys.Open(), keys.At(i)))
	}
}

// appendKey appends what a key is below.
func appendKey(dst, key []byte) []byte {
	at := len(dst)
	dst = append(dst, key...)
	if id := idOf(key); id >= state.FirstReserved {
		if id >= from-1 {
			panic(fmt.Sprintf("state: an inner operator has no state %#x", uint16(id)))
		}
		binary.BigEndian.PutUint16(dst[at+2:], uint16(id+Moved))
	}
	return dst
}

// appendBound appends what the bound of a range is below: no key, so that its state may be any number.
func appendBound(dst, bound []byte) []byte {
	at := len(dst)
	dst = append(dst, bound...)
	if id := idOf(bound); id >= state.FirstReserved {
		binary.BigEndian.PutUint16(dst[at+2:], uint16(min(id, 0xffff-Moved)+Moved))
	}
	return dst
}

// idOf returns the state of a key, 0 where it is too short to have one.
func idOf(key []byte) state.ID {
	if len(key) < idEnd {
		return 0
	}
	return state.ID(binary.BigEndian.Uint16(key[2:]))
}

// view scans what is the inner operator's.
type view struct {
	outer    state.Scanner
	from, to []byte
	first    state.Strings
}

// Scan reads a range.
func (v *view) Scan(begin, end []byte, limit state.Limit, keys, values *state.Strings) (bool, error) {
	v.from, v.to = appendBound(v.from[:0], begin), appendBound(v.to[:0], end)
	for {
		more, err := v.outer.Scan(v.from, v.to, limit, keys, values)
		if err != nil {
			return false, err
		}
		own := 0
		for ; own < keys.Len(); own++ {
			if id := idOf(keys.At(own)); id >= state.FirstReserved && id < from {
				break
			}
		}
		if own == keys.Len() || own > 0 {
			more = more || own < keys.Len()
			v.cut(keys, own)
			v.cut(values, own)
			back(keys)
			return more, nil
		}
		v.from = append(v.from[:0], keys.At(0)[:2]...)
		if v.from = binary.BigEndian.AppendUint16(v.from, uint16(from)); bytes.Compare(v.from, v.to) >= 0 {
			keys.Reset()
			values.Reset()
			return false, nil
		}
	}
}

// cut leaves the first n strings of a list.
func (v *view) cut(list *state.Strings, n int) {
	if n == list.Len() {
		return
	}
	v.first.Reset()
	v.first.AppendFirst(list, n)
	*list, v.first = v.first, *list
}

// back makes keys what the inner operator calls them, where they lie.
func back(keys *state.Strings) {
	for i := range keys.Len() {
		key := keys.At(i)
		if id := idOf(key); id >= from {
			binary.BigEndian.PutUint16(key[2:], uint16(id-Moved))
		}
	}
}

// snapshot is a view of a snapshot.
type snapshot struct {
	outer state.Snapshot
	view
}

// Close closes the snapshot below.
func (s *snapshot) Close() error { return s.outer.Close() }
