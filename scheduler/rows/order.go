// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// By is a column that rows are ordered by: nulls first, or last where it is descending; of float64 -0
// is 0, and NaN greater than all numbers.
type By struct {
	Column     int
	Descending bool
}

// Ordered says whether the values of a type have an order that By can take.
func Ordered(t abi.Type) bool { return t != abi.List && t != abi.Struct }

// Order encodes rows so that their bytes compare as the rows do: by some columns, then by the others
// from left to right, so that only equal rows are equal. Lists and structs among the others compare
// in an order that means nothing.
type Order struct {
	parts []part
	flip  []byte
}

// part is a column as it is encoded, the first one first.
type part struct {
	column     int
	descending bool
	nested     bool
}

// NewOrder returns the order of rows by columns of the schema, each of which is Ordered. The columns in without are
// the same in all rows that are compared: they are not encoded.
func NewOrder(schema *abi.Schema, by []By, without []int) *Order {
	o := &Order{}
	taken := slices.Clone(without)
	for _, b := range by {
		if !slices.Contains(taken, b.Column) {
			o.parts = append(o.parts, part{column: b.Column, descending: b.Descending})
			taken = append(taken, b.Column)
		}
	}
	for i := range schema.Fields {
		if !slices.Contains(taken, i) {
			o.parts = append(o.parts, part{column: i, nested: !Ordered(schema.Fields[i].Type)})
		}
	}
	return o
}

// Append appends the encoding of a row.
func (o *Order) Append(dst []byte, b *batch.Batch, row int) []byte {
	for _, p := range o.parts {
		c := &b.Columns[p.column]
		if p.nested {
			dst = batch.AppendValue(dst, c, row)
			continue
		}
		from := len(dst)
		dst = batch.AppendOrdered(dst, c, row)
		if p.descending {
			flip(dst[from:])
		}
	}
	return dst
}

// flip turns the order of an encoding round. As none is the beginning of another, all stay in order.
func flip(b []byte) {
	for i := range b {
		b[i] ^= 0xff
	}
}

// Decode appends the columns of a row that Append encoded to an output, whose first columns are those of the
// schema, and returns what follows it.
func (o *Order) Decode(out *Output, src []byte) ([]byte, error) {
	for _, p := range o.parts {
		c := out.Column(p.column)
		var err error
		switch {
		case p.nested:
			src, err = c.AppendValue(src)
		case p.descending:
			o.flip = append(o.flip[:0], src...)
			flip(o.flip)
			var rest []byte
			rest, err = c.AppendOrdered(o.flip)
			src = src[len(src)-len(rest):]
		default:
			src, err = c.AppendOrdered(src)
		}
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", p.column, err)
		}
	}
	return src, nil
}
