// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package rows is batches as plain values, for what compares and generates them: conformance and
// the tests of abi. It is slow and allocates.
package rows

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// A Row is one value a column: nil for null, bool, int32, int64 (also of a decimal, times 10^scale,
// and of a timestamp), float64, string, []byte; of a list and of a struct a Row of its items or
// fields.
type Row []any

// Build returns the rows as a batch. It panics where a value is not of its column's type.
func Build(p *batch.Pool, schema *abi.Schema, rows []Row) *batch.Batch {
	b := p.NewBuilder(schema)
	for _, r := range rows {
		for i := range schema.Fields {
			Append(b.Column(i), r[i])
		}
		b.EndRow()
	}
	return b.Finish()
}

// Append appends a value to a column. It panics where it is not of the column's type.
func Append(c *batch.ColumnBuilder, v any) {
	switch v := v.(type) {
	case nil:
		c.AppendNull()
	case bool:
		c.AppendBool(v)
	case int32:
		c.AppendInt32(v)
	case int64:
		c.AppendInt64(v)
	case float64:
		c.AppendFloat64(v)
	case string:
		c.AppendString(v)
	case []byte:
		c.AppendBytes(v)
	case Row:
		if c.Type() == abi.Struct {
			for i := range v {
				Append(c.Child(i), v[i])
			}
			c.EndStruct()
			return
		}
		for i := range v {
			Append(c.Child(0), v[i])
		}
		c.EndList()
	default:
		panic(fmt.Sprintf("rows: a value of type %T in a column of type %s", v, c.Type()))
	}
}

// Of is the inverse of Build.
func Of(b *batch.Batch) []Row {
	rows := make([]Row, b.Rows())
	for n := range rows {
		for i := range b.Columns {
			rows[n] = append(rows[n], Value(&b.Columns[i], n))
		}
	}
	return rows
}

// Value returns a row of a column.
func Value(c *batch.Column, n int) any {
	if c.Null(n) {
		return nil
	}
	switch c.Type {
	case abi.Bool:
		return c.Bool(n)
	case abi.Int32:
		return c.Int32s()[n]
	case abi.Float64:
		return c.Float64s()[n]
	case abi.String:
		return c.String(n)
	case abi.Bytes:
		return append([]byte{}, c.Bytes(n)...)
	case abi.List:
		items := Row{}
		for i := c.Offsets[n]; i < c.Offsets[n+1]; i++ {
			items = append(items, Value(&c.Children[0], int(i)))
		}
		return items
	case abi.Struct:
		fields := Row{}
		for i := range c.Children {
			fields = append(fields, Value(&c.Children[i], n))
		}
		return fields
	}
	return c.Int64s()[n]
}
