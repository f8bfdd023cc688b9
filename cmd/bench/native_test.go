// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// newNative returns an operator of the guests as one of the host would be written.
func newNative(pool *batch.Pool, name string, in *abi.Schema) operator.Operator {
	var columns [4]int
	switch name {
	case "empty":
		return nativeMap{func(b *batch.Batch) *batch.Batch { return b.Retain() }}
	case "filter":
		f := &nativeFilter{pool: pool, column: in.Index("s"), value: []byte(wanted)}
		return nativeMap{f.apply}
	case "four", "four_rows":
		for i, column := range []string{"a", "b", "c", "d"} {
			columns[i] = in.Index(column)
		}
	default:
		panic(fmt.Sprintf("there is no native operator %q", name))
	}
	f := &nativeFour{pool: pool, columns: columns, out: numbers("w", "x", "y", "z")}
	f.rows = pool.NewBuilder(f.out)
	if name == "four" {
		return nativeMap{f.byColumn}
	}
	return nativeMap{f.byRow}
}

// nativeMap makes an operator of a function. A nil batch is not emitted.
type nativeMap struct {
	apply func(*batch.Batch) *batch.Batch
}

var _ operator.Operator = nativeMap{}

func (nativeMap) Open(context.Context) error { return nil }

func (m nativeMap) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if b = m.apply(b); b == nil {
		return nil
	}
	return out.Emit(ctx, 0, b)
}

func (nativeMap) Watermark(context.Context, abi.EventTime, operator.Output) error { return nil }

func (nativeMap) Close(context.Context) error { return nil }

// nativeFour makes four numbers of four.
type nativeFour struct {
	pool    *batch.Pool
	columns [4]int
	out     *abi.Schema
	rows    *batch.Builder
	parts   [4]batch.Part
}

func (f *nativeFour) inputs(b *batch.Batch) (v [4][]int64) {
	for i, column := range f.columns {
		v[i] = b.Columns[column].Int64s()[:b.Rows()]
	}
	return v
}

func (f *nativeFour) byColumn(in *batch.Batch) *batch.Batch {
	n, v := in.Rows(), f.inputs(in)
	a, b, c, d := v[0][:n], v[1][:n], v[2][:n], v[3][:n]
	w, x, y, z := f.rows.Column(0).AppendInt64s(n)[:n], f.rows.Column(1).AppendInt64s(n)[:n],
		f.rows.Column(2).AppendInt64s(n)[:n], f.rows.Column(3).AppendInt64s(n)[:n]
	for i := range n {
		w[i] = a[i] + b[i]
		x[i] = c[i] - d[i]
		y[i] = a[i] ^ c[i]
		z[i] = b[i] + d[i]
	}
	f.rows.EndRows(n)
	return f.finish(in)
}

func (f *nativeFour) byRow(b *batch.Batch) *batch.Batch {
	v := f.inputs(b)
	w, x, y, z := f.rows.Column(0), f.rows.Column(1), f.rows.Column(2), f.rows.Column(3)
	for i, a := range v[0] {
		b, c, d := v[1][i], v[2][i], v[3][i]
		w.AppendInt64(a + b)
		x.AppendInt64(c - d)
		y.AppendInt64(a ^ c)
		z.AppendInt64(b + d)
		f.rows.EndRow()
	}
	return f.finish(b)
}

// finish adds to the new columns what a batch has besides columns.
func (f *nativeFour) finish(in *batch.Batch) *batch.Batch {
	made := f.rows.Finish()
	defer made.Release()
	for i := range f.parts {
		f.parts[i] = batch.Part{From: made, Column: i}
	}
	return f.pool.Compose(f.out, in, f.parts[:])
}

// nativeFilter keeps rows with a string.
type nativeFilter struct {
	pool   *batch.Pool
	column int
	value  []byte
	rows   []uint32
}

func (f *nativeFilter) apply(b *batch.Batch) *batch.Batch {
	f.rows = f.rows[:0]
	c := &b.Columns[f.column]
	for row := range b.Rows() {
		if bytes.Equal(c.Bytes(row), f.value) {
			f.rows = append(f.rows, uint32(row))
		}
	}
	if len(f.rows) == 0 {
		return nil
	}
	return f.pool.Take(b, f.rows)
}
