// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package raw reads and writes text as it is: a line is a row. The schema is one column of type
// string or bytes, of any name, or the opaque {key: bytes, value: bytes}, whose key is then null.
//
// A line ends with LF or CRLF, and neither is part of the row; the last one may end with the
// stream. An empty line is an empty value. A string has to be UTF-8; bytes may be anything.
// Written is the value and a newline. Null is written as an empty line, and a value that has
// newlines in it as so many lines: this format knows no escapes.
package raw

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Type returns the format "raw". It has no options.
func Type() operator.FormatType {
	return operator.FormatType{Name: "raw", New: func(c operator.Config) (operator.Format, error) {
		var none struct{}
		return New(), c.Decode(&none)
	}}
}

// New returns the format.
func New() operator.Format { return format{} }

type format struct{}

var _ operator.Format = format{}

// Extension is how files of the format end.
func (format) Extension() string { return ".txt" }

// Infer returns {value: string}, and {value: bytes} where the sample is no UTF-8.
func (format) Infer(sample []byte, _ bool) (*abi.Schema, error) {
	typ := abi.Bytes
	for cut := 0; cut < utf8.UTFMax && cut <= len(sample); cut++ { // the sample may end within a character
		end := len(sample) - cut
		if utf8.Valid(sample[:end]) && (cut == 0 || !utf8.FullRune(sample[end:])) {
			typ = abi.String
		}
	}
	return &abi.Schema{Fields: []abi.Field{{Name: "value", Type: typ}}}, nil
}

// value returns the column that holds a line.
func value(schema *abi.Schema) (int, error) {
	if schema.Equal(abi.Opaque()) {
		return schema.Index("value"), nil
	}
	if len(schema.Fields) != 1 || !schema.Fields[0].Type.Variable() {
		return 0, fmt.Errorf("the schema is %s; the format raw has one column, a string or bytes, such as {value: string}", schema)
	}
	return 0, nil
}

// NewDecoder returns a decoder of a stream into rows of the schema.
func (format) NewDecoder(schema *abi.Schema) (operator.Decoder, error) {
	column, err := value(schema)
	if err != nil {
		return nil, err
	}
	return &decoder{column: column, text: schema.Fields[column].Type == abi.String, line: 1}, nil
}

// NewEncoder returns an encoder of rows of the schema.
func (format) NewEncoder(schema *abi.Schema) (operator.Encoder, error) {
	column, err := value(schema)
	if err != nil {
		return nil, err
	}
	return encoder{column: column}, nil
}

type decoder struct {
	column int
	text   bool  // a string
	line   int64 // from 1
	long   bool  // in a line that is too long
}

var errUTF8 = errors.New("the line is no UTF-8, which strings are in; bytes can hold it")

// Decode appends a row a line.
func (d *decoder) Decode(data []byte, atEnd bool, rows *operator.Rows) (int, error) {
	used := 0
	for used < len(data) && !rows.Full() {
		end := bytes.IndexByte(data[used:], '\n') + used
		next := end + 1
		if end < used {
			if end, next = len(data), len(data); !atEnd && !d.long {
				break
			} else if !atEnd {
				return next, nil
			}
		}
		if d.long {
			d.long = false
		} else if err := d.record(bytes.TrimSuffix(data[used:end], []byte{'\r'}), rows); err != nil {
			return used, err
		}
		d.line++
		used = next
	}
	return used, nil
}

func (d *decoder) record(line []byte, rows *operator.Rows) error {
	at := batch.At(rows.Split, d.line)
	if d.text && !utf8.Valid(line) {
		return rows.Reject(line, at, errUTF8)
	}
	rows.Column(d.column).AppendBytes(line)
	rows.AppendPosition(at)
	rows.EndRow()
	return nil
}

// TooLong rejects the line that head begins, because no more of it can be held, and goes on behind
// it. limit is for the message.
func (d *decoder) TooLong(head []byte, limit string, rows *operator.Rows) error {
	d.long = true
	return rows.Reject(head, batch.At(rows.Split, d.line), fmt.Errorf("the line is longer than %s (max_record)", limit))
}

type encoder struct{ column int }

// Begin appends nothing.
func (encoder) Begin(dst []byte) []byte { return dst }

// End appends nothing.
func (encoder) End(dst []byte) []byte { return dst }

// Append appends a line a row.
func (e encoder) Append(dst []byte, b *batch.Batch) ([]byte, error) {
	c := &b.Columns[e.column]
	for row := range b.Rows() {
		dst = append(dst, c.Bytes(row)...)
		dst = append(dst, '\n')
	}
	return dst, nil
}
