// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package inner_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/inner"
	"github.com/wasmill/wasmill/state/memory"
	"github.com/wasmill/wasmill/state/statetest"
	"github.com/wasmill/wasmill/state/timer"
)

// own are the states of an outer operator.
var own = []state.ID{timer.EventTime, timer.ProcessingTime, state.FirstReserved, state.FirstReserved + inner.Moved - 1}

// over returns a store, into which an outer operator has put something, and a view of it.
func over(t *testing.T, groups state.Groups) (*memory.Store, *inner.Store) {
	t.Helper()
	store := memory.New(groups)
	for g := groups.From; g <= groups.To; g++ {
		group := g
		if g == groups.To {
			group = state.Unkeyed
		}
		for _, id := range own {
			for i := range 3 {
				key := state.AppendKey(nil, group, id, []byte{byte(i)}, nil)
				if err := store.Put(key, []byte("outer")); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return store, inner.New(store)
}

func TestStore(t *testing.T) {
	statetest.TestStore(t, statetest.Backend{Open: func(t *testing.T, groups state.Groups) state.Store {
		_, s := over(t, groups)
		return s
	}})
}

func TestEngineStatesOfBothOperatorsAreApart(t *testing.T) {
	groups := state.Groups{From: 2, To: 4}
	outer, s := over(t, groups)
	had := outer.Stats().Entries
	ids := []state.ID{1, state.FirstReserved - 1, state.FirstReserved, timer.EventTime, timer.ProcessingTime, state.FirstReserved + inner.Moved - 2}
	var want []string
	for _, g := range []state.Group{2, 3, state.Unkeyed} {
		for _, id := range ids {
			key := state.AppendKey(nil, g, id, []byte("key"), nil)
			if err := s.Put(key, []byte("inner")); err != nil {
				t.Fatal(err)
			}
			want = append(want, string(key))
		}
	}
	var keys, values state.Strings
	for _, entries := range []int{0, 1, 2, 5} {
		var got []string
		at, to := state.Group(2).Prefix(), bytes.Repeat([]byte{0xff}, 4)
		for more := true; more; {
			var err error
			if more, err = s.Scan(at, to, state.Limit{Entries: entries}, &keys, &values); err != nil {
				t.Fatal(err)
			}
			for i := range keys.Len() {
				if string(values.At(i)) != "inner" {
					t.Errorf("%x is %q", keys.At(i), values.At(i))
				}
				got = append(got, string(keys.At(i)))
			}
			if more {
				at = state.AppendNext(nil, keys.At(keys.Len()-1))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %d entries at a time: %x, should be %x", entries, got, want)
		}
	}
	keys.Reset()
	for _, key := range want {
		keys.Append([]byte(key))
	}
	if err := s.Get(&keys, &values); err != nil || string(values.At(3)) != "inner" {
		t.Errorf("%q, %v", values.At(3), err)
	}
	for _, key := range want {
		if err := s.Delete([]byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if n := outer.Stats().Entries; n != had {
		t.Errorf("%d entries are left, should be %d", n, had)
	}
}

func TestTimersOfBothOperatorsAreApart(t *testing.T) {
	store := memory.New(state.Groups{To: 1})
	mine, outer := timer.New(inner.New(store), timer.EventTime), timer.New(store, timer.EventTime)
	for at, timers := range []*timer.Timers{mine, outer} {
		if err := timers.Set(timer.Timer{Time: int64(at), Key: []byte("k")}); err != nil {
			t.Fatal(err)
		}
	}
	for want, timers := range []*timer.Timers{mine, outer} {
		var fired []string
		if _, err := timers.Pop(10, 10, func(due *timer.Timer) error {
			fired = append(fired, fmt.Sprint(due.Time))
			return nil
		}); err != nil || !slices.Equal(fired, []string{fmt.Sprint(want)}) {
			t.Errorf("%v fired, should be %d; %v", fired, want, err)
		}
	}
}

func TestStateThatAnInnerOperatorCannotHavePanics(t *testing.T) {
	_, s := over(t, state.Groups{To: 1})
	defer func() {
		if recover() == nil {
			t.Error("it was put")
		}
	}()
	t.Error(s.Put(state.AppendKey(nil, 0, state.FirstReserved+inner.Moved-1, nil, nil), nil))
}
