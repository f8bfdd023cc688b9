// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package csv

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/literal"
	"github.com/wasmill/wasmill/scheduler/operator"
)

type encoder struct {
	format *format
	schema *abi.Schema
}

var _ operator.Encoder = (*encoder)(nil)

// Begin appends the header, unless there is to be none.
func (e *encoder) Begin(dst []byte) []byte {
	if !e.format.header {
		return dst
	}
	for i := range e.schema.Fields {
		if i > 0 {
			dst = append(dst, e.format.delimiter)
		}
		dst = e.text(dst, []byte(e.schema.Fields[i].Name))
	}
	return append(dst, '\n')
}

// End appends nothing.
func (e *encoder) End(dst []byte) []byte { return dst }

// Append appends a record a row.
func (e *encoder) Append(dst []byte, b *batch.Batch) ([]byte, error) {
	for row := range b.Rows() {
		for i := range b.Columns {
			if i > 0 {
				dst = append(dst, e.format.delimiter)
			}
			dst = e.value(dst, &e.schema.Fields[i], &b.Columns[i], row)
		}
		dst = append(dst, '\n')
	}
	return dst, nil
}

func (e *encoder) value(dst []byte, f *abi.Field, c *batch.Column, row int) []byte {
	if c.Null(row) {
		return append(dst, e.format.null...)
	}
	start := len(dst)
	switch f.Type {
	case abi.String:
		return e.text(dst, c.Bytes(row))
	case abi.Bytes:
		dst = base64.StdEncoding.AppendEncode(dst, c.Bytes(row))
	case abi.Bool:
		dst = strconv.AppendBool(dst, c.Bool(row))
	case abi.Int32:
		dst = strconv.AppendInt(dst, int64(c.Int32s()[row]), 10)
	case abi.Int64:
		dst = strconv.AppendInt(dst, c.Int64s()[row], 10)
	case abi.Decimal:
		dst = literal.AppendDecimal(dst, c.Int64s()[row], f.Scale)
	case abi.Timestamp:
		dst = literal.AppendTime(dst, abi.EventTime(c.Int64s()[row]))
	default:
		dst = appendFloat64(dst, c.Float64s()[row])
	}
	// A delimiter or a null that looks like a part of a number.
	if text := dst[start:]; string(text) == e.format.null || bytes.IndexByte(text, e.format.delimiter) >= 0 {
		dst = append(dst, 0, '"')
		copy(dst[start+1:], dst[start:])
		dst[start], dst[len(dst)-1] = '"', '"'
	}
	return dst
}

func appendFloat64(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	return literal.AppendFloat64(dst, v)
}

// text appends a string, in quotes where it needs them.
func (e *encoder) text(dst, text []byte) []byte {
	if string(text) != e.format.null && bytes.IndexByte(text, e.format.delimiter) < 0 &&
		!bytes.ContainsAny(text, "\"\r\n") && !bytes.HasPrefix(text, []byte(byteOrderMark)) {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			dst = append(dst, text...)
			return append(dst, '"')
		}
		dst = append(dst, text[:i]...)
		dst = append(dst, '"', '"')
		text = text[i+1:]
	}
}
