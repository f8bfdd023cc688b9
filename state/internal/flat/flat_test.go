// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package flat

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/state"
)

func TestMapAndTreeAgreeWithASortedMap(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 0))
		var m Map
		var tree Tree
		model := map[string]string{}
		for step := range 30_000 {
			key := fmt.Appendf(nil, "key %0*d", 1+r.IntN(20), r.IntN(200))
			value := bytes.Repeat([]byte{byte(step)}, r.IntN(300))
			if r.IntN(2000) == 0 {
				value = make([]byte, segmentSize+r.IntN(1000)) // a segment of its own
			}
			hash := Hash(key)
			n := m.Find(key, hash)
			want, known := model[string(key)]
			if known != (n != None) || known && string(m.Value(n)) != want {
				t.Fatalf("seed %d, step %d: %q is entry %d, should be there: %v", seed, step, key, n, known)
			}
			switch {
			case known && r.IntN(3) == 0:
				tree.Remove(&m, n)
				m.Remove(n)
				delete(model, string(key))
			case known:
				m.SetValue(n, value)
				model[string(key)] = string(value)
			default:
				n = m.Insert(key, hash, value)
				tree.Insert(&m, n)
				model[string(key)] = string(value)
			}
			if r.IntN(1000) == 0 {
				m.CleanOldest(func(n uint32) bool {
					drop := r.IntN(4) == 0
					if drop {
						tree.Remove(&m, n)
						delete(model, string(m.Key(n)))
					}
					return drop
				})
			}
			m.Compact()
			if step%500 == 0 {
				checkOrder(t, &m, &tree, model, []byte("key 1"))
			}
		}
		if held := m.log.held; held > 64*segmentSize {
			t.Errorf("seed %d: %d bytes are held for %d entries", seed, held, m.Len())
		}
		c := m.Clone()
		for key := range model {
			m.Remove(m.Find([]byte(key), Hash([]byte(key))))
		}
		checkOrder(t, c, &tree, model, nil)
		if m.Len() != 0 || m.log.dead != m.log.used {
			t.Errorf("seed %d: %d entries and %d of %d bytes are left", seed, m.Len(), m.log.used-m.log.dead, m.log.used)
		}
	}
}

// checkOrder compares the tree with the model, from a key on.
func checkOrder(t *testing.T, m *Map, tree *Tree, model map[string]string, from []byte) {
	t.Helper()
	var want []string
	for _, key := range slices.Sorted(maps.Keys(model)) {
		if key >= string(from) {
			want = append(want, key)
		}
	}
	var got []string
	for c := tree.Seek(m, from); c.Entry() != None; c.Next() {
		n := c.Entry()
		key := string(m.Key(n))
		got = append(got, key)
		if string(m.Value(n)) != model[key] {
			t.Fatalf("%q has a value that it should not have", key)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("in order are %d keys, should be %d:\n%q\n%q", len(got), len(want), got, want)
	}
	if tree.Len() != len(model) || m.Len() != len(model) {
		t.Fatalf("%d in the tree, %d in the map, should be %d", tree.Len(), m.Len(), len(model))
	}
}

func TestTreeTakesKeysInAnyOrder(t *testing.T) {
	const count = 20_000
	orders := map[string]func(i int) int{
		"ascending":  func(i int) int { return i },
		"descending": func(i int) int { return count - i },
		"mixed":      func(i int) int { return i * 7919 % count },
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			var m Map
			var tree Tree
			for i := range count {
				key := fmt.Appendf(nil, "the same beginning %08d", order(i))
				tree.Insert(&m, m.Insert(key, Hash(key), nil))
			}
			var last []byte
			seen := 0
			for tree.Len() > 0 { // from the front, as timers go
				c := tree.Seek(&m, nil)
				n := c.Entry()
				if bytes.Compare(m.Key(n), last) <= 0 {
					t.Fatalf("%q comes after %q", m.Key(n), last)
				}
				last = append(last[:0], m.Key(n)...)
				tree.Remove(&m, n)
				m.Remove(n)
				seen++
			}
			if seen != count {
				t.Fatalf("%d keys, should be %d", seen, count)
			}
		})
	}
}

// list returns a list of keys.
func list(keys ...[]byte) *state.Strings {
	var l state.Strings
	for _, key := range keys {
		l.Append(key)
	}
	return &l
}

func TestBatchFindsWhatFindFinds(t *testing.T) {
	var m Map
	var b Batch
	r := rand.New(rand.NewPCG(5, 0))
	check := func(keys [][]byte) {
		t.Helper()
		b.Find(&m, list(keys...))
		for i, key := range keys {
			if want := m.Find(key, Hash(key)); b.Found[i] != want || b.Hashes[i] != Hash(key) {
				t.Fatalf("%q is entry %d with hash %d, should be %d with %d", key, b.Found[i], b.Hashes[i], want, Hash(key))
			}
		}
	}
	for range 400 {
		var keys [][]byte
		for range r.IntN(50) {
			keys = append(keys, fmt.Appendf(nil, "%d", r.IntN(2000)))
		}
		check(keys)
		check(keys) // the same, which is remembered
		for _, key := range keys {
			n := m.Find(key, Hash(key))
			switch {
			case n == None:
				m.Insert(key, Hash(key), nil)
			case r.IntN(8) == 0: // its number goes to another key
				m.Remove(n)
				other := fmt.Appendf(nil, "%d", 2000+r.IntN(1000))
				if m.Find(other, Hash(other)) == None {
					m.Insert(other, Hash(other), nil)
				}
			}
			if r.IntN(8) == 0 {
				check(keys)
			}
		}
		check(keys)
	}
}

func TestBatchesRemembersAndTellsStatesApart(t *testing.T) {
	var m Map
	var b Batches
	groups := state.Groups{To: 2}
	key := func(id state.ID) []byte { return state.AppendKey(nil, 1, id, []byte("k"), nil) }
	for id := range state.ID(9) {
		m.Insert(key(id), Hash(key(id)), nil)
	}
	for range 2 {
		for id := range state.ID(9) {
			if got, want := b.Find(&m, list(key(id)), groups).Found[0], m.Find(key(id), Hash(key(id))); got != want {
				t.Errorf("the key of state %d is entry %d, should be %d", id, got, want)
			}
		}
	}
	if found := b.Find(&m, list(), groups).Found; len(found) != 0 {
		t.Errorf("of no keys %d were found", len(found))
	}
}

func TestBatchTellsKeysOfOneHashApart(t *testing.T) {
	var m Map
	var b Batch
	a, c := []byte("a key"), []byte("another, much longer")
	m.Insert(a, Hash(a), nil)
	n := m.Insert(c, Hash(a), nil) // as if it had the hash of the first
	m.index[int(Hash(a))&(len(m.index)-1)], m.index[(int(Hash(a))&(len(m.index)-1)+1)%len(m.index)] =
		m.index[(int(Hash(a))&(len(m.index)-1)+1)%len(m.index)], m.index[int(Hash(a))&(len(m.index)-1)]
	b.Find(&m, list(a, a))
	if b.Found[0] == n || b.Found[0] == None || b.Found[0] != b.Found[1] {
		t.Errorf("a key is found as %d, which is of another key of its hash: %d", b.Found[0], n)
	}
}
