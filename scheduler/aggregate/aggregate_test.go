// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func schema(t testing.TB, types ...string) *abi.Schema {
	t.Helper()
	s := &abi.Schema{}
	for i, text := range types {
		f, err := abi.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		f.Name = string(rune('a' + i))
		s.Fields = append(s.Fields, f)
	}
	return s
}

func parse(t testing.TB, s *abi.Schema, text string) (Call, abi.Field) {
	t.Helper()
	call, err := ParseCall(text, func(name string) (int, error) {
		if i := s.Index(name); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("no column %q", name)
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := call.Output(s)
	if err != nil {
		t.Fatal(err)
	}
	return call, out
}

// results returns what slots hold, encoded.
func results(t testing.TB, a operator.Aggregate, out abi.Field, slots []uint32) []string {
	t.Helper()
	out.Name = "out"
	pool := &batch.Pool{}
	b := pool.NewBuilder(&abi.Schema{Fields: []abi.Field{out}})
	if err := a.Result(t.Context(), slots, []*batch.ColumnBuilder{b.Column(0)}); err != nil {
		t.Fatal(err)
	}
	b.EndRows(len(slots))
	done := b.Finish()
	var texts []string
	for row := range slots {
		texts = append(texts, string(batch.AppendValue(nil, &done.Columns[0], row)))
	}
	return texts
}

func appendRandom(r *rand.Rand, c *batch.ColumnBuilder) {
	if r.IntN(6) == 0 {
		c.AppendNull()
		return
	}
	switch c.Type() {
	case abi.Bool:
		c.AppendBool(r.IntN(2) == 0)
	case abi.Int32:
		c.AppendInt32(int32(r.IntN(21) - 10))
	case abi.Float64:
		c.AppendFloat64([]float64{0, 1, -2.5, math.NaN(), math.Inf(-1), 7}[r.IntN(6)])
	case abi.String, abi.Bytes:
		c.AppendString("abcabcabc"[r.IntN(4) : 4+r.IntN(5)])
	default:
		c.AppendInt64(r.Int64N(41) - 20)
	}
}

func randomBatch(r *rand.Rand, s *abi.Schema, rows int) *batch.Batch {
	b := (&batch.Pool{}).NewBuilder(s)
	for row := range rows {
		for i := range s.Fields {
			appendRandom(r, b.Column(i))
		}
		b.AppendTime(abi.EventTime(row))
		b.EndRow()
	}
	return b.Finish()
}

// Folding rows into two slots and merging these gives what folding all into one gives, and a slot
// that was cleared is as good as new.
func TestMergedSlotsHoldWhatOneSlotWould(t *testing.T) {
	s := schema(t, "int32", "int64", "decimal(2)", "string", "timestamp", "bool", "bytes", "float64")
	var calls []string
	for _, name := range []string{"count", "min", "max", "first", "last", "count_distinct"} {
		for _, f := range s.Fields {
			calls = append(calls, name+"("+f.Name+")")
		}
	}
	for _, name := range []string{"sum", "avg"} {
		calls = append(calls, name+"(a)", name+"(b)", name+"(c)")
	}
	calls = append(calls, "count()", "top(1, b)", "top(3, b)", "top(4, d, a)", "top(5, h, c, d)", "top(2, a, g)")
	for _, text := range calls {
		t.Run(text, func(t *testing.T) {
			call, out := parse(t, s, text)
			for seed := range uint64(30) {
				r := rand.New(rand.NewPCG(seed, 0))
				b := randomBatch(r, s, r.IntN(60))
				one, two := New(call, s), New(call, s)
				rows := b.Rows()
				cut := 0
				if rows > 0 {
					cut = r.IntN(rows)
				}
				slots := make([]uint32, rows)
				for i := range slots {
					if slots[i] = 3; i >= cut {
						slots[i] = 1
					}
				}
				dirt := slices.Repeat([]uint32{1}, rows)
				for _, err := range []error{
					one.Add(t.Context(), b, make([]uint32, rows), nil),
					two.Add(t.Context(), b, dirt, nil),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				two.Clear([]uint32{1})
				if err := two.Add(t.Context(), b, slots, nil); err != nil {
					t.Fatal(err)
				}
				if err := two.Merge(t.Context(), []uint32{3}, []uint32{1}); err != nil {
					t.Fatal(err)
				}
				want, got := results(t, one, out, []uint32{0}), results(t, two, out, []uint32{3})
				if want[0] != got[0] {
					t.Fatalf("seed %d, %d rows: %x in one slot, %x merged", seed, rows, want[0], got[0])
				}
				empty, cleared := results(t, New(call, s), out, []uint32{0}), results(t, two, out, []uint32{1})
				if empty[0] != cleared[0] {
					t.Fatalf("seed %d: a slot that was merged away holds %x, a new one %x", seed, cleared[0], empty[0])
				}
			}
		})
	}
}

func TestTopAgreesWithSorting(t *testing.T) {
	s := schema(t, "int64", "string")
	call, out := parse(t, s, "top(3, a, b)")
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := randomBatch(r, s, r.IntN(40))
		top := New(call, s)
		if err := top.Add(t.Context(), b, make([]uint32, b.Rows()), nil); err != nil {
			t.Fatal(err)
		}
		var rows []int
		for row := range b.Rows() {
			if !b.Columns[0].Null(row) {
				rows = append(rows, row)
			}
		}
		text := func(row int) string {
			if b.Columns[1].Null(row) {
				return "" // before every string of these rows
			}
			return b.Columns[1].String(row)
		}
		slices.SortFunc(rows, func(x, y int) int {
			return cmp.Or(cmp.Compare(b.Columns[0].Int64s()[y], b.Columns[0].Int64s()[x]), cmp.Compare(text(x), text(y)))
		})
		rows = rows[:min(3, len(rows))]
		want := binary.AppendUvarint([]byte{1}, uint64(len(rows)))
		for _, row := range rows {
			want = append(want, 1)
			want = batch.AppendValue(batch.AppendValue(want, &b.Columns[0], row), &b.Columns[1], row)
		}
		if got := results(t, top, out, []uint32{0}); got[0] != string(want) {
			t.Fatalf("seed %d: got %x, should be %x", seed, got[0], want)
		}
	}
}

func TestSumIsExactPastInt64OnItsWayAndAnErrorPastItAtItsEnd(t *testing.T) {
	s := schema(t, "int64")
	call, out := parse(t, s, "sum(a)")
	b := (&batch.Pool{}).NewBuilder(s)
	for _, v := range []int64{math.MaxInt64, math.MaxInt64, -math.MaxInt64, -5} {
		b.Column(0).AppendInt64(v)
		b.EndRow()
	}
	rows := b.Finish()
	a := New(call, s)
	if err := a.Add(t.Context(), rows, []uint32{0, 0, 0, 0}, nil); err != nil {
		t.Fatal(err)
	}
	want := binary.LittleEndian.AppendUint64([]byte{1}, uint64(math.MaxInt64-5))
	if got := results(t, a, out, []uint32{0}); got[0] != string(want) {
		t.Errorf("the sum is %x, should be %x", got[0], want)
	}
	if err := a.Add(t.Context(), rows, []uint32{1, 1, 2, 2}, nil); err != nil {
		t.Fatal(err)
	}
	builder := (&batch.Pool{}).NewBuilder(s)
	err := a.Result(t.Context(), []uint32{1}, []*batch.ColumnBuilder{builder.Column(0)})
	if err == nil || !strings.Contains(err.Error(), "18446744073709551614, past what type int64 holds") {
		t.Errorf("the error is %v", err)
	}
}

func TestCallsThatCannotBeAreErrorsThatSayWhatWouldBe(t *testing.T) {
	s := schema(t, "int64", "string", "list<int64>")
	for text, want := range map[string]string{
		"median(a)":       `no aggregate is called "median"`,
		"sum":             "an aggregate is written sum(column)",
		"sum()":           "sum takes one column, not 0",
		"sum(a, b)":       "sum takes one column, not 2",
		"sum(b)":          `sum takes a number; column "b" is of type string`,
		"max(c)":          `max takes a value with an order; column "c" is of type list<int64>`,
		"max(nope)":       `no column "nope"`,
		"top(a)":          "top begins with how many: top(n, by)",
		"top(0, a)":       "top takes 1 to 1000 rows, not 0",
		"top(99999, a)":   "top takes 1 to 1000 rows, not 99999",
		"top(3)":          "top says by which column",
		"top(3, a, a)":    `top names column "a" twice`,
		"top(3, a, c)":    "top takes values with an order",
		"count_distinct(": "an aggregate is written",
	} {
		call, err := ParseCall(text, func(name string) (int, error) {
			if i := s.Index(name); i >= 0 {
				return i, nil
			}
			return 0, fmt.Errorf("no column %q", name)
		})
		if err == nil {
			_, err = call.Output(s)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, should have %q", text, err, want)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	s := schema(b, "int64", "string")
	const rows = 1024
	builder := (&batch.Pool{}).NewBuilder(s)
	slots := make([]uint32, rows)
	for row := range rows {
		builder.Column(0).AppendInt64(int64(row * 7919 % 1000))
		builder.Column(1).AppendString(fmt.Sprint("value ", row%50))
		builder.AppendTime(abi.EventTime(row))
		builder.EndRow()
		slots[row] = uint32(row % 200)
	}
	in := builder.Finish()
	for _, text := range []string{"count()", "sum(a)", "avg(a)", "min(a)", "max(b)", "first(a)", "last(b)", "count_distinct(b)", "top(3, a, b)"} {
		b.Run(text, func(b *testing.B) {
			call, _ := parse(b, s, text)
			a := New(call, s)
			b.ReportAllocs()
			for b.Loop() {
				if err := a.Add(b.Context(), in, slots, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

// Sums and means are those of math/big, whichever way they are computed.
func TestSumsAndMeansAreThoseOfExactArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	limits := []int64{0, 1, 1 << 53, abi.DecimalAbsLimit, 1 << 62, math.MaxInt64}
	for range 20_000 {
		sum := limits[r.IntN(len(limits))] - r.Int64N(4) + r.Int64N(4)
		if r.IntN(2) == 0 {
			sum = -sum
		}
		count := 1 + r.Int64N(1+r.Int64N(100))
		w := wide{hi: uint64(sum >> 63), lo: uint64(sum), count: count}
		exact := big.NewInt(sum)
		if got, _ := new(big.Rat).SetFrac(exact, big.NewInt(count)).Float64(); w.count > 0 && math.Abs(w.mean()-got) > 1e-15*math.Abs(got) {
			t.Fatalf("the mean of %d by %d is %v, should be %v", sum, count, w.mean(), got)
		}
		for _, typ := range []abi.Type{abi.Int64, abi.Decimal} {
			for _, mean := range []bool{false, true} {
				want := new(big.Int).Set(exact)
				if mean {
					// Half away from zero: the whole part of (2*|sum| + count) / (2*count).
					want.Abs(want).Lsh(want, 1).Add(want, big.NewInt(count)).Quo(want, big.NewInt(2*count))
					if sum < 0 {
						want.Neg(want)
					}
				}
				fits := want.IsInt64() && (typ != abi.Decimal || want.CmpAbs(big.NewInt(abi.DecimalAbsLimit)) < 0)
				got, err := (&intSum{typ: typ, mean: mean}).whole(w)
				if (err == nil) != fits || err == nil && got != want.Int64() {
					t.Fatalf("of %d by %d (type %s, mean %v) it is %d (%v), should be %v", sum, count, typ, mean, got, err, want)
				}
			}
		}
	}
}
