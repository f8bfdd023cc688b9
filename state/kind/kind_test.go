// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
	"github.com/wasmill/wasmill/state/memory"
	"github.com/wasmill/wasmill/state/pebble"
)

const groups = 4

// backend makes empty stores.
type backend func(t *testing.T, g state.Groups) state.Store

func backends() map[string]backend {
	return map[string]backend{
		"memory": func(_ *testing.T, g state.Groups) state.Store { return memory.New(g) },
		"pebble": func(t *testing.T, g state.Groups) state.Store {
			db, err := pebble.Open(pebble.Options{Dir: t.TempDir(), CacheBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			store, err := db.Store(1, g, pebble.MinMemory)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := errors.Join(store.Close(), db.Close()); err != nil {
					t.Error(err)
				}
			})
			return store
		},
	}
}

// fixture is a value, a map and a list with one time to live, and what they have to hold.
type fixture struct {
	*testing.T
	*rand.Rand
	seed    uint64
	open    backend
	store   state.Store
	ttl     kind.TTL
	value   *kind.Value
	mapped  *kind.Map
	list    *kind.List
	sweeper *kind.Sweeper
	models  [3]*model
	event   bool
}

func newFixture(t *testing.T, seed uint64, open backend) *fixture {
	f := &fixture{T: t, Rand: rand.New(rand.NewPCG(seed, 0)), seed: seed, open: open}
	f.store = open(t, state.Groups{To: groups})
	f.event = f.IntN(2) == 0
	if f.IntN(4) > 0 {
		f.ttl = kind.TTL{After: []int64{1, 5, 200, 1000}[f.IntN(4)], Renew: kind.Renew(f.IntN(3))}
	}
	for i := range f.models {
		f.models[i] = &model{after: f.ttl.After, renew: f.ttl.Renew, now: never, rows: map[string][]row{}}
	}
	if !f.event {
		for _, m := range f.models {
			m.now = 0
		}
	}
	f.attach()
	return f
}

// attach makes the states anew over the store.
func (f *fixture) attach() {
	f.ttl.Clock = kind.ProcessingTime()
	if f.event {
		var err error
		f.ttl.Clock, err = kind.EventTime(f.store)
		f.must(err)
	}
	f.must(f.ttl.Clock.Advance(f.models[0].now))
	f.value = kind.NewValue(f.store, 0, f.ttl)
	f.mapped = kind.NewMap(f.store, 1, f.ttl)
	f.list = kind.NewList(f.store, 2, f.ttl, 1<<20)
	f.sweeper = kind.NewSweeper(f.store, f.value, f.mapped, f.list)
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("seed %d: %v", f.seed, err)
	}
}

// key returns one of few keys, or that of what belongs to none.
func (f *fixture) key() kind.Key {
	if f.IntN(8) == 0 {
		return kind.Key{Group: state.Unkeyed}
	}
	key := []byte(strings.Repeat("\x00", f.IntN(3)) + string(rune('a'+f.IntN(4))))
	return kind.Key{Group: state.GroupOf(key, groups), Key: key}
}

func (f *fixture) mapKey() []byte {
	return []byte([]string{"", "\x00", "a", "a\x00", "ab", "b", "\xff", "\xff\xff"}[f.IntN(8)])
}

func (f *fixture) bytes() []byte { return fmt.Appendf(nil, "%0*d", f.IntN(12), f.IntN(1000)) }

func (f *fixture) keys() []kind.Key {
	keys := make([]kind.Key, f.IntN(6))
	for i := range keys {
		keys[i] = f.key()
	}
	return keys
}

// strings returns a list of n strings.
func (f *fixture) strings(n int, of func() []byte, absent int) *state.Strings {
	s := &state.Strings{}
	for range n {
		if absent > 0 && f.IntN(absent) == 0 {
			s.AppendAbsent()
		} else {
			s.Append(of())
		}
	}
	return s
}

