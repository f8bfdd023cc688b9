// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// perKeyOver returns an operator over a store.
func perKeyOver(t testing.TB, pool *batch.Pool, store state.Store, spec Spec) *PerKey {
	t.Helper()
	spec.Input = input()
	w, err := NewPerKey(operator.Context{Pool: pool, State: store, Groups: state.DefaultGroups, Watermark: watermark.Min}, spec)
	if err == nil {
		err = w.Open(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func sessionsOf(gap time.Duration) Spec {
	return Spec{Key: []int{0}, Session: &Session{Gap: gap * time.Microsecond}, Aggregates: sumOf(1)}
}

func TestRowThatTheModuleFailsIsInNoResultOfItsSession(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	spec := sessionsOf(10)
	spec.Lateness = 10 * time.Microsecond
	spec.Aggregates = []Aggregate{{Name: "rows", Call: &aggregate.Call{Function: "count"}}, {Name: "module", Module: &ModuleAggregate{
		Fields: []abi.Field{{Name: "sum", Type: abi.Int64}},
		New: func(operator.Context) (operator.Aggregate, error) {
			return refusing{aggregate.New(aggregate.Call{Function: "sum", Columns: []int{1}}, input()), 13}, nil
		},
	}}}
	w := perKeyOver(t, pool, memory.New(all()), spec)
	process(t, w, out, rows(pool, row{7, 1, 5}, row{7, 13, 12}, row{8, 13, 5}, row{7, 2, 6}))
	out.want(t, "failed: 7 13: refused", "failed: 8 13: refused")
	advance(t, w, out, 22)
	out.want(t, "0: 7 5 22 2 3 @21")
	process(t, w, out, rows(pool, row{7, 13, 6}, row{7, 4, 6}))
	out.want(t, "failed: 7 13: refused", "0: 7 5 22 3 7 @21")
	advance(t, w, out, watermark.Max)
	out.want(t)
}

func TestNothingIsLeftInTheStoreOfSessionsThatAreOver(t *testing.T) {
	pool, store, out := &batch.Pool{}, memory.New(all()), &recorder{}
	spec := sessionsOf(10)
	spec.Lateness, spec.Early, spec.Updates = 10*time.Microsecond, time.Second, Retract
	w := perKeyOver(t, pool, store, spec)
	for at := range abi.EventTime(200) {
		process(t, w, out, rows(pool, row{int64(at) % 7, 1, at * 3}))
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		advance(t, w, out, at*3-20)
	}
	advance(t, w, out, watermark.Max)
	for !w.Next().IsZero() {
		if err := w.Tick(t.Context(), w.Next(), out); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := store.Stats().Entries; n != 0 {
		t.Errorf("%d entries are left", n)
	}
	if w.groups.live != 0 || w.told != 0 {
		t.Errorf("%d slots and %d bytes of results are left", w.groups.live, w.told)
	}
}

func TestKeysWithoutWindowsAreDroppedFromMemory(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	w := perKeyOver(t, pool, memory.New(all()), sessionsOf(10))
	for at := range abi.EventTime(100) {
		var in []row
		for i := range int64(100) {
			in = append(in, row{int64(at)*100 + i, 1, at * 100})
		}
		process(t, w, out, rows(pool, in...))
		advance(t, w, out, at*100+50)
	}
	if n := len(w.keys); n > fewKeys+100 {
		t.Errorf("%d keys lie in memory of 0 that have windows", n)
	}
}

func TestStoredSessionsThatAreNoneAreAnError(t *testing.T) {
	pool, store := &batch.Pool{}, memory.New(all())
	spec := sessionsOf(10)
	spec.Lateness, spec.Updates = time.Second, Retract
	w := perKeyOver(t, pool, store, spec)
	process(t, w, &recorder{}, rows(pool, row{7, 1, 15}))
	advance(t, w, &recorder{}, 100)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := operatortest.Key(rows(pool, row{7, 1, 15}), []int{0}, 0)
	var keys, values state.Strings
	keys.Append(w.appendStoredKey(nil, key))
	if err := store.Get(&keys, &values); err != nil {
		t.Fatal(err)
	}
	good := append([]byte(nil), values.At(0)...)
	for n := range len(good) + 1 {
		value := good[:n]
		if n == len(good) {
			value = append(value, 0)
		}
		if err := store.Put(keys.At(0), value); err != nil {
			t.Fatal(err)
		}
		in := rows(pool, row{7, 1, 16})
		err := perKeyOver(t, pool, store, spec).Process(t.Context(), 0, in, &recorder{})
		in.Release()
		if err == nil || !strings.Contains(err.Error(), "the windows of a key are stored as") {
			t.Errorf("the first %d of %d bytes: the error is %v", n, len(good), err)
		}
	}
}
