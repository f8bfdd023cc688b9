// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"slices"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// Each type is dropped after each pattern of nulls and values around a byte of validity, and what
// follows is as if the dropped row had never been.
func TestADroppedRowLeavesNothing(t *testing.T) {
	p := &batch.Pool{}
	for _, f := range everyType(t).Fields {
		schema := &abi.Schema{Fields: []abi.Field{f}}
		for seed := range uint64(40) {
			r := random(seed)
			b := p.NewBuilder(schema)
			var want []rows.Row
			for n := range 20 {
				row := rows.Random(r, schema.Fields, 1)[0]
				for range r.IntN(3) {
					appendRow(b, rows.Random(r, schema.Fields, 1)[0])
					b.AppendTime(-1)
					b.AppendKind(batch.Delete)
					b.AppendPosition(-1)
					b.DropRow()
				}
				appendRow(b, row)
				b.AppendTime(abi.EventTime(n))
				b.AppendKind(batch.Insert)
				b.AppendPosition(batch.Position(n))
				b.EndRow()
				want = append(want, row)
			}
			out := b.Finish()
			wantRows(t, want, out)
			if slices.Max(out.Kinds) != batch.Insert || out.Times[19] != 19 || out.Positions[19] != 19 {
				t.Fatalf("%s: times %v, kinds %v, positions %v", f.Name, out.Times, out.Kinds, out.Positions)
			}
		}
	}
}

func TestValuesAppendedAtOnceFollowThoseBefore(t *testing.T) {
	b := (&batch.Pool{}).NewBuilder(schemaOf(t, "int64"))
	c := b.Column(0)
	want := []rows.Row{{nil}, {int64(7)}}
	c.AppendNull()
	c.AppendInt64(7)
	if got := c.AppendInt64s(0); len(got) != 0 {
		t.Errorf("%d values instead of none", len(got))
	}
	for _, n := range []int{1, 1000} {
		values := c.AppendInt64s(n)
		for i := range values {
			values[i] = int64(i)
			want = append(want, rows.Row{int64(i)})
		}
	}
	c.AppendNull()
	b.EndRows(len(want) + 1)
	wantRows(t, append(want, rows.Row{nil}), b.Finish())
}

func TestARowDroppedHalfwayLeavesNoItemsOrFields(t *testing.T) {
	b := (&batch.Pool{}).NewBuilder(schemaOf(t, "list<string>", "struct<a: int64, b: string>", "string"))
	b.Column(0).Child(0).AppendString("dropped")
	b.Column(1).Child(0).AppendInt64(1)
	b.DropRow()
	b.Column(0).Child(0).AppendString("kept")
	b.Column(0).EndList()
	b.Column(1).Child(1).AppendString("x")
	b.Column(1).EndStruct()
	b.EndRow()
	wantRows(t, []rows.Row{{rows.Row{"kept"}, rows.Row{nil, "x"}, nil}}, b.Finish())
}

func TestANullReplacesWhatItsChildrenGot(t *testing.T) {
	b := (&batch.Pool{}).NewBuilder(schemaOf(t, "list<string>", "struct<a: int64, b: string>"))
	b.Column(0).Child(0).AppendString("half a list")
	b.Column(0).AppendNull()
	b.Column(1).Child(0).AppendInt64(1)
	b.Column(1).AppendNull()
	b.EndRow()
	wantRows(t, []rows.Row{{nil, nil}}, b.Finish())
}

func TestABuilderIsReadyAgainAfterFinish(t *testing.T) {
	p := &batch.Pool{}
	b := p.NewBuilder(everyType(t))
	for seed := range uint64(20) {
		r := random(seed)
		want := rows.Random(r, b.Schema().Fields, r.IntN(30))
		for _, row := range want {
			appendRow(b, row)
			b.EndRow()
		}
		if b.Rows() != len(want) {
			t.Fatalf("%d rows, want %d", b.Rows(), len(want))
		}
		out := b.Finish()
		wantRows(t, want, out)
		if seed%2 == 0 {
			out.Release()
		}
		if b.Rows() != 0 {
			t.Fatalf("%d rows after Finish", b.Rows())
		}
	}
}

func TestBuilderBytesAreThoseOfTheBatch(t *testing.T) {
	p := &batch.Pool{}
	b := p.NewBuilder(schemaOf(t, "int64", "string", "bool", "list<int32>"))
	for _, row := range []rows.Row{{int64(1), "abc", true, rows.Row{int32(1)}}, {int64(2), "", nil, rows.Row{}}} {
		appendRow(b, row)
		b.AppendTime(1)
		b.EndRow()
	}
	// int64 16; string 3 offsets, 3 bytes; bool 1 and its validity 1; list 3 offsets, one item; time 16.
	before, after := b.Bytes(), b.Finish().Bytes()
	if want := 16 + 12 + 3 + 1 + 1 + 12 + 4 + 16; before != want || after != want {
		t.Errorf("%d bytes, then %d, want %d", before, after, want)
	}
}

