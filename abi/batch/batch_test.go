// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
)

// everyType is a schema with each type of the contract, nested ones too.
func everyType(t testing.TB) *abi.Schema {
	t.Helper()
	s := &abi.Schema{}
	for _, text := range []string{
		"bool", "int32", "int64", "float64", "decimal(2)", "string", "bytes", "timestamp",
		"list<string>", "struct<a: int64, b: list<bool>>",
	} {
		f, err := abi.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		f.Name = text
		s.Fields = append(s.Fields, f)
	}
	return s
}

func appendRandom(r *rand.Rand, c *ColumnBuilder) {
	if r.IntN(5) == 0 {
		c.AppendNull()
		return
	}
	switch c.Type() {
	case abi.Bool:
		c.AppendBool(r.IntN(2) == 0)
	case abi.Int32:
		c.AppendInt32(r.Int32())
	case abi.Int64, abi.Timestamp:
		c.AppendInt64(r.Int64())
	case abi.Decimal:
		c.AppendInt64(r.Int64N(abi.DecimalAbsLimit))
	case abi.Float64:
		c.AppendFloat64(r.NormFloat64())
	case abi.String, abi.Bytes:
		c.AppendString("größer und größer"[:r.IntN(3)])
	case abi.List:
		for range r.IntN(4) {
			appendRandom(r, c.Child(0))
		}
		c.EndList()
	case abi.Struct:
		appendRandom(r, c.Child(0))
		appendRandom(r, c.Child(1))
		c.EndStruct()
	}
}

func randomBatch(t testing.TB, p *Pool, r *rand.Rand, rows int) *Batch {
	b := p.NewBuilder(everyType(t))
	for row := range rows {
		for i := range b.Schema().Fields {
			appendRandom(r, b.Column(i))
		}
		if r.IntN(3) == 0 {
			b.DropRow()
			for i := range b.Schema().Fields {
				appendRandom(r, b.Column(i))
			}
		}
		b.AppendTime(abi.EventTime(row))
		b.AppendPosition(At(3, int64(row)))
		b.EndRow()
	}
	return b.Finish()
}

// same compares what two columns mean: values under nulls and unused bits do not count.
func same(t *testing.T, a, b *Column) {
	t.Helper()
	if a.Type != b.Type || a.Rows != b.Rows || a.Nulls != b.Nulls {
		t.Fatalf("%s, %d rows, %d nulls became %s, %d, %d", a.Type, a.Rows, a.Nulls, b.Type, b.Rows, b.Nulls)
	}
	for row := range a.Rows {
		if a.Null(row) != b.Null(row) {
			t.Fatalf("row %d of %s: null %v became %v", row, a.Type, a.Null(row), b.Null(row))
		}
		if a.Type == abi.Bool && !a.Null(row) && a.Bool(row) != b.Bool(row) {
			t.Fatalf("row %d of bool changed", row)
		}
	}
	if a.Type != abi.Bool && !slices.Equal(a.Offsets, b.Offsets) || a.Type.Width() > 0 && !bytes.Equal(a.Values, b.Values) {
		t.Fatalf("offsets or values of %s changed", a.Type)
	}
	for i := range a.Children {
		same(t, &a.Children[i], &b.Children[i])
	}
}

func TestDecodeReturnsWhatEncodeWrote(t *testing.T) {
	p := &Pool{}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		in := randomBatch(t, p, r, r.IntN(70))
		m := Message{Number: 7, Batch: in, Time: true, Failures: []Failure{{Row: 3, Message: "no"}}}
		buf := p.get(m.Size())
		n := m.Encode(buf.data)
		out, err := p.Decode(buf.data[:n], func(n uint32) *abi.Schema {
			if n == 7 {
				return in.Schema
			}
			return nil
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i := range in.Columns {
			same(t, &in.Columns[i], &out.Batch.Columns[i])
		}
		if !slices.Equal(in.Times, out.Batch.Times) || !cmp.Equal(out.Failures, m.Failures) {
			t.Fatalf("seed %d: times or failures changed", seed)
		}
		out.Batch.Release()
		in.Release()
	}
}
