// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// ticks is a stream of rows of ten fields and about 250 bytes, with the columns of four among them.
func ticks() (*abi.Schema, []byte) {
	schema := numbers("a", "b", "c", "d")
	schema.Fields = append(schema.Fields, []abi.Field{
		{Name: "channel", Type: abi.String}, {Name: "url", Type: abi.String}, {Name: "at", Type: abi.Timestamp},
		{Name: "ratio", Type: abi.Float64}, {Name: "active", Type: abi.Bool}, {Name: "note", Type: abi.String},
	}...)
	r := rand.New(rand.NewPCG(1, 2))
	var data []byte
	for range rowsPerBatch {
		data = fmt.Appendf(data, `{"a":%d,"b":%d,"c":%d,"d":%d,"channel":"channel-%d","url":"https://www.example.com/item.htm?query=%d&page=1",`+
			`"at":"2026-01-%02dT%02d:%02d:%02d.%03dZ","ratio":%v,"active":%t,"note":"%s"}`+"\n",
			r.IntN(1e9), r.IntN(1e6), r.IntN(1e4), r.IntN(1e6), r.IntN(1000), r.IntN(1e6),
			1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000),
			float64(r.IntN(1e6))/1e5, r.IntN(2) == 0, "the quick brown fox jumps over the lazy dog"[:20+r.IntN(20)])
	}
	return schema, data
}

// BenchmarkJSON is bytes of NDJSON in, four, bytes of NDJSON out.
func BenchmarkJSON(b *testing.B) {
	for _, contender := range contenders() {
		b.Run(contender, func(b *testing.B) {
			c := surroundings(b)
			schema, data := ticks()
			op := openMap(b, c, contender, "four", schema)
			p, total := newPassage(b, c.Pool, schema), int64(0)
			measure(b, rowsPerBatch, func() error {
				total += rowsPerBatch
				return p.pass(b.Context(), op, data)
			})
			b.ReportMetric(float64(len(data))/rowsPerBatch, "bytes-in/row")
			reportFuel(b, c, contender, &total)
		})
	}
}

// passage decodes, runs an operator and encodes what it emits.
type passage struct {
	sink
	decoder operator.Decoder
	encoder operator.Encoder
	rows    *operator.Rows
	out     []byte
}

func newPassage(t testing.TB, pool *batch.Pool, schema *abi.Schema) *passage {
	t.Helper()
	format, err := json.New(json.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &passage{rows: &operator.Rows{
		Builder: pool.NewBuilder(schema), Max: rowsPerBatch, Bytes: 1 << 20,
		Reject: func(_ []byte, _ batch.Position, reason error) error { return reason },
	}}
	if p.decoder, err = format.NewDecoder(schema); err != nil {
		t.Fatal(err)
	}
	if p.encoder, err = format.NewEncoder(numbers("w", "x", "y", "z")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *passage) pass(ctx context.Context, op operator.Operator, data []byte) error {
	used, err := p.decoder.Decode(data, false, p.rows)
	if err != nil {
		return err
	}
	if used != len(data) || p.rows.Rows() != rowsPerBatch {
		return fmt.Errorf("%d rows of %d of %d bytes", p.rows.Rows(), used, len(data))
	}
	in := p.rows.Finish()
	defer in.Release()
	p.out = p.out[:0]
	return op.Process(ctx, 0, in, p)
}

// Emit encodes rows.
func (p *passage) Emit(_ context.Context, _ int, b *batch.Batch) (err error) {
	p.out, err = p.encoder.Append(p.out, b)
	b.Release()
	return err
}
