// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
	"github.com/wasmill/wasmill/state/memory"
)

func texts(texts ...string) *state.Strings {
	s := &state.Strings{}
	for _, t := range texts {
		s.Append([]byte(t))
	}
	return s
}

// listed returns a list's values.
func listed(t *testing.T, l *kind.List, key kind.Key) string {
	t.Helper()
	var values state.Strings
	if _, _, err := l.Scan(key, 0, state.Limit{}, &values); err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range values.Len() {
		out = append(out, string(values.At(i)))
	}
	return strings.Join(out, " ")
}

func TestAListThatGrowsBeyondItsLimitNamesTheKeyAndKeepsWhatHadRoom(t *testing.T) {
	l := kind.NewList(memory.New(state.Groups{To: 1}), 3, kind.TTL{}, 2)
	a, b := kind.Key{Key: []byte("a")}, kind.Key{Key: []byte("b")}
	err := l.Append([]kind.Key{a, b, a, b, a, b}, texts("1", "2", "3", "4", "5", "6"))
	var limit *kind.LimitError
	if !errors.As(err, &limit) || limit.Row != 4 || string(limit.Key.Key) != "a" || limit.Most != 2 {
		t.Errorf("%v, should say that row 4 has no room in the list of key a", err)
	}
	if err.Error() != "state: a list of 2 rows, the most there can be, at key 61" {
		t.Error(err)
	}
	if listed(t, l, a) != "1 3" || listed(t, l, b) != "2 4" {
		t.Errorf("the lists are %q and %q", listed(t, l, a), listed(t, l, b))
	}
	if err := l.Clear(a); err != nil {
		t.Fatal(err)
	}
	if err := l.Append([]kind.Key{a}, texts("7")); err != nil || listed(t, l, a) != "7" {
		t.Errorf("after it was cleared the list is %q, %v", listed(t, l, a), err)
	}
}

func TestRowsThatAreOverMakeRoomInAList(t *testing.T) {
	ttl := kind.TTL{After: 10, Clock: kind.ProcessingTime()}
	l := kind.NewList(memory.New(state.Groups{To: 1}), 3, ttl, 3)
	a := kind.Key{Key: []byte("a")}
	for now := range int64(50) {
		if err := ttl.Clock.Advance(now * 5); err != nil {
			t.Fatal(err)
		}
		if err := l.Append([]kind.Key{a}, texts(fmt.Sprint(now))); err != nil {
			t.Fatalf("row %d: %v", now, err)
		}
	}
	if got := listed(t, l, a); got != "48 49" {
		t.Errorf("%q is left, should be the last two", got)
	}
	if err := l.Append([]kind.Key{a, a}, texts("50", "51")); err == nil {
		t.Error("a list of three rows took four")
	}
}

func TestTheEndOfAllInputIsNoTimeByWhichRowsAreOver(t *testing.T) {
	store := memory.New(state.Groups{To: 1})
	clock, err := kind.EventTime(store)
	if err != nil {
		t.Fatal(err)
	}
	v := kind.NewValue(store, 0, kind.TTL{After: 10, Clock: clock})
	keys := []kind.Key{{Key: []byte("k")}}
	var got state.Strings
	for _, step := range []struct {
		now  int64
		live bool
	}{{math.MinInt64, true}, {100, true}, {math.MaxInt64, true}, {109, true}, {110, false}} {
		if step.now == math.MinInt64 {
			err = v.Put(keys, texts("v"))
		} else {
			err = clock.Advance(step.now)
		}
		if err = errors.Join(err, v.Get(keys, &got)); err != nil {
			t.Fatal(err)
		}
		if live := got.At(0) != nil; live != step.live {
			t.Errorf("at %d a row that was written before the first watermark, 100, and lives for 10 is there: %v", step.now, live)
		}
	}
}

func TestWhatIsStoredWithoutAStampIsAnError(t *testing.T) {
	store := memory.New(state.Groups{To: 1})
	ttl := kind.TTL{After: 10, Clock: kind.ProcessingTime()}
	k := kind.Key{Key: []byte("k")}
	if err := kind.NewValue(store, 0, kind.TTL{}).Put([]kind.Key{k}, texts("short")); err != nil {
		t.Fatal(err)
	}
	v := kind.NewValue(store, 0, ttl)
	var values state.Strings
	_, swept := kind.NewSweeper(store, v).Sweep(10)
	for what, err := range map[string]error{
		"get":    v.Get([]kind.Key{k}, &values),
		"update": v.Update([]kind.Key{k}, func(int, []byte, bool) ([]byte, bool) { return nil, false }),
		"sweep":  swept,
	} {
		if err == nil || !strings.HasSuffix(err.Error(), "73686f7274 is stored as a value with a time to live and has no stamp") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := store.Put(state.AppendKey(nil, 0, 1, k.Key, nil), []byte("head")); err != nil {
		t.Fatal(err)
	}
	if err := kind.NewList(store, 1, ttl, 5).Append([]kind.Key{k}, texts("x")); err == nil {
		t.Error("a list was appended to whose head is none")
	}
}

func TestARoundOfTheSweeperIsBoundedByEntriesAndGroups(t *testing.T) {
	const entries, each = 1000, 7
	g := state.Groups{From: 10, To: 60}
	store := memory.New(g)
	ttl := kind.TTL{After: 10, Clock: kind.ProcessingTime()}
	v := kind.NewValue(store, 0, ttl)
	for i := range entries {
		k := kind.Key{Group: g.From + state.Group(i%50), Key: fmt.Append(nil, i)}
		if err := v.Put([]kind.Key{k}, texts("v")); err != nil {
			t.Fatal(err)
		}
	}
	if err := ttl.Clock.Advance(10); err != nil {
		t.Fatal(err)
	}
	s := kind.NewSweeper(store, v, kind.NewValue(store, 1, kind.TTL{}))
	calls := 0
	for wrapped := false; !wrapped; calls++ {
		var err error
		if wrapped, err = s.Sweep(each); err != nil {
			t.Fatal(err)
		}
	}
	if most := (entries+51)/each + 1; calls > most {
		t.Errorf("a round took %d calls, should be at most %d", calls, most)
	}
	if n := store.Stats().Entries; n != 0 {
		t.Errorf("%d entries are left", n)
	}
}
