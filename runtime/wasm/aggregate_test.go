// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// fold is an aggregate in a test.
type fold struct {
	operator.Aggregate
	t      testing.TB
	stage  *stage
	input  *abi.Schema
	result *abi.Schema
}

func newFold(t testing.TB, m *wasm.Module, name string) *fold {
	t.Helper()
	s := newStage(t)
	sp := spec(t, m, s, name)
	a, err := m.Aggregate(s.Context, sp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &fold{Aggregate: a, t: t, stage: s, input: sp.Inputs[0].Schema, result: sp.Outputs[0]}
}

// add folds values, each into its slot, and returns what failed.
func (f *fold) add(slots []uint32, values ...any) (failed []string) {
	f.t.Helper()
	in := make([][]any, len(values))
	for i, v := range values {
		in[i] = []any{v}
	}
	b := rows(f.stage.Pool, f.input, in...)
	defer b.Release()
	if err := f.Add(f.t.Context(), b, slots, func(row int, reason error) error {
		failed = append(failed, fmt.Sprintf("%d: %v", row, reason))
		return nil
	}); err != nil {
		f.t.Fatal(err)
	}
	return failed
}

// results returns the results of slots, a line each.
func (f *fold) results(slots ...uint32) []string {
	f.t.Helper()
	b := f.stage.Pool.NewBuilder(f.result)
	columns := make([]*batch.ColumnBuilder, len(f.result.Fields))
	for i := range columns {
		columns[i] = b.Column(i)
	}
	if err := f.Result(f.t.Context(), slots, columns); err != nil {
		f.t.Fatal(err)
	}
	b.EndRows(len(slots))
	out := b.Finish()
	defer out.Release()
	var lines []string
	for row := range out.Rows() {
		lines = append(lines, rowText(out, row))
	}
	return lines
}

func TestAnAggregateFoldsRowsIntoSlots(t *testing.T) {
	f := newFold(t, testModule(t, wasm.Options{}), "mean")
	f.add([]uint32{0, 5, 0}, 1.0, 10.0, 2.0)
	f.add([]uint32{5, 0, 7}, 20.0, nil, nil)
	want(t, "results", f.results(0, 5, 7, 900), "mean=1.5 count=2", "mean=15 count=2", "mean=null count=0", "mean=null count=0")

	f.Clear([]uint32{5})
	f.add([]uint32{5}, 4.0)
	want(t, "results after Clear", f.results(5, 0), "mean=4 count=1", "mean=1.5 count=2")
}

func TestRowsThatCannotBeFoldedLeaveNoTrace(t *testing.T) {
	f := newFold(t, testModule(t, wasm.Options{}), "mean")
	failed := f.add([]uint32{0, 0, 1}, 1.0, -1.0, -2.0)
	want(t, "failures", failed, "1: x is negative", "2: x is negative")
	want(t, "results", f.results(0, 1), "mean=1 count=1", "mean=null count=0")
}

func TestMergeEmptiesWhatItMerges(t *testing.T) {
	f := newFold(t, testModule(t, wasm.Options{}), "longest")
	f.add([]uint32{0, 1, 2, 3}, "a", "bbb", "cc", "dddd")
	// The second and third merge depend on the first: slots 0 and 2 come twice.
	if err := f.Merge(t.Context(), []uint32{0, 0, 2}, []uint32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	want(t, "results", f.results(0, 1, 2, 3), "longest=bbb", "longest=null", "longest=dddd", "longest=null")
}

func TestMergingNothingIntoSomethingKeepsIt(t *testing.T) {
	f := newFold(t, testModule(t, wasm.Options{}), "longest")
	f.add([]uint32{1}, "b")
	if err := f.Merge(t.Context(), []uint32{0, 1, 4}, []uint32{7, 8, 9}); err != nil {
		t.Fatal(err)
	}
	if err := f.Merge(t.Context(), []uint32{0}, []uint32{1}); err != nil {
		t.Fatal(err)
	}
	want(t, "results", f.results(0, 1, 4), "longest=b", "longest=null", "longest=null")
}

func TestAccumulatorsSurviveRecyclingGrowthAndPacking(t *testing.T) {
	f := newFold(t, testModule(t, wasm.Options{RecycleEachBatch: true}), "longest")
	r := rand.New(rand.NewPCG(1, 2))
	longest := map[uint32]string{}
	for range 60 {
		var slots []uint32
		var values []any
		for range 50 {
			slot, value := r.Uint32N(40), strings.Repeat("x", r.IntN(3000))
			slots, values = append(slots, slot), append(values, value)
			if old, ok := longest[slot]; !ok || len(value) > len(old) {
				longest[slot] = value
			}
		}
		f.add(slots, values...)
		gone := r.Uint32N(40)
		f.Clear([]uint32{gone})
		delete(longest, gone)
	}
	for slot := range uint32(40) {
		wanted := "longest=null"
		if v, ok := longest[slot]; ok {
			wanted = "longest=" + v
		}
		if got := f.results(slot)[0]; got != wanted {
			t.Fatalf("slot %d has %d bytes, not %d", slot, len(got), len(wanted))
		}
	}
}

func TestMoreRowsThanACallMayHaveAreFoldedInParts(t *testing.T) {
	f := newFold(t, testModule(t, wasm.Options{}), "mean")
	const n = abi.MaxRows + 1000
	b := f.stage.Pool.NewBuilder(f.input)
	slots := make([]uint32, n)
	for i := range n {
		b.Column(0).AppendFloat64(float64(i))
		b.EndRow()
		slots[i] = uint32(i)
	}
	if err := f.Add(t.Context(), b.Finish(), slots, func(row int, reason error) error { return reason }); err != nil {
		t.Fatal(err)
	}
	results := f.results(slots...)
	if got := results[n-1]; got != fmt.Sprintf("mean=%d count=1", n-1) {
		t.Errorf("the last result is %s", got)
	}
	into, from := slots[:n/2], slots[n/2:2*(n/2)]
	if err := f.Merge(t.Context(), into, from); err != nil {
		t.Fatal(err)
	}
	if got, sum := f.results(3)[0], (3+float64(3+n/2))/2; got != fmt.Sprintf("mean=%v count=2", sum) || math.IsNaN(sum) {
		t.Errorf("after Merge, slot 3 is %s, not the mean %v", got, sum)
	}
}
