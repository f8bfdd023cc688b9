// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/scheduler/operator"
)

const benchRows = 1000

// bids is a stream of rows of ten fields and about 250 bytes.
func bids() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var data []byte
	for i := range benchRows {
		data = fmt.Appendf(data, `{"auction":%d,"bidder":%d,"price":%d.%02d,"channel":"channel-%d","url":"https://www.nexmark.example/item.htm?query=%d&page=1",`+
			`"at":"2026-01-%02dT%02d:%02d:%02d.%03dZ","ratio":%v,"active":%t,"country":"DE","note":"%s"}`+"\n",
			1000+i, r.IntN(1e6), r.IntN(10000), r.IntN(100), r.IntN(1000), r.IntN(1e6),
			1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000),
			float64(r.IntN(1e6))/1e5, r.IntN(2) == 0, "the quick brown fox jumps over"[:20+r.IntN(10)])
	}
	return data
}

func bidSchema(t testing.TB) *abi.Schema {
	return formattest.Schema(t, "auction", "int64", "bidder", "int64", "price", "decimal(2)", "channel", "string", "url", "string",
		"at", "timestamp", "ratio", "float64", "active", "bool", "country", "string", "note", "string")
}

func benchmarkDecode(b *testing.B, schema *abi.Schema, data []byte) {
	f, err := json.New(json.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := f.NewDecoder(schema)
	if err != nil {
		b.Fatal(err)
	}
	pool := &batch.Pool{}
	rows := &operator.Rows{Builder: pool.NewBuilder(schema), Max: benchRows, Bytes: 1 << 20,
		Reject: func(_ []byte, _ batch.Position, reason error) error { return reason }}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		used, err := d.Decode(data, false, rows)
		if err != nil || used != len(data) || rows.Rows() != benchRows {
			b.Fatal(used, err, rows.Rows())
		}
		rows.Finish().Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
	b.ReportMetric(float64(len(data))/benchRows, "bytes/row")
}

// BenchmarkDecode reads rows of ten fields, all declared.
func BenchmarkDecode(b *testing.B) { benchmarkDecode(b, bidSchema(b), bids()) }

// BenchmarkDecodeTwoOfTen reads two fields and skips eight.
func BenchmarkDecodeTwoOfTen(b *testing.B) {
	benchmarkDecode(b, formattest.Schema(b, "auction", "int64", "at", "timestamp"), bids())
}

// BenchmarkEncode writes the same rows.
func BenchmarkEncode(b *testing.B) {
	f, err := json.New(json.Options{})
	if err != nil {
		b.Fatal(err)
	}
	schema := bidSchema(b)
	d, err := f.NewDecoder(schema)
	if err != nil {
		b.Fatal(err)
	}
	e, err := f.NewEncoder(schema)
	if err != nil {
		b.Fatal(err)
	}
	rows := &operator.Rows{Builder: (&batch.Pool{}).NewBuilder(schema), Max: benchRows, Bytes: 1 << 20}
	if _, err := d.Decode(bids(), true, rows); err != nil {
		b.Fatal(err)
	}
	in := rows.Finish()
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		if out, err = e.Append(out[:0], in); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(out)))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}
