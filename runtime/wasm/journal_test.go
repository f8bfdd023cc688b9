// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// contents returns all that a store holds.
func contents(t *testing.T, s state.Store) (out []string) {
	t.Helper()
	var keys, values state.Strings
	if _, err := s.Scan([]byte{0}, []byte{0xff, 0xff, 0xff}, state.Limit{}, &keys, &values); err != nil {
		t.Fatal(err)
	}
	for i := range keys.Len() {
		out = append(out, fmt.Sprintf("%x=%q", keys.At(i), values.At(i)))
	}
	return out
}

func TestAJournalTakesBackWhatACallDidAndNothingElse(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		store := memory.New(state.Groups{To: 2})
		j := newJournal(store, 1<<20)
		for range 6 {
			before := contents(t, store)
			j.begin()
			for range r.IntN(40) {
				change(t, r, j)
			}
			if r.IntN(2) == 0 {
				changeMany(t, r, j, seed)
			}
			if r.IntN(2) == 0 {
				j.keep()
				continue
			}
			if err := j.takeBack(); err != nil {
				t.Fatal(err)
			}
			if after := contents(t, store); !slices.Equal(before, after) {
				t.Fatalf("seed %d: before the call %q, after it was taken back %q", seed, before, after)
			}
			change(t, r, j) // between calls
		}
	}
}

// change makes a random change.
func change(t *testing.T, r *rand.Rand, s state.Store) {
	t.Helper()
	key := state.AppendKey(nil, state.Group(r.IntN(2)), 1, []byte{byte(r.IntN(4))}, nil)
	var err error
	switch r.IntN(4) {
	case 0:
		err = s.Delete(key)
	case 1:
		err = s.Put(key, nil)
	case 2:
		err = s.Put(key, []byte(fmt.Sprint(r.IntN(100))))
	default:
		var keys state.Strings
		keys.Append(key)
		keys.AppendKey(1, 1, []byte{2}, nil)
		keys.Append(key)
		err = s.Update(&keys, func(i int, old []byte, found bool) ([]byte, bool) {
			return append(slices.Clone(old), byte('a'+i)), r.IntN(3) > 0
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// changeMany sets and removes several keys, some twice, and sets new ones.
func changeMany(t *testing.T, r *rand.Rand, j *journal, seed uint64) {
	t.Helper()
	var keys, values, fresh, got state.Strings
	last := map[string]string{}
	for i := range r.IntN(9) {
		key := state.AppendKey(nil, 1, 1, []byte{byte(r.IntN(5))}, nil)
		keys.Append(key)
		if r.IntN(3) == 0 {
			values.AppendAbsent()
			last[string(key)] = "none"
		} else {
			values.Append([]byte{byte(i)})
			last[string(key)] = fmt.Sprint([]byte{byte(i)})
		}
	}
	err := errors.Join(j.PutAll(&keys, &values), j.Get(&keys, &got))
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys.Len() {
		has := "none"
		if got.At(i) != nil {
			has = fmt.Sprint(got.At(i))
		}
		if want := last[string(keys.At(i))]; has != want {
			t.Fatalf("seed %d: key %x has %s, should have %s", seed, keys.At(i), has, want)
		}
	}
	fresh.AppendKey(0, 2, []byte{byte(j.Stats().Entries)}, nil)
	if err := j.Get(&fresh, &got); err != nil || got.At(0) != nil {
		return
	}
	values.Reset()
	values.Append([]byte("new"))
	err = errors.Join(j.PutNew(&fresh, &values), j.Get(&fresh, &got))
	if err != nil || string(got.At(0)) != "new" {
		t.Fatalf("seed %d: a new key has %q (%v)", seed, got.At(0), err)
	}
}

func TestACallThatChangesMoreThanIsKeptOfOneFailsAndIsTakenBack(t *testing.T) {
	store := memory.New(state.Groups{To: 2})
	j := newJournal(store, 1000)
	key := func(n int) []byte { return state.AppendKey(nil, 0, 1, []byte{byte(n)}, nil) }
	for n := range 5 {
		if err := j.Put(key(n), make([]byte, 300)); err != nil {
			t.Fatal(err)
		}
	}
	before := contents(t, store)
	j.begin()
	var err error
	for n := 0; n < 5 && err == nil; n++ {
		err = j.Delete(key(n))
	}
	if !errors.As(err, new(*journalError)) {
		t.Errorf("deleting 1,500 bytes in one call: %v", err)
	}
	if err := j.takeBack(); err != nil || !slices.Equal(before, contents(t, store)) {
		t.Errorf("%v; the store was not as before", err)
	}
}
