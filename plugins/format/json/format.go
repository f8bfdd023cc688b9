// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package json reads and writes rows as JSON: a record a line (NDJSON), or one array of objects,
// which the decoder tells apart by the first byte that is no white space.
//
// A record is parsed by the schema: a declared column's value goes straight into the column, all
// else is checked and skipped. What is read is RFC 8259, strictly, skipped values included:
// UTF-8, no comments, no trailing commas, at most 64 levels. A value that a column can't hold is
// refused, never rounded or cut:
//
//   - int32 and int64 take whole numbers (1.0 and 1e3 are such), decimals take numbers with no more
//     digits than they hold, float64 takes the nearest value;
//   - a timestamp is a string by ISO 8601 (package literal has the variants) or a number in the unit
//     of the option timestamps;
//   - bytes are a base64 string; a list is an array; a struct is an object;
//   - null, and a name that is missing, is null; names that the schema lacks are skipped;
//   - a declared name that is there twice, and a lone surrogate in a declared string, refuse the
//     record.
//
// Of NDJSON, a refused line is given to Reject and reading goes on behind it. In an array that
// holds for values that don't fit; after bad syntax nobody knows where the next element begins, so
// that it ends the stream.
//
// Written is NDJSON: timestamps by RFC 3339, decimals as numbers with all their digits, bytes in
// base64, and null where a float64 is NaN or infinite, for which JSON has no number.
package json

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Options are the options of the format.
type Options struct {
	// Timestamps is the unit of a timestamp that is a number: s, ms, us or ns, since 1970-01-01
	// UTC. Default ms. A fraction is taken as far as the microsecond; digits past that are refused,
	// but for ns.
	Timestamps string `yaml:"timestamps"`
}

// Type returns the format "json".
func Type() operator.FormatType {
	return operator.FormatType{Name: "json", New: func(c operator.Config) (operator.Format, error) {
		var opts Options
		if err := c.Decode(&opts); err != nil {
			return nil, err
		}
		return New(opts)
	}}
}

// New returns the format with its options.
func New(opts Options) (operator.Format, error) {
	f := format{}
	switch opts.Timestamps {
	case "s":
		f.unitDigits = 6
	case "ms", "":
		f.unitDigits = 3
	case "us":
	case "ns":
		f.unitDigits = nanoseconds
	default:
		return nil, fmt.Errorf("timestamps: %q is no unit; the units are s, ms, us and ns", opts.Timestamps)
	}
	return f, nil
}

// nanoseconds is the unitDigits of a unit below the microsecond.
const nanoseconds = -3

// format makes decoders and encoders. unitDigits is how many digits of a timestamp that is a
// number stand between its unit and the microsecond.
type format struct{ unitDigits int }

var _ operator.Format = format{}

// Extension is how files of the format end.
func (format) Extension() string { return ".json" }

// Unit returns what the decoder's positions count in a stream that begins with sample: lines, or
// elements of the array. Without a sample it can't tell.
func (format) Unit(sample []byte) string {
	switch _, first := opening(sample); first {
	case 0:
		return "record"
	case '[':
		return "element"
	}
	return "line"
}

// NewDecoder returns a decoder of a stream into rows of the schema.
func (f format) NewDecoder(schema *abi.Schema) (operator.Decoder, error) {
	return &decoder{schema: schema, parser: parser{unitDigits: f.unitDigits}, line: 1}, nil
}

// NewEncoder returns an encoder of rows of the schema.
func (format) NewEncoder(schema *abi.Schema) (operator.Encoder, error) {
	return newEncoder(schema), nil
}
