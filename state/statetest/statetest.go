// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package statetest is the conformance suite of state.Store: random operations against a plain map
// with a sort. A failure prints the seed.
package statetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/state"
)

const groups = 16

// Backend is what makes the stores to be tested.
type Backend struct {
	// Open returns an empty store for key groups. Several are open at a time.
	Open func(t *testing.T, groups state.Groups) state.Store

	// Crash ends a store as a power cut does and returns it as it is after. nil is for a backend
	// that is not durable.
	Crash func(t *testing.T, store state.Store) state.Store

	// ValueSize is how many bytes a random value has at most, for a store whose budget is to be
	// exceeded. The default is 60.
	ValueSize int
}

// TestStore tests the stores of a backend.
func TestStore(t *testing.T, backend Backend) {
	open := backend.Open
	t.Run("agrees with a map", func(t *testing.T) {
		seeds := uint64(4)
		if testing.Short() {
			seeds = 1
		}
		for seed := range seeds {
			f := newFixture(t, backend, seed)
			f.store = open(t, state.Groups{To: groups})
			f.run(3000)
			f.checkAll(f.store, f.model)
			f.must(f.store.Close())
		}
	})
	t.Run("groups move to other stores", func(t *testing.T) {
		f := newFixture(t, backend, 99)
		f.store = open(t, state.Groups{To: groups})
		f.run(2000)
		f.handOver(open)
	})
	t.Run("refuses what is too large", func(t *testing.T) {
		store := open(t, state.Groups{To: groups})
		var size *state.SizeError
		key := state.AppendKey(nil, 1, 2, []byte("k"), nil)
		if err := store.Put(append(key, make([]byte, state.MaxKey)...), nil); !errors.As(err, &size) {
			t.Errorf("a key of more than %d bytes: %v, should be a SizeError", state.MaxKey, err)
		}
		if err := store.Put(key, make([]byte, state.MaxValue+1)); !errors.As(err, &size) {
			t.Errorf("a value of more than %d bytes: %v, should be a SizeError", state.MaxValue, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("panics at a key of another group", func(t *testing.T) {
		store := open(t, state.Groups{From: 3, To: 5})
		defer func() {
			if recover() == nil {
				t.Error("a key of group 5 was put into a store of groups 3 to 5")
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}()
		_ = store.Put(state.AppendKey(nil, 5, 1, nil, nil), nil)
	})
}

type fixture struct {
	*testing.T
	*rand.Rand
	backend Backend
	seed    uint64
	store   state.Store
	model   map[string]string
	flushed map[string]string // the model as of the last Flush
}

func newFixture(t *testing.T, backend Backend, seed uint64) *fixture {
	if backend.ValueSize == 0 {
		backend.ValueSize = 60
	}
	return &fixture{T: t, Rand: rand.New(rand.NewPCG(seed, 0)), backend: backend, seed: seed, model: map[string]string{}}
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("seed %d: %v", f.seed, err)
	}
}

// key returns one of some thousand keys, of four states, with zeros and namespaces, some unkeyed.
func (f *fixture) key() []byte {
	user := bytes.Repeat([]byte{byte(f.IntN(3))}, f.IntN(4))
	if f.IntN(2) == 0 {
		user = fmt.Appendf(user, "key %d", f.IntN(40))
	}
	group := state.Group(f.IntN(groups + 1))
	if group == groups {
		group = state.Unkeyed
	}
	return state.AppendKey(nil, group, state.ID(1+f.IntN(4)), user, make([]byte, f.IntN(3)))
}

func (f *fixture) value() []byte {
	return bytes.Repeat([]byte{byte(f.Int())}, f.IntN(f.backend.ValueSize))
}

func (f *fixture) keys() *state.Strings {
	var keys state.Strings
	for range f.IntN(20) {
		keys.Append(f.key())
	}
	return &keys
}

func (f *fixture) run(steps int) {
	for range steps {
		switch f.IntN(8) {
		case 0, 1:
			key, value := f.key(), f.value()
			f.must(f.store.Put(key, value))
			f.model[string(key)] = string(value)
		case 2:
			key := f.key()
			f.must(f.store.Delete(key))
			delete(f.model, string(key))
		case 3, 4:
			f.get()
		case 5:
			f.update()
		case 6:
			from, to := f.bounds()
			f.checkRange(f.store, f.model, from, to, state.Limit{Entries: f.IntN(5), Bytes: f.IntN(200)})
		case 7:
			f.rare()
		}
	}
}

// rare does what a task does at barriers, and clears what is of one key.
func (f *fixture) rare() {
	switch f.IntN(10) {
	case 0:
		f.must(f.store.Flush())
		f.flushed = maps.Clone(f.model)
	case 1:
		f.snapshot()
	case 2:
		f.crash()
	case 3:
		g, id, user, _, ok := state.ParseKey(f.key())
		if !ok {
			f.Fatalf("seed %d: a key can't be taken apart", f.seed)
		}
		from := state.AppendKey(nil, g, id, user, nil)
		to := state.AppendEnd(nil, from)
		f.must(state.DeleteRange(f.store, from, to))
		maps.DeleteFunc(f.model, func(key, _ string) bool { return key >= string(from) && key < string(to) })
	}
}

// crash sees that a store comes back as of its last Flush.
func (f *fixture) crash() {
	if f.backend.Crash == nil {
		return
	}
	f.store = f.backend.Crash(f.T, f.store)
	f.model = maps.Clone(f.flushed)
	if f.model == nil {
		f.model = map[string]string{}
	}
	f.checkAll(f.store, f.model)
}

func (f *fixture) get() {
	keys := f.keys()
	var values state.Strings
	f.must(f.store.Get(keys, &values))
	if values.Len() != keys.Len() {
		f.Fatalf("seed %d: %d values for %d keys", f.seed, values.Len(), keys.Len())
	}
	for i := range keys.Len() {
		want, known := f.model[string(keys.At(i))]
		if got := values.At(i); known != (got != nil) || string(got) != want {
			f.Fatalf("seed %d: %x is %x, should be %x (%v)", f.seed, keys.At(i), got, want, known)
		}
	}
}

func (f *fixture) update() {
	keys := f.keys()
	f.must(f.store.Update(keys, func(i int, old []byte, found bool) ([]byte, bool) {
		key := string(keys.At(i))
		if want, known := f.model[key]; known != found || string(old) != want {
			f.Fatalf("seed %d: %x to update is %x (%v), should be %x (%v)", f.seed, key, old, found, want, known)
		}
		if f.IntN(4) == 0 {
			delete(f.model, key)
			return nil, false
		}
		value := append(slices.Clone(old[:min(len(old), f.backend.ValueSize-10)]), f.value()...)
		f.model[key] = string(value)
		return value, true
	}))
}

// bounds returns a range: of a key, of a state of a group, or of several groups.
func (f *fixture) bounds() (from, to []byte) {
	switch from = f.key(); f.IntN(4) {
	case 0:
		to = f.key()
		if bytes.Compare(from, to) > 0 {
			from, to = to, from
		}
		return from, to
	case 1:
		return from[:4], state.AppendEnd(nil, from[:4])
	case 2:
		return from, state.AppendEnd(nil, from[:4])
	}
	return from, state.AppendEnd(nil, from)
}

// checkRange reads a range in pieces and compares it with the model.
func (f *fixture) checkRange(s state.Scanner, model map[string]string, from, to []byte, limit state.Limit) {
	f.Helper()
	var want, got [][2]string
	for _, key := range slices.Sorted(maps.Keys(model)) {
		if key >= string(from) && key < string(to) {
			want = append(want, [2]string{key, model[key]})
		}
	}
	var keys, values state.Strings
	for at, more := from, true; more; {
		var err error
		more, err = s.Scan(at, to, limit, &keys, &values)
		f.must(err)
		if more && keys.Len() == 0 || limit.Entries > 0 && keys.Len() > limit.Entries {
			f.Fatalf("seed %d: %d entries, more: %v, with %+v", f.seed, keys.Len(), more, limit)
		}
		for i := range keys.Len() {
			got = append(got, [2]string{string(keys.At(i)), string(values.At(i))})
		}
		if more {
			at = state.AppendNext(nil, keys.At(keys.Len()-1))
		}
	}
	if !slices.Equal(got, want) {
		f.Fatalf("seed %d: from %x to %x are %d entries, should be %d:\n%x\n%x", f.seed, from, to, len(got), len(want), got, want)
	}
}

func (f *fixture) checkAll(s state.Scanner, model map[string]string) {
	f.Helper()
	f.checkRange(s, model, state.Group(0).Prefix(), bytes.Repeat([]byte{0xff}, 4), state.Limit{Entries: 100})
}

// snapshot sees that a snapshot stays as it is.
func (f *fixture) snapshot() {
	snap, err := f.store.Snapshot()
	f.must(err)
	model := maps.Clone(f.model)
	f.flushed = model
	for range 20 {
		key := f.key()
		f.must(f.store.Put(key, f.value()))
		f.must(f.store.Delete(key))
		delete(f.model, string(key))
	}
	f.checkAll(snap, model)
	f.must(snap.Close())
}

// handOver splits the store into three, goes on with one of them, and merges them.
func (f *fixture) handOver(open func(*testing.T, state.Groups) state.Store) {
	snap, err := f.store.Snapshot()
	f.must(err)
	merged := open(f.T, state.Groups{To: groups})
	for subtask := range 3 {
		part := open(f.T, state.Split(groups, subtask, 3))
		f.must(state.Copy(part, snap, part.Groups()))
		f.checkRange(part, nil, state.Unkeyed.Prefix(), bytes.Repeat([]byte{0xff}, 4), state.Limit{})
		if subtask == 1 {
			key := state.AppendKey(nil, part.Groups().From, 1, []byte("moved"), nil)
			f.must(part.Put(key, key))
			f.model[string(key)] = string(key)
		}
		f.must(state.Copy(merged, part, part.Groups()))
		f.must(part.Close())
	}
	f.must(state.CopyUnkeyed(merged, snap))
	f.checkAll(merged, f.model)
	f.must(snap.Close())
	f.must(f.store.Close())
	f.must(merged.Close())
}
