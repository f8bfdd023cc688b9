// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"fmt"

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
	times     perRow[abi.EventTime]
	kinds     perRow[RowKind]
	positions perRow[Position]
}

// NewBuilder returns a builder of batches of the schema.
func (p *Pool) NewBuilder(schema *abi.Schema) *Builder {
	b := &Builder{pool: p}
	b.use(schema)
	return b
}

// use makes an empty builder one of another schema.
func (b *Builder) use(schema *abi.Schema) {
	if b.schema == schema {
		return
	}
	for i := range b.columns {
		b.columns[i].free()
	}
	b.schema, b.columns = schema, builders(b.columns[:0], b.pool, schema.Fields)
}

func builders(cols []ColumnBuilder, p *Pool, fields []abi.Field) []ColumnBuilder {
	for i := range fields {
		f := &fields[i]
		cols = append(cols, ColumnBuilder{typ: f.Type, pool: p, children: builders(nil, p, f.Children)})
	}
	return cols
}

// Schema returns the schema of the batches.
func (b *Builder) Schema() *abi.Schema { return b.schema }

// Rows returns the number of whole rows.
func (b *Builder) Rows() int { return b.rows }

// Bytes returns the memory that the rows take so far.
func (b *Builder) Bytes() int {
	n := 8*b.times.n + b.kinds.n + 8*b.positions.n
	for i := range b.columns {
		n += b.columns[i].bytes()
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
		}
		if c.rows != b.rows {
			b.misfit(i)
		}
	}
}

// EndRows ends n rows at once, each column having got n values.
func (b *Builder) EndRows(n int) {
	b.rows += n
	for i := range b.columns {
		if b.columns[i].rows != b.rows {
			b.misfit(i)
		}
	}
}

func (b *Builder) misfit(column int) {
	panic(fmt.Sprintf("batch: column %d has %d values after row %d", column, b.columns[column].rows, b.rows))
}

// DropRow throws away the values of a row that EndRow has not ended, with its time, kind and
// position.
func (b *Builder) DropRow() {
	for i := range b.columns {
		b.columns[i].truncate(b.rows)
	}
	b.times.n = min(b.times.n, b.rows)
	b.kinds.n = min(b.kinds.n, b.rows)
	b.positions.n = min(b.positions.n, b.rows)
}

// AppendTime sets the event time of the next row; if one row has one, all must.
func (b *Builder) AppendTime(t abi.EventTime) { b.times.append(b.pool, t) }

// AppendKind sets the kind of the next row; if one row has one, all must.
func (b *Builder) AppendKind(k RowKind) { b.kinds.append(b.pool, k) }

// AppendPosition sets the position of the next row; if one row has one, all must.
func (b *Builder) AppendPosition(p Position) { b.positions.append(b.pool, p) }

// Finish returns the rows as a batch and empties the builder. It panics where a row has not been
// ended.
func (b *Builder) Finish() *Batch {
	out := b.pool.batch(b.schema, b.rows)
	for i := range b.columns {
		if b.columns[i].rows != b.rows {
			b.misfit(i)
		}
		out.Columns = append(out.Columns, b.columns[i].finish(out))
	}
	out.Times = b.times.finish(out, "time")
	out.Kinds = b.kinds.finish(out, "kind")
	out.Positions = b.positions.finish(out, "position")
	b.rows = 0
	return out
}

// store is a pooled buffer that grows, of values that lie in memory as in a message. How many
// there are, its owner knows.
type store[T fixed] struct {
	buf  *buffer
	data []T // the whole buffer
	last int // values taken last: the next buffer begins with room for as many
}

// maxStore is the most bytes that offsets can count.
const maxStore = 1<<31 - 1

// grow makes room for n values, of which the first used ones are kept.
func (s *store[T]) grow(p *Pool, used, n int) {
	if n > maxStore/width[T]() {
		panic(fmt.Sprintf("batch: a column of %d bytes; one holds %d", n*width[T](), maxStore))
	}
	bigger := p.get(max(1024, max(n, 2*used, s.last)*width[T]()))
	data := view[T](bigger.data, len(bigger.data)/width[T]())
	copy(data, s.data[:used])
	s.free(p)
	s.buf, s.data = bigger, data
}

// take returns the first n values and gives their buffer to b; nil where there are none.
func (s *store[T]) take(b *Batch, n int) []T {
	if n == 0 {
		return nil
	}
	data := s.data[:n]
	b.owned = append(b.owned, s.buf)
	*s = store[T]{last: n}
	return data
}

func (s *store[T]) free(p *Pool) {
	if s.buf != nil {
		p.put(s.buf)
	}
	*s = store[T]{last: s.last}
}

// perRow is a store of what each row has one of.
type perRow[T fixed] struct {
	store[T]
	n int
}

func (r *perRow[T]) append(p *Pool, v T) {
	if r.n == len(r.data) {
		r.grow(p, r.n, r.n+1)
	}
	r.data[r.n] = v
	r.n++
}

func (r *perRow[T]) appendRows(p *Pool, src []T, rows []uint32) {
	if len(src) == 0 {
		return
	}
	end := r.n + len(rows)
	if end > len(r.data) {
		r.grow(p, r.n, end)
	}
	pick(r.data[r.n:end], src, rows)
	r.n = end
}

func (r *perRow[T]) finish(out *Batch, what string) []T {
	if r.n != 0 && r.n != out.rows {
		panic(fmt.Sprintf("batch: %d rows have a %s, of %d", r.n, what, out.rows))
	}
	values := r.take(out, r.n)
	r.n = 0
	return values
}
