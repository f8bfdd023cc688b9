// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package formattest is what every format must do, as a test that each of them passes, and a way
// to decode a whole stream in one call.
package formattest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Suite is a format and what it can carry.
type Suite struct {
	Format  operator.Format
	Schemas []*abi.Schema
	// Text makes a string, or bytes, that the format carries. nil: any.
	Text func(r *rand.Rand) string
	// NoNulls says that the format can't tell a null from an empty value.
	NoNulls bool
}

// Result is what a stream was decoded into.
type Result struct {
	Rows    [][]any
	Offsets []int64
	Rejects []Reject
	Err     error
}

// Reject is a record that was no row.
type Reject struct {
	Record string
	Offset int64
	Reason string
}

// Decode decodes a whole stream that arrives in pieces of the sizes that chunk returns, into
// batches of at most most rows.
func Decode(f operator.Format, schema *abi.Schema, data []byte, chunk func() int, most int) Result {
	var out Result
	decoder, err := f.NewDecoder(schema)
	if err != nil {
		return Result{Err: err}
	}
	pool := &batch.Pool{}
	rows := &operator.Rows{Builder: pool.NewBuilder(schema), Max: most, Bytes: 1 << 20}
	rows.Reject = func(record []byte, at batch.Position, reason error) error {
		out.Rejects = append(out.Rejects, Reject{string(record), at.Offset(), reason.Error()})
		return nil
	}
	begin, end := 0, 0
	for {
		// A copy, so that a decoder that keeps bytes of the data is found out.
		piece := bytes.Clone(data[begin:end])
		used, err := decoder.Decode(piece, end == len(data), rows)
		clear(piece)
		if begin += used; begin > end {
			panic(fmt.Sprintf("a decoder has used %d bytes of %d", used, len(piece)))
		}
		full := rows.Full()
		b := rows.Finish()
		out.Rows = append(out.Rows, Values(b)...)
		for _, p := range b.Positions {
			out.Offsets = append(out.Offsets, p.Offset())
		}
		b.Release()
		switch {
		case err != nil:
			out.Err = err
			return out
		case begin == len(data) && !full:
			return out
		case !full && end == len(data) && used == 0:
			out.Err = fmt.Errorf("the decoder leaves %d bytes", end-begin)
			return out
		case !full:
			end = min(len(data), end+max(1, chunk()))
		}
	}
}

// Whole makes Decode give the whole stream at once.
func Whole() int { return 1 << 30 }

// Values returns the rows of a batch: int32, int64, float64, bool, string, []any for a list or a
// struct, nil for a null.
func Values(b *batch.Batch) [][]any {
	rows := make([][]any, b.Rows())
	for row := range rows {
		for i := range b.Columns {
			rows[row] = append(rows[row], value(&b.Columns[i], row))
		}
	}
	return rows
}

func value(c *batch.Column, row int) any {
	if c.Null(row) {
		return nil
	}
	switch c.Type {
	case abi.Bool:
		return c.Bool(row)
	case abi.Int32:
		return c.Int32s()[row]
	case abi.Float64:
		return c.Float64s()[row]
	case abi.String, abi.Bytes:
		return c.String(row)
	case abi.List:
		items := []any{}
		for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
			items = append(items, value(&c.Children[0], int(i)))
		}
		return items
	case abi.Struct:
		fields := []any{}
		for i := range c.Children {
			fields = append(fields, value(&c.Children[i], row))
		}
		return fields
	}
	return c.Int64s()[row]
}

