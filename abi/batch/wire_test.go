// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"bytes"
	"slices"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/fbs"
	"github.com/wasmill/wasmill/abi/internal/relay"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// fullMessage returns a message that uses each part of the envelope.
func fullMessage(t testing.TB, p *batch.Pool, seed uint64) ([]rows.Row, *batch.Message) {
	r := random(seed)
	in, b := randomBatch(t, p, r, r.IntN(70))
	m := &batch.Message{Number: uint32(seed), Batch: b, Time: true}
	if seed%2 == 1 {
		for range b.Rows() {
			b.Kinds = append(b.Kinds, batch.RowKind(r.IntN(4)))
			m.Origin = append(m.Origin, r.Uint32())
			m.Group = append(m.Group, r.Uint32())
		}
		m.Failures = []batch.Failure{{Row: 3, Message: "größer"}, {Row: 4}, {Row: 70_000, Message: "größer"}}
	}
	return in, m
}

func wantMessage(t *testing.T, rows []rows.Row, want *batch.Message, got batch.Message) {
	t.Helper()
	wantRows(t, rows, got.Batch)
	if got.Number != want.Number || !slices.Equal(got.Batch.Times, want.Batch.Times) ||
		!slices.Equal(got.Batch.Kinds, want.Batch.Kinds) || !slices.Equal(got.Origin, want.Origin) ||
		!slices.Equal(got.Group, want.Group) || !cmp.Equal(got.Failures, want.Failures) {
		t.Fatalf("number, times, kinds, origin, group or failures changed:\n%+v\n%+v", want, got)
	}
}

func TestDecodeReturnsWhatEncodeWrote(t *testing.T) {
	p := &batch.Pool{}
	for seed := range uint64(300) {
		in, m := fullMessage(t, p, seed)
		data := encode(m)
		if len(data) > m.Size() || len(data)%8 != 0 {
			t.Fatalf("seed %d: %d bytes, announced as %d", seed, len(data), m.Size())
		}
		out, err := p.Decode(data, agreed(m.Batch.Schema))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		wantMessage(t, in, m, out)
		if again := encode(&batch.Message{Number: m.Number, Batch: out.Batch, Time: true, Origin: out.Origin,
			Group: out.Group, Failures: out.Failures}); !bytes.Equal(again, data) {
			t.Fatalf("seed %d: encoded again, the bytes differ", seed)
		}
		out.Batch.Release()
		m.Batch.Release()
	}
}

func TestEncodeWritesTheSameBytesWhateverTheBufferHeld(t *testing.T) {
	_, m := fullMessage(t, &batch.Pool{}, 1)
	clean := make([]byte, m.Size())
	if !bytes.Equal(encode(m), clean[:m.Encode(clean)]) {
		t.Error("bytes of the buffer show through")
	}
}

func TestEncodeWritesOnlyThePickedColumnsAndNoTimesUnasked(t *testing.T) {
	p := &batch.Pool{}
	in, b := randomBatch(t, p, random(5), 20)
	m := batch.Message{Batch: b, Columns: []int{8, 2}}
	schema := &abi.Schema{Fields: []abi.Field{b.Schema.Fields[8], b.Schema.Fields[2]}}
	out, err := p.Decode(encode(&m), agreed(schema))
	if err != nil {
		t.Fatal(err)
	}
	var want []rows.Row
	for _, r := range in {
		want = append(want, rows.Row{r[8], r[2]})
	}
	wantRows(t, want, out.Batch)
	if out.Batch.Times != nil {
		t.Error("times that nobody asked for")
	}
	m.Columns = []int{}
	if out, err = p.Decode(encode(&m), agreed(&abi.Schema{})); err != nil || len(out.Batch.Columns) != 0 || out.Batch.Rows() != 20 {
		t.Errorf("no columns of 20 rows became %+v, %v", out.Batch, err)
	}
}

