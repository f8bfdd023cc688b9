// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package memory is a state.Store that lies in memory whole: a hash table, with an order over those
// states that were ever scanned. It is as large as what it holds, and gone with the process; a
// snapshot is a copy.
package memory

import (
	"bytes"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/internal/flat"
)

var (
	_ state.Store    = (*Store)(nil)
	_ state.Snapshot = (*view)(nil)
)

// Store is a store in memory.
type Store struct {
	view
	groups state.Groups
	finds  flat.Batches
}

// New returns an empty store for a range of key groups.
func New(groups state.Groups) *Store {
	return &Store{view: view{entries: &flat.Map{}}, groups: groups}
}

// Groups returns the key groups of the store.
func (s *Store) Groups() state.Groups { return s.groups }

// Get reads keys.
func (s *Store) Get(keys, values *state.Strings) error {
	values.Reset()
	for _, n := range s.finds.Find(s.entries, keys, s.groups).Found {
		if n != flat.None {
			values.Append(s.entries.Value(n))
		} else {
			values.AppendAbsent()
		}
	}
	return nil
}

// Update merges into keys.
func (s *Store) Update(keys *state.Strings, merge state.Merge) error {
	batch := s.finds.Find(s.entries, keys, s.groups)
	removed := false // then a number may be of another entry by now
	for i := range keys.Len() {
		key, hash, n := keys.At(i), batch.Hashes[i], batch.Found[i]
		if n == flat.None || removed {
			n = s.entries.Find(key, hash)
		}
		var old []byte
		if n != flat.None {
			old = s.entries.Value(n)
		}
		value, keep := merge(i, old, n != flat.None)
		if !keep {
			s.remove(n)
			removed = true
			continue
		}
		if err := state.CheckSize(key, value); err != nil {
			return err
		}
		s.set(n, key, hash, value)
	}
	return nil
}

// Put sets a key.
func (s *Store) Put(key, value []byte) error {
	s.groups.Check(key)
	if err := state.CheckSize(key, value); err != nil {
		return err
	}
	hash := flat.Hash(key)
	s.set(s.entries.Find(key, hash), key, hash, value)
	return nil
}

// Delete removes a key.
func (s *Store) Delete(key []byte) error {
	s.groups.Check(key)
	s.remove(s.entries.Find(key, flat.Hash(key)))
	return nil
}

func (s *Store) set(n uint32, key []byte, hash uint32, value []byte) {
	if n != flat.None {
		s.entries.SetValue(n, value)
	} else {
		s.order.Insert(s.entries, s.entries.Insert(key, hash, value))
	}
	s.entries.Compact()
}

func (s *Store) remove(n uint32) {
	if n == flat.None {
		return
	}
	s.order.Remove(s.entries, n)
	s.entries.Remove(n)
	s.entries.Compact()
}

// Flush does nothing: memory is as durable as it will be.
func (s *Store) Flush() error { return nil }

// Snapshot copies the store.
func (s *Store) Snapshot() (state.Snapshot, error) {
	return &view{entries: s.entries.Clone()}, nil
}

// Stats returns the store's figures.
func (s *Store) Stats() state.Stats {
	return state.Stats{MemoryBytes: s.entries.Bytes() + s.order.Bytes() + s.finds.Bytes(), Entries: s.entries.Len()}
}

// view is entries with an order over some states of them.
type view struct {
	entries *flat.Map
	order   flat.Order
}

// Scan reads a range.
func (v *view) Scan(from, to []byte, limit state.Limit, keys, values *state.Strings) (bool, error) {
	keys.Reset()
	values.Reset()
	v.order.Cover(v.entries, from, to, func(uint32) bool { return true })
	for c := v.order.Seek(v.entries, from); c.Entry() != flat.None; c.Next() {
		key := v.entries.Key(c.Entry())
		if bytes.Compare(key, to) >= 0 {
			return false, nil
		}
		if keys.Len() > 0 && limit.Reached(keys, values) {
			return true, nil
		}
		keys.Append(key)
		values.Append(v.entries.Value(c.Entry()))
	}
	return false, nil
}

// Close frees the memory.
func (v *view) Close() error {
	*v = view{entries: &flat.Map{}}
	return nil
}
