// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package abi

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseType reads a type as a pipeline file writes it, the inverse of Field.TypeString. The
// field that it returns has no name.
func ParseType(text string) (Field, error) {
	p := typeParser{rest: text}
	f, err := p.parse(1)
	if err != nil {
		return Field{}, fmt.Errorf("type %q: %w", clip(text), err)
	}
	if p.skip(); p.rest != "" {
		return Field{}, fmt.Errorf("type %q: %q follows a whole type", clip(text), clip(p.rest))
	}
	return f, nil
}

// TypeNames returns the names that ParseType knows, for a message about one that it doesn't.
func TypeNames() []string { return append([]string(nil), typeNames[Bool:]...) }

type typeParser struct{ rest string }

func (p *typeParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

func (p *typeParser) take(token byte) bool {
	if p.skip(); p.rest != "" && p.rest[0] == token {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

func (p *typeParser) word() string {
	p.skip()
	end := strings.IndexAny(p.rest, " \t<>(),:")
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

func (p *typeParser) parse(depth int) (Field, error) {
	if depth > MaxNesting {
		return Field{}, fmt.Errorf("types are nested more than %d deep", MaxNesting)
	}
	name := p.word()
	f := Field{}
	for t := Bool; t <= Struct; t++ {
		if typeNames[t] == name {
			f.Type = t
		}
	}
	switch f.Type {
	case 0:
		return f, fmt.Errorf("no type is called %q; there are %s", clip(name), strings.Join(TypeNames(), ", "))
	case Decimal:
		return p.decimal(f)
	case List:
		return p.list(f, depth)
	case Struct:
		return p.structure(f, depth)
	}
	return f, nil
}

func (p *typeParser) decimal(f Field) (Field, error) {
	if !p.take('(') {
		return f, fmt.Errorf("a decimal says its digits after the point: decimal(2)")
	}
	scale, err := strconv.ParseUint(p.word(), 10, 8)
	if err != nil || scale > DecimalDigits || !p.take(')') {
		return f, fmt.Errorf("a decimal has 0 to %d digits after the point: decimal(2)", DecimalDigits)
	}
	f.Scale = uint8(scale)
	return f, nil
}

func (p *typeParser) list(f Field, depth int) (Field, error) {
	if !p.take('<') {
		return f, fmt.Errorf("a list says what it holds: list<int64>")
	}
	child, err := p.parse(depth + 1)
	if err != nil {
		return f, err
	}
	if !p.take('>') {
		return f, fmt.Errorf("list<%s lacks its >", child.TypeString())
	}
	child.Name = "item"
	f.Children = []Field{child}
	return f, nil
}

func (p *typeParser) structure(f Field, depth int) (Field, error) {
	if !p.take('<') {
		return f, fmt.Errorf("a struct says its fields: struct<a: int64, b: string>")
	}
	for {
		name := p.word()
		if name == "" || !p.take(':') {
			return f, fmt.Errorf("a struct's field is written name: type")
		}
		child, err := p.parse(depth + 1)
		if err != nil {
			return f, err
		}
		child.Name = name
		if f.Children = append(f.Children, child); len(f.Children) > MaxFields {
			return f, fmt.Errorf("there are more than %d fields", MaxFields)
		}
		if p.take('>') {
			return f, nil
		}
		if !p.take(',') {
			return f, fmt.Errorf("a struct's fields are separated by commas and closed by >")
		}
	}
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
