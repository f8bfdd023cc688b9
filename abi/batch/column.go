// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/wasmill/wasmill/abi"
)

// ColumnBuilder collects the values of one column, or of a node inside a nested one. Appending
// a value writes nothing but the value: where it lies follows from the number of rows, and the
// validity bits of a run of values are written when a null ends it.
type ColumnBuilder struct {
	typ      abi.Type
	pool     *Pool
	rows     int
	nulls    int
	marked   int          // rows whose validity bits are written
	used     int          // bytes of values, of a string or bytes column
	validity store[byte]  // (marked+7)/8 of them
	offsets  store[int32] // rows+1 of them; the first comes with the second
	values   store[byte]
	children []ColumnBuilder
}

// Rows returns the number of values.
func (c *ColumnBuilder) Rows() int { return c.rows }

// Type returns the type of the values.
func (c *ColumnBuilder) Type() abi.Type { return c.typ }

// Child returns the builder of a list's items or of a struct's field.
func (c *ColumnBuilder) Child(i int) *ColumnBuilder { return &c.children[i] }

// size returns the bytes of the values.
func (c *ColumnBuilder) size() int {
	switch c.typ {
	case abi.Bool:
		return (c.rows + 7) >> 3
	case abi.String, abi.Bytes:
		return c.used
	}
	return c.rows * c.typ.Width()
}

func (c *ColumnBuilder) bytes() int {
	n := c.size() + (c.marked+7)>>3
	if c.typ.Variable() || c.typ == abi.List {
		n += 4 * (c.rows + 1)
	}
	for i := range c.children {
		n += c.children[i].bytes()
	}
	return n
}

func (c *ColumnBuilder) finish(out *Batch) Column {
	col := Column{Type: c.typ, Rows: c.rows, Nulls: c.nulls}
	if len(c.children) > 0 {
		col.Children = make([]Column, len(c.children))
		for i := range c.children {
			c.checkChild(i)
			col.Children[i] = c.children[i].finish(out)
		}
	}
	if c.typ.Variable() || c.typ == abi.List {
		if c.rows == 0 {
			c.growOffsets()
		}
		col.Offsets = c.offsets.take(out, c.rows+1)
	}
	if c.nulls > 0 {
		c.validTo(c.rows)
		col.Validity = c.validity.take(out, (c.rows+7)>>3)
		clearBits(col.Validity, c.rows)
	}
	col.Values = c.values.take(out, c.size())
	if c.typ == abi.Bool {
		clearBits(col.Values, c.rows)
	}
	c.rows, c.nulls, c.marked, c.used = 0, 0, 0, 0
	return col
}

// checkChild panics where a child has values that no EndList or EndStruct ended.
func (c *ColumnBuilder) checkChild(i int) {
	want := c.rows
	if c.typ == abi.List {
		want = c.end()
	}
	if got := c.children[i].rows; got != want {
		panic(fmt.Sprintf("batch: child %d of a %s has %d values instead of %d after row %d", i, c.typ, got, want, c.rows))
	}
}

func (c *ColumnBuilder) free() {
	c.validity.free(c.pool)
	c.offsets.free(c.pool)
	c.values.free(c.pool)
	for i := range c.children {
		c.children[i].free()
	}
}

// AppendInt32 appends to an int32 column.
func (c *ColumnBuilder) AppendInt32(v int32) {
	if 4*c.rows >= len(c.values.data) {
		c.room(4)
	}
	binary.LittleEndian.PutUint32(c.values.data[4*c.rows:], uint32(v))
	c.rows++
}

// AppendInt64 appends to an int64, decimal or timestamp column.
func (c *ColumnBuilder) AppendInt64(v int64) {
	if 8*c.rows >= len(c.values.data) {
		c.room(8)
	}
	binary.LittleEndian.PutUint64(c.values.data[8*c.rows:], uint64(v))
	c.rows++
}

// AppendInt64s appends n values to an int64, decimal or timestamp column, each of which the caller
// sets before it calls anything else: what they are until then is arbitrary.
func (c *ColumnBuilder) AppendInt64s(n int) []int64 {
	values := view[int64](c.room(8*n), n)
	c.rows += n
	return values
}

// AppendFloat64 appends to a float64 column.
func (c *ColumnBuilder) AppendFloat64(v float64) { c.AppendInt64(int64(math.Float64bits(v))) }

// AppendBool appends to a bool column.
func (c *ColumnBuilder) AppendBool(v bool) {
	at := c.rows >> 3
	if at >= len(c.values.data) {
		c.values.grow(c.pool, at, at+1)
	}
	b := &c.values.data[at]
	if *b &= 1<<(c.rows&7) - 1; v {
		*b |= 1 << (c.rows & 7)
	}
	c.rows++
}

