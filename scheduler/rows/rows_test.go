// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

var schema = &abi.Schema{Fields: []abi.Field{
	{Name: "s", Type: abi.String}, {Name: "n", Type: abi.Int64}, {Name: "f", Type: abi.Float64},
	{Name: "l", Type: abi.List, Children: []abi.Field{{Name: "item", Type: abi.String}}},
}}

// random returns rows with nulls, empty strings, bytes 0 and extremes.
func random(pool *batch.Pool, r *rand.Rand, n int) *batch.Batch {
	b := pool.NewBuilder(schema)
	for range n {
		if r.IntN(4) > 0 {
			b.Column(0).AppendString([]string{"", "a", "a\x00", "a\x00b", "b"}[r.IntN(5)])
		}
		if r.IntN(4) > 0 {
			b.Column(1).AppendInt64([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64}[r.IntN(5)])
		}
		if r.IntN(4) > 0 {
			b.Column(2).AppendFloat64([]float64{math.Inf(-1), -1, 0, 0.5, math.NaN()}[r.IntN(5)])
		}
		for range r.IntN(3) {
			b.Column(3).Child(0).AppendString("item")
		}
		b.Column(3).EndList()
		b.AppendTime([]abi.EventTime{-watermark.MaxEventTime, -1, 0, 1, watermark.MaxEventTime}[r.IntN(5)])
		b.EndRow()
	}
	return b.Finish()
}

func TestRowsComeBackAsTheyWereAndInOrder(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		pool := &batch.Pool{}
		b := random(pool, r, 2)
		by := []By{{Column: r.IntN(3), Descending: r.IntN(2) == 0}}
		order := NewOrder(schema, by, nil)
		var encoded [2][]byte
		out := NewOutput(pool, schema, 0, true, true)
		for row := range encoded {
			encoded[row] = order.Append(nil, b, row)
			if rest, err := order.Decode(out, append(bytes.Clone(encoded[row]), "rest"...)); err != nil || string(rest) != "rest" {
				t.Fatalf("seed %d: rest %q, %v", seed, rest, err)
			}
			out.End(b.Times[row], batch.Delete)
			at, err := out.Decode(Append(nil, b, row), len(schema.Fields))
			if err != nil || at != b.Times[row] {
				t.Fatalf("seed %d: time %d, %v", seed, at, err)
			}
			out.End(at, batch.Insert)
		}
		back := out.Finish()
		for row := range encoded {
			for _, copy := range []int{2 * row, 2*row + 1} {
				if !bytes.Equal(Append(nil, back, copy), Append(nil, b, row)) {
					t.Fatalf("seed %d: row %d came back as another one", seed, row)
				}
			}
		}
		c := &b.Columns[by[0].Column]
		want := bytes.Compare(batch.AppendOrdered(nil, c, 0), batch.AppendOrdered(nil, c, 1))
		if by[0].Descending {
			want = -want
		}
		if got := bytes.Compare(encoded[0], encoded[1]); want != 0 && got != want {
			t.Fatalf("seed %d: rows compare as %d, should be %d", seed, got, want)
		}
		b.Release()
		back.Release()
	}
}

func TestBytesThatAreNoRowAreAnError(t *testing.T) {
	pool := &batch.Pool{}
	b := random(pool, rand.New(rand.NewPCG(1, 1)), 1)
	whole := Append(nil, b, 0)
	for n := range whole {
		if _, err := NewOutput(pool, schema, 0, true, false).Decode(whole[:n], len(schema.Fields)); err == nil {
			t.Errorf("%d bytes of %d were taken for a row", n, len(whole))
		}
	}
	if _, err := NewOutput(pool, schema, 0, true, false).Decode(append(whole, 0), len(schema.Fields)); err == nil {
		t.Error("a row with a byte more was taken")
	}
}

func TestCalendarGivesWhatIsDueInOrderOfTimeAndNothingTwice(t *testing.T) {
	const groups = 4
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		store := memory.New(state.Groups{From: 0, To: groups})
		calendar := NewCalendar(store, 7)
		waiting, mark := map[string]abi.EventTime{}, abi.EventTime(0)
		for n := range 30 {
			for range r.IntN(2000) {
				g, at := state.Group(r.IntN(groups)), mark+abi.EventTime(r.IntN(50))
				rest := fmt.Sprint(g, " ", at, " ", r.IntN(100))
				if err := store.Put(append(calendar.AppendKey(nil, g, at), rest...), nil); err != nil {
					t.Fatal(err)
				}
				waiting[rest] = at
			}
			if r.IntN(5) == 0 {
				calendar = NewCalendar(store, 7) // it remembers nothing of its own
			}
			if mark += abi.EventTime(r.IntN(30)); n == 29 {
				mark = watermark.Max
			}
			var last [groups]abi.EventTime
			err := calendar.Take(mark, func(g state.Group, at abi.EventTime, rest, _ []byte) error {
				if was, ok := waiting[string(rest)]; !ok || was != at || at >= mark || at < last[g] {
					t.Fatalf("seed %d: %q of %d came at %d, after one of %d", seed, rest, at, mark, last[g])
				}
				last[g] = at
				delete(waiting, string(rest))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for rest, at := range waiting {
				if at < mark {
					t.Fatalf("seed %d: %q did not come at %d", seed, rest, mark)
				}
			}
		}
		if n := store.Stats().Entries; n != 0 || len(waiting) != 0 {
			t.Fatalf("seed %d: %d entries are left", seed, n)
		}
	}
}
