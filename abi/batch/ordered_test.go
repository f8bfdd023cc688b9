// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// orderedSchema has a column of each type that has an order, strings before others so that the end
// of one matters.
func orderedSchema() *abi.Schema {
	s := &abi.Schema{}
	for _, typ := range []abi.Type{abi.Bytes, abi.String, abi.Bool, abi.Int32, abi.Int64, abi.Float64, abi.Decimal, abi.Timestamp, abi.Bytes} {
		s.Fields = append(s.Fields, abi.Field{Name: string(rune('a' + len(s.Fields))), Type: typ})
	}
	return s
}

// compareValues says how two values of one type compare: nulls first, NaN last, -0 as 0.
func compareValues(a, b any) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	switch a := a.(type) {
	case bool:
		return cmp.Compare(btoi(a), btoi(b.(bool)))
	case int32:
		return cmp.Compare(a, b.(int32))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		b := b.(float64)
		if math.IsNaN(a) || math.IsNaN(b) {
			return cmp.Compare(btoi(math.IsNaN(a)), btoi(math.IsNaN(b)))
		}
		return cmp.Compare(a+0, b+0)
	case string:
		return cmp.Compare(a, b.(string))
	}
	return bytes.Compare(a.([]byte), b.([]byte))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func appendOrderedRow(dst []byte, b *batch.Batch, row int) []byte {
	for i := range b.Columns {
		dst = batch.AppendOrdered(dst, &b.Columns[i], row)
	}
	return dst
}

// orderedValue is one of few values of a type, so that columns before it are often equal.
func orderedValue(r *rand.Rand, f *abi.Field) any {
	if r.IntN(4) == 0 {
		return rows.Random(r, []abi.Field{*f}, 1)[0][0]
	}
	text := []string{"", "a", "a\x00", "a\x00b", "\x00", "\x00\x00", "a\x00\x01", "a\x01", "ab", "é", "\x01", "\x7f"}[r.IntN(12)]
	switch f.Type {
	case abi.Bool:
		return r.IntN(2) == 0
	case abi.Int32:
		return []int32{math.MinInt32, -256, -1, 0, 1, 255, math.MaxInt32}[r.IntN(7)]
	case abi.Int64, abi.Timestamp:
		return []int64{math.MinInt64, -256, -1, 0, 1, 255, math.MaxInt64}[r.IntN(7)]
	case abi.Decimal:
		return []int64{1 - abi.DecimalAbsLimit, -1, 0, 1, abi.DecimalAbsLimit - 1}[r.IntN(5)]
	case abi.Float64:
		return []float64{math.Inf(-1), -1.5, -1, math.Copysign(0, -1), 0, 5e-324, 1, math.Inf(1), math.NaN(), -math.NaN()}[r.IntN(10)]
	case abi.String:
		return text
	}
	return append([]byte(text), []byte{0xff, 0}[:r.IntN(3)]...)
}

func TestOrderedEncodingsCompareAsTheirRowsAndComeBackTheSame(t *testing.T) {
	p, schema := &batch.Pool{}, orderedSchema()
	for seed := range uint64(60) {
		r := random(seed)
		in := make([]rows.Row, 60)
		for i := range in {
			for j := range schema.Fields {
				in[i] = append(in[i], orderedValue(r, &schema.Fields[j]))
			}
		}
		b := rows.Build(p, schema, in)
		out := p.NewBuilder(schema)
		encoded := make([][]byte, len(in))
		for i := range in {
			encoded[i] = appendOrderedRow(nil, b, i)
			rest := encoded[i]
			var err error
			for j := range schema.Fields {
				if rest, err = out.Column(j).AppendOrdered(rest); err != nil {
					t.Fatalf("seed %d, row %d, column %d: %v", seed, i, j, err)
				}
			}
			if out.EndRow(); len(rest) != 0 {
				t.Fatalf("seed %d, row %d: %d bytes are left", seed, i, len(rest))
			}
		}
		for i := range in {
			for j := range in {
				want := slices.CompareFunc(in[i], in[j], compareValues)
				if got := bytes.Compare(encoded[i], encoded[j]); got != want {
					t.Fatalf("seed %d: %v and %v are encoded as %x and %x, which compare as %d instead of %d", seed, in[i], in[j], encoded[i], encoded[j], got, want)
				}
			}
		}
		for _, r := range in {
			unsigned(r)
		}
		back := out.Finish()
		wantRows(t, in, back)
		back.Release()
		b.Release()
	}
	if p.Live() != 0 {
		t.Errorf("%d batches are left", p.Live())
	}
}

