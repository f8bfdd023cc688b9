// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package csv

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/literal"
	"github.com/wasmill/wasmill/scheduler/nearest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

type decoder struct {
	format  *format
	schema  *abi.Schema
	scanner scanner
	columns []int  // for each field of a record, its column, -1 for none; nil before the header
	line    int64  // of the next record, from 1
	opening bool   // nothing has been read yet
	long    bool   // in a line that is too long
	binary  []byte // a field that was base64
}

var _ operator.Decoder = (*decoder)(nil)

const byteOrderMark = "\xef\xbb\xbf"

// Decode appends rows of the records at the beginning of data.
func (d *decoder) Decode(data []byte, atEnd bool, rows *operator.Rows) (int, error) {
	used := 0
	if d.opening {
		if !atEnd && len(data) < len(byteOrderMark) && bytes.HasPrefix([]byte(byteOrderMark), data) {
			return 0, nil
		}
		if bytes.HasPrefix(data, []byte(byteOrderMark)) {
			used = len(byteOrderMark)
		}
		d.opening = false
	}
	if d.long {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return len(data), nil
		}
		d.line++
		d.long = false
		used = end + 1
	}
	unsized := 0 // bytes read since the size of the rows was looked at
	for used < len(data) && rows.Rows() < rows.Max {
		if unsized > 4096 || rows.Rows()&15 == 0 {
			if rows.Full() {
				break
			}
			unsized = 0
		}
		r := d.scanner.scan(data[used:], atEnd)
		if r.size == 0 {
			break
		}
		if err := d.record(data[used:used+r.size], r.err, rows); err != nil {
			return used, err
		}
		d.line += int64(r.lines)
		used += r.size
		unsized += r.size
	}
	return used, nil
}

// record takes the record that has been scanned.
func (d *decoder) record(record []byte, bad error, rows *operator.Rows) error {
	fields := d.scanner.fields
	blank := bad == nil && len(fields) == 1 && len(fields[0].text) == 0 && !fields[0].quoted
	switch {
	case d.columns == nil && blank:
		return nil
	case d.columns == nil && bad != nil:
		return fmt.Errorf("line %d: the header: %w", d.line, bad)
	case d.columns == nil:
		return d.header()
	case blank && len(d.columns) > 1:
		return nil
	}
	if bad == nil && len(fields) != len(d.columns) {
		whole := "schema"
		if d.format.header {
			whole = "header"
		}
		bad = fmt.Errorf("the record has %d fields, the %s %d", len(fields), whole, len(d.columns))
	}
	for i := 0; bad == nil && i < len(fields); i++ {
		if c := d.columns[i]; c >= 0 {
			if err := d.value(&d.schema.Fields[c], rows.Column(c), fields[i]); err != nil {
				bad = fmt.Errorf("%s: %w", d.schema.Fields[c].Name, err)
			}
		}
	}
	at := batch.At(rows.Split, d.line)
	if bad != nil {
		rows.DropRow()
		return rows.Reject(bytes.TrimRight(record, "\r\n"), at, bad)
	}
	rows.AppendPosition(at)
	rows.EndRow()
	return nil
}

// header finds the columns by the names that have been scanned.
func (d *decoder) header() error {
	d.columns = make([]int, len(d.scanner.fields))
	found := make([]bool, len(d.schema.Fields))
	var names []string
	for i, f := range d.scanner.fields {
		name := string(f.text)
		names = append(names, name)
		c := d.schema.Index(name)
		if d.columns[i] = c; c < 0 {
			continue
		}
		if found[c] {
			return fmt.Errorf("line %d: the header has the column %q twice", d.line, name)
		}
		found[c] = true
	}
	for c, ok := range found {
		if !ok {
			name := d.schema.Fields[c].Name
			return fmt.Errorf("line %d: the header has no column %q; %s", d.line, name, nearest.Hint(name, names))
		}
	}
	return nil
}

// TooLong rejects the record that head begins, because no more of it can be held, and goes on
// behind its first line. limit is for the message.
func (d *decoder) TooLong(head []byte, limit string, rows *operator.Rows) error {
	if d.columns == nil {
		return fmt.Errorf("line %d: the header is longer than %s (max_record)", d.line, limit)
	}
	d.long = true
	return rows.Reject(head, batch.At(rows.Split, d.line), fmt.Errorf("the record is longer than %s (max_record)", limit))
}

// value appends a field to its column.
func (d *decoder) value(f *abi.Field, c *batch.ColumnBuilder, v field) error {
	if !v.quoted && string(v.text) == d.format.null {
		c.AppendNull()
		return nil
	}
	if f.Type == abi.String {
		if !utf8.Valid(v.text) {
			return errUTF8
		}
		c.AppendBytes(v.text)
		return nil
	}
	text := bytes.TrimSpace(v.text)
	switch f.Type {
	case abi.Bool:
		b, ok := parseBool(text)
		if !ok {
			return fmt.Errorf("%q is no bool; expected true or false", clip(v.text))
		}
		c.AppendBool(b)
	case abi.Timestamp:
		t, ok := literal.ParseTime(text)
		if !ok {
			return fmt.Errorf("%q is no time; expected one like 2001-01-31T23:59:59Z", clip(v.text))
		}
		c.AppendInt64(int64(t))
	case abi.Bytes:
		var err error
		if d.binary, err = base64.StdEncoding.AppendDecode(d.binary[:0], text); err != nil {
			return fmt.Errorf("%q is no base64, which bytes are written in", clip(v.text))
		}
		c.AppendBytes(d.binary)
	default:
		return number(f, c, text)
	}
	return nil
}

func number(f *abi.Field, c *batch.ColumnBuilder, text []byte) error {
	n, ok := literal.ParseNumber(text)
	if !ok {
		if v, special := notFinite(text); special && f.Type == abi.Float64 {
			c.AppendFloat64(v)
			return nil
		}
		return fmt.Errorf("%q is no number; expected %s", clip(text), f.TypeString())
	}
	var err error
	switch f.Type {
	case abi.Int32:
		var v int32
		if v, err = n.Int32(); err == nil {
			c.AppendInt32(v)
		}
	case abi.Int64:
		var v int64
		if v, err = n.Fixed(0); err == nil {
			c.AppendInt64(v)
		}
	case abi.Decimal:
		var v int64
		if v, err = n.Decimal(f.Scale); err == nil {
			c.AppendInt64(v)
		}
	default:
		var v float64
		if v, err = n.Float64(text); err == nil {
			c.AppendFloat64(v)
		}
	}
	if err != nil {
		return literal.Explain(clip(text), f, err)
	}
	return nil
}

func parseBool(text []byte) (value, ok bool) {
	switch {
	case string(text) == "1" || len(text) == 4 && strings.EqualFold(string(text), "true"):
		return true, true
	case string(text) == "0" || len(text) == 5 && strings.EqualFold(string(text), "false"):
		return false, true
	}
	return false, false
}

// notFinite reads the values of a float64 that are no numbers.
func notFinite(text []byte) (float64, bool) {
	if len(text) > len("+Inf") {
		return 0, false
	}
	switch strings.ToLower(string(text)) {
	case "nan":
		return math.NaN(), true
	case "inf", "+inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	}
	return 0, false
}
