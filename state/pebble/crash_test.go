// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/wasmill/wasmill/state"
)

// crashes takes clones of a disk, as a power cut would leave it, before some operations on it, by
// whatever goroutine.
type crashes struct {
	mu     sync.Mutex
	disk   *vfs.MemFS
	rand   *rand.Rand
	after  int // operations, the next one
	begun  int // flushes begun
	ended  int // flushes that have returned
	clones []crash
}

// crash is a disk and the flushes that it may be as of.
type crash struct {
	disk            *vfs.MemFS
	earliest, least int // flushes that had returned; those begun when the clone was taken
}

func (c *crashes) String() string { return "crashes" }

// MaybeError takes a clone, and never is one.
func (c *crashes) MaybeError(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	if c.after--; c.after > 0 {
		return nil
	}
	c.after = 1 + c.rand.IntN(60)
	unsynced := []int{0, 50, 100}[c.rand.IntN(3)]
	clone := c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: c.rand})
	c.clones = append(c.clones, crash{clone, c.ended, c.begun})
	return nil
}

// count tells crashes of a flush that begins or has returned.
func (c *crashes) count(flushes *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*flushes++
}

// TestCrashLeavesTheLastFlush runs random operations and opens the disk as it was at random moments.
func TestCrashLeavesTheLastFlush(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		c := &crashes{disk: vfs.NewCrashableMem(), rand: rand.New(rand.NewPCG(seed, 1)), after: 30}
		db := openDB(t, errorfs.Wrap(c.disk, c))
		history := crashRun(t, db, c, rand.New(rand.NewPCG(seed, 2)))
		if err := db.Close(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		inFlight := 0
		for i, crash := range c.clones {
			db := openDB(t, crash.disk)
			got := contents(t, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if crash.least > crash.earliest {
				inFlight++
			}
			if !maps.Equal(got, history[crash.earliest]) && !maps.Equal(got, history[crash.least]) {
				t.Fatalf("seed %d, crash %d: %d keys are neither flush %d with %d keys nor flush %d with %d", seed, i, len(got),
					crash.earliest, len(history[crash.earliest]), crash.least, len(history[crash.least]))
			}
		}
		if len(c.clones) < 10 || inFlight == 0 {
			t.Errorf("seed %d: %d crashes, %d of them in a flush: too few to say anything", seed, len(c.clones), inFlight)
		}
	}
}

var crashGroups = state.Groups{To: 8}

// crashRun writes to a store beyond its budget, and returns its contents as of each flush.
func crashRun(t *testing.T, db *DB, c *crashes, r *rand.Rand) (history []map[string]string) {
	t.Helper()
	store, err := db.Store(1, crashGroups, MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	model := map[string]string{}
	history = append(history, maps.Clone(model))
	for range 12 {
		for range 1 + r.IntN(1500) {
			group := state.Group(r.IntN(9))
			if group == 8 {
				group = state.Unkeyed
			}
			key := state.AppendKey(nil, group, 1, binary.AppendUvarint(nil, r.Uint64N(1000)), nil)
			if r.IntN(5) == 0 {
				err = store.Delete(key)
				delete(model, string(key))
			} else {
				value := bytes.Repeat([]byte{byte(r.Int())}, r.IntN(2000))
				err = store.Put(key, value)
				model[string(key)] = string(value)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		history = append(history, maps.Clone(model))
		c.count(&c.begun)
		if err := store.Flush(); err != nil {
			t.Fatal(err)
		}
		c.count(&c.ended)
	}
	if err := store.Put(state.AppendKey(nil, 1, 1, []byte("never flushed"), nil), nil); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return history
}

// contents returns all that the store of crashRun holds.
func contents(t *testing.T, db *DB) map[string]string {
	t.Helper()
	store, err := db.Store(1, crashGroups, MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	all := scanAll(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

func scanAll(t *testing.T, s state.Scanner) map[string]string {
	t.Helper()
	var keys, values state.Strings
	if _, err := s.Scan(nil, unkeyedEnd, state.Limit{}, &keys, &values); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i := range keys.Len() {
		all[string(keys.At(i))] = string(values.At(i))
	}
	return all
}

func TestDiskThatFailsIsAnErrorFromThenOn(t *testing.T) {
	for what, c := range map[string]struct {
		suffix string
		rows   int // of a flush
	}{
		"log":                  {".log", 10},
		"files to be ingested": {".sst", 1000},
	} {
		for _, after := range []int{0, 1, 3, 10} {
			disk := &failing{suffix: c.suffix}
			db := openDB(t, errorfs.Wrap(vfs.NewMem(), disk))
			store, err := db.Store(1, crashGroups, 8*MinMemory)
			if err != nil {
				t.Fatal(err)
			}
			disk.fail(after)
			for i := 0; err == nil && i < 12*c.rows; i++ {
				err = store.Put(state.AppendKey(nil, 1, 1, binary.AppendUvarint(nil, uint64(i)), nil), make([]byte, 1500))
				if err == nil && i%c.rows == c.rows-1 {
					err = store.Flush()
				}
			}
			if !errors.Is(err, errorfs.ErrInjected) && (err == nil || !strings.Contains(err.Error(), "injected")) {
				t.Errorf("%s fails after %d writes: %v", what, after, err)
			}
			if err := store.Flush(); err == nil {
				t.Errorf("%s failed after %d writes: the next flush succeeds", what, after)
			}
			if err := errors.Join(store.Close(), db.Close()); err != nil && !strings.Contains(err.Error(), "injected") {
				t.Errorf("%s failed after %d writes: closing: %v", what, after, err)
			}
		}
	}
}

// failing is a disk that takes so many writes more of some files, and none after.
type failing struct {
	suffix string

	mu   sync.Mutex
	on   bool
	left int
}

func (f *failing) String() string { return "failing" }

func (f *failing) fail(after int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on, f.left = true, after
}

func (f *failing) MaybeError(op errorfs.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	write := op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
	if !f.on || !write || !strings.HasSuffix(op.Path, f.suffix) {
		return nil
	}
	if f.left--; f.left >= 0 {
		return nil
	}
	return errorfs.ErrInjected
}