func TestOrderedPrefixIsOfTheRowsThatBeginWithIt(t *testing.T) {
	p := &batch.Pool{}
	schema := &abi.Schema{Fields: []abi.Field{{Name: "s", Type: abi.String}, {Name: "n", Type: abi.Int32}, {Name: "y", Type: abi.Bytes}}}
	for seed := range uint64(40) {
		r := random(seed)
		in := make([]rows.Row, 50)
		for i := range in {
			for j := range schema.Fields {
				v := orderedValue(r, &schema.Fields[j])
				if r.IntN(4) == 0 {
					v = nil
				}
				in[i] = append(in[i], v)
			}
		}
		b := rows.Build(p, schema, in)
		for i := range in {
			prefix := batch.AppendOrderedPrefix(nil, b.Columns, i)
			for j := range in {
				if got, want := bytes.HasPrefix(appendOrderedRow(nil, b, j), prefix), begins(in[j], in[i]); got != want {
					t.Fatalf("seed %d: %v begins with %v: %v, should be %v", seed, in[j], in[i], got, want)
				}
			}
		}
		b.Release()
	}
}

// begins says whether a row begins with another one, up to its first null.
func begins(r, with rows.Row) bool {
	for i, v := range with {
		last := i+1 == len(with) || with[i+1] == nil
		switch v := v.(type) {
		case nil:
			return true
		case string:
			if s, ok := r[i].(string); last && ok {
				return len(s) >= len(v) && s[:len(v)] == v
			}
		case []byte:
			if s, ok := r[i].([]byte); last && ok {
				return bytes.HasPrefix(s, v)
			}
		}
		if compareValues(r[i], v) != 0 {
			return false
		}
	}
	return true
}

func TestOrderedEncodingThatIsCutShortIsAnError(t *testing.T) {
	p, schema := &batch.Pool{}, orderedSchema()
	r := random(5)
	for range 200 {
		for i := range schema.Fields {
			one := &abi.Schema{Fields: schema.Fields[i : i+1]}
			b := rows.Build(p, one, []rows.Row{{orderedValue(r, &one.Fields[0])}})
			whole := batch.AppendOrdered(nil, &b.Columns[0], 0)
			for n := range whole {
				out := p.NewBuilder(one)
				if _, err := out.Column(0).AppendOrdered(whole[:n]); err == nil {
					t.Fatalf("column %d: the first %d bytes of %x were taken", i, n, whole)
				}
			}
			b.Release()
		}
	}
}

func FuzzOrderedEncodingIsTheOnlyOneOfItsValue(f *testing.F) {
	for _, seed := range []string{"\x00", "\x01a\x00\x01", "\x01\x00\xff\x00\x01rest", "\x01\x00\x02", "\x01\x7f\xff\xff\xff\xff\xff\xff\xff", "\x01\x80\x00\x00\x00\x00\x00\x00\x00"} {
		f.Add([]byte(seed))
	}
	p, schema := &batch.Pool{}, orderedSchema()
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range schema.Fields {
			b := p.NewBuilder(&abi.Schema{Fields: schema.Fields[i : i+1]})
			rest, err := b.Column(0).AppendOrdered(data)
			if err != nil {
				b.DropRow()
				continue
			}
			b.EndRow()
			out := b.Finish()
			taken := data[:len(data)-len(rest)]
			if again := batch.AppendOrdered(nil, &out.Columns[0], 0); !bytes.Equal(again, taken) {
				t.Errorf("column %d: %x was taken, its value is encoded as %x", i, taken, again)
			}
			out.Release()
		}
	})
}

func BenchmarkAppendOrdered(b *testing.B) {
	p := &batch.Pool{}
	schema := &abi.Schema{Fields: []abi.Field{{Name: "s", Type: abi.String}, {Name: "n", Type: abi.Int64}}}
	in := rows.Build(p, schema, slices.Repeat([]rows.Row{{"a key of 16 bytes", int64(7)}}, 1000))
	out := p.NewBuilder(schema)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		for row := range in.Rows() {
			buf = appendOrderedRow(buf[:0], in, row)
			rest, err := out.Column(0).AppendOrdered(buf)
			if err == nil {
				_, err = out.Column(1).AppendOrdered(rest)
			}
			if err != nil {
				b.Fatal(err)
			}
			out.EndRow()
		}
		out.Finish().Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
}
