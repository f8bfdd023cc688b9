// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// everyCall returns a schema of columns of all types, and every call that can be made of them.
func everyCall(t testing.TB) (*abi.Schema, []string) {
	s := schema(t, "int32", "int64", "decimal(2)", "string", "timestamp", "bool", "bytes", "float64")
	calls := []string{"count()", "top(1, b)", "top(3, b)", "top(4, d, a)", "top(5, h, c, d)", "top(2, a, g)", "collect(a)", "collect(d, h, a)", "collect(g, b)"}
	for _, name := range []string{"count", "min", "max", "first", "last", "count_distinct"} {
		for _, f := range s.Fields {
			calls = append(calls, name+"("+f.Name+")")
		}
	}
	for _, name := range []string{"sum", "avg"} {
		calls = append(calls, name+"(a)", name+"(b)", name+"(c)")
	}
	return s, calls
}

// saved returns the accumulators of slots as a column.
func saved(t testing.TB, a operator.Aggregate, slots []uint32) *batch.Column {
	t.Helper()
	f := a.Accumulator()
	f.Name = "accumulator"
	s := &abi.Schema{Fields: []abi.Field{f}}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	b := (&batch.Pool{}).NewBuilder(s)
	if err := a.Save(t.Context(), slots, b.Column(0)); err != nil {
		t.Fatal(err)
	}
	b.EndRows(len(slots))
	// What state keeps of a column is its values, encoded.
	done := b.Finish()
	for row := range slots {
		if _, err := b.Column(0).AppendValue(batch.AppendValue(nil, &done.Columns[0], row)); err != nil {
			t.Fatal(err)
		}
	}
	b.EndRows(len(slots))
	return &b.Finish().Columns[0]
}

func add(t testing.TB, a operator.Aggregate, b *batch.Batch, slot uint32) {
	t.Helper()
	if err := a.Add(t.Context(), b, slices.Repeat([]uint32{slot}, b.Rows()), nil); err != nil {
		t.Fatal(err)
	}
}

// What was saved, loaded into another aggregate over something else, and merged there with the rest of
// the rows is what one slot would hold.
func TestAccumulatorsGoOnWhereTheyWereSaved(t *testing.T) {
	s, calls := everyCall(t)
	for _, text := range calls {
		t.Run(text, func(t *testing.T) {
			call, out := parse(t, s, text)
			for seed := range uint64(30) {
				r := rand.New(rand.NewPCG(seed, 5))
				head, tail, other := randomBatch(r, s, r.IntN(40)), randomBatch(r, s, r.IntN(40)), randomBatch(r, s, 5)
				whole, before, after := New(call, s), New(call, s), New(call, s)
				add(t, whole, head, 0)
				add(t, whole, tail, 0)
				add(t, before, head, 2)
				add(t, after, other, 1)
				add(t, after, other, 4)
				if err := after.Load(t.Context(), []uint32{4, 1}, saved(t, before, []uint32{2, 7})); err != nil {
					t.Fatal(err)
				}
				if got, want := results(t, after, out, []uint32{1})[0], results(t, New(call, s), out, []uint32{0})[0]; got != want {
					t.Fatalf("seed %d: a slot that had none holds %x, an empty one %x", seed, got, want)
				}
				after.Copy([]uint32{9, 1}, []uint32{4, 1 + 2})
				add(t, after, tail, 4)
				add(t, after, tail, 3)
				if err := after.Merge(t.Context(), []uint32{9}, []uint32{3}); err != nil {
					t.Fatal(err)
				}
				want := results(t, whole, out, []uint32{0})[0]
				for i, got := range results(t, after, out, []uint32{4, 9}) {
					// Rows that come later count as later, of equal times: only what is added to is in order.
					if got != want && (i == 0 || !slices.Contains([]string{"first", "last", "collect"}, call.Function)) {
						t.Fatalf("seed %d: %x in one slot, %x after a load (%d)", seed, want, got, i)
					}
				}
			}
		})
	}
}

// Taking rows back leaves what the others make, also where they are taken back before they come.
func TestRetractingLeavesWhatOtherRowsMake(t *testing.T) {
	s, calls := everyCall(t)
	tried := 0
	for _, text := range calls {
		call, out := parse(t, s, text)
		if !call.Retracts() {
			continue
		}
		tried++
		t.Run(text, func(t *testing.T) {
			for seed := range uint64(30) {
				r := rand.New(rand.NewPCG(seed, 6))
				stay, go1, go2 := randomBatch(r, s, r.IntN(40)), randomBatch(r, s, r.IntN(40)), randomBatch(r, s, r.IntN(40))
				want, got := New(call, s), NewRetractor(call, s)
				add(t, want, stay, 0)
				retract := func(b *batch.Batch) {
					if err := got.Retract(t.Context(), b, make([]uint32, b.Rows())); err != nil {
						t.Fatal(err)
					}
				}
				add(t, got, go1, 0)
				retract(go2)
				add(t, got, stay, 0)
				if err := got.Load(t.Context(), []uint32{0}, saved(t, got, []uint32{0})); err != nil {
					t.Fatal(err)
				}
				retract(go1)
				add(t, got, go2, 1)
				if err := got.Merge(t.Context(), []uint32{0}, []uint32{1}); err != nil {
					t.Fatal(err)
				}
				w, g := results(t, want, out, []uint32{0}), results(t, got, out, []uint32{0, 1})
				if w[0] != g[0] {
					t.Fatalf("seed %d: %x, should be %x", seed, g[0], w[0])
				}
				if empty := results(t, New(call, s), out, []uint32{0}); empty[0] != g[1] {
					t.Fatalf("seed %d: a slot that was merged away holds %x", seed, g[1])
				}
				if m, ok := got.(operator.Sized); ok {
					got.Clear([]uint32{0})
					if m.Memory() != 0 {
						t.Fatalf("seed %d: %d bytes are left of cleared slots", seed, m.Memory())
					}
				}
			}
		})
	}
	if tried < 20 {
		t.Errorf("%d calls follow a changelog", tried)
	}
}

func TestSumsOfTheLeastIntegerAreTakenBackExactly(t *testing.T) {
	s := schema(t, "int64")
	b := (&batch.Pool{}).NewBuilder(s)
	for _, v := range []int64{-1 << 63, 1<<63 - 1, 0} {
		b.Column(0).AppendInt64(v)
		b.EndRow()
	}
	rows := b.Finish()
	call, out := parse(t, s, "avg(a)")
	a := NewRetractor(call, s)
	for range 3 {
		add(t, a, rows, 0)
	}
	for range 3 {
		if err := a.Retract(t.Context(), rows, []uint32{0, 0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprintf("%x", results(t, a, out, []uint32{0})[0]); got != "00" {
		t.Errorf("the mean of nothing is %s", got)
	}
}
