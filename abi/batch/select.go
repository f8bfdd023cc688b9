// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import "github.com/wasmill/wasmill/abi"

// AppendRows appends the given rows of src, whose columns have the builder's types, with their
// times, kinds and positions.
func (b *Builder) AppendRows(src *Batch, rows []uint32) {
	for i := range b.columns {
		b.columns[i].AppendRows(&src.Columns[i], rows)
	}
	appendPerRow(&b.times, b.pool, src.Times, rows)
	appendPerRow(&b.kinds, b.pool, src.Kinds, rows)
	appendPerRow(&b.positions, b.pool, src.Positions, rows)
	b.rows += len(rows)
}

func appendPerRow[T abi.EventTime | RowKind | Position](g *growable, p *Pool, src []T, rows []uint32) {
	if src == nil {
		return
	}
	width := len(raw(src[:1]))
	dst := view[T](g.grow(p, width*len(rows)), len(rows))
	for i, row := range rows {
		dst[i] = src[row]
	}
}

// AppendRows appends the given rows of a column of the same type.
func (c *ColumnBuilder) AppendRows(src *Column, rows []uint32) {
	if src.Nulls > 0 || c.nulls > 0 {
		for _, row := range rows {
			c.AppendRow(src, int(row))
		}
		return
	}
	switch c.typ {
	case abi.Int32:
		gather(c, src.Int32s(), rows)
	case abi.Int64, abi.Decimal, abi.Timestamp:
		gather(c, src.Int64s(), rows)
	case abi.Float64:
		gather(c, src.Float64s(), rows)
	default:
		for _, row := range rows {
			c.AppendRow(src, int(row))
		}
	}
}

// gather appends rows of fixed width where neither side has nulls.
func gather[T int32 | int64 | float64](c *ColumnBuilder, src []T, rows []uint32) {
	if len(rows) == 0 {
		return
	}
	dst := view[T](c.values.grow(c.pool, c.typ.Width()*len(rows)), len(rows))
	for i, row := range rows {
		dst[i] = src[row]
	}
	c.rows += len(rows)
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
	case abi.Int64, abi.Decimal, abi.Timestamp:
		c.AppendInt64(src.Int64s()[row])
	case abi.Float64:
		c.AppendFloat64(src.Float64s()[row])
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
	}
}

// Take returns a batch of the given rows of b, in the order given. It leaves b alone.
func (p *Pool) Take(b *Batch, rows []uint32) *Batch {
	builder := p.NewBuilder(b.Schema)
	builder.AppendRows(b, rows)
	return builder.Finish()
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
	out := p.batch(b.Schema, b.rows)
	out.Columns = append(out.Columns, b.Columns...)
	out.Times, out.Kinds, out.Positions = times, b.Kinds, b.Positions
	out.parents = append(out.parents, b)
	return out
}
