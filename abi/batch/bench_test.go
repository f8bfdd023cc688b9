// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"fmt"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

const benchRows = 1024

// shapes are the batches that the benchmarks use: numbers only, and a mix with strings and nulls.
func shapes(t testing.TB) map[string]*abi.Schema {
	return map[string]*abi.Schema{
		"4xint64": schemaOf(t, "int64", "int64", "int64", "int64"),
		"10xmixed": schemaOf(t, "int64", "string", "float64", "string", "bool", "timestamp", "int32",
			"decimal(2)", "string", "int64"),
	}
}

func schemaOf(t testing.TB, types ...string) *abi.Schema {
	t.Helper()
	s := &abi.Schema{}
	for i, text := range types {
		f, err := abi.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		f.Name = fmt.Sprintf("c%d %s", i, text)
		s.Fields = append(s.Fields, f)
	}
	return s
}

// fill appends rows as a source does; in every fifth row one column is null.
func fill(b *batch.Builder, rows int) {
	fields := b.Schema().Fields
	for n := range rows {
		for i := range fields {
			c := b.Column(i)
			switch fields[i].Type {
			case abi.Bool:
				c.AppendBool(n&1 == 0)
			case abi.Int32:
				c.AppendInt32(int32(n))
			case abi.Float64:
				c.AppendFloat64(float64(n))
			case abi.String:
				if n%5 == 4 && i == 1 {
					c.AppendNull()
				} else {
					c.AppendBytes(airports[n&7])
				}
			default:
				c.AppendInt64(int64(n))
			}
		}
		b.EndRow()
	}
}

var airports = [8][]byte{[]byte("JFK"), []byte("Frankfurt"), []byte("São Paulo"), []byte("LAX"),
	[]byte("Amsterdam Schiphol"), []byte("ORD"), []byte("Zürich"), []byte("Los Angeles International")}

func filled(p *batch.Pool, s *abi.Schema, rows int) *batch.Batch {
	b := p.NewBuilder(s)
	fill(b, rows)
	return b.Finish()
}

func eachShape(b *testing.B, f func(b *testing.B, p *batch.Pool, s *abi.Schema)) {
	for _, name := range []string{"4xint64", "10xmixed"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			f(b, &batch.Pool{}, shapes(b)[name])
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	eachShape(b, func(b *testing.B, p *batch.Pool, s *abi.Schema) {
		m := batch.Message{Batch: filled(p, s, benchRows)}
		dst := make([]byte, m.Size())
		for b.Loop() {
			m.Encode(dst)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	eachShape(b, func(b *testing.B, p *batch.Pool, s *abi.Schema) {
		m := batch.Message{Batch: filled(p, s, benchRows)}
		src := make([]byte, m.Size())
		src = src[:m.Encode(src)]
		schema := func(uint32) *abi.Schema { return s }
		for b.Loop() {
			out, err := p.Decode(src, schema)
			if err != nil {
				b.Fatal(err)
			}
			out.Batch.Release()
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	eachShape(b, func(b *testing.B, p *batch.Pool, s *abi.Schema) {
		builder := p.NewBuilder(s)
		for b.Loop() {
			fill(builder, benchRows)
			builder.Finish().Release()
		}
	})
}

// BenchmarkTake keeps every other row, as a filter does.
func BenchmarkTake(b *testing.B) {
	eachShape(b, func(b *testing.B, p *batch.Pool, s *abi.Schema) {
		in := filled(p, s, benchRows)
		var rows []uint32
		for n := 0; n < benchRows; n += 2 {
			rows = append(rows, uint32(n))
		}
		for b.Loop() {
			p.Take(in, rows).Release()
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	one := func(name, typ string, add func(c *batch.ColumnBuilder)) {
		b.Run(name, func(b *testing.B) {
			builder := (&batch.Pool{}).NewBuilder(schemaOf(b, typ))
			c := builder.Column(0)
			for b.Loop() {
				for range benchRows {
					add(c)
				}
				builder.DropRow()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/value")
		})
	}
	one("int64", "int64", func(c *batch.ColumnBuilder) { c.AppendInt64(7) })
	one("bool", "bool", func(c *batch.ColumnBuilder) { c.AppendBool(true) })
	one("bytes", "bytes", func(c *batch.ColumnBuilder) { c.AppendBytes(airports[1]) })
	one("null", "int64", func(c *batch.ColumnBuilder) { c.AppendNull() })
}
