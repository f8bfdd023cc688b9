// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/literal"
)

// shape is what the values of a name have been so far.
type shape struct {
	name   string
	depth  int
	typ    abi.Type // 0 while all were null
	items  *shape
	fields []*shape // in the order of their first appearance
}

// Infer returns a schema that holds all whole records of the sample. Whole numbers are int64, and
// float64 once one has a fraction or is past int64; strings are timestamps where all are times;
// what was never but null is a string. A name whose objects were all empty is left out. Values of
// kinds that no type holds together are an error.
func (format) Infer(sample []byte, atEnd bool) (*abi.Schema, error) {
	used, first := opening(sample)
	root := &shape{}
	records, err := 0, error(nil)
	if first == '[' {
		records, err = root.inferArray(sample[used+1:], atEnd)
	} else {
		records, err = root.inferLines(sample[used:], atEnd)
	}
	if err != nil {
		return nil, err
	}
	if records == 0 {
		return nil, fmt.Errorf("no schema can be inferred: there is no whole record in the first %d bytes", len(sample))
	}
	schema := &abi.Schema{Fields: fieldsOf(root.fields)}
	if len(schema.Fields) == 0 {
		return nil, fmt.Errorf("no schema can be inferred: the %d records have no fields", records)
	}
	if err := schema.Check(); err != nil {
		return nil, fmt.Errorf("no schema can be inferred: %w", err)
	}
	return schema, nil
}

func (s *shape) inferLines(sample []byte, atEnd bool) (records int, err error) {
	for number := 1; len(sample) > 0; number++ {
		line, rest, ended := bytes.Cut(sample, []byte{'\n'})
		if !ended && !atEnd {
			break
		}
		sample = rest
		p := parser{data: line}
		if p.space(); p.at == len(line) {
			continue
		}
		if err := p.infer(s); err != nil {
			return records, fmt.Errorf("record %d: %w", number, err)
		}
		records++
	}
	return records, nil
}

func (s *shape) inferArray(sample []byte, atEnd bool) (records int, err error) {
	p := parser{data: sample}
	for {
		if c := p.space(); c == ']' && records == 0 {
			return records, nil
		}
		err := p.infer(s)
		if p.fault.kind == faultShort && !atEnd {
			return records, nil // the sample ends in an element
		}
		if err != nil {
			return records, fmt.Errorf("element %d: %w", records+1, err)
		}
		records++
		if p.space() != ',' {
			return records, nil
		}
		p.at++
	}
}

// infer reads a record into the shape of all.
func (p *parser) infer(s *shape) error {
	start := p.at
	if p.space() != '{' {
		p.noObject()
	} else if p.shape(s) {
		return nil
	}
	return p.fault.errorIn(p.data, start)
}

// shape reads the value at hand into its shape.
func (p *parser) shape(s *shape) bool {
	start := p.at
	if s.depth > abi.MaxNesting {
		return p.refuse(fmt.Errorf("it is nested more than %d deep", abi.MaxNesting))
	}
	switch c := p.space(); c {
	case '{':
		return p.become(s, abi.Struct, start) && p.shapeFields(s)
	case '[':
		return p.become(s, abi.List, start) && p.shapeItems(s)
	case '"':
		text, ok := p.text()
		if !ok {
			return false
		}
		if _, ok := literal.ParseTime(text); ok {
			return p.become(s, abi.Timestamp, start)
		}
		return p.become(s, abi.String, start)
	case 't', 'f':
		return p.scalar(c) && p.become(s, abi.Bool, start)
	case 'n':
		return p.scalar(c)
	default:
		if c != '-' && c-'0' > 9 {
			return p.want("a value")
		}
		n, ok := p.number()
		if !ok {
			return false
		}
		if _, err := n.Fixed(0); err != nil || !n.Integer {
			return p.become(s, abi.Float64, start)
		}
		return p.become(s, abi.Int64, start)
	}
}

// become makes the shape hold values of typ too.
func (p *parser) become(s *shape, typ abi.Type, start int) bool {
	switch {
	case s.typ == 0, s.typ == abi.Int64 && typ == abi.Float64, s.typ == abi.Timestamp && typ == abi.String:
		s.typ = typ
	case s.typ == typ, s.typ == abi.Float64 && typ == abi.Int64, s.typ == abi.String && typ == abi.Timestamp:
	default:
		if p.at == start && !p.skip() {
			return false
		}
		p.refuse(errors.New(describe(p.data[start:p.at]) + ", where records before have " + s.typ.String() +
			"; no type holds both: declare a schema, with or without this name"))
		if s.name != "" {
			p.fault.path = append(p.fault.path, s.name)
		}
		return false
	}
	return true
}

func (p *parser) shapeFields(s *shape) bool {
	p.at++
	if p.space() == '}' {
		p.at++
		return true
	}
	for {
		if p.space() != '"' {
			return p.want("a name in quotes")
		}
		name, ok := p.text()
		if !ok {
			return false
		}
		if len(s.fields) > abi.MaxFields {
			return p.refuse(fmt.Errorf("there are more than %d names", abi.MaxFields))
		}
		f := s.field(string(name))
		if !p.colon() {
			return false
		}
		p.space()
		if !p.shape(f) {
			return false
		}
		c := p.space()
		p.at++
		if c == '}' {
			return true
		} else if c != ',' {
			p.at--
			return p.want("a comma or }")
		}
	}
}

func (s *shape) field(name string) *shape {
	for _, f := range s.fields {
		if f.name == name {
			return f
		}
	}
	f := &shape{name: name, depth: s.depth + 1}
	s.fields = append(s.fields, f)
	return f
}

func (p *parser) shapeItems(s *shape) bool {
	if s.items == nil {
		s.items = &shape{name: s.name, depth: s.depth + 1}
	}
	p.at++
	if p.space() == ']' {
		p.at++
		return true
	}
	for {
		p.space()
		if !p.shape(s.items) {
			return false
		}
		c := p.space()
		p.at++
		if c == ']' {
			return true
		} else if c != ',' {
			p.at--
			return p.want("a comma or ]")
		}
	}
}

// fieldsOf turns shapes into the fields of a schema.
func fieldsOf(shapes []*shape) []abi.Field {
	var fields []abi.Field
	for _, s := range shapes {
		if f, ok := s.toField(); ok {
			fields = append(fields, f)
		}
	}
	return fields
}

func (s *shape) toField() (abi.Field, bool) {
	f := abi.Field{Name: s.name, Type: s.typ}
	switch s.typ {
	case 0:
		f.Type = abi.String
	case abi.Struct:
		f.Children = fieldsOf(s.fields)
		return f, len(f.Children) > 0
	case abi.List:
		item, ok := s.items.toField()
		item.Name = ""
		f.Children = []abi.Field{item}
		return f, ok
	}
	return f, true
}
