// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"math"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

var (
	_ operator.Sized = (*extreme)(nil)
	_ operator.Sized = (*byTime)(nil)
)

// order returns how two encoded values of a field compare, neither of them null. Strings and
// bytes go byte by byte, false before true, and NaN after every other float.
func order(f *abi.Field) func(a, b []byte) int {
	le := binary.LittleEndian
	switch f.Type {
	case abi.Int32:
		return func(a, b []byte) int { return cmp.Compare(int32(le.Uint32(a[1:])), int32(le.Uint32(b[1:]))) }
	case abi.Float64:
		return func(a, b []byte) int {
			return compareFloats(math.Float64frombits(le.Uint64(a[1:])), math.Float64frombits(le.Uint64(b[1:])))
		}
	case abi.Bool:
		return bytes.Compare
	case abi.String, abi.Bytes:
		return func(a, b []byte) int { return bytes.Compare(text(a), text(b)) }
	}
	return func(a, b []byte) int { return cmp.Compare(int64(le.Uint64(a[1:])), int64(le.Uint64(b[1:]))) }
}

func compareFloats(a, b float64) int {
	switch aNaN, bNaN := a != a, b != b; {
	case aNaN && bNaN:
		return 0
	case aNaN:
		return 1
	case bNaN:
		return -1
	}
	return cmp.Compare(a, b)
}

// text returns the bytes of an encoded string.
func text(encoded []byte) []byte {
	_, used := binary.Uvarint(encoded[1:])
	return encoded[1+used:]
}

// appendValue appends an encoded value, nil for null.
func appendValue(out *batch.ColumnBuilder, encoded []byte) error {
	if encoded == nil {
		out.AppendNull()
		return nil
	}
	_, err := out.AppendValue(encoded)
	return err
}

// extreme keeps the least or the greatest value of a column.
type extreme struct {
	stateless
	col      int
	greatest bool
	less     func(a, b []byte) int
	field    abi.Field
	acc      slab
	value    []byte
}

func (a *extreme) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	c := &b.Columns[a.col]
	for row, s := range slots {
		if !c.Null(row) {
			a.value = batch.AppendValue(a.value[:0], c, row)
			a.offer(s, a.value)
		}
	}
	return nil
}

func (a *extreme) offer(s uint32, value []byte) {
	best := a.acc.get(s)
	if best != nil {
		order := a.less(value, best)
		if a.greatest && order <= 0 || !a.greatest && order >= 0 {
			return
		}
	}
	a.acc.set(s, value)
}

func (a *extreme) Merge(_ context.Context, into, from []uint32) error {
	for i, s := range into {
		if v := a.acc.get(from[i]); v != nil {
			a.value = append(a.value[:0], v...)
			a.offer(s, a.value)
		}
	}
	a.Clear(from)
	return nil
}

func (a *extreme) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	for _, s := range slots {
		if err := appendValue(out[0], a.acc.get(s)); err != nil {
			return err
		}
	}
	return nil
}

func (a *extreme) Copy(into, from []uint32) { a.acc.copy(into, from) }

func (a *extreme) Accumulator() abi.Field { return a.field }

func (a *extreme) Save(ctx context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	return a.Result(ctx, slots, []*batch.ColumnBuilder{to})
}

func (a *extreme) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	for row, s := range slots {
		a.acc.clear(s)
		if !from.Null(row) {
			a.value = batch.AppendValue(a.value[:0], from, row)
			a.acc.set(s, a.value)
		}
	}
	return nil
}

func (a *extreme) Memory() int64 { return a.acc.memory() }

func (a *extreme) Clear(slots []uint32) {
	for _, s := range slots {
		a.acc.clear(s)
	}
}

// byTime keeps the value, null included, of the row with the earliest or the latest event time; of
// rows with the same time the first that came, or the last. Rows without event time count in the
// order in which they come.
type byTime struct {
	stateless
	col   int
	last  bool
	field abi.Field // of the value
	acc   slab      // 8 bytes of event time, then the value
	value []byte
}

func (a *byTime) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	c := &b.Columns[a.col]
	for row, s := range slots {
		var at abi.EventTime
		if b.Times != nil {
			at = b.Times[row]
		}
		a.value = binary.LittleEndian.AppendUint64(a.value[:0], uint64(at))
		a.value = batch.AppendValue(a.value, c, row)
		a.offer(s, a.value)
	}
	return nil
}

func (a *byTime) offer(s uint32, value []byte) {
	if kept := a.acc.get(s); kept != nil {
		now, then := int64(binary.LittleEndian.Uint64(value)), int64(binary.LittleEndian.Uint64(kept))
		if a.last && now < then || !a.last && now >= then {
			return
		}
	}
	a.acc.set(s, value)
}

func (a *byTime) Merge(_ context.Context, into, from []uint32) error {
	for i, s := range into {
		if v := a.acc.get(from[i]); v != nil {
			a.value = append(a.value[:0], v...)
			a.offer(s, a.value)
		}
	}
	a.Clear(from)
	return nil
}

func (a *byTime) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	for _, s := range slots {
		v := a.acc.get(s)
		if v != nil {
			v = v[8:]
		}
		if err := appendValue(out[0], v); err != nil {
			return err
		}
	}
	return nil
}

func (a *byTime) Copy(into, from []uint32) { a.acc.copy(into, from) }

// Accumulator is null where no row has come.
func (a *byTime) Accumulator() abi.Field {
	value := a.field
	value.Name = "value"
	return abi.Field{Type: abi.Struct, Children: []abi.Field{{Name: "time", Type: abi.Timestamp}, value}}
}

func (a *byTime) Save(_ context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	for _, s := range slots {
		v := a.acc.get(s)
		if v == nil {
			to.AppendNull()
			continue
		}
		to.Child(0).AppendInt64(int64(binary.LittleEndian.Uint64(v)))
		if err := appendValue(to.Child(1), v[8:]); err != nil {
			return err
		}
		to.EndStruct()
	}
	return nil
}

func (a *byTime) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	times := from.Children[0].Int64s()
	for row, s := range slots {
		a.acc.clear(s)
		if !from.Null(row) {
			a.value = binary.LittleEndian.AppendUint64(a.value[:0], uint64(times[row]))
			a.value = batch.AppendValue(a.value, &from.Children[1], row)
			a.acc.set(s, a.value)
		}
	}
	return nil
}

func (a *byTime) Memory() int64 { return a.acc.memory() }

func (a *byTime) Clear(slots []uint32) {
	for _, s := range slots {
		a.acc.clear(s)
	}
}
