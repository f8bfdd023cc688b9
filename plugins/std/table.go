// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package std

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// table is an encoder for people: columns as wide as the header and the rows of the first batch
// ask for, within the terminal; numbers to the right. A longer value is cut, and ends in an
// ellipsis. Control characters are escaped, so that data can't steer the terminal.
type table struct {
	schema *abi.Schema
	width  int   // of the terminal
	widths []int // of the columns that are shown; nil before the first batch
	cell   []byte
}

var _ operator.Encoder = (*table)(nil)

const (
	gap      = 2 // blanks between columns
	minWidth = 4 // of a column that is cut
	maxWidth = 48
	ellipsis = "…"
)

func newTable(schema *abi.Schema, width int) *table { return &table{schema: schema, width: width} }

// Begin appends nothing: the header waits for the first rows.
func (t *table) Begin(dst []byte) []byte { return dst }

// Append appends a line a row, and the header before the first one.
func (t *table) Append(dst []byte, b *batch.Batch) ([]byte, error) {
	if b.Rows() == 0 {
		return dst, nil
	}
	if t.widths == nil {
		t.measure(b)
		dst = t.header(dst)
	}
	for row := range b.Rows() {
		dst = t.line(dst, func(i int) []byte { return t.value(b, i, row) })
	}
	return dst, nil
}

// End appends the header where there were no rows.
func (t *table) End(dst []byte) []byte {
	if t.widths != nil {
		return dst
	}
	t.measure(nil)
	return t.header(dst)
}

// measure decides how wide columns are.
func (t *table) measure(b *batch.Batch) {
	const looked = 100 // rows
	wanted := make([]int, len(t.schema.Fields))
	for i := range wanted {
		wanted[i] = utf8.RuneCount(t.name(i))
		if b == nil {
			continue
		}
		for row := range min(b.Rows(), looked) {
			wanted[i] = max(wanted[i], utf8.RuneCount(t.value(b, i, row)))
		}
	}
	t.widths = t.fit(wanted)
}

// fit makes columns narrower until they fit the terminal, the widest first, but for numbers, of
// which a part would be another number. Where that does not do, the last columns are left out.
func (t *table) fit(widths []int) []int {
	for {
		total, widest := -gap, -1
		for i, w := range widths {
			if !numeric(t.schema.Fields[i].Type) {
				w = min(w, maxWidth)
				widths[i] = w
				if w > minWidth && (widest < 0 || w > widths[widest]) {
					widest = i
				}
			}
			total += w + gap
		}
		switch {
		case total <= t.width || len(widths) == 1:
			return widths
		case widest >= 0:
			widths[widest]--
		default:
			widths = widths[:len(widths)-1]
		}
	}
}

func (t *table) header(dst []byte) []byte { return t.line(dst, t.name) }

func (t *table) line(dst []byte, cell func(int) []byte) []byte {
	for i, width := range t.widths {
		text := cell(i)
		size := utf8.RuneCount(text)
		number := numeric(t.schema.Fields[i].Type)
		if size > width && !number {
			text = append(clip(text, width-1), ellipsis...)
			size = width
		}
		pad := max(0, width-size)
		if number {
			dst = append(dst, bytes.Repeat([]byte{' '}, pad)...)
			pad = 0
		}
		dst = append(dst, text...)
		if i < len(t.widths)-1 {
			dst = append(dst, bytes.Repeat([]byte{' '}, pad+gap)...)
		}
	}
	if len(t.widths) < len(t.schema.Fields) {
		dst = append(dst, ellipsis...)
	}
	return append(dst, '\n')
}

// clip returns the first runes of a text.
func clip(text []byte, runes int) []byte {
	at := 0
	for range runes {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return text[:at]
}

func numeric(t abi.Type) bool {
	switch t {
	case abi.Int32, abi.Int64, abi.Float64, abi.Decimal:
		return true
	}
	return false
}

func (t *table) name(i int) []byte {
	t.cell = printable(t.cell[:0], []byte(t.schema.Fields[i].Name))
	return t.cell
}

// value returns a value as text, valid until the next call.
func (t *table) value(b *batch.Batch, i, row int) []byte {
	f, c := &t.schema.Fields[i], &b.Columns[i]
	switch {
	case c.Null(row):
		return t.cell[:0]
	case f.Type == abi.String:
		t.cell = printable(t.cell[:0], c.Bytes(row))
		return t.cell
	}
	text := json.AppendValue(nil, f, c, row)
	if f.Type == abi.Timestamp || f.Type == abi.Bytes {
		text = text[1 : len(text)-1]
	}
	t.cell = printable(t.cell[:0], text)
	return t.cell
}

// printable appends a text with what is not to be printed escaped as in JSON.
func printable(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			dst = append(dst, text[:size]...)
		} else {
			dst = appendEscape(dst, r)
		}
		text = text[size:]
	}
	return dst
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '\n':
		return append(dst, `\n`...)
	case '\t':
		return append(dst, `\t`...)
	case '\r':
		return append(dst, `\r`...)
	}
	const digits = "0123456789abcdef"
	if r > 0xffff {
		dst = append(dst, `\U00`...)
		dst = append(dst, digits[r>>20&15], digits[r>>16&15])
	} else {
		dst = append(dst, `\u`...)
	}
	return append(dst, digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
