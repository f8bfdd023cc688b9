// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// batchSize is what is written as one batch; what is larger becomes files that are ingested, which
// costs no memory and half the writing.
const batchSize = 1 << 20

// writer puts sorted entries into a tree, all at once when it commits.
type writer struct {
	db     *DB
	into   *pebble.DB
	fs     vfs.FS
	tagged bool
	sync   *pebble.WriteOptions
	batch  *pebble.Batch   // nil where files are made
	table  *sstable.Writer // being made
	paths  []string        // of files, the one being made last
	value  []byte
}

// newWriter returns a writer for about so many bytes, into main or into scratch.
func (db *DB) newWriter(scratch bool, bytes int64) *writer {
	w := &writer{db: db, into: db.main, fs: db.fs, sync: pebble.Sync}
	if scratch {
		w.into, w.fs, w.tagged, w.sync = db.scratch, unsynced{db.fs}, true, pebble.NoSync
	}
	if bytes <= batchSize {
		w.batch = w.into.NewBatch()
	}
	return w
}

// add puts the value of a tree's key, or removes the key where the value is nil. Keys ascend.
func (w *writer) add(key, value []byte) error {
	remove := value == nil
	if w.tagged {
		w.value = append(w.value[:0], tagPresent)
		if remove {
			w.value[0] = tagAbsent
		}
		value, remove = append(w.value, value...), false
		w.value = value
	}
	if w.batch != nil {
		if remove {
			return w.batch.Delete(key, nil)
		}
		return w.batch.Set(key, value, nil)
	}
	if w.table != nil && w.table.Raw().EstimatedSize() >= tableSize {
		if err := w.finish(); err != nil {
			return err
		}
	}
	if w.table == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	if remove {
		return w.table.Delete(key)
	}
	return w.table.Set(key, value)
}

func (w *writer) begin() error {
	path := w.db.tablePath()
	file, err := w.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w.paths = append(w.paths, path)
	w.table = sstable.NewWriter(objstorageprovider.NewFileWritable(file), w.db.tables)
	return nil
}

// finish closes the file being made, which syncs it.
func (w *writer) finish() error {
	table := w.table
	w.table = nil
	if table == nil {
		return nil
	}
	return table.Close()
}

// commit makes all visible, or nothing where it returns an error and is not main's: what main has
// then is one of the two.
func (w *writer) commit() error {
	if w.batch != nil {
		return errors.Join(w.batch.Commit(w.sync), w.batch.Close())
	}
	if err := w.finish(); err != nil || len(w.paths) == 0 {
		return err
	}
	return w.into.Ingest(context.Background(), w.paths)
}

// abort drops what was added.
func (w *writer) abort() error {
	if w.batch != nil {
		return w.batch.Close()
	}
	errs := []error{w.finish()}
	for _, path := range w.paths {
		errs = append(errs, w.fs.Remove(path))
	}
	return errors.Join(errs...)
}