func (f *fixture) step() {
	keys := f.keys()
	switch f.IntN(14) {
	case 0:
		values := f.strings(len(keys), f.bytes, 4)
		f.must(f.value.Put(keys, values))
		for i, k := range keys {
			f.models[0].put(string(k.Key), "", values.At(i))
		}
	case 1, 2:
		f.get(keys, nil, f.models[0], f.value.Get)
	case 3:
		f.update(keys)
	case 4, 5:
		mapKeys, values := f.strings(len(keys), f.mapKey, 0), f.strings(len(keys), f.bytes, 4)
		f.must(f.mapped.Put(keys, mapKeys, values))
		for i, k := range keys {
			f.models[1].put(string(k.Key), string(mapKeys.At(i)), values.At(i))
		}
	case 6:
		mapKeys := f.strings(len(keys), f.mapKey, 0)
		f.get(keys, mapKeys, f.models[1], func(keys []kind.Key, values *state.Strings) error {
			return f.mapped.Get(keys, mapKeys, values)
		})
	case 7:
		f.scanMap()
	case 8, 9:
		values := f.strings(len(keys), f.bytes, 0)
		f.must(f.list.Append(keys, values))
		for i, k := range keys {
			f.models[2].append(string(k.Key), values.At(i))
		}
	case 10:
		f.scanList()
	case 11:
		f.time()
	case 12:
		_, err := f.sweeper.Sweep(1 + f.IntN(20))
		f.must(err)
	case 13:
		f.rare()
	}
}

// get compares what a state gives of keys with its model, which renews key by key as they are read.
func (f *fixture) get(keys []kind.Key, mapKeys *state.Strings, m *model, get func([]kind.Key, *state.Strings) error) {
	f.Helper()
	var got state.Strings
	f.must(get(keys, &got))
	for i, k := range keys {
		var want []byte
		for _, r := range m.read(string(k.Key), func(mapKey string) bool { return mapKeys == nil || mapKey == string(mapKeys.At(i)) }) {
			want = []byte(r.value)
		}
		if string(got.At(i)) != string(want) || (got.At(i) == nil) != (want == nil) {
			f.Fatalf("seed %d: key %q has %q, should have %q (absent: %v)", f.seed, k.Key, got.At(i), want, want == nil)
		}
	}
}

// update appends to values, and removes those that are long.
func (f *fixture) update(keys []kind.Key) {
	var buf []byte
	add := func(i int, old []byte) ([]byte, bool) {
		buf = append(append(buf[:0], old...), byte('0'+i))
		return buf, len(buf) < 8
	}
	f.must(f.value.Update(keys, func(i int, old []byte, found bool) ([]byte, bool) {
		if !found && old != nil {
			f.Fatalf("seed %d: %q is there and was not found", f.seed, old)
		}
		return add(i, old)
	}))
	m := f.models[0]
	for i, k := range keys {
		var old []byte
		if rows := m.live(string(k.Key)); len(rows) > 0 {
			old = []byte(rows[0].value)
		}
		value, keep := add(i, old)
		if !keep {
			value = nil
		}
		m.put(string(k.Key), "", value)
	}
}

func (f *fixture) scanMap() {
	k, from, to := f.key(), f.mapKey(), f.mapKey()
	if f.IntN(2) == 0 {
		to = nil
	}
	limit := state.Limit{Entries: f.IntN(4)}
	var got []row
	var keys, values state.Strings
	for next, more := from, true; more; {
		var err error
		more, err = f.mapped.Scan(k, next, to, limit, &keys, &values)
		f.must(err)
		for i := range keys.Len() {
			got = append(got, row{key: string(keys.At(i)), value: string(values.At(i))})
			next = state.AppendNext(nil, keys.At(i))
		}
		if more && keys.Len() == 0 || limit.Entries > 0 && keys.Len() > limit.Entries {
			f.Fatalf("seed %d: a scan of at most %d gives %d, more: %v", f.seed, limit.Entries, keys.Len(), more)
		}
	}
	want := f.models[1].read(string(k.Key), func(key string) bool { return key >= string(from) && (to == nil || key < string(to)) })
	f.same(got, want)
}

