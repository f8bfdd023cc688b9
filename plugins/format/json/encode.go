// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/literal"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// encoder writes NDJSON.
type encoder struct{ fields []member }

// member is a field with its name as it is written, a brace or a comma in front of it.
type member struct {
	name   []byte
	field  *abi.Field
	fields []member // of a struct
}

var _ operator.Encoder = (*encoder)(nil)

func newEncoder(schema *abi.Schema) *encoder { return &encoder{fields: members(schema.Fields)} }

func members(fields []abi.Field) []member {
	out := make([]member, len(fields))
	for i := range fields {
		out[i] = member{field: &fields[i], fields: children(&fields[i])}
		out[i].name = append(out[i].name, "{,"[min(i, 1)])
		out[i].name = append(AppendString(out[i].name, []byte(fields[i].Name)), ':')
	}
	return out
}

// children returns the members of a struct, also of one inside a list.
func children(f *abi.Field) []member {
	for f.Type == abi.List {
		f = &f.Children[0]
	}
	if f.Type != abi.Struct {
		return nil
	}
	return members(f.Children)
}

// Begin appends nothing: NDJSON has no header.
func (e *encoder) Begin(dst []byte) []byte { return dst }

// End appends nothing.
func (e *encoder) End(dst []byte) []byte { return dst }

// Append appends a line a row.
func (e *encoder) Append(dst []byte, b *batch.Batch) ([]byte, error) {
	for row := range b.Rows() {
		dst = appendObject(dst, e.fields, b.Columns, row)
		dst = append(dst, '\n')
	}
	return dst, nil
}

func appendObject(dst []byte, fields []member, columns []batch.Column, row int) []byte {
	if len(fields) == 0 {
		return append(dst, "{}"...)
	}
	for i := range fields {
		m := &fields[i]
		dst = append(dst, m.name...)
		dst = appendValue(dst, m.field, m.fields, &columns[i], row)
	}
	return append(dst, '}')
}

// AppendValue appends a row of a column of the field.
func AppendValue(dst []byte, f *abi.Field, c *batch.Column, row int) []byte {
	return appendValue(dst, f, children(f), c, row)
}

func appendValue(dst []byte, f *abi.Field, fields []member, c *batch.Column, row int) []byte {
	if c.Null(row) {
		return append(dst, "null"...)
	}
	switch f.Type {
	case abi.Bool:
		return strconv.AppendBool(dst, c.Bool(row))
	case abi.Int32:
		return strconv.AppendInt(dst, int64(c.Int32s()[row]), 10)
	case abi.Int64:
		return strconv.AppendInt(dst, c.Int64s()[row], 10)
	case abi.Decimal:
		return literal.AppendDecimal(dst, c.Int64s()[row], f.Scale)
	case abi.Float64:
		v := c.Float64s()[row]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "null"...)
		}
		return literal.AppendFloat64(dst, v)
	case abi.Timestamp:
		dst = append(dst, '"')
		dst = literal.AppendTime(dst, abi.EventTime(c.Int64s()[row]))
		return append(dst, '"')
	case abi.String:
		return AppendString(dst, c.Bytes(row))
	case abi.Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, c.Bytes(row))
		return append(dst, '"')
	case abi.List:
		dst = append(dst, '[')
		for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
			if i > c.Offsets[row] {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, &f.Children[0], fields, &c.Children[0], int(i))
		}
		return append(dst, ']')
	}
	return appendObject(dst, fields, c.Children, row)
}

const hexDigits = "0123456789abcdef"

// AppendString appends UTF-8 as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func AppendString(dst, text []byte) []byte {
	dst = append(dst, '"')
	for len(text) > 0 {
		n := plain(text, 0)
		dst = append(dst, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			break
		}
		if text[0] >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text)
			dst = utf8.AppendRune(dst, r)
			text = text[size:]
			continue
		}
		dst = appendEscape(dst, text[0])
		text = text[1:]
	}
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '"', '\\':
		return append(dst, '\\', c)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
