// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// everyType is a schema with each type of the contract, nested ones too.
func everyType(t testing.TB) *abi.Schema {
	return schemaOf(t, "bool", "int32", "int64", "float64", "decimal(2)", "string", "bytes", "timestamp",
		"list<string>", "struct<a: int64, b: list<bool>>", "list<struct<a: string, b: list<int32>>>")
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// randomBatch returns rows of everyType, and the batch that holds them, with times and positions.
func randomBatch(t testing.TB, p *batch.Pool, r *rand.Rand, n int) ([]rows.Row, *batch.Batch) {
	schema := everyType(t)
	in := rows.Random(r, schema.Fields, n)
	b := p.NewBuilder(schema)
	for i, row := range in {
		appendRow(b, row)
		b.AppendTime(abi.EventTime(i))
		b.AppendPosition(batch.At(3, int64(i)))
		b.EndRow()
	}
	return in, b.Finish()
}

func appendRow(b *batch.Builder, row rows.Row) {
	for i, v := range row {
		rows.Append(b.Column(i), v)
	}
}

func texts(schema *abi.Schema, rs []rows.Row) []string {
	var out []string
	for _, r := range rs {
		out = append(out, rows.RowText(schema.Fields, r))
	}
	return out
}

func wantRows(t testing.TB, want []rows.Row, b *batch.Batch) {
	t.Helper()
	if b.Rows() != len(want) {
		t.Fatalf("%d rows, want %d", b.Rows(), len(want))
	}
	if diff := cmp.Diff(texts(b.Schema, want), texts(b.Schema, rows.Of(b))); diff != "" {
		t.Fatal(diff)
	}
}

// encode returns the message's bytes, written over bytes that are not 0.
func encode(m *batch.Message) []byte {
	dst := make([]byte, m.Size())
	for i := range dst {
		dst[i] = 0xee
	}
	return dst[:m.Encode(dst)]
}

// agreed is a host that agreed on one schema, whatever its number.
func agreed(s *abi.Schema) func(uint32) *abi.Schema { return func(uint32) *abi.Schema { return s } }

func wantPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	f()
}
