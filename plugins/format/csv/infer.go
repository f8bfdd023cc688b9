// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package csv

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/literal"
)

// Infer returns a schema that holds all whole records of the sample: int64, float64, bool (of true
// and false only) or timestamp where all values of a column are such, string otherwise and where
// all are null. Numbers with leading zeros are strings: they are somebody's code. Without a header
// the columns are c1, c2 and so on.
func (f *format) Infer(sample []byte, atEnd bool) (*abi.Schema, error) {
	sample = bytes.TrimPrefix(sample, []byte(byteOrderMark))
	s := scanner{delimiter: f.delimiter}
	schema := &abi.Schema{}
	records, size := 0, len(sample)
	for line := 1; len(sample) > 0; {
		r := s.scan(sample, atEnd)
		if r.size == 0 {
			break
		}
		sample = sample[r.size:]
		named := len(schema.Fields) > 0
		switch {
		case r.err != nil:
			return nil, fmt.Errorf("no schema can be inferred: line %d: %w", line, r.err)
		case len(s.fields) == 1 && len(s.fields[0].text) == 0:
		case !named && f.header:
			schema.Fields = names(s.fields, true)
		case named && len(s.fields) != len(schema.Fields):
			return nil, fmt.Errorf("no schema can be inferred: line %d has %d fields, the first %d", line, len(s.fields), len(schema.Fields))
		default:
			if !named {
				schema.Fields = names(s.fields, false)
			}
			records++
			f.see(schema, s.fields)
		}
		line += r.lines
	}
	if records == 0 {
		return nil, fmt.Errorf("no schema can be inferred: there is no whole record in the first %d bytes", size)
	}
	for i := range schema.Fields {
		if schema.Fields[i].Type == 0 {
			schema.Fields[i].Type = abi.String
		}
	}
	if err := schema.Check(); err != nil {
		return nil, fmt.Errorf("no schema can be inferred: %w", err)
	}
	return schema, nil
}

// names returns fields without types.
func names(fields []field, header bool) []abi.Field {
	out := make([]abi.Field, len(fields))
	for i, f := range fields {
		if out[i].Name = fmt.Sprintf("c%d", i+1); header {
			out[i].Name = string(f.text)
		}
	}
	return out
}

// see widens the types to hold a record.
func (f *format) see(schema *abi.Schema, fields []field) {
	for i, v := range fields {
		if !v.quoted && string(v.text) == f.null {
			continue
		}
		typ, t := typeOf(v), &schema.Fields[i].Type
		switch {
		case *t == 0 || *t == abi.Int64 && typ == abi.Float64:
			*t = typ
		case *t != typ && !(*t == abi.Float64 && typ == abi.Int64):
			*t = abi.String
		}
	}
}

func typeOf(v field) abi.Type {
	text := bytes.TrimSpace(v.text)
	if n, size := literal.Scan(text); size == len(text) && size > 0 {
		if _, err := n.Fixed(0); err == nil && n.Integer {
			return abi.Int64
		}
		if _, err := n.Float64(text); err == nil {
			return abi.Float64
		}
		return abi.String
	}
	if _, ok := literal.ParseTime(text); ok {
		return abi.Timestamp
	}
	if len(text) <= len("false") && (strings.EqualFold(string(text), "true") || strings.EqualFold(string(text), "false")) {
		return abi.Bool
	}
	return abi.String
}