func TestEveryBufferLiesAtAMultipleOf8(t *testing.T) {
	p := &batch.Pool{}
	_, m := fullMessage(t, p, 1)
	out, err := p.Decode(encode(m), agreed(m.Batch.Schema))
	if err != nil {
		t.Fatal(err)
	}
	aligned := func(where string, at unsafe.Pointer) {
		if uintptr(at)%8 != 0 {
			t.Errorf("%s lies at %x", where, at)
		}
	}
	var check func(c *batch.Column)
	check = func(c *batch.Column) {
		aligned("validity", unsafe.Pointer(unsafe.SliceData(c.Validity)))
		aligned("values", unsafe.Pointer(unsafe.SliceData(c.Values)))
		for i := range c.Children {
			check(&c.Children[i])
		}
	}
	for i := range out.Batch.Columns {
		check(&out.Batch.Columns[i])
	}
	aligned("times", unsafe.Pointer(unsafe.SliceData(out.Batch.Times)))
}

func TestGeneratedCodeReadsWhatEncodeWrote(t *testing.T) {
	p := &batch.Pool{}
	for seed := range uint64(50) {
		_, m := fullMessage(t, p, seed)
		data := encode(m)
		root := fbs.GetRootAsBatch(data, 0)
		if root.Schema() != m.Number || int(root.Rows()) != m.Batch.Rows() || string(data[4:8]) != "WMB1" {
			t.Fatalf("seed %d: schema %d of %d rows, identifier %q", seed, root.Schema(), root.Rows(), data[4:8])
		}
		next := 0
		var check func(c *batch.Column)
		check = func(c *batch.Column) {
			col := &fbs.Column{}
			if !root.Columns(col, next) {
				t.Fatalf("seed %d: column %d is missing", seed, next)
			}
			next++
			wantBytes(t, "validity", data, col.Validity(), c.Validity)
			wantBytes(t, "values", data, col.Values(), c.Values)
			if int(col.Rows()) != c.Rows || int(col.Nulls()) != c.Nulls || int(col.Size()) != len(c.Values) {
				t.Fatalf("seed %d: column %d has %d rows, %d nulls, %d bytes", seed, next, col.Rows(), col.Nulls(), col.Size())
			}
			for i := range c.Children {
				check(&c.Children[i])
			}
		}
		for i := range m.Batch.Columns {
			check(&m.Batch.Columns[i])
		}
		if root.ColumnsLength() != next || root.FailuresLength() != len(m.Failures) {
			t.Fatalf("seed %d: %d columns and %d failures", seed, root.ColumnsLength(), root.FailuresLength())
		}
		for i, want := range m.Failures {
			var f fbs.Failure
			root.Failures(&f, i)
			if got := string(data[f.Message() : f.Message()+f.Size()]); got != want.Message || int(f.Row()) != want.Row {
				t.Fatalf("seed %d: failure %d of row %d is %q", seed, i, f.Row(), got)
			}
		}
		if (root.Origin(nil) != nil) != (m.Origin != nil) || (root.Kind(nil) != nil) != (m.Batch.Kinds != nil) {
			t.Fatalf("seed %d: origin %v, kind %v", seed, root.Origin(nil), root.Kind(nil))
		}
	}
}

func wantBytes(t *testing.T, what string, data []byte, at uint32, want []byte) {
	t.Helper()
	if (at == 0) != (len(want) == 0) || !bytes.Equal(data[at:int(at)+len(want)], want) {
		t.Fatalf("%s at %d are not %x", what, at, want)
	}
}

func TestDecodeReadsEveryLayoutThatGeneratedCodeWrites(t *testing.T) {
	p := &batch.Pool{}
	for name, layout := range relay.Layouts() {
		for seed := range uint64(100) {
			in, m := fullMessage(t, p, seed)
			out, err := p.Decode(relay.Message(m, layout), agreed(m.Batch.Schema))
			if err != nil {
				t.Fatalf("layout %s, seed %d: %v", name, seed, err)
			}
			wantMessage(t, in, m, out)
			out.Batch.Release()
		}
	}
}
