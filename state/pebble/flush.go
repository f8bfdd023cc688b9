// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/internal/flat"
)

// Flush moves into main, at once and synced, what is dirty and what is in scratch.
func (s *Store) Flush() error {
	if s.failed != nil {
		return s.failed
	}
	if s.dirty == 0 && !s.scratch.holds {
		return nil
	}
	if err := s.flush(); err != nil {
		return s.fail("flushing", err)
	}
	return nil
}

func (s *Store) flush() error {
	if err := s.main.release(); err != nil {
		return err
	}
	entries, bytes := s.dirtyEntries(0)
	cursors := []cursor{&listCursor{&s.cache, entries}}
	if s.scratch.holds {
		c, err := s.scratch.seek(s.all())
		if err != nil {
			return err
		}
		cursors = append(cursors, c)
	}
	err := s.db.faults.catch(func() error {
		return s.write(s.db.newWriter(false, bytes+s.spilled), cursors)
	})
	if err != nil {
		return err
	}
	s.main.holds = true
	for _, n := range entries {
		s.cache.ClearFlags(n, flat.Dirty|flat.New)
		if s.cache.Flags(n)&flat.Absent != 0 {
			s.cache.SetFlags(n, flat.New)
		}
	}
	s.dirty = 0
	s.order.Clear()
	if !s.scratch.holds {
		return nil
	}
	return s.clearScratch()
}

// write puts what cursors have into a tree. Where main has nothing yet, removals are left out.
func (s *Store) write(w *writer, cursors []cursor) error {
	err := merge(cursors, func(key, value []byte) (bool, error) {
		if value == nil && !w.tagged && !s.main.holds {
			return true, nil
		}
		s.bound = s.appendKey(s.bound[:0], key)
		return true, w.add(s.bound, value)
	})
	if err != nil {
		return errors.Join(err, w.abort())
	}
	return w.commit()
}

// clearScratch removes from scratch what the store has there.
func (s *Store) clearScratch() error {
	if err := s.scratch.release(); err != nil {
		return err
	}
	err := s.db.faults.catch(func() error {
		for _, span := range s.all() {
			if err := s.db.scratch.DeleteRange(span.low, span.end, pebble.NoSync); err != nil {
				return err
			}
		}
		return nil
	})
	s.scratch.holds, s.spilled = false, 0
	return err
}

// Snapshot flushes, and freezes main.
func (s *Store) Snapshot() (state.Snapshot, error) {
	if err := s.Flush(); err != nil {
		return nil, err
	}
	frozen := s.db.main.NewSnapshot()
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.views++
	return &view{layout: s.layout, db: s.db, frozen: frozen, tree: tree{db: frozen}}, nil
}

var _ state.Snapshot = (*view)(nil)

// view is a store as of a Flush.
type view struct {
	layout
	db     *DB
	frozen *pebble.Snapshot
	tree   tree
}

// Scan reads a range.
func (v *view) Scan(from, to []byte, limit state.Limit, keys, values *state.Strings) (bool, error) {
	keys.Reset()
	values.Reset()
	c := collector{limit: limit, keys: keys, values: values}
	at, err := v.tree.seek(v.spans(from, to))
	if err == nil {
		err = merge([]cursor{at}, c.visit)
	}
	if err != nil {
		return false, fmt.Errorf("state: scanning a snapshot of operator %d in %s: %w", v.operator, v.db.dir, err)
	}
	return c.more, nil
}

// Close gives the snapshot up, so that the DB need not keep what is newer since.
func (v *view) Close() error {
	err := errors.Join(v.tree.release(), v.frozen.Close())
	v.db.mu.Lock()
	defer v.db.mu.Unlock()
	v.db.views--
	if err != nil {
		return fmt.Errorf("state: closing a snapshot of operator %d in %s: %w", v.operator, v.db.dir, err)
	}
	return nil
}
