// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package kind is the kinds of state that user code has of a key, over a state.Store: a value, a
// list, a map, each with a time to live where it has one. A reducing state is a Value that is only
// updated.
//
// It owns how these lie in a store (FORMAT.md, "Kinds of state") and when a row of them is over. It
// promises that what is over is never given, that an operation on a batch of keys allocates nothing
// once its lists have grown, and that all it remembers lies in the store. It leaves to others what the
// bytes mean (abi/batch), which key is in which group, and how fast time goes: whoever drives the
// store advances the clock and calls the Sweeper.
//
// A state belongs to the goroutine of its store, and nobody else writes under its number.
package kind

import (
	"fmt"

	"github.com/wasmill/wasmill/state"
)

// Key is whose rows are meant: an encoded key and its group. State that belongs to no key has the
// group state.Unkeyed and an empty key.
type Key struct {
	Group state.Group
	Key   []byte
}

// Bulk is what a store may do besides, for one that has to know what it overwrites.
type Bulk interface {
	// PutAll sets the value of each key, in order, or removes it where it is absent.
	PutAll(keys, values *state.Strings) error

	// PutNew sets the values of keys that have none.
	PutNew(keys, values *state.Strings) error
}

// putAll is PutAll of any store.
func putAll(store state.Store, keys, values *state.Strings) error {
	if bulk, ok := store.(Bulk); ok {
		return bulk.PutAll(keys, values)
	}
	for i := range keys.Len() {
		var err error
		if value := values.At(i); value != nil {
			err = store.Put(keys.At(i), value)
		} else {
			err = store.Delete(keys.At(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putNew is PutNew of any store.
func putNew(store state.Store, keys, values *state.Strings) error {
	if bulk, ok := store.(Bulk); ok {
		return bulk.PutNew(keys, values)
	}
	return putAll(store, keys, values)
}

// Renew says what a time to live counts from.
type Renew uint8

// What a time to live counts from. The last one is written at most every 64th of the time to live, so
// that reading does not always write; a row may be over so much earlier.
const (
	OnCreate Renew = iota
	OnWrite
	OnReadAndWrite
)

// renewals is how often a row that is read all the time is stamped anew within its time to live.
const renewals = 64

// TTL says how long a row is kept. The zero value keeps it for ever. A state that was written with a
// time to live can be read with another one, but not without, nor the other way round; with a longer
// one, what was over and not removed yet is back.
type TTL struct {
	After int64 // microseconds; 0: never over
	Renew Renew
	Clock *Clock // what time is counted; may be nil where After is 0
}

// stampSize is the size of the stamp before each value of a state with a time to live: the time of
// its clock from which it counts.
const stampSize = 8

// over says whether a row of a group with that stamp is to be forgotten.
func (t *TTL) over(g state.Group, stamp int64) bool {
	from := t.Clock.since(g, stamp)
	return t.Clock.now > from && uint64(t.Clock.now)-uint64(from) >= uint64(t.After)
}

// stale says whether a row that is read needs a new stamp.
func (t *TTL) stale(g state.Group, stamp int64) bool {
	from := t.Clock.since(g, stamp)
	return t.Renew == OnReadAndWrite && t.Clock.now > from && uint64(t.Clock.now)-uint64(from) > uint64(t.After/renewals)
}

// LimitError says that a list would have more rows than it may have.
type LimitError struct {
	Row  int // of the batch that was to be appended; those before it were, it and what follows was not
	Key  Key // a copy
	Most int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("state: a list of %d rows, the most there can be, at key %x", e.Most, e.Key.Key[:min(len(e.Key.Key), 64)])
}

// cut takes the stamp off a stored value.
func cut(stored []byte) (stamp int64, value []byte, err error) {
	if len(stored) < stampSize {
		return 0, nil, fmt.Errorf("state: %x is stored as a value with a time to live and has no stamp", stored)
	}
	return state.Time(stored), stored[stampSize:], nil
}