// Buffers past the largest size of the pool are the collector's.
func TestAValueMayBeLargerThanAnyPooledBuffer(t *testing.T) {
	b := (&batch.Pool{}).NewBuilder(schemaOf(t, "bytes"))
	large := make([]byte, 65<<20)
	large[len(large)-1] = 1
	for _, v := range [][]byte{{2}, large, {3}} {
		b.Column(0).AppendBytes(v)
		b.EndRow()
	}
	out := b.Finish()
	c := &out.Columns[0]
	if got := c.Bytes(1); len(got) != len(large) || got[len(got)-1] != 1 || c.Bytes(0)[0] != 2 || c.Bytes(2)[0] != 3 {
		t.Errorf("%d bytes, %x, %x", len(got), c.Bytes(0), c.Bytes(2))
	}
	out.Release()
}

func TestEndRowsTakesColumnsAtOnce(t *testing.T) {
	p := &batch.Pool{}
	src := rows.Build(p, schemaOf(t, "string"), []rows.Row{{"a"}, {nil}, {"c"}})
	b := p.NewBuilder(schemaOf(t, "string", "int64"))
	b.Column(0).AppendRows(&src.Columns[0], []uint32{2, 1})
	b.Column(1).AppendInt64(1)
	b.Column(1).AppendInt64(2)
	b.EndRows(2)
	wantRows(t, []rows.Row{{"c", int64(1)}, {nil, int64(2)}}, b.Finish())
}

func TestEndStructsTakesFieldsAtOnce(t *testing.T) {
	b := (&batch.Pool{}).NewBuilder(schemaOf(t, "struct<a: int64, b: int64>"))
	for field := range 2 {
		b.Column(0).Child(field).AppendInt64(int64(10 * field))
		b.Column(0).Child(field).AppendInt64(int64(10*field + 1))
	}
	b.Column(0).EndStructs(2)
	b.EndRows(2)
	out := b.Finish()
	if a, b := out.Columns[0].Children[0].Int64s(), out.Columns[0].Children[1].Int64s(); !slices.Equal(a, []int64{0, 1}) || !slices.Equal(b, []int64{10, 11}) {
		t.Errorf("got %v and %v", a, b)
	}
	wantPanic(t, "batch: child 1 of a struct has 1 values instead of 2 after row 2", func() {
		b := (&batch.Pool{}).NewBuilder(schemaOf(t, "struct<a: int64, b: int64>"))
		b.Column(0).Child(0).AppendInt64(1)
		b.Column(0).Child(0).AppendInt64(2)
		b.Column(0).Child(1).AppendInt64(1)
		b.Column(0).EndStructs(2)
	})
}

func TestHalfARowIsABug(t *testing.T) {
	p := &batch.Pool{}
	newBuilder := func(types ...string) *batch.Builder { return p.NewBuilder(schemaOf(t, types...)) }
	wantPanic(t, "batch: column 0 has 2 values after row 1", func() {
		b := newBuilder("int64")
		b.Column(0).AppendInt64(1)
		b.Column(0).AppendInt64(2)
		b.EndRow()
	})
	wantPanic(t, "batch: column 1 has 0 values after row 1", func() {
		b := newBuilder("int64", "int64")
		b.Column(0).AppendInt64(1)
		b.EndRows(1)
	})
	wantPanic(t, "batch: column 0 has 1 values after row 0", func() {
		b := newBuilder("int64")
		b.Column(0).AppendInt64(1)
		b.Finish()
	})
	wantPanic(t, "batch: child 0 of a list has 1 values instead of 0 after row 0", func() {
		b := newBuilder("list<int64>")
		b.Column(0).Child(0).AppendInt64(1)
		b.Finish()
	})
	wantPanic(t, "batch: child 0 of a struct has 2 values instead of 1 after row 1", func() {
		b := newBuilder("struct<a: int64>")
		b.Column(0).Child(0).AppendInt64(1)
		b.Column(0).Child(0).AppendInt64(1)
		b.Column(0).EndStruct()
	})
	wantPanic(t, "batch: 1 rows have a time, of 2", func() {
		b := newBuilder("int64")
		b.AppendTime(1)
		b.EndRow()
		b.EndRow()
		b.Finish()
	})
}

func TestAPositionKeepsSplitAndOffset(t *testing.T) {
	for _, want := range [][2]int64{{0, 0}, {3, 7}, {1 << 22, 1<<40 - 1}} {
		p := batch.At(int(want[0]), want[1])
		if int64(p.Split()) != want[0] || p.Offset() != want[1] {
			t.Errorf("split %d, offset %d, want %v", p.Split(), p.Offset(), want)
		}
	}
}
