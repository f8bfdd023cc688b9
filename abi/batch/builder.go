// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
)

// Builder collects rows into a batch. Append a value to each column, then EndRow; a column that
// got none is null. Finish hands the rows over and leaves the builder empty and ready. It belongs
// to one goroutine.
type Builder struct {
	schema    *abi.Schema
	pool      *Pool
	columns   []ColumnBuilder
	rows      int
	times     growable
	kinds     growable
	positions growable
}

// ColumnBuilder collects the values of one column, or of a node inside a nested one.
type ColumnBuilder struct {
	typ      abi.Type
	pool     *Pool
	rows     int
	nulls    int
	validity growable // written from the first null on
	offsets  growable
	values   growable
	children []ColumnBuilder
}

// growable is a byte slice in a pooled buffer.
type growable struct {
	buf *buffer
	n   int
}

// grow makes room for n more bytes and returns them.
func (g *growable) grow(p *Pool, n int) []byte {
	if g.buf == nil || g.n+n > len(g.buf.data) {
		g.move(p, g.n+n)
	}
	at := g.n
	g.n += n
	return g.buf.data[at:g.n]
}

func (g *growable) move(p *Pool, size int) {
	bigger := p.get(max(size, 2*g.n, 1024))
	if g.buf != nil {
		copy(bigger.data, g.buf.data[:g.n])
		p.put(g.buf)
	}
	g.buf = bigger
}

// take returns the bytes and gives their buffer to b.
func (g *growable) take(b *Batch) []byte {
	if g.n == 0 {
		return nil
	}
	data := g.buf.data[:g.n]
	b.owned = append(b.owned, g.buf)
	*g = growable{}
	return data
}

// NewBuilder returns a builder of batches of the schema.
func (p *Pool) NewBuilder(schema *abi.Schema) *Builder {
	return &Builder{schema: schema, pool: p, columns: builders(p, schema.Fields)}
}

func builders(p *Pool, fields []abi.Field) []ColumnBuilder {
	cols := make([]ColumnBuilder, len(fields))
	for i := range fields {
		cols[i] = ColumnBuilder{typ: fields[i].Type, pool: p, children: builders(p, fields[i].Children)}
	}
	return cols
}

// Schema returns the schema of the batches.
func (b *Builder) Schema() *abi.Schema { return b.schema }

// Rows returns the number of whole rows.
func (b *Builder) Rows() int { return b.rows }

// Bytes returns the memory that the rows take so far.
func (b *Builder) Bytes() int {
	n := b.times.n + b.kinds.n + b.positions.n
	for i := range b.columns {
		n += b.columns[i].bytes()
	}
	return n
}

func (c *ColumnBuilder) bytes() int {
	n := c.validity.n + c.offsets.n + c.values.n
	for i := range c.children {
		n += c.children[i].bytes()
	}
	return n
}

// Column returns the builder of a column.
func (b *Builder) Column(i int) *ColumnBuilder { return &b.columns[i] }

// EndRow ends a row. It panics where a column has more than one value for it.
func (b *Builder) EndRow() {
	b.rows++
	for i := range b.columns {
		c := &b.columns[i]
		if c.rows < b.rows {
			c.AppendNull()
		} else if c.rows > b.rows {
			panic(fmt.Sprintf("batch: column %d has %d values after row %d", i, c.rows, b.rows))
		}
	}
}

// EndRows ends n rows at once, each column having got n values.
func (b *Builder) EndRows(n int) {
	b.rows += n
	for i := range b.columns {
		if b.columns[i].rows != b.rows {
			panic(fmt.Sprintf("batch: column %d has %d values after row %d", i, b.columns[i].rows, b.rows))
		}
	}
}

// DropRow throws away the values of a row that EndRow has not ended.
func (b *Builder) DropRow() {
	for i := range b.columns {
		b.columns[i].truncate(b.rows)
	}
}

