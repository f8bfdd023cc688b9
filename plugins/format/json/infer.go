// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"bytes"
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
		_, at := next(line, 0)
		if at == len(line) {
			continue
		}
		p := parser{data: line}
		at, err := p.infer(s, at)
		if err != nil {
			return records, fmt.Errorf("record %d: %w", number, err)
		}
		if _, at = next(line, at); at != len(line) {
			p.want(at, "the end of the line")
			return records, fmt.Errorf("record %d: %w", number, p.fault.errorIn(line, 0))
		}
		records++
	}
	return records, nil
}

func (s *shape) inferArray(sample []byte, atEnd bool) (records int, err error) {
	p := parser{data: sample}
	for at := 0; ; {
		var c byte
		if c, at = next(sample, at); c == ']' && records == 0 {
			return records, nil
		}
		if p.skip(at) == failed && p.fault.kind == faultShort && !atEnd {
			return records, nil // the sample ends in an element
		}
		at, err = p.infer(s, at)
		if err != nil {
			return records, fmt.Errorf("element %d: %w", records+1, err)
		}
		records++
		if c, at = next(sample, at); c != ',' {
			return records, nil
		}
		at++
	}
}

// infer reads the record at hand into the shape of all.
func (p *parser) infer(s *shape, at int) (int, error) {
	end := failed
	if at < len(p.data) && p.data[at] == '{' {
		end = p.shape(s, at)
	} else {
		end = p.noObject(at)
	}
	if end == failed {
		return end, p.fault.errorIn(p.data, at)
	}
	return end, nil
}

// shape reads the value that follows into its shape.
func (p *parser) shape(s *shape, at int) int {
	if s.depth > abi.MaxNesting {
		return p.refuse(fmt.Errorf("it is nested more than %d deep", abi.MaxNesting))
	}
	c, at := next(p.data, at)
	typ, end := abi.Type(0), failed
	switch {
	case c == '{':
		if p.become(s, abi.Struct, at, 0) == failed {
			return failed
		}
		return p.shapeFields(s, at)
	case c == '[':
		if p.become(s, abi.List, at, 0) == failed {
			return failed
		}
		return p.shapeItems(s, at)
	case c == '"':
		var text []byte
		text, end = p.text(at)
		typ = abi.String
		if _, ok := literal.ParseTime(text); ok {
			typ = abi.Timestamp
		}
	case c == '-' || c-'0' <= 9:
		var n literal.Number
		n, end = p.number(at)
		typ = abi.Int64
		if _, err := n.Fixed(0); err != nil || !n.Integer {
			typ = abi.Float64
		}
	case c == 'n':
		return p.word(at, "null")
	default:
		end = p.scalar(c, at)
		typ = abi.Bool
	}
	if end == failed {
		return failed
	}
	return p.become(s, typ, at, end)
}

// become makes the shape hold values of typ too, and returns end. The value at hand is for a
// message; end is 0 where it has not been read.
func (p *parser) become(s *shape, typ abi.Type, at, end int) int {
	switch {
	case s.typ == 0, s.typ == abi.Int64 && typ == abi.Float64, s.typ == abi.Timestamp && typ == abi.String:
		s.typ = typ
	case s.typ == typ, s.typ == abi.Float64 && typ == abi.Int64, s.typ == abi.String && typ == abi.Timestamp:
	default:
		if end == 0 {
			if end = p.skip(at); end == failed {
				return failed
			}
		}
		p.refuse(fmt.Errorf("%s, where records before have %s; no type holds both: declare a schema, with or without this name",
			describe(p.data[at:end]), s.typ))
		if s.name != "" {
			p.fault.path = append(p.fault.path, s.name)
		}
		return failed
	}
	return end
}

func (p *parser) shapeFields(s *shape, at int) int {
	c, at := next(p.data, at+1)
	if c == '}' {
		return at + 1
	}
	for {
		if c, at = next(p.data, at); c != '"' {
			return p.want(at, "a name in quotes")
		}
		var name []byte
		if name, at = p.text(at); at == failed {
			return failed
		}
		if len(s.fields) > abi.MaxFields {
			return p.refuse(fmt.Errorf("there are more than %d names", abi.MaxFields))
		}
		f := s.field(string(name))
		if c, at = next(p.data, at); c != ':' {
			return p.want(at, "a colon")
		}
		if at = p.shape(f, at+1); at == failed {
			return failed
		}
		if c, at = next(p.data, at); c == '}' {
			return at + 1
		} else if c != ',' {
			return p.want(at, "a comma or }")
		}
		at++
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

func (p *parser) shapeItems(s *shape, at int) int {
	if s.items == nil {
		s.items = &shape{name: s.name, depth: s.depth + 1}
	}
	c, at := next(p.data, at+1)
	if c == ']' {
		return at + 1
	}
	for {
		if at = p.shape(s.items, at); at == failed {
			return failed
		}
		if c, at = next(p.data, at); c == ']' {
			return at + 1
		} else if c != ',' {
			return p.want(at, "a comma or ]")
		}
		at++
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
