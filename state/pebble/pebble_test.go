// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/statetest"
)

func openDB(t *testing.T, fs vfs.FS) *DB {
	t.Helper()
	db, err := open(Options{Dir: "state", CacheBytes: 1 << 20}, fs)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// backend makes a DB for each store, and crashes it with its disk.
type backend struct{ disks map[state.Store]*vfs.MemFS }

func (b *backend) open(t *testing.T, groups state.Groups, disk *vfs.MemFS) state.Store {
	db := openDB(t, disk)
	store, err := db.Store(7, groups, MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	b.disks[store] = disk
	return store
}

func (b *backend) Open(t *testing.T, groups state.Groups) state.Store {
	return b.open(t, groups, vfs.NewCrashableMem())
}

func (b *backend) Crash(t *testing.T, store state.Store) state.Store {
	after := b.disks[store].CrashClone(vfs.CrashCloneCfg{})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return b.open(t, store.Groups(), after)
}

func TestStore(t *testing.T) {
	for name, valueSize := range map[string]int{"in the cache": 60, "beyond the budget": 3000} {
		t.Run(name, func(t *testing.T) {
			b := &backend{map[state.Store]*vfs.MemFS{}}
			statetest.TestStore(t, statetest.Backend{Open: b.Open, Crash: b.Crash, ValueSize: valueSize})
		})
	}
}
