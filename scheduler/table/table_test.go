// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestTableAgreesWithAMap(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 0))
		var table Table
		model := map[string]uint32{}
		owner := map[uint32]string{}
		for step := range 20_000 {
			key := fmt.Sprintf("key %d %s", r.IntN(100), "with a tail that makes garbage"[:r.IntN(30)])
			hash := Hash([]byte(key)) & 0xfff // so few hashes that probes are long
			want, known := model[key]
			got := table.Get([]byte(key), hash)
			if known != (got != None) || known && got != want {
				t.Fatalf("seed %d, step %d: %q has number %d, should have %d (%v)", seed, step, key, got, want, known)
			}
			switch {
			case known && r.IntN(2) == 0:
				table.Remove(got)
				delete(model, key)
				delete(owner, got)
			case !known:
				n, fresh := table.Put([]byte(key), hash)
				if other, taken := owner[n]; !fresh || taken {
					t.Fatalf("seed %d, step %d: %q got number %d of %q", seed, step, key, n, other)
				}
				model[key], owner[n] = n, key
			}
			if table.Len() != len(model) {
				t.Fatalf("seed %d, step %d: %d keys, should be %d", seed, step, table.Len(), len(model))
			}
		}
		for key, n := range model {
			if string(table.Key(n)) != key {
				t.Fatalf("seed %d: number %d is %q, should be %q", seed, n, table.Key(n), key)
			}
		}
	}
}

func BenchmarkPutKnownKey(b *testing.B) {
	for _, keys := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			var table Table
			var all [][]byte
			for i := range keys {
				key := fmt.Appendf(nil, "%016d", i)
				all = append(all, key)
				table.Put(key, Hash(key))
			}
			i := 0
			for b.Loop() {
				key := all[(i*7919)%keys]
				i++
				table.Put(key, Hash(key))
			}
		})
	}
}

// After a burst the numbers stay many and the keys few. Compacting looks at all numbers: it must
// not come with every few keys that are removed.
func TestChurnAfterABurstCompactsSeldom(t *testing.T) {
	var table Table
	put := func(i int) uint32 {
		key := fmt.Appendf(nil, "%020d", i)
		n, _ := table.Put(key, Hash(key))
		return n
	}
	const burst = 100_000
	var all []uint32
	for i := range burst {
		all = append(all, put(i))
	}
	for _, n := range all {
		table.Remove(n)
	}
	compacted := 0
	for i := range burst / 5 {
		n := put(i)
		before := len(table.keys)
		table.Remove(n)
		if len(table.keys) < before {
			compacted++
		}
	}
	if most := burst / 5 * 20 / burst; compacted > most {
		t.Errorf("removing %d keys of 20 bytes compacted %d times, should be at most %d", burst/5, compacted, most)
	}
	if len(table.keys) > 2*burst {
		t.Errorf("%d bytes are kept for no key", len(table.keys))
	}
}
