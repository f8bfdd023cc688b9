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

func FuzzKeysKeepOrderOfNamespacesAndCanBeTakenApart(f *testing.F) {
	f.Add(uint16(1), uint16(2), []byte("a"), []byte("n"), uint16(1), uint16(2), []byte("a\x00"), []byte{})
	f.Add(uint16(1), uint16(2), []byte{0}, []byte{0xff}, uint16(1), uint16(2), []byte{0, 0}, []byte{0})
	f.Add(uint16(1), uint16(2), make([]byte, 127), []byte{0xff}, uint16(1), uint16(2), make([]byte, 128), []byte{0})
	f.Add(uint16(1), uint16(2), []byte{4, 1}, []byte{3}, uint16(1), uint16(2), []byte{4}, []byte{1, 3})
	f.Fuzz(func(t *testing.T, g1, id1 uint16, key1, ns1 []byte, g2, id2 uint16, key2, ns2 []byte) {
		a, b := AppendKey(nil, Group(g1), ID(id1), key1, ns1), AppendKey(nil, Group(g2), ID(id2), key2, ns2)
		got := bytes.Compare(a, b)
		want := cmp.Or(cmp.Compare(g1, g2), cmp.Compare(id1, id2))
		sameKey := want == 0 && bytes.Equal(key1, key2)
		if sameKey {
			want = bytes.Compare(ns1, ns2)
		}
		if (want != 0 || sameKey) && got != want || got == 0 && !sameKey {
			t.Errorf("%x and %x compare as %d, what they are made of as %d", a, b, got, want)
		}
		if under := bytes.HasPrefix(b, AppendKey(nil, Group(g1), ID(id1), key1, nil)); under != (g1 == g2 && id1 == id2 && bytes.Equal(key1, key2)) {
			t.Errorf("%x is taken for one of key %x: %v", b, key1, under)
		}
		g, id, key, ns, ok := ParseKey(a)
		if !ok || g != Group(g1) || id != ID(id1) || !bytes.Equal(key, key1) || !bytes.Equal(ns, ns1) {
			t.Errorf("%x is taken apart into %d, %d, %x, %x, %v", a, g, id, key, ns, ok)
		}
		if g, id, key, ns, ok := ParseKey(key1); ok && !bytes.Equal(AppendKey(nil, g, id, key, ns), key1) {
			t.Errorf("%x is taken for a key and is not what its parts make", key1)
		}
	})
}

func TestUnkeyedIsInEveryStoreAndNoRange(t *testing.T) {
	all := Groups{To: MaxGroups}
	if all.Contains(Unkeyed) {
		t.Error("the unkeyed group is in a range of key groups")
	}
	Groups{From: 3, To: 4}.Check(AppendKey(nil, Unkeyed, 1, nil, nil))
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
