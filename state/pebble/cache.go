// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"bytes"
	"slices"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/internal/flat"
)

// size is the memory that the cache holds.
func (s *Store) size() int64 { return s.cache.Bytes() + s.order.Bytes() }

// reserve is the part of the budget that one batch's misses may fill before the cache is evicted.
func (s *Store) reserve() int64 { return s.budget / 8 }

// find brings the keys of a batch into the cache and their entries into rows, None for those that
// have no room.
func (s *Store) find(keys *state.Strings) error {
	if err := s.makeRoom(); err != nil {
		return err
	}
	s.rows = s.finds.Find(&s.cache, keys, s.groups)
	s.misses = s.misses[:0]
	for i, n := range s.rows.Found {
		if n == flat.None {
			s.misses = append(s.misses, i)
		} else {
			s.cache.SetFlags(n, flat.Used)
		}
	}
	if len(s.misses) == 0 {
		return nil
	}
	return s.load(keys)
}

// load reads the misses of a batch in order of key, as many as there is room for.
func (s *Store) load(keys *state.Strings) error {
	slices.SortFunc(s.misses, func(a, b int) int { return bytes.Compare(keys.At(a), keys.At(b)) })
	room := s.reserve()
	var last []byte
	entry := flat.None
	for _, i := range s.misses {
		key := keys.At(i)
		if entry == flat.None || !bytes.Equal(key, last) {
			if room <= 0 {
				return nil
			}
			var err error
			if entry, err = s.read(key, s.rows.Hashes[i]); err != nil {
				return err
			}
			room -= int64(s.cache.RecordSize(entry))
			last = key
		}
		s.rows.Found[i] = entry
	}
	return nil
}

// row returns the entry of a batch's key, and reads it where find had no room or it has left the
// cache since.
func (s *Store) row(keys *state.Strings, i int) (uint32, error) {
	if s.size() > s.budget {
		if err := s.evict(); err != nil {
			return flat.None, err
		}
		s.rows.Found = s.rows.Found[:0]
	}
	if i < len(s.rows.Found) && s.rows.Found[i] != flat.None {
		return s.rows.Found[i], nil
	}
	key, hash := keys.At(i), s.rows.Hashes[i]
	if n := s.cache.Find(key, hash); n != flat.None {
		return n, nil
	}
	return s.read(key, hash)
}

// read brings a key that is not in the cache into it.
func (s *Store) read(key []byte, hash uint32) (uint32, error) {
	s.bound = s.appendKey(s.bound[:0], key)
	value, inScratch, err := s.scratch.get(s.bound)
	if err == nil && !inScratch {
		value, _, err = s.main.get(s.bound)
	}
	if err != nil {
		return flat.None, s.fault("reading", err)
	}
	n := s.cache.Insert(key, hash, value)
	if value == nil {
		s.cache.SetFlags(n, flat.Absent)
		if !inScratch {
			s.cache.SetFlags(n, flat.New)
		}
	}
	return n, nil
}

// makeRoom evicts so much that a batch's misses have room.
func (s *Store) makeRoom() error {
	if s.failed != nil {
		return s.failed
	}
	if s.size() <= s.budget-s.reserve() {
		return nil
	}
	return s.evict()
}

// evict drops entries that were not used for longest until the cache is within its part of the
// budget. Where most of them are dirty they are spilled before.
func (s *Store) evict() error {
	if 2*s.dirty > s.cache.Len() {
		if err := s.spill(flat.Used); err != nil {
			return err
		}
	}
	if s.drop() || s.dirty == 0 {
		return nil
	}
	if err := s.spill(0); err != nil {
		return err
	}
	s.drop()
	return nil
}

// drop cleans the log of the cache, twice round at most, for the first takes the marks of use away.
func (s *Store) drop() (enough bool) {
	most := s.budget - s.reserve()
	for steps := 2 * s.cache.Segments(); s.size() > most; steps-- {
		if steps == 0 {
			return false
		}
		s.cache.CleanOldest(func(n uint32) bool {
			flags := s.cache.Flags(n)
			s.cache.ClearFlags(n, flat.Used)
			return flags&(flat.Used|flat.Dirty) == 0
		})
	}
	return true
}

// dirtyEntries returns the dirty entries that have none of some marks, sorted, and how many bytes
// they have.
func (s *Store) dirtyEntries(without flat.Flag) (entries []uint32, bytes int64) {
	for n := range uint32(s.cache.Cap()) {
		if s.cache.Flags(n)&(flat.Dirty|without) == flat.Dirty {
			entries = append(entries, n)
			bytes += int64(len(s.cache.Key(n)) + len(s.cache.Value(n)))
		}
	}
	flat.Sort(&s.cache, entries)
	return entries, bytes
}

// spill writes dirty entries that have none of some marks into scratch, after which they are clean.
// Where most have one of these marks all are written.
func (s *Store) spill(without flat.Flag) error {
	entries, bytes := s.dirtyEntries(without)
	if 4*len(entries) < s.dirty {
		entries, bytes = s.dirtyEntries(0)
	}
	if err := s.scratch.release(); err != nil {
		return s.fail("spilling", err)
	}
	err := s.db.faults.catch(func() error {
		return s.write(s.db.newWriter(true, bytes), []cursor{&listCursor{&s.cache, entries}})
	})
	if err != nil {
		return s.fail("spilling", err)
	}
	for _, n := range entries {
		s.order.Remove(&s.cache, n)
		s.cache.ClearFlags(n, flat.Dirty|flat.New)
	}
	s.dirty -= len(entries)
	s.spilled += bytes
	s.scratch.holds = true
	return nil
}

// fail keeps an error after which the store does not go on.
func (s *Store) fail(doing string, err error) error {
	s.failed = s.fault(doing, err)
	return s.failed
}