func (f *fixture) scanList() {
	k := f.key()
	limit := state.Limit{Entries: f.IntN(4)}
	var got []row
	var values state.Strings
	for at, more := int64(0), true; more; {
		var err error
		at, more, err = f.list.Scan(k, at, limit, &values)
		f.must(err)
		for i := range values.Len() {
			got = append(got, row{value: string(values.At(i))})
		}
		if more && values.Len() == 0 {
			f.Fatalf("seed %d: a scan gives nothing and says that there is more", f.seed)
		}
	}
	f.same(got, f.models[2].read(string(k.Key), func(string) bool { return true }))
}

func (f *fixture) same(got, want []row) {
	f.Helper()
	text := func(rows []row) (s string) {
		for _, r := range rows {
			s += fmt.Sprintf(" %q=%q", r.key, r.value)
		}
		return s
	}
	if text(got) != text(want) {
		f.Fatalf("seed %d: a scan gives%s\nshould give%s", f.seed, text(got), text(want))
	}
}

func (f *fixture) time() {
	now := f.models[0].now
	switch {
	case f.IntN(20) == 0:
		now = math.MaxInt64
	case now == never:
		now = []int64{-1 << 62, -5, 1000}[f.IntN(3)]
	default:
		now += f.Int64N(max(2, f.ttl.After)) - 1 // a clock may go back
	}
	f.must(f.ttl.Clock.Advance(now))
	for _, m := range f.models {
		m.advance(now)
	}
}

// rare clears keys, and hands the state over to other stores.
func (f *fixture) rare() {
	k := f.key()
	switch f.IntN(4) {
	case 0:
		f.must(f.mapped.Clear(k))
		delete(f.models[1].rows, string(k.Key))
	case 1:
		f.must(f.list.Clear(k))
		delete(f.models[2].rows, string(k.Key))
	case 2:
		f.handOver()
	case 3:
		if f.ttl.After > 0 && f.IntN(4) == 0 { // another time to live from now on
			f.ttl.After = (f.ttl.After + 1) / 2
			for _, m := range f.models {
				m.after = f.ttl.After
			}
			f.attach()
		}
	}
}

// handOver goes through two stores, each of half of the groups, as rescaling does.
func (f *fixture) handOver() {
	if f.IntN(6) > 0 {
		return
	}
	into := f.open(f.T, state.Groups{To: groups})
	for _, half := range []state.Groups{{From: 0, To: 1}, {From: 1, To: groups}} {
		part := memory.New(half)
		f.must(state.Copy(part, f.store, half))
		f.must(state.Copy(into, part, half))
	}
	f.must(state.CopyUnkeyed(into, f.store))
	f.store = into
	f.attach()
}

func TestStatesAgreeWithAModel(t *testing.T) {
	for name, open := range backends() {
		t.Run(name, func(t *testing.T) {
			cases := uint64(400)
			if testing.Short() || name == "pebble" {
				cases = 20
			}
			for seed := range cases {
				f := newFixture(t, seed, open)
				for range 400 {
					f.step()
				}
				f.ends()
			}
		})
	}
}

// ends lets all be over and checks that a round of the sweeper leaves nothing.
func (f *fixture) ends() {
	if f.ttl.After == 0 || f.models[0].now == never {
		return
	}
	f.must(f.ttl.Clock.Advance(f.models[0].now + f.ttl.After + 1))
	f.sweeper = kind.NewSweeper(f.store, f.list, f.mapped, f.value)
	for wrapped := false; !wrapped; {
		var err error
		wrapped, err = f.sweeper.Sweep(3)
		f.must(err)
	}
	var keys, values state.Strings
	for id := range state.ID(3) {
		for _, g := range []state.Group{0, 1, 2, 3, state.Unkeyed} {
			_, err := f.store.Scan(state.AppendKey(nil, g, id, nil, nil), state.AppendKey(nil, g, id+1, nil, nil), state.Limit{}, &keys, &values)
			f.must(err)
			if keys.Len() > 0 {
				f.Fatalf("seed %d: a round of the sweeper left %x", f.seed, keys.At(0))
			}
		}
	}
}
