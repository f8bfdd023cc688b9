// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package abi

import (
	"fmt"
	"strconv"
	"strings"
)

// EventTime is a point in event time: microseconds since 1970-01-01 UTC, leap seconds ignored.
type EventTime int64

// Type is the kind of value that a column holds.
type Type uint8

// The types, with the layout of a column's values; wasmill.fbs has the same numbers.
const (
	Bool      Type = iota + 1 // a bit a row, least significant first
	Int32                     // 4 bytes
	Int64                     // 8 bytes
	Float64                   // 8 bytes, IEEE 754
	Decimal                   // 8 bytes: value times 10^Scale, at most 18 digits
	String                    // int32 offsets, then UTF-8
	Bytes                     // int32 offsets, then bytes
	Timestamp                 // 8 bytes: EventTime
	List                      // int32 offsets into one child
	Struct                    // children, one a field
)

var typeNames = [...]string{
	Bool: "bool", Int32: "int32", Int64: "int64", Float64: "float64", Decimal: "decimal",
	String: "string", Bytes: "bytes", Timestamp: "timestamp", List: "list", Struct: "struct",
}

// Valid says whether t is a type of this contract.
func (t Type) Valid() bool { return t >= Bool && t <= Struct }

// String returns the type's name in a pipeline file, without scale or children.
func (t Type) String() string {
	if !t.Valid() {
		return "type(" + strconv.Itoa(int(t)) + ")"
	}
	return typeNames[t]
}

// Width returns the bytes of one value, 0 where a value has no fixed whole number of bytes.
func (t Type) Width() int {
	switch t {
	case Int32:
		return 4
	case Int64, Float64, Decimal, Timestamp:
		return 8
	}
	return 0
}

// Variable says whether a value is a run of bytes that offsets delimit.
func (t Type) Variable() bool { return t == String || t == Bytes }

// Field is a named column, or a node inside a nested one. Every column can be null; Required
// says that an operator takes no row in which this one is.
type Field struct {
	Name     string
	Type     Type
	Scale    uint8 // digits after the point, of a decimal
	Required bool
	Children []Field // one for a list, one or more for a struct

	Default string // a configuration field's value where the pipeline gives none, as text
	Doc     string
}

// TypeString returns the type as a pipeline file writes it: decimal(2), list<int64>,
// struct<a: int64, b: string>.
func (f *Field) TypeString() string {
	switch f.Type {
	case Decimal:
		return "decimal(" + strconv.Itoa(int(f.Scale)) + ")"
	case List:
		if len(f.Children) == 1 {
			return "list<" + f.Children[0].TypeString() + ">"
		}
	case Struct:
		parts := make([]string, len(f.Children))
		for i := range f.Children {
			parts[i] = f.Children[i].Name + ": " + f.Children[i].TypeString()
		}
		return "struct<" + strings.Join(parts, ", ") + ">"
	}
	return f.Type.String()
}

// SameType says whether two fields hold the same values: type, scale, and children by name and
// type. Names of the fields themselves, Required, Default and Doc do not matter.
func (f *Field) SameType(g *Field) bool {
	if f.Type != g.Type || f.Scale != g.Scale || len(f.Children) != len(g.Children) {
		return false
	}
	for i := range f.Children {
		if f.Type == Struct && f.Children[i].Name != g.Children[i].Name {
			return false
		}
		if !f.Children[i].SameType(&g.Children[i]) {
			return false
		}
	}
	return true
}

// Schema is the columns of a stream, in order. It is immutable once a batch names it.
type Schema struct {
	Fields []Field
}

// Index returns the position of the named column, -1 where there is none.
func (s *Schema) Index(name string) int {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Names returns the columns' names, in order.
func (s *Schema) Names() []string {
	names := make([]string, len(s.Fields))
	for i := range s.Fields {
		names[i] = s.Fields[i].Name
	}
	return names
}

// Equal says whether two schemas have the same columns: names and types, in the same order.
func (s *Schema) Equal(t *Schema) bool {
	if len(s.Fields) != len(t.Fields) {
		return false
	}
	for i := range s.Fields {
		if s.Fields[i].Name != t.Fields[i].Name || !s.Fields[i].SameType(&t.Fields[i]) {
			return false
		}
	}
	return true
}

// String returns the schema as a pipeline file writes it: {price: int64, at: timestamp}.
func (s *Schema) String() string {
	parts := make([]string, len(s.Fields))
	for i := range s.Fields {
		parts[i] = s.Fields[i].Name + ": " + s.Fields[i].TypeString()
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Opaque is the schema of a stream that declares none.
func Opaque() *Schema {
	return &Schema{Fields: []Field{{Name: "key", Type: Bytes}, {Name: "value", Type: Bytes}}}
}

// Check returns an error for a schema that the contract does not allow: a name that is empty,
// too long or used twice, a type that is unknown or lacks its children, too many or too deeply
// nested fields.
func (s *Schema) Check() error {
	nodes := 0
	return checkFields(s.Fields, 1, &nodes)
}

func checkFields(fields []Field, depth int, nodes *int) error {
	seen := make(map[string]bool, len(fields))
	for i := range fields {
		f := &fields[i]
		if f.Name == "" || len(f.Name) > MaxName {
			return fmt.Errorf("column %d has a name of %d bytes; 1 to %d are allowed", i+1, len(f.Name), MaxName)
		}
		if seen[f.Name] {
			return fmt.Errorf("column %q is there twice", f.Name)
		}
		seen[f.Name] = true
		if err := f.check(depth, nodes); err != nil {
			return fmt.Errorf("column %q: %w", f.Name, err)
		}
	}
	return nil
}

func (f *Field) check(depth int, nodes *int) error {
	*nodes++
	switch {
	case *nodes > MaxFields:
		return fmt.Errorf("there are more than %d fields", MaxFields)
	case depth > MaxNesting:
		return fmt.Errorf("types are nested more than %d deep", MaxNesting)
	case !f.Type.Valid():
		return fmt.Errorf("unknown type %d", f.Type)
	case f.Type == Decimal && f.Scale > DecimalDigits:
		return fmt.Errorf("a decimal has at most %d digits after the point, not %d", DecimalDigits, f.Scale)
	case f.Type != Decimal && f.Scale != 0:
		return fmt.Errorf("a scale of %d on type %s; only decimals have one", f.Scale, f.Type)
	case f.Type == List && len(f.Children) != 1:
		return fmt.Errorf("a list has one child, not %d", len(f.Children))
	case f.Type == Struct && len(f.Children) == 0:
		return fmt.Errorf("a struct has at least one field")
	case f.Type != List && f.Type != Struct && len(f.Children) != 0:
		return fmt.Errorf("type %s has no children", f.Type)
	}
	if f.Type == List {
		return f.Children[0].check(depth+1, nodes)
	}
	return checkFields(f.Children, depth+1, nodes)
}
