// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestListsOfStringsHoldWhatWasAppended(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var list, other Strings
		var want, wantOther [][]byte
		for range r.IntN(30) {
			value := bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(4))
			switch r.IntN(4) {
			case 0:
				list.AppendAbsent()
				want = append(want, nil)
			case 1:
				if size := list.Close(append(list.Open(), value...)); size != len(value) {
					t.Fatalf("seed %d: a string of %d bytes has %d", seed, len(value), size)
				}
				want = append(want, value)
			case 2:
				list.Append(value)
				want = append(want, value)
			default:
				n := r.IntN(list.Len() + 1)
				other.AppendFirst(&list, n)
				wantOther = append(wantOther, want[:n]...)
			}
		}
		check(t, seed, &list, want)
		check(t, seed, &other, wantOther)
		var same Strings
		same.Append([]byte("before"))
		if same.Copy(&list); !same.Equal(&list) {
			t.Errorf("seed %d: a copy is not equal", seed)
		}
		check(t, seed, &same, want)
		if same.AppendAbsent(); same.Equal(&list) {
			t.Errorf("seed %d: equal to a shorter list", seed)
		}
	}
}

func check(t *testing.T, seed uint64, list *Strings, want [][]byte) {
	t.Helper()
	if list.Len() != len(want) {
		t.Fatalf("seed %d: %d strings, should be %d", seed, list.Len(), len(want))
	}
	for i, value := range want {
		if got := list.At(i); !bytes.Equal(got, value) || got == nil != (value == nil) {
			t.Fatalf("seed %d: string %d is %x, should be %x", seed, i, got, value)
		}
	}
}

func TestAbsentAndEmptyStringsAreNotEqual(t *testing.T) {
	var absent, empty Strings
	absent.AppendAbsent()
	empty.Append(nil)
	if absent.Equal(&empty) {
		t.Error("a list of an absent string equals one of an empty string")
	}
}
