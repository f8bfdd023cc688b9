// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
)

// AppendRows appends the given rows of src, whose columns have the builder's types, with their
// times, kinds and positions.
func (b *Builder) AppendRows(src *Batch, rows []uint32) {
	for i := range b.columns {
		b.columns[i].AppendRows(&src.Columns[i], rows)
	}
	b.times.appendRows(b.pool, src.Times, rows)
	b.kinds.appendRows(b.pool, src.Kinds, rows)
	b.positions.appendRows(b.pool, src.Positions, rows)
	b.rows += len(rows)
}

func pick[T fixed](dst, src []T, rows []uint32) {
	dst = dst[:len(rows)]
	for i, row := range rows {
		dst[i] = src[row]
	}
}

// AppendRows appends the given rows of a column of the same type.
func (c *ColumnBuilder) AppendRows(src *Column, rows []uint32) {
	switch c.typ {
	case abi.Bool, abi.List:
		for _, row := range rows {
			c.AppendRow(src, int(row))
		}
		return
	case abi.Int32:
		pick(view[int32](c.room(4*len(rows)), len(rows)), src.Int32s(), rows)
	case abi.String, abi.Bytes:
		c.pickBytes(src, rows)
	case abi.Struct:
		for i := range c.children {
			c.children[i].AppendRows(&src.Children[i], rows)
		}
	default:
		pick(view[int64](c.room(8*len(rows)), len(rows)), src.Int64s(), rows)
	}
	if src.Nulls > 0 {
		for i, row := range rows {
			if src.Null(int(row)) {
				c.null(c.rows + i)
			}
		}
	}
	c.rows += len(rows)
}

// room makes room for n more bytes of values of fixed width and returns them.
func (c *ColumnBuilder) room(n int) []byte {
	at := c.size()
	if at+n > len(c.values.data) {
		c.values.grow(c.pool, at, at+n)
	}
	return c.values.data[at : at+n]
}

// pickBytes appends what lies in the given rows, under nulls too.
func (c *ColumnBuilder) pickBytes(src *Column, rows []uint32) {
	end := c.used
	for _, row := range rows {
		end += int(src.Offsets[row+1] - src.Offsets[row])
	}
	if end > len(c.values.data) {
		c.values.grow(c.pool, c.used, end)
	}
	last := c.rows + len(rows)
	if last >= len(c.offsets.data) {
		c.offsets.grow(c.pool, min(c.rows+1, len(c.offsets.data)), last+1)
		c.offsets.data[0] = 0
	}
	ends := c.offsets.data[c.rows+1 : last+1]
	for i, row := range rows {
		c.used += copy(c.values.data[c.used:], src.Values[src.Offsets[row]:src.Offsets[row+1]])
		ends[i] = int32(c.used)
	}
}

// AppendRow appends one row of a column of the same type.
func (c *ColumnBuilder) AppendRow(src *Column, row int) {
	if src.Null(row) {
		c.AppendNull()
		return
	}
	switch c.typ {
	case abi.Bool:
		c.AppendBool(src.Bool(row))
	case abi.Int32:
		c.AppendInt32(src.Int32s()[row])
	case abi.String, abi.Bytes:
		c.AppendBytes(src.Bytes(row))
	case abi.List:
		for item := src.Offsets[row]; item < src.Offsets[row+1]; item++ {
			c.children[0].AppendRow(&src.Children[0], int(item))
		}
		c.EndList()
	case abi.Struct:
		for i := range c.children {
			c.children[i].AppendRow(&src.Children[i], row)
		}
		c.EndStruct()
	default:
		c.AppendInt64(src.Int64s()[row])
	}
}

// Take returns a batch of the given rows of b, in the order given. It leaves b alone.
func (p *Pool) Take(b *Batch, rows []uint32) *Batch {
	builder, ok := p.builders.Get().(*Builder)
	if !ok {
		builder = &Builder{pool: p}
	}
	builder.use(b.Schema)
	builder.AppendRows(b, rows)
	out := builder.Finish()
	p.builders.Put(builder)
	return out
}

// A Part says where a column of Compose comes from.
type Part struct {
	From   *Batch
	Column int
}

// Compose returns a batch of columns of other batches that have equally many rows, without
// copying: it keeps a reference to each. Times, kinds and positions are those of base.
func (p *Pool) Compose(schema *abi.Schema, base *Batch, parts []Part) *Batch {
	out := p.batch(schema, base.rows)
	out.Times, out.Kinds, out.Positions = base.Times, base.Kinds, base.Positions
	out.parents = append(out.parents, base.Retain())
	for _, part := range parts {
		if part.From.rows != base.rows {
			panic(fmt.Sprintf("batch: columns of %d and of %d rows in one batch", base.rows, part.From.rows))
		}
		out.Columns = append(out.Columns, part.From.Columns[part.Column])
		if last := out.parents[len(out.parents)-1]; part.From != last && part.From != base {
			out.parents = append(out.parents, part.From.Retain())
		}
	}
	return out
}

// WithTimes returns b with other event times, one a row, which the caller may not change any
// more. It takes over the caller's reference to b.
func (p *Pool) WithTimes(b *Batch, times []abi.EventTime) *Batch {
	if len(times) != b.rows {
		panic(fmt.Sprintf("batch: %d times for %d rows", len(times), b.rows))
	}
	out := p.batch(b.Schema, b.rows)
	out.Columns = append(out.Columns, b.Columns...)
	out.Times, out.Kinds, out.Positions = times, b.Kinds, b.Positions
	out.parents = append(out.parents, b)
	return out
}
