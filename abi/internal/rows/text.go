// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wasmill/wasmill/abi"
)

// Text writes a value as ../../testdata/README.md says, for files and for messages. Two values are
// the same where their texts are.
func Text(f *abi.Field, v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case int64:
		return strconv.Quote(strconv.FormatInt(v, 10))
	case float64:
		return floatText(v)
	case string:
		return Quote(v)
	case []byte:
		return fmt.Sprintf("%q", fmt.Sprintf("%x", v))
	case Row:
		parts := make([]string, len(v))
		if f.Type == abi.List {
			for i := range v {
				parts[i] = Text(&f.Children[0], v[i])
			}
			return "[" + strings.Join(parts, ", ") + "]"
		}
		return RowText(f.Children, v)
	}
	return fmt.Sprint(v)
}

// RowText writes a row as an object.
func RowText(fields []abi.Field, r Row) string {
	parts := make([]string, len(r))
	for i := range r {
		parts[i] = Quote(fields[i].Name) + ": " + Text(&fields[i], r[i])
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

// Quote quotes s as JSON does.
func Quote(s string) string {
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
