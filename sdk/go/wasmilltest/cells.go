// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmilltest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// A cell is a value of a row, whatever its type: nil, bool, int32, int64, float64, string (of
// bytes too), or for lists and structs []cell.
type cell any

// decode returns the rows of a batch that has the columns fields.
func decode(b *wire.Batch, fields []wire.Field) [][]cell {
	rows := make([][]cell, b.Rows)
	next := 0
	for i := range fields {
		for n, v := range decodeColumn(b, &fields[i], &next) {
			rows[n] = append(rows[n], v)
		}
	}
	return rows
}

func decodeColumn(b *wire.Batch, f *wire.Field, next *int) []cell {
	c := b.Column(*next)
	*next++
	cells := make([]cell, c.Rows)
	var children [][]cell
	for i := range f.Children {
		children = append(children, decodeColumn(b, &f.Children[i], next))
	}
	var offsets []int32
	if f.Type == wire.String || f.Type == wire.Bytes || f.Type == wire.List {
		offsets = b.Offsets(c)
	}
	validity := b.Validity(c)
	for i := range cells {
		if validity != nil && validity[i/8]>>(i%8)&1 == 0 {
			continue
		}
		switch f.Type {
		case wire.Bool:
			cells[i] = b.Bits(c)[i/8]>>(i%8)&1 != 0
		case wire.Int32:
			cells[i] = wire.Values[int32](b, c)[i]
		case wire.Float64:
			cells[i] = wire.Values[float64](b, c)[i]
		case wire.String, wire.Bytes:
			cells[i] = string(b.Bytes(c)[offsets[i]:offsets[i+1]])
		case wire.List:
			cells[i] = append([]cell{}, children[0][offsets[i]:offsets[i+1]]...)
		case wire.Struct:
			var parts []cell
			for _, child := range children {
				parts = append(parts, child[i])
			}
			cells[i] = parts
		default:
			cells[i] = wire.Values[int64](b, c)[i]
		}
	}
	return cells
}

// encodeRows writes the columns of rows to a message that has been begun. A nil row is null in all.
func encodeRows(m *wire.Message, fields []wire.Field, rows [][]cell) {
	next := 0
	for i := range fields {
		column := make([]cell, len(rows))
		for n, r := range rows {
			if r != nil {
				column[n] = r[i]
			}
		}
		encodeColumn(m, &fields[i], column, &next)
	}
}

func encodeColumn(m *wire.Message, f *wire.Field, cells []cell, next *int) {
	at, rows := *next, len(cells)
	*next++
	c := wire.Column{Rows: uint32(rows)}
	validity, bits := make([]byte, (rows+7)/8), make([]byte, (rows+7)/8)
	var data []byte
	offsets := []int32{0}
	children := make([][]cell, len(f.Children))
	for i, v := range cells {
		if v == nil {
			c.Nulls++
		} else {
			validity[i/8] |= 1 << (i % 8)
		}
		switch f.Type {
		case wire.Bool:
			if v == true {
				bits[i/8] |= 1 << (i % 8)
			}
		case wire.List:
			items, _ := v.([]cell)
			children[0] = append(children[0], items...)
			offsets = append(offsets, int32(len(children[0])))
		case wire.Struct:
			parts, _ := v.([]cell)
			for n := range children {
				var part cell
				if parts != nil {
					part = parts[n]
				}
				children[n] = append(children[n], part)
			}
		default:
			data = appendCell(data, f.Type, v)
			offsets = append(offsets, int32(len(data)))
		}
	}
	c.Validity = uint32(wire.AppendValues(m, validity, 1))
	switch f.Type {
	case wire.Bool:
		data = bits
	case wire.String, wire.Bytes, wire.List:
		c.Offsets = uint32(wire.AppendValues(m, offsets, 4))
	}
	c.Values, c.Size = uint32(wire.AppendValues(m, data, 1)), uint32(len(data))
	m.SetColumn(at, c)
	for i := range f.Children {
		encodeColumn(m, &f.Children[i], children[i], next)
	}
}

// appendCell appends a value as it lies in a column.
func appendCell(data []byte, t wire.Type, v cell) []byte {
	switch v := v.(type) {
	case nil:
		return append(data, make([]byte, t.Width())...)
	case int32:
		return binary.LittleEndian.AppendUint32(data, uint32(v))
	case int64:
		return binary.LittleEndian.AppendUint64(data, uint64(v))
	case float64:
		return binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
	case string:
		return append(data, v...)
	}
	panic(fmt.Sprintf("wasmilltest: %T in a column", v))
}

// compareCells orders scalars of one type, null first; of floats -0 is 0 and NaN the greatest.
func compareCells(a, b cell) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(bit(a != nil), bit(b != nil))
	}
	switch a := a.(type) {
	case bool:
		return cmp.Compare(bit(a), bit(b.(bool)))
	case int32:
		return cmp.Compare(a, b.(int32))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		if b := b.(float64); math.IsNaN(a) || math.IsNaN(b) {
			return cmp.Compare(bit(math.IsNaN(a)), bit(math.IsNaN(b)))
		}
		return cmp.Compare(a, b.(float64))
	case string:
		return strings.Compare(a, b.(string))
	}
	panic(fmt.Sprintf("wasmilltest: a %T has no order", a))
}

func bit(v bool) int {
	if v {
		return 1
	}
	return 0
}

// compareRows orders rows column by column; a row that is shorter counts as far as it goes.
func compareRows(a, b []cell) int {
	for i := range min(len(a), len(b)) {
		if c := compareCells(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// merged returns what a reducing state makes of two values of a column.
func merged(how byte, old, added cell) cell {
	switch {
	case added == nil:
		return old
	case old == nil:
		return added
	case how == wire.MergeMin && compareCells(added, old) < 0, how == wire.MergeMax && compareCells(added, old) > 0:
		return added
	case how != wire.MergeAdd && how != wire.MergeAppend:
		return old
	}
	switch old := old.(type) {
	case int32:
		return old + added.(int32)
	case int64:
		return old + added.(int64)
	case float64:
		return old + added.(float64)
	case string:
		return old + added.(string)
	case []cell:
		return append(old[:len(old):len(old)], added.([]cell)...)
	}
	panic(fmt.Sprintf("wasmilltest: a %T can't be merged", old))
}
