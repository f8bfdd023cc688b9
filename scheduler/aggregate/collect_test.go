// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

func TestCollectListsAllRowsInOrderOfEventTime(t *testing.T) {
	s := schema(t, "int64", "string")
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 8))
		type kept struct {
			at   abi.EventTime
			text string
		}
		var want []kept
		b := (&batch.Pool{}).NewBuilder(s)
		for n := range r.IntN(60) {
			at := abi.EventTime(r.IntN(20))
			if n%7 == 0 {
				b.Column(0).AppendNull()
			} else {
				b.Column(0).AppendInt64(int64(n))
			}
			b.Column(1).AppendString(fmt.Sprint("row ", n))
			b.AppendTime(at)
			b.EndRow()
			text := fmt.Sprint(n)
			if n%7 == 0 {
				text = "null"
			}
			want = append(want, kept{at, fmt.Sprintf("row %d %s", n, text)})
		}
		in := b.Finish()
		slices.SortStableFunc(want, func(a, b kept) int { return int(a.at - b.at) })

		call, field := parse(t, s, "collect(b, a)")
		a := New(call, s)
		slots := make([]uint32, in.Rows())
		if err := a.Add(t.Context(), in, slots, nil); err != nil {
			t.Fatal(err)
		}
		field.Name = "rows"
		out := (&batch.Pool{}).NewBuilder(&abi.Schema{Fields: []abi.Field{field}})
		if err := a.Result(t.Context(), []uint32{0}, []*batch.ColumnBuilder{out.Column(0)}); err != nil {
			t.Fatal(err)
		}
		out.EndRow()
		items := out.Finish().Columns[0].Children[0]
		var got []string
		for n := range len(want) {
			text := "null"
			if !items.Children[1].Null(n) {
				text = fmt.Sprint(items.Children[1].Int64s()[n])
			}
			got = append(got, items.Children[0].String(n)+" "+text)
		}
		for n := range want {
			if got[n] != want[n].text {
				t.Fatalf("seed %d: item %d is %q, should be %q", seed, n, got[n], want[n].text)
			}
		}
	}
}

func TestCollectRefusesMoreThanFits(t *testing.T) {
	s := schema(t, "string")
	call, _ := parse(t, s, "collect(a)")
	for _, c := range []struct{ rows, size int }{{1, 0}, {1 << 10, MaxCollectBytes / 100}} {
		b := (&batch.Pool{}).NewBuilder(s)
		for range c.rows {
			b.Column(0).AppendString(strings.Repeat("x", c.size))
			b.AppendTime(1)
			b.EndRow()
			if c.size > 0 {
				break
			}
		}
		in, a := b.Finish(), New(call, s)
		var full *FullError
		most := MaxCollectRows
		if c.size > 0 {
			most = 99
		}
		for n := range most + 1 {
			err := a.Add(t.Context(), in, []uint32{3}, nil)
			if n < most && err != nil || n == most && !errors.As(err, &full) {
				t.Fatalf("row %d of %d bytes: %v", n, c.size, err)
			}
		}
		if full.Slot != 3 || !strings.Contains(full.Error(), "make the window smaller") {
			t.Errorf("the error is %v", full)
		}
	}
}

func TestCollectForgetsWhatItsSlotsHad(t *testing.T) {
	s := schema(t, "int64")
	call, _ := parse(t, s, "collect(a)")
	a := New(call, s).(*collect)
	in := randomBatch(rand.New(rand.NewPCG(1, 1)), s, 100)
	add(t, a, in, 1)
	add(t, a, in, 2)
	a.Copy([]uint32{3, 4}, []uint32{1, 2})
	if err := a.Merge(t.Context(), []uint32{3}, []uint32{4}); err != nil {
		t.Fatal(err)
	}
	if got, want := a.Size(3), 2*a.Size(1); got != want || a.Size(4) != 0 || a.Memory() != int64(want+got) {
		t.Errorf("%d bytes in a merged slot, want %d; %d in all", got, want, a.Memory())
	}
	a.Clear([]uint32{1, 2, 3, 4, 99})
	if a.Memory() != 0 {
		t.Errorf("%d bytes are left", a.Memory())
	}
}