// AppendBytes appends to a string or bytes column. Of a string column the caller has checked
// that v is UTF-8.
func (c *ColumnBuilder) AppendBytes(v []byte) {
	end := c.used + len(v)
	if end > len(c.values.data) {
		c.values.grow(c.pool, c.used, end)
	}
	copy(c.values.data[c.used:], v)
	c.used = end
	c.endValue(end)
}

// AppendString appends to a string or bytes column.
func (c *ColumnBuilder) AppendString(v string) {
	end := c.used + len(v)
	if end > len(c.values.data) {
		c.values.grow(c.pool, c.used, end)
	}
	copy(c.values.data[c.used:], v)
	c.used = end
	c.endValue(end)
}

// EndList ends a list whose items have been appended to Child(0).
func (c *ColumnBuilder) EndList() { c.endValue(c.children[0].rows) }

// EndStruct ends a struct; a field that got no value is null. It panics where one got two.
func (c *ColumnBuilder) EndStruct() {
	c.rows++
	for i := range c.children {
		if c.children[i].rows < c.rows {
			c.children[i].AppendNull()
		}
		c.checkChild(i)
	}
}

// EndStructs ends n structs whose fields have been appended column by column, a value each. It
// panics where a field has another number of values.
func (c *ColumnBuilder) EndStructs(n int) {
	c.rows += n
	for i := range c.children {
		c.checkChild(i)
	}
}

// AppendNull appends a null of any type, instead of what has been appended to children for it.
func (c *ColumnBuilder) AppendNull() {
	c.null(c.rows)
	switch c.typ {
	case abi.Bool:
		c.AppendBool(false)
	case abi.Int32:
		c.AppendInt32(0)
	case abi.String, abi.Bytes:
		c.endValue(c.used)
	case abi.List:
		end := c.end()
		c.children[0].truncate(end)
		c.endValue(end)
	case abi.Struct:
		for i := range c.children {
			c.children[i].truncate(c.rows)
			c.children[i].AppendNull()
		}
		c.rows++
	default:
		c.AppendInt64(0)
	}
}

// endValue ends a value of a column with offsets.
func (c *ColumnBuilder) endValue(end int) {
	c.rows++
	if c.rows >= len(c.offsets.data) {
		c.growOffsets()
	}
	c.offsets.data[c.rows] = int32(end)
}

// growOffsets makes room for the offset that ends the last row.
func (c *ColumnBuilder) growOffsets() {
	c.offsets.grow(c.pool, min(c.rows, len(c.offsets.data)), c.rows+1)
	c.offsets.data[0] = 0
}

// end returns where the last value ends, of a column with offsets.
func (c *ColumnBuilder) end() int { return c.offset(c.rows) }

func (c *ColumnBuilder) offset(row int) int {
	if row == 0 {
		return 0
	}
	return int(c.offsets.data[row])
}

// null makes the given row, which is not marked yet, a null one.
func (c *ColumnBuilder) null(row int) {
	c.validTo(row)
	at := row >> 3
	if at >= len(c.validity.data) {
		c.validity.grow(c.pool, at, at+1)
	}
	c.validity.data[at] &= 1<<(row&7) - 1
	c.marked = row + 1
	c.nulls++
}

// validTo marks the rows before the given one valid that are not marked yet.
func (c *ColumnBuilder) validTo(row int) {
	if row <= c.marked {
		return
	}
	used, size := (c.marked+7)>>3, (row+7)>>3
	if size > len(c.validity.data) {
		c.validity.grow(c.pool, used, size)
	}
	if c.marked&7 != 0 {
		c.validity.data[used-1] |= 0xff << (c.marked & 7)
	}
	for i := used; i < size; i++ {
		c.validity.data[i] = 0xff
	}
	c.marked = row
}

// truncate throws away the values after the first rows, and what has been appended for a value
// that was never ended.
func (c *ColumnBuilder) truncate(rows int) {
	rows = min(rows, c.rows)
	switch c.typ {
	case abi.String, abi.Bytes:
		c.used = c.offset(rows)
	case abi.List:
		c.children[0].truncate(c.offset(rows))
	case abi.Struct:
		for i := range c.children {
			c.children[i].truncate(rows)
		}
	}
	for row := rows; row < c.marked; row++ {
		if c.validity.data[row>>3]&(1<<(row&7)) == 0 {
			c.nulls--
		}
	}
	c.marked = min(c.marked, rows)
	c.rows = rows
}

// clearBits clears the bits of the last byte that belong to no row.
func clearBits(data []byte, rows int) {
	if rows&7 != 0 {
		data[len(data)-1] &= 1<<(rows&7) - 1
	}
}

// countBits returns how many of the first rows bits are set.
func countBits(data []byte, rows int) int {
	n := 0
	for ; rows >= 64; rows -= 64 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(data))
		data = data[8:]
	}
	for ; rows >= 8; rows -= 8 {
		n += bits.OnesCount8(data[0])
		data = data[1:]
	}
	if rows > 0 {
		n += bits.OnesCount8(data[0] & (1<<rows - 1))
	}
	return n
}
