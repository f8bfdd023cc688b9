// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
	"github.com/wasmill/wasmill/state/statetest"
)

func TestStore(t *testing.T) {
	statetest.TestStore(t, statetest.Backend{
		Open: func(_ *testing.T, groups state.Groups) state.Store { return memory.New(groups) },
	})
}

// BenchmarkUpdate adds 1 to the counts of 1,000 keys a call, beside a plain Go map.
func BenchmarkUpdate(b *testing.B) {
	const rows = 1000
	for _, count := range []int{10_000, 1_000_000} {
		all := make([][]byte, count)
		for i := range all {
			all[i] = fmt.Appendf(nil, "%016d", i)
		}
		b.Run(fmt.Sprintf("store/keys=%d", count), func(b *testing.B) {
			store := memory.New(state.Groups{To: state.DefaultGroups})
			var keys state.Strings
			var sum [8]byte
			add := func(_ int, old []byte, found bool) ([]byte, bool) {
				var n uint64
				if found {
					n = binary.LittleEndian.Uint64(old)
				}
				binary.LittleEndian.PutUint64(sum[:], n+1)
				return sum[:], true
			}
			at := 0
			batch := func() {
				keys.Reset()
				for range rows {
					key := all[at*7919%count]
					at++
					keys.AppendKey(state.GroupOf(key, state.DefaultGroups), 1, key, nil)
				}
				if err := store.Update(&keys, add); err != nil {
					b.Fatal(err)
				}
			}
			for range count / rows {
				batch()
			}
			b.ReportAllocs()
			for b.Loop() {
				batch()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
		b.Run(fmt.Sprintf("go-map/keys=%d", count), func(b *testing.B) {
			counts := map[string]uint64{}
			for _, key := range all {
				counts[string(key)]++
			}
			at := 0
			for b.Loop() {
				for range rows {
					counts[string(all[at*7919%count])]++
					at++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
