// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package state is what an operator remembers from row to row, by key.
//
// It owns the contract of a store and the layout of its keys (FORMAT.md). It promises that a range
// of key groups, one state of a group, one key of a state and one namespace of a key are each a
// range of the store, so that rescaling, clearing and iterating are range operations. It leaves to
// others where bytes lie (state/memory), timers (state/timer), kinds of state (state/kind), what a key or a value means
// (abi/batch encodes them), and when to flush: the task that drives a store does so at a barrier.
//
// Work goes in batches: a task reads the state of all rows of a batch in one call, so that what is
// not in memory is read together and in key order.
package state

import "fmt"

// Sizes that a store takes. A key is counted as it is stored.
const (
	MaxKey   = 4 << 20
	MaxValue = 64 << 20
)

// Store is an ordered map from bytes to bytes for a range of key groups. It belongs to one
// goroutine. No method keeps a slice that it was given, and what it hands out is copied into the
// caller's lists.
//
// An error other than a *SizeError means that the store can't go on: whoever drives it closes it
// and recovers from what was flushed.
type Store interface {
	// Groups are the key groups whose keys the store holds; a key of another group is a bug of the
	// caller, and panics.
	Groups() Groups

	// Get resets values and appends the value of each key, or none where there is none.
	Get(keys, values *Strings) error

	// Update replaces the value of each key, in order, by what merge makes of it: a key that is in
	// the batch twice is merged twice.
	Update(keys *Strings, merge Merge) error

	// Put sets the value of a key.
	Put(key, value []byte) error

	// Delete removes a key, which need not be there.
	Delete(key []byte) error

	// Scan resets keys and values and appends what lies in [from, to), in key order, until a limit
	// is reached. more says that there may be more, from Next(the last key) on.
	Scan(from, to []byte, limit Limit, keys, values *Strings) (more bool, err error)

	// Flush makes all that was written durable, at once, where the backend is durable: after a crash
	// the store is as of the last Flush that returned, or of the one that did not. What was written
	// since is never seen in the durable store, however little memory there is.
	Flush() error

	// Snapshot flushes, and returns a view of the store as of now, which later writes do not change.
	Snapshot() (Snapshot, error)

	// Stats describe the store now.
	Stats() Stats

	// Close releases the store. What was not flushed is gone. Snapshots are closed before.
	Close() error
}

// Merge makes the new value of the i-th key of an Update. old is nil where there was none; it is
// valid until Merge returns, and so must the result be until the next call. keep false removes the
// key. It must not use the store.
type Merge func(i int, old []byte, found bool) (value []byte, keep bool)

// Scanner is what Copy reads.
type Scanner interface {
	Scan(from, to []byte, limit Limit, keys, values *Strings) (more bool, err error)
}

// Snapshot is a frozen view. Another goroutine than the store's may use it, one at a time.
type Snapshot interface {
	Scanner
	Close() error
}

// Limit ends a Scan: after so many entries, or as soon as keys and values have so many bytes. A
// limit of 0 is none. One entry is always given.
type Limit struct{ Entries, Bytes int }

// Reached says whether a scan that has filled these lists is to end.
func (l Limit) Reached(keys, values *Strings) bool {
	return l.Entries > 0 && keys.Len() >= l.Entries || l.Bytes > 0 && keys.Size()+values.Size() >= l.Bytes
}

// Stats are figures of a store.
type Stats struct {
	MemoryBytes int64 // held by the store
	Entries     int   // held in memory
}

// SizeError says that a key or value is larger than a store takes. The store is as before.
type SizeError struct {
	What       string // "key" or "value"
	Size, Most int
	Key        []byte // the first bytes of the key
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("state: %s of %d bytes, at most %d are possible, at key %x", e.What, e.Size, e.Most, e.Key)
}

// CheckSize returns a *SizeError where a key or value is too large.
func CheckSize(key, value []byte) error {
	if len(key) > MaxKey {
		return &SizeError{"key", len(key), MaxKey, key[:64:64]}
	}
	if len(value) > MaxValue {
		return &SizeError{"value", len(value), MaxValue, key[:min(len(key), 64):min(len(key), 64)]}
	}
	return nil
}

// chunk is how much Copy and DeleteRange hold at a time.
var chunk = Limit{Entries: 1024, Bytes: 1 << 20}

// Copy puts what from holds of a range of key groups into a store, and nothing that is Unkeyed. It
// does not flush.
func Copy(into Store, from Scanner, groups Groups) error {
	return each(from, groups.From.Prefix(), groups.To.Prefix(), into.Put)
}

// CopyUnkeyed puts what from holds that is Unkeyed into a store. It does not flush.
func CopyUnkeyed(into Store, from Scanner) error {
	return each(from, Unkeyed.Prefix(), appendHead(nil, Unkeyed, 0xffff), into.Put)
}

// DeleteRange removes what lies in [from, to).
func DeleteRange(s Store, from, to []byte) error {
	return each(s, from, to, func(key, _ []byte) error { return s.Delete(key) })
}

func each(s Scanner, from, to []byte, visit func(key, value []byte) error) error {
	var keys, values Strings
	from = append([]byte(nil), from...)
	for {
		more, err := s.Scan(from, to, chunk, &keys, &values)
		if err != nil {
			return err
		}
		for i := range keys.Len() {
			if err := visit(keys.At(i), values.At(i)); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		from = AppendNext(from[:0], keys.At(keys.Len()-1))
	}
}
