// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package pebble keeps keyed state on disk: a state.Store is a write-back cache under a memory
// budget over Pebble, an LSM tree.
//
//	cache     hash table in memory: what was used last, and what was written since the last Flush
//	scratch   Pebble without a log: what was written since the last Flush and left the cache
//	main      Pebble: the store as of the last Flush
//
// A read looks in this order, the newest first; a scan merges the three. Flush moves what the two
// upper ones hold into main, at once. So main never sees what was not flushed, and scratch is wiped
// when the DB is opened.
//
// There is one DB a process, and in it one store for each subtask of each operator. A key is
//
//	| operator 4 | group 2 | the rest of the stored key |
//
// big endian, where the group of unkeyed state is 0x8000 plus the first key group of the store, so
// that subtasks of one operator keep theirs apart.
//
// It promises state.Store's contract, and that a store holds its budget and no more, but for one
// value at a time and what sorting takes while it writes: 28 bytes for each dirty entry, a quarter of
// the budget where entries are of 100 bytes. It leaves to others which operator has which number, how
// memory is dealt out, and where checkpoints go.
package pebble

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wasmill/wasmill/state"
)

// Options say where a DB lies and what it takes.
type Options struct {
	// Dir is the folder of the DB, which is made where there is none. One process has it open at a
	// time, and nothing else lies in it.
	Dir string

	// CacheBytes is the memory for blocks of files that were read, of all stores together and
	// besides their own budgets. The default is 32 MiB.
	CacheBytes int64
}

const (
	defaultCache = 32 << 20
	memTable     = 4 << 20
	tableSize    = 16 << 20 // of a file that is made to be ingested
)

// The folders in a DB's.
const (
	mainDir    = "main"
	scratchDir = "scratch"
	ingestDir  = "ingest" // files being made, which main or scratch then takes over
)

// DB holds the stores of a process. Its methods may be called from any goroutine.
type DB struct {
	fs      vfs.FS
	dir     string
	tables  sstable.WriterOptions // of files to be ingested
	main    *pebble.DB
	scratch *pebble.DB
	faults  *faults
	made    atomic.Uint64 // files to be ingested

	mu     sync.Mutex
	stores map[*Store]struct{}
	views  int // open snapshots
}

// Open opens the DB of a folder.
func Open(options Options) (*DB, error) { return open(options, vfs.Default) }

func open(options Options, fs vfs.FS) (db *DB, err error) {
	if options.Dir == "" {
		return nil, errors.New("state: opening the state on disk: no folder is given")
	}
	if options.CacheBytes < 0 {
		return nil, fmt.Errorf("state: opening the state in %s: a cache of %d bytes", options.Dir, options.CacheBytes)
	}
	if options.CacheBytes == 0 {
		options.CacheBytes = defaultCache
	}
	db = &DB{fs: fs, dir: options.Dir, faults: &faults{}, stores: map[*Store]struct{}{}}
	if err := db.open(options.CacheBytes); err != nil {
		return nil, fmt.Errorf("state: opening the state in %s: %w", options.Dir, errors.Join(err, db.closeTrees()))
	}
	return db, nil
}

func (db *DB) open(cacheBytes int64) error {
	for _, dir := range []string{scratchDir, ingestDir} {
		if err := db.fs.RemoveAll(db.path(dir)); err != nil {
			return err
		}
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	return db.faults.catch(func() (err error) {
		if db.main, err = pebble.Open(db.path(mainDir), db.options(cache)); err != nil {
			return err
		}
		// Behind main, which syncs the folders that it makes up to the first that was there.
		if err := db.fs.MkdirAll(db.path(ingestDir), 0o755); err != nil {
			return err
		}
		scratch := db.options(cache)
		scratch.DisableWAL = true
		scratch.FS = unsynced{db.fs}
		scratch.EnsureDefaults()
		db.tables = scratch.MakeWriterOptions(0, db.main.TableFormat())
		db.scratch, err = pebble.Open(db.path(scratchDir), scratch)
		return err
	})
}

func (db *DB) path(elements ...string) string {
	return db.fs.PathJoin(append([]string{db.dir}, elements...)...)
}

// options are those of main and of scratch.
func (db *DB) options(cache *pebble.Cache) *pebble.Options {
	o := &pebble.Options{
		FS:                 db.fs,
		Cache:              cache,
		MemTableSize:       memTable,
		FormatMajorVersion: pebble.FormatColumnarBlocks,
		Logger:             db.faults,
		EventListener:      &pebble.EventListener{BackgroundError: db.faults.note},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	return o
}

// Store opens the store of an operator's subtask, which owns a range of key groups: as of the last
// Flush of a store of that operator, groups outside the range apart. Unkeyed state is that of the
// subtask whose range began with the same group. memory is the budget in bytes, MinMemory at least.
// Open stores of one operator have no group in common.
func (db *DB) Store(operator uint32, groups state.Groups, memory int64) (state.Store, error) {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("state: opening a store of operator %d, key groups %d to %d: %w", operator, groups.From, groups.To, fmt.Errorf(format, args...))
	}
	switch {
	case operator > MaxOperator:
		return nil, fault("operators have numbers up to %d", uint32(MaxOperator))
	case groups.From >= groups.To || groups.To > state.MaxGroups:
		return nil, fault("a range has one group at least, and groups are below %d", state.MaxGroups)
	case memory < MinMemory:
		return nil, fault("a budget of %d bytes, where %d are the least", memory, MinMemory)
	}
	s := newStore(db, operator, groups, memory)
	db.mu.Lock()
	defer db.mu.Unlock()
	for other := range db.stores {
		if other.operator == operator && other.groups.From < groups.To && groups.From < other.groups.To {
			return nil, fault("a store of key groups %d to %d is open", other.groups.From, other.groups.To)
		}
	}
	if err := s.open(); err != nil {
		return nil, fault("%w", err)
	}
	db.stores[s] = struct{}{}
	return s, nil
}

// Checkpoint makes a folder, which must not be there, that is a DB as of the last Flush of each
// store: files that do not change are hard links where the file system has them. Flushes that run
// meanwhile are in it whole or not at all.
func (db *DB) Checkpoint(dir string) error {
	err := db.faults.catch(func() error {
		return db.main.Checkpoint(db.fs.PathJoin(dir, mainDir), pebble.WithFlushedWAL())
	})
	if err != nil {
		return fmt.Errorf("state: a checkpoint of %s into %s: %w", db.dir, dir, err)
	}
	return nil
}

// Close closes the DB. Its stores and snapshots are closed before.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.stores) > 0 || db.views > 0 {
		return fmt.Errorf("state: closing the state in %s: %d stores and %d snapshots are open", db.dir, len(db.stores), db.views)
	}
	if err := db.closeTrees(); err != nil {
		return fmt.Errorf("state: closing the state in %s: %w", db.dir, err)
	}
	return nil
}

// closeTrees closes what is open. After a fatal fault it does nothing: Pebble may hold its locks.
func (db *DB) closeTrees() error {
	if db.faults.fatal.Load() {
		return nil
	}
	var errs []error
	for _, tree := range []*pebble.DB{db.scratch, db.main} {
		if tree != nil {
			errs = append(errs, tree.Close())
		}
	}
	return errors.Join(errs...)
}

// tablePath names a file to be made, for one writer.
func (db *DB) tablePath() string {
	return db.path(ingestDir, fmt.Sprintf("%d.sst", db.made.Add(1)))
}
