// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// mostKeyText is how many bytes of a key's text an error has.
const mostKeyText = 200

// keyText writes an encoded key for people: {user: 17}.
func (o *process) keyText(key []byte) string {
	fields := o.keyFields()
	b := (&batch.Pool{}).NewBuilder(&abi.Schema{Fields: fields})
	var parts []string
	for i, rest := 0, key; i < len(fields); i++ {
		var err error
		if rest, err = b.Column(i).AppendValue(rest); err != nil {
			return fmt.Sprintf("%x", key[:min(len(key), mostKeyText/2)])
		}
	}
	b.EndRow()
	row := b.Finish()
	for i := range fields {
		parts = append(parts, fields[i].Name+": "+cellText(&row.Columns[i], &fields[i]))
	}
	text := "{" + strings.Join(parts, ", ") + "}"
	if len(text) > mostKeyText {
		text = text[:mostKeyText] + "..."
	}
	return clean([]byte(text))
}

// cellText writes the first row of a column.
func cellText(c *batch.Column, f *abi.Field) string {
	if c.Null(0) {
		return "null"
	}
	switch f.Type {
	case abi.Bool:
		return fmt.Sprint(c.Bool(0))
	case abi.Int32:
		return fmt.Sprint(c.Int32s()[0])
	case abi.Float64:
		return fmt.Sprint(c.Float64s()[0])
	case abi.String:
		return fmt.Sprintf("%q", c.Bytes(0)[:min(len(c.Bytes(0)), mostKeyText)])
	case abi.Timestamp:
		return time.UnixMicro(c.Int64s()[0]).UTC().Format(time.RFC3339Nano)
	case abi.Int64, abi.Decimal:
		return fmt.Sprint(c.Int64s()[0])
	}
	return fmt.Sprintf("%x", batch.AppendValue(nil, c, 0)[:min(len(batch.AppendValue(nil, c, 0)), mostKeyText/2)])
}
