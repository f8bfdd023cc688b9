// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package csv reads and writes rows as comma-separated values by RFC 4180: fields in quotes may
// hold delimiters, newlines, and quotes written twice. Lines end with LF or CRLF; a byte order
// mark is skipped, and so are blank lines, but where there is one column only.
//
// Columns are found by the header's names, or by their order where there is no header. A column of
// the file that the schema lacks is skipped; a column of the schema that the header lacks is an
// error. A record with more or fewer fields than the header is refused, and so is a value that a
// column can't hold; reading goes on with the next line.
//
// A field without quotes that is the text of the option null, by default nothing, is null; a
// string in quotes never is. Around other values than strings, spaces do not count. Numbers may
// have a plus sign and leading zeros, a float64 may be NaN, Inf or -Inf, a bool is true, false, 1
// or 0, times are as package literal has them, bytes are base64. Lists and structs have no place
// here.
package csv

import (
	"fmt"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Options are the options of the format.
type Options struct {
	// Header says that the first record is the columns' names. Default true.
	Header bool `yaml:"header"`
	// Delimiter is the ASCII character between fields. Default a comma.
	Delimiter string `yaml:"delimiter"`
	// Null is the text that stands for null. Default "". YAML asks for quotes around "NULL" and
	// "null".
	Null string `yaml:"null"`
}

// Defaults returns the options' defaults.
func Defaults() Options { return Options{Header: true, Delimiter: ","} }

// Type returns the format "csv".
func Type() operator.FormatType {
	return operator.FormatType{Name: "csv", New: func(c operator.Config) (operator.Format, error) {
		opts := Defaults()
		if err := c.Decode(&opts); err != nil {
			return nil, err
		}
		return New(opts)
	}}
}

// New returns the format with its options.
func New(opts Options) (operator.Format, error) {
	if d := opts.Delimiter; len(d) != 1 || d[0] >= 0x80 || strings.ContainsAny(d, "\"\r\n\x00") {
		return nil, fmt.Errorf("delimiter: %q is no delimiter; it is one ASCII character, such as \",\", \";\" or \"\\t\"", d)
	}
	if strings.ContainsAny(opts.Null, "\"\r\n"+opts.Delimiter) {
		return nil, fmt.Errorf("null: %q can't stand for null: it has a quote, a newline or the delimiter in it", opts.Null)
	}
	return &format{header: opts.Header, delimiter: opts.Delimiter[0], null: opts.Null}, nil
}

type format struct {
	header    bool
	delimiter byte
	null      string
}

var _ operator.Format = (*format)(nil)

// Extension is how files of the format end.
func (*format) Extension() string { return ".csv" }

// NewDecoder returns a decoder of a stream into rows of the schema.
func (f *format) NewDecoder(schema *abi.Schema) (operator.Decoder, error) {
	if err := flat(schema); err != nil {
		return nil, err
	}
	d := &decoder{format: f, schema: schema, scanner: scanner{delimiter: f.delimiter}, line: 1, opening: true}
	if !f.header {
		d.columns = make([]int, len(schema.Fields))
		for i := range d.columns {
			d.columns[i] = i
		}
	}
	return d, nil
}

// NewEncoder returns an encoder of rows of the schema.
func (f *format) NewEncoder(schema *abi.Schema) (operator.Encoder, error) {
	if err := flat(schema); err != nil {
		return nil, err
	}
	return &encoder{format: f, schema: schema}, nil
}

// flat returns an error for a schema that CSV can't carry.
func flat(schema *abi.Schema) error {
	for i := range schema.Fields {
		if f := &schema.Fields[i]; len(f.Children) > 0 {
			return fmt.Errorf("column %q is of type %s, which CSV can't hold; json can", f.Name, f.TypeString())
		}
	}
	return nil
}
