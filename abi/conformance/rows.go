// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// A row is one value a column: nil for null, bool, int32, int64 (also of a decimal, times 10^scale,
// and of a timestamp), float64, string, []byte; of a list and of a struct a row of its items or
// fields.
type row []any

// build returns the rows as a batch. It panics where a value is not of its column's type.
func build(p *batch.Pool, schema *abi.Schema, rows []row) *batch.Batch {
	b := p.NewBuilder(schema)
	for _, r := range rows {
		for i := range schema.Fields {
			appendValue(b.Column(i), r[i])
		}
		b.EndRow()
	}
	return b.Finish()
}

func appendValue(c *batch.ColumnBuilder, v any) {
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
	case row:
		if c.Type() == abi.Struct {
			for i := range v {
				appendValue(c.Child(i), v[i])
			}
			c.EndStruct()
			return
		}
		for i := range v {
			appendValue(c.Child(0), v[i])
		}
		c.EndList()
	default:
		panic(fmt.Sprintf("conformance: a value of type %T in a column of type %s", v, c.Type()))
	}
}

// rowsOf is the inverse of build.
func rowsOf(b *batch.Batch) []row {
	rows := make([]row, b.Rows())
	for n := range rows {
		for i := range b.Columns {
			rows[n] = append(rows[n], valueOf(&b.Columns[i], n))
		}
	}
	return rows
}

func valueOf(c *batch.Column, n int) any {
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
		items := row{}
		for i := c.Offsets[n]; i < c.Offsets[n+1]; i++ {
			items = append(items, valueOf(&c.Children[0], int(i)))
		}
		return items
	case abi.Struct:
		fields := row{}
		for i := range c.Children {
			fields = append(fields, valueOf(&c.Children[i], n))
		}
		return fields
	}
	return c.Int64s()[n]
}

// text writes a value as ../testdata/README.md says, for files and for messages. Two values are
// the same where their texts are.
func text(f *abi.Field, v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case int64:
		return strconv.Quote(strconv.FormatInt(v, 10))
	case float64:
		return floatText(v)
	case string:
		return jsonString(v)
	case []byte:
		return fmt.Sprintf("%q", fmt.Sprintf("%x", v))
	case row:
		parts := make([]string, len(v))
		if f.Type == abi.List {
			for i := range v {
				parts[i] = text(&f.Children[0], v[i])
			}
			return "[" + strings.Join(parts, ", ") + "]"
		}
		return rowText(f.Children, v)
	}
	return fmt.Sprint(v)
}

func rowText(fields []abi.Field, r row) string {
	parts := make([]string, len(r))
	for i := range r {
		parts[i] = jsonString(fields[i].Name) + ": " + text(&fields[i], r[i])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func floatText(v float64) string {
	switch {
	case math.IsNaN(v):
		return `"NaN"`
	case math.IsInf(v, 1):
		return `"Infinity"`
	case math.IsInf(v, -1):
		return `"-Infinity"`
	case v == 0 && math.Signbit(v):
		return `"-0"`
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// jsonString quotes s as JSON does.
func jsonString(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}
