// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"cmp"
	"testing"
)

func TestSplitDealsOutEachGroupOnce(t *testing.T) {
	for parallelism := 1; parallelism <= DefaultGroups; parallelism++ {
		for subtask := range parallelism {
			r := Split(DefaultGroups, subtask, parallelism)
			for g := range Group(DefaultGroups) {
				if owns := int(g)*parallelism/DefaultGroups == subtask; owns != r.Contains(g) {
					t.Fatalf("subtask %d of %d has groups %d to %d; group %d is its own: %v", subtask, parallelism, r.From, r.To, g, owns)
				}
			}
		}
	}
}

func FuzzKeysKeepOrderAndCanBeTakenApart(f *testing.F) {
	f.Add(uint16(1), uint16(2), []byte("a"), []byte("n"), uint16(1), uint16(2), []byte("a\x00"), []byte{})
	f.Add(uint16(1), uint16(2), []byte{0}, []byte{0xff}, uint16(1), uint16(2), []byte{0, 0}, []byte{0})
	f.Fuzz(func(t *testing.T, g1, id1 uint16, key1, ns1 []byte, g2, id2 uint16, key2, ns2 []byte) {
		a, b := AppendKey(nil, Group(g1), ID(id1), key1, ns1), AppendKey(nil, Group(g2), ID(id2), key2, ns2)
		want := cmp.Or(cmp.Compare(g1, g2), cmp.Compare(id1, id2), bytes.Compare(key1, key2), bytes.Compare(ns1, ns2))
		if got := bytes.Compare(a, b); got != want {
			t.Errorf("%x and %x compare as %d, what they are made of as %d", a, b, got, want)
		}
		g, id, key, ns, ok := ParseKey(nil, a)
		if !ok || g != Group(g1) || id != ID(id1) || !bytes.Equal(key, key1) || !bytes.Equal(ns, ns1) {
			t.Errorf("%x is taken apart into %d, %d, %x, %x, %v", a, g, id, key, ns, ok)
		}
		if _, _, _, _, ok := ParseKey(nil, key1); ok && len(key1) < 6 {
			t.Errorf("%x is taken for a key", key1)
		}
	})
}

func FuzzTimesKeepOrder(f *testing.F) {
	f.Add(int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, a, b int64) {
		ea, eb := AppendTime(nil, a), AppendTime(nil, b)
		if bytes.Compare(ea, eb) != cmp.Compare(a, b) || Time(ea) != a {
			t.Errorf("%d is %x and %d is %x; read back %d", a, ea, b, eb, Time(ea))
		}
	})
}