// AppendTime sets the event time of the next row; if one row has one, all must.
func (b *Builder) AppendTime(t abi.EventTime) {
	binary.LittleEndian.PutUint64(b.times.grow(b.pool, 8), uint64(t))
}

// AppendKind sets the kind of the next row; if one row has one, all must.
func (b *Builder) AppendKind(k RowKind) { b.kinds.grow(b.pool, 1)[0] = byte(k) }

// AppendPosition sets the position of the next row; if one row has one, all must.
func (b *Builder) AppendPosition(p Position) {
	binary.LittleEndian.PutUint64(b.positions.grow(b.pool, 8), uint64(p))
}

// Finish returns the rows as a batch and empties the builder.
func (b *Builder) Finish() *Batch {
	out := b.pool.batch(b.schema, b.rows)
	for i := range b.columns {
		out.Columns = append(out.Columns, b.columns[i].finish(out))
	}
	out.Times = perRow[abi.EventTime](&b.times, out, "time")
	out.Kinds = perRow[RowKind](&b.kinds, out, "kind")
	out.Positions = perRow[Position](&b.positions, out, "position")
	b.rows = 0
	return out
}

func perRow[T abi.EventTime | RowKind | Position](g *growable, out *Batch, what string) []T {
	size := g.n
	data := g.take(out)
	if data == nil {
		return nil
	}
	values := view[T](data, out.rows)
	if len(raw(values)) != size {
		panic(fmt.Sprintf("batch: %d bytes of row %ss for %d rows", size, what, out.rows))
	}
	return values
}

func (c *ColumnBuilder) finish(out *Batch) Column {
	col := Column{Type: c.typ, Rows: c.rows, Nulls: c.nulls}
	if c.typ.Variable() || c.typ == abi.List {
		c.firstOffset()
		col.Offsets = view[int32](c.offsets.take(out), c.rows+1)
	}
	col.Validity = c.validity.take(out)
	col.Values = c.values.take(out)
	if len(c.children) > 0 {
		col.Children = make([]Column, len(c.children))
		for i := range c.children {
			col.Children[i] = c.children[i].finish(out)
		}
	}
	c.rows, c.nulls = 0, 0
	return col
}

// Rows returns the number of values.
func (c *ColumnBuilder) Rows() int { return c.rows }

// Type returns the type of the values.
func (c *ColumnBuilder) Type() abi.Type { return c.typ }

// Child returns the builder of a list's items or of a struct's field.
func (c *ColumnBuilder) Child(i int) *ColumnBuilder { return &c.children[i] }

func (c *ColumnBuilder) firstOffset() {
	if c.offsets.n == 0 {
		binary.LittleEndian.PutUint32(c.offsets.grow(c.pool, 4), 0)
	}
}

// valid ends a value.
func (c *ColumnBuilder) valid() {
	if c.nulls > 0 {
		c.mark(true)
	}
	c.rows++
}

// mark writes the validity bit of the value at hand.
func (c *ColumnBuilder) mark(valid bool) {
	for c.validity.n <= c.rows>>3 {
		c.validity.grow(c.pool, 1)[0] = 0
	}
	bit := byte(1) << (c.rows & 7)
	if at := &c.validity.buf.data[c.rows>>3]; valid {
		*at |= bit
	} else {
		*at &^= bit
	}
}

// firstNull writes the validity of the values before the first null.
func (c *ColumnBuilder) firstNull() {
	c.validity.n = 0
	bits := c.validity.grow(c.pool, (c.rows+7)/8)
	for i := range bits {
		bits[i] = 0xff
	}
	if tail := c.rows & 7; tail != 0 {
		bits[len(bits)-1] = byte(1)<<tail - 1
	}
}

// AppendNull appends a null of any type.
func (c *ColumnBuilder) AppendNull() {
	if c.nulls == 0 {
		c.firstNull()
	}
	c.nulls++
	c.mark(false)
	switch c.typ {
	case abi.Bool:
		c.bit(false)
	case abi.String, abi.Bytes:
		c.endOffset(c.values.n)
	case abi.List:
		c.endOffset(c.children[0].rows)
	case abi.Struct:
		for i := range c.children {
			c.children[i].AppendNull()
		}
	default:
		clear(c.values.grow(c.pool, c.typ.Width()))
	}
	c.rows++
}

