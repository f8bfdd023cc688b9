// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
)

var _ kind.Bulk = (*journal)(nil)

// journal is a store that remembers what a call overwrote, so that the call can be taken back. What
// was written is read at once. Between calls it remembers nothing.
//
// While a store's Update runs, olds is ahead of keys by what it has merged so far.
type journal struct {
	state.Store
	limit  int // bytes that are kept of one call
	inCall bool

	keys state.Strings // that were written, in order
	olds state.Strings // what was there before
	over bool          // there was more than limit

	one    state.Strings
	value  []byte // that is being put; nil to delete
	values *state.Strings
	merge  state.Merge
	puts   state.Merge // set, made once
	merges state.Merge // merged, made once
	sets   state.Merge // the values, made once
}

func newJournal(store state.Store, limit int) *journal {
	j := &journal{Store: store, limit: limit}
	j.puts, j.merges, j.sets = j.set, j.merged, j.setOne
	return j
}

// journalError says that a call wrote over more than is kept of one.
type journalError struct{ limit int }

func (e *journalError) Error() string {
	return fmt.Sprintf("it changed more than %d MiB of state in one call: change less at once, or clear it in several calls", e.limit>>20)
}

// begin begins a call, which keep or takeBack ends.
func (j *journal) begin() { j.inCall = true }

// note keeps what was there of the next key, and says whether there was room.
func (j *journal) note(old []byte, found bool) bool {
	if j.over || j.keys.Size()+j.olds.Size()+len(old) > j.limit {
		j.over = true
		return false
	}
	if found {
		j.olds.Append(old)
	} else {
		j.olds.AppendAbsent()
	}
	return true
}

func (j *journal) set(_ int, old []byte, found bool) ([]byte, bool) {
	if !j.note(old, found) {
		return old, found
	}
	return j.value, j.value != nil
}

func (j *journal) setOne(i int, _ []byte, _ bool) ([]byte, bool) {
	value := j.values.At(i)
	return value, value != nil
}

func (j *journal) merged(i int, old []byte, found bool) ([]byte, bool) {
	if !j.note(old, found) {
		return old, found
	}
	return j.merge(i, old, found)
}

// Update merges into keys.
func (j *journal) Update(keys *state.Strings, merge state.Merge) error {
	if !j.inCall {
		return j.Store.Update(keys, merge)
	}
	j.merge = merge
	return j.run(keys, j.merges)
}

// PutAll sets the value of each key, in order, or removes it where it is absent. What is overwritten is read together.
func (j *journal) PutAll(keys, values *state.Strings) error {
	j.values = values
	return j.Update(keys, j.sets)
}

// PutNew sets the values of keys that have none, which is not looked up.
func (j *journal) PutNew(keys, values *state.Strings) error {
	if j.inCall && (j.over || j.keys.Size()+j.olds.Size()+keys.Size() > j.limit) {
		j.over = true
		return &journalError{j.limit}
	}
	for i := range keys.Len() {
		if j.inCall {
			j.keys.Append(keys.At(i))
			j.olds.AppendAbsent()
		}
		if err := j.Store.Put(keys.At(i), values.At(i)); err != nil {
			return err
		}
	}
	return nil
}

// run updates keys of the store. Whatever its end, what it has changed is noted.
func (j *journal) run(keys *state.Strings, merge state.Merge) error {
	if j.over || j.keys.Size()+j.olds.Size()+keys.Size() > j.limit {
		j.over = true
		return &journalError{j.limit}
	}
	before := j.keys.Len()
	err := j.Store.Update(keys, merge)
	j.keys.AppendFirst(keys, j.olds.Len()-before)
	if err != nil {
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
