// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"

	"github.com/wasmill/wasmill/abi"
)

// Text writes a value as ../../testdata/README.md says, for files and for messages. Two values are
// the same where their texts are.
func Text(f *abi.Field, v any) string { return string(appendText(nil, f, v)) }

// RowText writes a row as an object.
func RowText(fields []abi.Field, r Row) string { return string(appendRow(nil, fields, r)) }

// Quote writes a string as JSON does.
func Quote(s string) string { return string(appendQuoted(nil, s)) }

func appendText(dst []byte, f *abi.Field, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case int64:
		return append(strconv.AppendInt(append(dst, '"'), v, 10), '"')
	case float64:
		return appendFloat(dst, v)
	case string:
		return appendQuoted(dst, v)
	case []byte:
		return append(hex.AppendEncode(append(dst, '"'), v), '"')
	case Row:
		if f.Type == abi.Struct {
			return appendRow(dst, f.Children, v)
		}
		dst = append(dst, '[')
		for i := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendText(dst, &f.Children[0], v[i])
		}
		return append(dst, ']')
	}
	return fmt.Append(dst, v)
}

func appendRow(dst []byte, fields []abi.Field, r Row) []byte {
	dst = append(dst, '{')
	for i := range r {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(appendQuoted(dst, fields[i].Name), ": "...)
		dst = appendText(dst, &fields[i], r[i])
	}
	return append(dst, '}')
}

func appendFloat(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	case v == 0 && math.Signbit(v):
		return append(dst, `"-0"`...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch b := s[i]; {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < ' ' || b == 0x7f:
			dst = fmt.Appendf(dst, `\u%04x`, b)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
