// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
	"github.com/wasmill/wasmill/state/memory"
)

const batchRows = 1000

// work is a batch of keys of 16 bytes, and a value and a map key for each.
type work struct {
	all     [][]byte
	at      int
	keys    []kind.Key
	values  state.Strings
	mapKeys state.Strings
	got     state.Strings
}

func newWork(count int) *work {
	w := &work{}
	for i := range count {
		w.all = append(w.all, fmt.Appendf(nil, "%016d", i))
	}
	return w
}

func (w *work) next() {
	w.keys = w.keys[:0]
	w.values.Reset()
	w.mapKeys.Reset()
	for range batchRows {
		key := w.all[w.at*7919%len(w.all)]
		w.at++
		w.keys = append(w.keys, kind.Key{Group: state.GroupOf(key, state.DefaultGroups), Key: key})
		w.values.Append(key)
		w.mapKeys.Append(key[8:])
	}
}

// adding returns a merge that counts.
func adding() state.Merge {
	var sum [8]byte
	return func(_ int, old []byte, found bool) ([]byte, bool) {
		n := uint64(1)
		if found {
			n += binary.LittleEndian.Uint64(old)
		}
		binary.LittleEndian.PutUint64(sum[:], n)
		return sum[:], true
	}
}

// operations are batches of work on states of one store.
func operations(ttl kind.TTL) map[string]func(w *work) error {
	store := memory.New(state.Groups{To: state.DefaultGroups})
	v, sums := kind.NewValue(store, 0, ttl), kind.NewValue(store, 1, ttl)
	add := adding()
	m, l := kind.NewMap(store, 2, ttl), kind.NewList(store, 3, ttl, 1<<20)
	return map[string]func(w *work) error{
		"value-get-put": func(w *work) error {
			if err := v.Get(w.keys, &w.got); err != nil {
				return err
			}
			return v.Put(w.keys, &w.values)
		},
		"value-update": func(w *work) error { return sums.Update(w.keys, add) },
		"map-get-put": func(w *work) error {
			if err := m.Get(w.keys, &w.mapKeys, &w.got); err != nil {
				return err
			}
			return m.Put(w.keys, &w.mapKeys, &w.values)
		},
		"list-append": func(w *work) error { return l.Append(w.keys, &w.values) },
	}
}

func lifetimes() map[string]kind.TTL {
	return map[string]kind.TTL{"kept": {}, "ttl": {After: 1e6, Renew: kind.OnReadAndWrite, Clock: kind.ProcessingTime()}}
}

func TestWorkOnABatchAllocatesNothingPerKey(t *testing.T) {
	for life, ttl := range lifetimes() {
		for name, operate := range operations(ttl) {
			if name == "list-append" {
				continue // the store grows
			}
			w := newWork(batchRows)
			run := func() {
				w.next()
				if err := operate(w); err != nil {
					t.Fatal(err)
				}
			}
			run()
			run()
			if n := testing.AllocsPerRun(20, run); n > 20 {
				t.Errorf("%s/%s of %d keys: %v allocations", name, life, batchRows, n)
			}
		}
	}
}

func BenchmarkKinds(b *testing.B) {
	for life, ttl := range lifetimes() {
		for name, operate := range operations(ttl) {
			b.Run(name+"/"+life, func(b *testing.B) {
				w := newWork(10_000)
				b.ReportAllocs()
				for b.Loop() {
					w.next()
					if err := operate(w); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchRows, "ns/row")
			})
		}
	}
}
