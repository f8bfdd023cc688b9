// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package timesort

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

var schema = &abi.Schema{Fields: []abi.Field{
	{Name: "key", Type: abi.String}, {Name: "n", Type: abi.Int64}, {Name: "tags", Type: abi.List, Children: []abi.Field{{Name: "item", Type: abi.String}}},
}}

func subject(spec Spec) operatortest.Subject {
	return operatortest.Subject{
		Inputs: []operatortest.Input{{Schema: spec.Input, Key: spec.Key}},
		New:    func(ctx operator.Context) (operator.Operator, error) { return New(ctx, spec), nil },
	}
}

// script makes rows with many ties, some of them late, between watermarks that end with the last one.
func script(r *rand.Rand) []operatortest.Event {
	var script []operatortest.Event
	mark := abi.EventTime(1)
	for range 1 + r.IntN(12) {
		var some []operatortest.Row
		for range r.IntN(12) {
			t := mark + abi.EventTime(r.IntN(12)) - 3
			if r.IntN(40) == 0 {
				t = []abi.EventTime{watermark.MaxEventTime, -watermark.MaxEventTime}[r.IntN(2)]
			}
			var key, n any
			if r.IntN(10) > 0 {
				key = string(rune('a' + r.IntN(5)))
			}
			if r.IntN(10) > 0 {
				n = int64(r.IntN(3) - 1)
			}
			some = append(some, operatortest.At(t, key, n, []any{fmt.Sprint(r.IntN(2))}))
		}
		script = append(script, operatortest.Rows(0, some...))
		if r.IntN(3) > 0 {
			mark += abi.EventTime(r.IntN(8))
			script = append(script, operatortest.Watermark(mark))
		}
	}
	return append(script, operatortest.Watermark(watermark.Max))
}

// split says, as a naive reader of the script would, which rows are late.
func split(script []operatortest.Event) (onTime, late []operatortest.Row) {
	mark := watermark.Min
	for _, e := range script {
		if e.Watermark != 0 { // no script has it at 0
			mark = e.Watermark
		}
		for _, row := range e.Rows {
			if row.Time < mark {
				late = append(late, row)
			} else {
				onTime = append(onTime, row)
			}
		}
	}
	return onTime, late
}

func lines(rows []operatortest.Row) []string {
	var lines []string
	for _, r := range rows {
		lines = append(lines, r.String())
	}
	return lines
}

func seeds(t *testing.T) uint64 {
	if testing.Short() {
		return 5
	}
	return 80
}

func TestRowsOfEachKeyComeInOrderOfTime(t *testing.T) {
	for seed := range seeds(t) {
		checkOrder(t, seed)
	}
}

func FuzzRowsOfEachKeyComeInOrderOfTime(f *testing.F) { f.Fuzz(checkOrder) }

func checkOrder(t *testing.T, seed uint64) {
	script := script(rand.New(rand.NewPCG(seed, 0)))
	onTime, late := split(script)
	for _, c := range operatortest.Cases(seed) {
		r := operatortest.Run(t, subject(Spec{Input: schema, Key: []int{0}}), c, script)
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortSorted)), operatortest.Lines(onTime))
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortLate)), operatortest.Lines(late))
		last := map[any]abi.EventTime{}
		for _, row := range r.Port(PortSorted) {
			if before, ok := last[row.Values[0]]; ok && before > row.Time {
				t.Fatalf("%v: %v comes after a row at %d", c, row, before)
			}
			last[row.Values[0]] = row.Time
		}
	}
}

func TestStateOnDiskGivesTheSame(t *testing.T) {
	disk := operatortest.Pebble(t)
	for seed := range uint64(10) {
		script := script(rand.New(rand.NewPCG(seed, 1)))
		onTime, late := split(script)
		c := operatortest.Case{Seed: seed, Parallelism: 2, BatchRows: 2, Backend: disk, Restores: 0.1}
		r := operatortest.Run(t, subject(Spec{Input: schema, Key: []int{0}}), c, script)
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortSorted)), operatortest.Lines(onTime))
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortLate)), operatortest.Lines(late))
	}
}

// byValue compares values of one type, nulls first.
func byValue(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(boolInt(a != nil), boolInt(b != nil))
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case []any:
		return byValue(a[0], b.([]any)[0])
	}
	panic("no such value")
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestWithoutKeyTheOrderIsTotalWhateverTheOrderOfArrival(t *testing.T) {
	spec := Spec{Input: schema, By: []rows.By{{Column: 1, Descending: true}}}
	for seed := range seeds(t) {
		r := rand.New(rand.NewPCG(seed, 0))
		events := script(r)
		want, _ := split(events)
		slices.SortStableFunc(want, func(a, b operatortest.Row) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), -byValue(a.Values[1], b.Values[1]),
				byValue(a.Values[0], b.Values[0]), byValue(a.Values[2], b.Values[2]))
		})
		for _, e := range events {
			r.Shuffle(len(e.Rows), func(i, j int) { e.Rows[i], e.Rows[j] = e.Rows[j], e.Rows[i] })
		}
		for _, restores := range []float64{0, 0.3} {
			c := operatortest.Case{Seed: seed, Parallelism: 1, BatchRows: 1 + r.IntN(5), Backend: operatortest.Memory(), Restores: restores}
			got := operatortest.Run(t, subject(spec), c, events)
			if got, want := lines(got.Port(PortSorted)), lines(want); !slices.Equal(got, want) {
				t.Fatalf("%v:\n got %q\nwant %q", c, got, want)
			}
		}
	}
}

func TestManyRowsAreReleasedInBoundedBatches(t *testing.T) {
	var some []operatortest.Row
	for n := range 5000 {
		some = append(some, operatortest.At(abi.EventTime(n%7), "k", n%100, nil))
	}
	c := operatortest.Case{Parallelism: 1, BatchRows: 1000, Backend: operatortest.Memory()}
	r := operatortest.Run(t, subject(Spec{Input: schema}), c, []operatortest.Event{
		operatortest.Rows(0, some...), operatortest.Watermark(3), operatortest.Watermark(4), operatortest.Watermark(watermark.Max),
	})
	if got := r.Port(PortSorted); len(got) != 5000 || !slices.IsSortedFunc(got, func(a, b operatortest.Row) int { return cmp.Compare(a.Time, b.Time) }) {
		t.Errorf("%d rows, or not in order", len(got))
	}
}

func BenchmarkSort(b *testing.B) {
	ctx, out := operatortest.Bench(b)
	s := New(ctx, Spec{Input: schema})
	builder := ctx.Pool.NewBuilder(schema)
	r := rand.New(rand.NewPCG(1, 1))
	mark := abi.EventTime(0)
	for b.Loop() {
		for range 1024 {
			builder.Column(0).AppendString("some key")
			builder.Column(1).AppendInt64(r.Int64())
			builder.AppendTime(mark + abi.EventTime(r.IntN(5000)))
			builder.EndRow()
		}
		rows := builder.Finish()
		if err := s.Process(b.Context(), 0, rows, out); err != nil {
			b.Fatal(err)
		}
		rows.Release()
		mark += 1024
		if err := s.Watermark(b.Context(), mark, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1024*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