// Schema parses a schema from pairs of a name and a type.
func Schema(t testing.TB, pairs ...string) *abi.Schema {
	t.Helper()
	s := &abi.Schema{}
	for i := 0; i < len(pairs); i += 2 {
		f, err := abi.ParseType(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		f.Name = pairs[i]
		s.Fields = append(s.Fields, f)
	}
	return s
}

// Run tests a format.
func Run(t *testing.T, s Suite) {
	for _, schema := range s.Schemas {
		t.Run(schema.String(), func(t *testing.T) {
			for seed := range uint64(8) {
				s.roundTrip(t, schema, rand.New(rand.NewPCG(seed, 1)))
			}
			s.empty(t, schema)
		})
	}
}

// roundTrip writes rows and reads them back, whole and in pieces.
func (s *Suite) roundTrip(t *testing.T, schema *abi.Schema, r *rand.Rand) {
	t.Helper()
	encoder, err := s.Format.NewEncoder(schema)
	if err != nil {
		t.Fatal(err)
	}
	pool := &batch.Pool{}
	data := encoder.Begin(nil)
	var want [][]any
	for range 3 {
		b := s.random(r, pool.NewBuilder(schema))
		want = append(want, Values(b)...)
		if data, err = encoder.Append(data, b); err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
	data = encoder.End(data)
	whole := Decode(s.Format, schema, data, Whole, 1<<20)
	if whole.Err != nil || len(whole.Rejects) > 0 {
		t.Fatalf("what was written can't be read: %v, %v\n%s", whole.Err, whole.Rejects, data)
	}
	if diff := cmp.Diff(want, whole.Rows); diff != "" {
		t.Fatalf("written (-) and read (+):\n%s\n%s", diff, data)
	}
	if !slices.IsSorted(whole.Offsets) || len(whole.Offsets) != len(want) {
		t.Fatalf("positions of %d rows: %v", len(want), whole.Offsets)
	}
	InPieces(t, s.Format, schema, data, r)
}

// InPieces tests that a stream gives the same rows, rejects and error however it is cut.
func InPieces(t *testing.T, f operator.Format, schema *abi.Schema, data []byte, r *rand.Rand) {
	t.Helper()
	whole := Decode(f, schema, data, Whole, 1<<20)
	for _, most := range []int{1, 7, 1 << 20} {
		for _, size := range []int{1, 2, 9, 100, 5000} {
			pieces := Decode(f, schema, data, func() int { return r.IntN(size + 1) }, most)
			if diff := cmp.Diff(whole, pieces, cmp.Comparer(func(a, b error) bool {
				return a == nil && b == nil || a != nil && b != nil
			})); diff != "" {
				t.Fatalf("whole (-) and in pieces of up to %d bytes, batches of %d rows (+):\n%s\n%q", size, most, diff, data)
			}
		}
	}
}

func (s *Suite) empty(t *testing.T, schema *abi.Schema) {
	t.Helper()
	if got := Decode(s.Format, schema, nil, Whole, 10); got.Err != nil || len(got.Rows)+len(got.Rejects) > 0 {
		t.Errorf("an empty stream: %+v", got)
	}
	encoder, err := s.Format.NewEncoder(schema)
	if err != nil {
		t.Fatal(err)
	}
	none := encoder.End(encoder.Begin(nil))
	if got := Decode(s.Format, schema, none, Whole, 10); got.Err != nil || len(got.Rows)+len(got.Rejects) > 0 {
		t.Errorf("a stream of no rows, %q: %+v", none, got)
	}
}

func (s *Suite) random(r *rand.Rand, b *batch.Builder) *batch.Batch {
	for range r.IntN(30) {
		for i := range b.Schema().Fields {
			s.value(r, &b.Schema().Fields[i], b.Column(i))
		}
		b.EndRow()
	}
	return b.Finish()
}

func (s *Suite) value(r *rand.Rand, f *abi.Field, c *batch.ColumnBuilder) {
	if !s.NoNulls && r.IntN(6) == 0 {
		c.AppendNull()
		return
	}
	switch c.Type() {
	case abi.Bool:
		c.AppendBool(r.IntN(2) == 0)
	case abi.Int32:
		c.AppendInt32(int32(r.Uint32()))
	case abi.Int64, abi.Timestamp:
		c.AppendInt64(int64(r.Uint64()) >> r.IntN(64))
	case abi.Decimal:
		c.AppendInt64(r.Int64N(2*abi.DecimalAbsLimit-1) - abi.DecimalAbsLimit + 1)
	case abi.Float64:
		c.AppendFloat64([]float64{r.NormFloat64(), float64(r.IntN(1000)), 1e300, -5e-324, 0.1}[r.IntN(5)])
	case abi.String, abi.Bytes:
		c.AppendString(s.text(r))
	case abi.List:
		for range r.IntN(4) {
			s.value(r, &f.Children[0], c.Child(0))
		}
		c.EndList()
	case abi.Struct:
		for i := range f.Children {
			s.value(r, &f.Children[i], c.Child(i))
		}
		c.EndStruct()
	}
}

func (s *Suite) text(r *rand.Rand) string {
	if s.Text != nil {
		return s.Text(r)
	}
	alphabet := []rune("abc \"\\/,;\n\r\t\x00\x1f\x7fäß€😀\u2028\ufeff\ufffdnull")
	var out []rune
	for range r.IntN(24) {
		out = append(out, alphabet[r.IntN(len(alphabet))])
	}
	return string(out)
}