func (c *ColumnBuilder) endOffset(end int) {
	c.firstOffset()
	binary.LittleEndian.PutUint32(c.offsets.grow(c.pool, 4), uint32(end))
}

func (c *ColumnBuilder) bit(v bool) {
	if c.rows&7 == 0 {
		c.values.grow(c.pool, 1)[0] = 0
	}
	if at := &c.values.buf.data[c.rows>>3]; v {
		*at |= 1 << (c.rows & 7)
	} else {
		*at &^= 1 << (c.rows & 7)
	}
}

// AppendBool appends to a bool column.
func (c *ColumnBuilder) AppendBool(v bool) {
	c.bit(v)
	c.valid()
}

// AppendInt32 appends to an int32 column.
func (c *ColumnBuilder) AppendInt32(v int32) {
	binary.LittleEndian.PutUint32(c.values.grow(c.pool, 4), uint32(v))
	c.valid()
}

// AppendInt64 appends to an int64, decimal or timestamp column.
func (c *ColumnBuilder) AppendInt64(v int64) {
	binary.LittleEndian.PutUint64(c.values.grow(c.pool, 8), uint64(v))
	c.valid()
}

// AppendFloat64 appends to a float64 column.
func (c *ColumnBuilder) AppendFloat64(v float64) {
	binary.LittleEndian.PutUint64(c.values.grow(c.pool, 8), math.Float64bits(v))
	c.valid()
}

// AppendBytes appends to a string or bytes column. Of a string column the caller has checked
// that v is UTF-8.
func (c *ColumnBuilder) AppendBytes(v []byte) {
	copy(c.values.grow(c.pool, len(v)), v)
	c.endOffset(c.values.n)
	c.valid()
}

// AppendString appends to a string or bytes column.
func (c *ColumnBuilder) AppendString(v string) {
	copy(c.values.grow(c.pool, len(v)), v)
	c.endOffset(c.values.n)
	c.valid()
}

// EndList ends a list whose items have been appended to Child(0).
func (c *ColumnBuilder) EndList() {
	c.endOffset(c.children[0].rows)
	c.valid()
}

// EndStruct ends a struct; a field that got no value is null.
func (c *ColumnBuilder) EndStruct() {
	for i := range c.children {
		if c.children[i].rows == c.rows {
			c.children[i].AppendNull()
		}
	}
	c.valid()
}

// Truncate throws away the values after the first rows.
func (c *ColumnBuilder) truncate(rows int) {
	switch c.typ {
	case abi.String, abi.Bytes, abi.List:
		c.truncateOffsets(rows)
	case abi.Struct:
		for i := range c.children {
			c.children[i].truncate(rows)
		}
	case abi.Bool:
		c.values.n = (min(rows, c.rows) + 7) / 8
	default:
		c.values.n = min(rows, c.rows) * c.typ.Width()
	}
	if rows >= c.rows {
		return
	}
	if c.nulls > 0 {
		for row := rows; row < c.rows; row++ {
			if c.validity.buf.data[row>>3]&(1<<(row&7)) == 0 {
				c.nulls--
			}
		}
		if c.validity.n = (rows + 7) / 8; c.nulls == 0 {
			c.validity.n = 0
		}
	}
	c.rows = rows
}

// truncateOffsets also drops what has been appended for a value that was never ended.
func (c *ColumnBuilder) truncateOffsets(rows int) {
	end := 0
	if c.offsets.n > 0 {
		at := min(rows, c.rows)
		end = int(binary.LittleEndian.Uint32(c.offsets.buf.data[4*at:]))
		c.offsets.n = 4 * (at + 1)
	}
	if c.typ == abi.List {
		c.children[0].truncate(end)
	} else {
		c.values.n = end
	}
}
