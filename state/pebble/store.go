// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"errors"
	"fmt"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/internal/flat"
)

// MinMemory is the least budget of a store.
const MinMemory = 1 << 20

var _ state.Store = (*Store)(nil)

// Store is a store of a DB.
//
// Of each entry of the cache, at any time:
//
//   - not Dirty: it says what lies below, scratch before main.
//   - Dirty: it is newer than what lies below. Where its state is ordered, it is in the order.
//   - New: nothing below has the key.
//   - Absent: the key has no value. An entry that is Absent and New is not Dirty.
type Store struct {
	layout
	db     *DB
	cache  flat.Map
	order  flat.Order // of dirty entries
	dirty  int        // entries
	budget int64

	main, scratch tree
	spilled       int64 // bytes in scratch
	failed        error // of a write, after which the store does not go on

	finds  flat.Batches
	rows   *flat.Batch // the keys of the batch in hand
	misses []int       // which of them are not in the cache
	bound  []byte
}

func newStore(db *DB, operator uint32, groups state.Groups, memory int64) *Store {
	return &Store{
		layout:  layout{operator, groups},
		db:      db,
		budget:  memory,
		main:    tree{db: db.main},
		scratch: tree{db: db.scratch, tagged: true},
	}
}

// open finds out whether main has anything of the store.
func (s *Store) open() error {
	s.main.holds = true
	c, err := s.main.seek(s.all())
	if err != nil {
		return errors.Join(err, s.main.release())
	}
	s.main.holds = c.valid()
	return s.main.release()
}

// fault says which store an error is of.
func (s *Store) fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("state: %s operator %d, key groups %d to %d, in %s: %w", doing, s.operator, s.groups.From, s.groups.To, s.db.dir, err)
}

// Groups returns the key groups of the store.
func (s *Store) Groups() state.Groups { return s.groups }

// Get reads keys.
func (s *Store) Get(keys, values *state.Strings) error {
	values.Reset()
	if err := s.find(keys); err != nil {
		return err
	}
	for i := range keys.Len() {
		n, err := s.row(keys, i)
		if err != nil {
			return err
		}
		if s.cache.Flags(n)&flat.Absent != 0 {
			values.AppendAbsent()
		} else {
			values.Append(s.cache.Value(n))
		}
	}
	return nil
}

// Update merges into keys.
func (s *Store) Update(keys *state.Strings, merge state.Merge) error {
	if err := s.find(keys); err != nil {
		return err
	}
	for i := range keys.Len() {
		n, err := s.row(keys, i)
		if err != nil {
			return err
		}
		var old []byte
		found := s.cache.Flags(n)&flat.Absent == 0
		if found {
			old = s.cache.Value(n)
		}
		value, keep := merge(i, old, found)
		if !keep {
			s.remove(n)
			continue
		}
		if err := state.CheckSize(keys.At(i), value); err != nil {
			return err
		}
		s.set(n, value)
	}
	return nil
}

// Put sets a key.
func (s *Store) Put(key, value []byte) error {
	s.groups.Check(key)
	if err := state.CheckSize(key, value); err != nil {
		return err
	}
	if err := s.makeRoom(); err != nil {
		return err
	}
	hash := flat.Hash(key)
	n := s.cache.Find(key, hash)
	if n == flat.None {
		n = s.insertUnread(key, hash)
	}
	s.set(n, value)
	return nil
}

// Delete removes a key.
func (s *Store) Delete(key []byte) error {
	s.groups.Check(key)
	if len(key) > state.MaxKey {
		return nil
	}
	if err := s.makeRoom(); err != nil {
		return err
	}
	hash := flat.Hash(key)
	n := s.cache.Find(key, hash)
	if n == flat.None {
		if !s.main.holds && !s.scratch.holds {
			return nil
		}
		n = s.insertUnread(key, hash)
	}
	s.remove(n)
	return nil
}

// insertUnread adds an entry for a key that is not in the cache and about to be written, without
// looking at what lies below.
func (s *Store) insertUnread(key []byte, hash uint32) uint32 {
	n := s.cache.Insert(key, hash, nil)
	if !s.main.holds && !s.scratch.holds {
		s.cache.SetFlags(n, flat.New)
	}
	return n
}

// set sets the value of an entry.
func (s *Store) set(n uint32, value []byte) {
	s.cache.SetValue(n, value)
	s.cache.ClearFlags(n, flat.Absent)
	s.markDirty(n)
}

// remove says that the key of an entry has no value.
func (s *Store) remove(n uint32) {
	flags := s.cache.Flags(n)
	if flags&flat.Absent != 0 {
		return
	}
	s.cache.SetValue(n, nil)
	s.cache.SetFlags(n, flat.Absent)
	switch {
	case flags&flat.New == 0:
		s.markDirty(n)
	case flags&flat.Dirty != 0:
		s.order.Remove(&s.cache, n)
		s.cache.ClearFlags(n, flat.Dirty)
		s.dirty--
	}
}

func (s *Store) markDirty(n uint32) {
	if s.cache.Flags(n)&flat.Dirty != 0 {
		return
	}
	s.cache.SetFlags(n, flat.Dirty)
	s.dirty++
	s.order.Insert(&s.cache, n)
}

// Scan reads a range: what is dirty over scratch over main.
func (s *Store) Scan(from, to []byte, limit state.Limit, keys, values *state.Strings) (bool, error) {
	keys.Reset()
	values.Reset()
	s.order.Cover(&s.cache, from, to, func(n uint32) bool { return s.cache.Flags(n)&flat.Dirty != 0 })
	cursors := []cursor{newOrderCursor(&s.cache, &s.order, from, to)}
	spans := s.spans(from, to)
	for _, t := range []*tree{&s.scratch, &s.main} {
		if !t.holds {
			continue
		}
		below, err := t.seek(spans)
		if err != nil {
			return false, s.fault("scanning", err)
		}
		cursors = append(cursors, below)
	}
	c := collector{limit: limit, keys: keys, values: values}
	if err := merge(cursors, c.visit); err != nil {
		return false, s.fault("scanning", err)
	}
	return c.more, nil
}

// Stats returns the store's figures.
func (s *Store) Stats() state.Stats {
	lists := s.finds.Bytes() + int64(8*cap(s.misses)+cap(s.bound))
	return state.Stats{MemoryBytes: s.size() + lists, Entries: s.cache.Len()}
}

// Close releases the store, and what was not flushed.
func (s *Store) Close() error {
	err := errors.Join(s.main.release(), s.scratch.release())
	if s.scratch.holds && s.failed == nil {
		err = errors.Join(err, s.clearScratch())
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	delete(s.db.stores, s)
	return s.fault("closing", err)
}
