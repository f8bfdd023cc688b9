// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"

	"github.com/wasmill/wasmill/state"
)

// journal is a store that remembers what a call overwrote, so that the call can be taken back. What
// was written is read at once. Between calls it remembers nothing.
type journal struct {
	state.Store
	limit  int // bytes that are kept of one call
	inCall bool

	keys state.Strings // that were written, in order
	olds state.Strings // what was there before
	over bool          // there was more than limit

	one     state.Strings
	value   []byte // that is being put; nil to delete
	merge   state.Merge
	pending *state.Strings // keys of the update that runs
	puts    state.Merge    // set, made once
	merges  state.Merge    // merged, made once
}

func newJournal(store state.Store, limit int) *journal {
	j := &journal{Store: store, limit: limit}
	j.puts, j.merges = j.set, j.merged
	return j
}

// journalError says that a call wrote over more than is kept of one.
type journalError struct{ limit int }

func (e *journalError) Error() string {
	return fmt.Sprintf("it changed more than %d MiB of state in one call: change less at once, or clear it in several calls", e.limit>>20)
}

// begin begins a call, which keep or takeBack ends.
func (j *journal) begin() { j.inCall = true }

// note keeps what was there, and says whether there was room.
func (j *journal) note(key, old []byte, found bool) bool {
	if j.over || j.keys.Size()+j.olds.Size()+len(key)+len(old) > j.limit {
		j.over = true
		return false
	}
	j.keys.Append(key)
	if found {
		j.olds.Append(old)
	} else {
		j.olds.AppendAbsent()
	}
	return true
}

func (j *journal) set(_ int, old []byte, found bool) ([]byte, bool) {
	if !j.note(j.one.At(0), old, found) {
		return old, found
	}
	return j.value, j.value != nil
}

func (j *journal) merged(i int, old []byte, found bool) ([]byte, bool) {
	if !j.note(j.pending.At(i), old, found) {
		return old, found
	}
	return j.merge(i, old, found)
}

// Update merges into keys.
func (j *journal) Update(keys *state.Strings, merge state.Merge) error {
	if !j.inCall {
		return j.Store.Update(keys, merge)
	}
	j.pending, j.merge = keys, merge
	return j.run(keys, j.merges)
}

// run updates keys of the store.
func (j *journal) run(keys *state.Strings, merge state.Merge) error {
	if err := j.Store.Update(keys, merge); err != nil {
		return err
	}
	if j.over {
		return &journalError{j.limit}
	}
	return nil
}

// Put sets a key.
func (j *journal) Put(key, value []byte) error {
	if !j.inCall {
		return j.Store.Put(key, value)
	}
	if value == nil {
		value = []byte{}
	}
	return j.change(key, value)
}

// Delete removes a key.
func (j *journal) Delete(key []byte) error {
	if !j.inCall {
		return j.Store.Delete(key)
	}
	return j.change(key, nil)
}

func (j *journal) change(key, value []byte) error {
	j.one.Reset()
	j.one.Append(key)
	j.value = value
	return j.run(&j.one, j.puts)
}

// keep forgets what was there: the call is done.
func (j *journal) keep() {
	empty(&j.keys)
	empty(&j.olds)
	j.over, j.inCall = false, false
}

// takeBack brings back what was there before the call.
func (j *journal) takeBack() error {
	for i := j.keys.Len() - 1; i >= 0; i-- {
		var err error
		if old := j.olds.At(i); old != nil {
			err = j.Store.Put(j.keys.At(i), old)
		} else {
			err = j.Store.Delete(j.keys.At(i))
		}
		if err != nil {
			return fmt.Errorf("taking back what a call wrote: %w", err)
		}
	}
	j.keep()
	return nil
}
