// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// ColumnOutput is an Output for operators made by MapColumns. T is a struct of builders:
//
//	type Euros struct {
//		Price wasmill.Builder[int64]
//	}
type ColumnOutput[T any] struct {
	columnOutput
	columns T
}

// columnOutput is a ColumnOutput without its type. The builders follow it in memory.
type columnOutput struct {
	call    *call
	port    uint32
	fields  []columnField
	message wire.Message
	rows    int
	open    bool // Begin has been called, and its rows have not been handed over
	origins []uint32
}

// Begin begins a batch of so many rows, at most 65,536, and hands over the last one. The caller
// fills the builders, each with a value for each row. Row n is said to come from row n of the
// input, unless Origins says otherwise.
func (o *ColumnOutput[T]) Begin(rows int) *T {
	o.begin(rows)
	return &o.columns
}

// Origins returns a place for each row to say which row of the input it came from. It must be
// filled where the output does not have a row for each row of the input, in order.
func (o *columnOutput) Origins() []uint32 {
	if cap(o.origins) < o.rows {
		o.origins = make([]uint32, o.rows)
	}
	o.origins = o.origins[:o.rows]
	return o.origins
}

// Truncate keeps the first rows of those that Begin began.
func (o *columnOutput) Truncate(rows int) { o.rows = min(o.rows, rows) }

func (o *columnOutput) builder(f columnField) *builder {
	at := unsafe.Add(unsafe.Pointer(o), (unsafe.Sizeof(*o)+7)&^7)
	return (*builder)(unsafe.Add(at, f.offset))
}

func (o *columnOutput) width() int {
	n := 0
	for _, f := range o.fields {
		if !f.time {
			n++
		}
	}
	return n
}

func (o *columnOutput) begin(rows int) {
	o.flush(false)
	m := &o.message
	m.Begin(o.port, rows, o.width(), nil)
	for _, f := range o.fields {
		b := o.builder(f)
		b.reset(rows)
		b.at = m.Reserve(size(f.typ, rows))
	}
	for _, f := range o.fields { // now that the message does not move any more
		if n := size(f.typ, rows); n > 0 {
			b := o.builder(f)
			b.values = unsafe.Pointer(&wire.At[byte](m, b.at, n)[0])
			clear(wire.At[byte](m, b.at, n))
		}
	}
	o.rows, o.open, o.origins = rows, true, o.origins[:0]
}

// size returns the bytes of a column's values of fixed width.
func size(t wire.Type, rows int) int {
	if t == wire.Bool {
		return (rows + 7) / 8
	}
	return rows * t.Width()
}

func (o *columnOutput) held() int {
	if o.open {
		return o.rows
	}
	return 0
}

func (o *columnOutput) flush(bool) {
	if !o.open {
		return
	}
	o.open = false
	m, next := &o.message, 0
	m.SetRows(o.rows)
	for _, f := range o.fields {
		b := o.builder(f)
		if f.time {
			m.SetTimes(b.at)
			continue
		}
		m.SetColumn(next, b.finish(m, f.typ, o.rows))
		next++
	}
	if len(o.origins) > 0 {
		m.SetOrigins(wire.AppendValues(m, o.origins[:o.rows], 4))
	} else if o.rows > 0 && o.rows != o.call.rows {
		panic("wasmill: a ColumnOutput has another number of rows than the input, and no Origins")
	}
	if o.rows > 0 {
		o.call.handOver(m)
	}
}

// builder collects one column. What is of fixed width lies in the message already.
type builder struct {
	values   unsafe.Pointer
	rows     int // of fixed width: how many there are; else how many have been appended
	at       int
	offsets  []int32
	bytes    []byte
	validity []byte // from the first null on
	nulls    int
}

func (b *builder) reset(rows int) {
	b.values, b.rows, b.nulls = nil, rows, 0
	b.offsets, b.bytes, b.validity = append(b.offsets[:0], 0), b.bytes[:0], b.validity[:0]
}

// SetNull makes a row null, whatever value it has.
func (b *builder) SetNull(row int) {
	if b.nulls == 0 {
		for range (b.rows + 7) / 8 {
			b.validity = append(b.validity, 0xff)
		}
	}
	if b.validity[row>>3]>>(row&7)&1 != 0 {
		b.validity[row>>3] &^= 1 << (row & 7)
		b.nulls++
	}
}

// finish says where the first rows of the column lie in the message.
func (b *builder) finish(m *wire.Message, typ wire.Type, rows int) wire.Column {
	c := wire.Column{Rows: uint32(rows), Values: uint32(b.at), Size: uint32(size(typ, rows))}
	if typ == wire.String || typ == wire.Bytes {
		if len(b.offsets) <= rows {
			panic("wasmill: a column of a ColumnOutput has fewer values than rows")
		}
		c.Size = uint32(b.offsets[rows])
		c.Offsets = uint32(wire.AppendValues(m, b.offsets[:rows+1], 4))
		c.Values = uint32(wire.AppendValues(m, b.bytes[:c.Size], 1))
	}
	if b.nulls == 0 {
		return c
	}
	for row := range rows {
		if b.validity[row>>3]>>(row&7)&1 == 0 {
			c.Nulls++
		}
	}
	if c.Nulls > 0 {
		c.Validity = uint32(wire.AppendValues(m, b.validity[:(rows+7)/8], 1))
	}
	return c
}

// Builder is a column of numbers to be written. A Builder of EventTime is the rows' event times.
type Builder[T Number] struct {
	builder
	_ [0]T
}

// Values returns a place for each row, all zero at first.
func (b *Builder[T]) Values() []T { return unsafe.Slice((*T)(b.values), b.rows) }

// BoolBuilder is a column of type bool to be written.
type BoolBuilder struct{ builder }

// Set sets the value of a row, which is false at first.
func (b *BoolBuilder) Set(row int, v bool) {
	at := &unsafe.Slice((*byte)(b.values), (b.rows+7)/8)[row>>3]
	if v {
		*at |= 1 << (row & 7)
	} else {
		*at &^= 1 << (row & 7)
	}
}

// StringBuilder is a column of type string to be written, row after row.
type StringBuilder struct{ builder }

// Append adds the value of the next row.
func (b *StringBuilder) Append(v string) {
	b.bytes = append(b.bytes, v...)
	b.offsets = append(b.offsets, int32(len(b.bytes)))
}

// BytesBuilder is a column of type bytes to be written, row after row.
type BytesBuilder struct{ builder }

// Append adds the value of the next row.
func (b *BytesBuilder) Append(v []byte) {
	b.bytes = append(b.bytes, v...)
	b.offsets = append(b.offsets, int32(len(b.bytes)))
}
