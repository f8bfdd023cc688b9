// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"slices"
	"strings"
)

// ValueType is a value type by its byte in the binary format.
type ValueType byte

// The value types of WebAssembly 2.0.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

// anyType stands for a value that unreachable code makes up.
const anyType ValueType = 0

// String returns the type's name in the text format.
func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return "unknown"
}

// IsRef says whether t is a reference type.
func (t ValueType) IsRef() bool { return t == FuncRef || t == ExternRef }

func (t ValueType) valid() bool { return t >= V128 && t <= I32 || t.IsRef() }

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// String returns the type as `(i32, i64) -> i32`.
func (t FuncType) String() string {
	results := "nothing"
	switch len(t.Results) {
	case 0:
	case 1:
		results = t.Results[0].String()
	default:
		results = listTypes(t.Results)
	}
	return listTypes(t.Params) + " -> " + results
}

// Equal says whether both types are the same.
func (t FuncType) Equal(u FuncType) bool {
	return slices.Equal(t.Params, u.Params) && slices.Equal(t.Results, u.Results)
}

func listTypes(ts []ValueType) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.String()
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// ExternKind is the kind of an import or export, by its byte in the binary format.
type ExternKind byte

// The kinds of imports and exports.
const (
	ExternFunc   ExternKind = 0
	ExternTable  ExternKind = 1
	ExternMemory ExternKind = 2
	ExternGlobal ExternKind = 3
)

// String returns the kind's name.
func (k ExternKind) String() string {
	switch k {
	case ExternFunc:
		return "function"
	case ExternTable:
		return "table"
	case ExternMemory:
		return "memory"
	case ExternGlobal:
		return "global"
	}
	return "unknown"
}

// MemoryType is the size of a memory, in pages of 64 KiB.
type MemoryType struct {
	Min    uint32
	Max    uint32 // meaningless unless HasMax
	HasMax bool
}

// TableType is the type of a table; its size is in entries.
type TableType struct {
	Elem   ValueType
	Min    uint32
	Max    uint32 // meaningless unless HasMax
	HasMax bool
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}

// Import is a function that a module may import: Policy lists what the host offers.
type Import struct {
	Module, Name    string
	Params, Results []ValueType
}

// ImportEntry is one entry of a module's import section. Which of the last four fields counts
// is told by Kind.
type ImportEntry struct {
	Module, Name string
	Kind         ExternKind
	Type         uint32 // index into Types
	Table        TableType
	Memory       MemoryType
	Global       GlobalType
}

// Export is one entry of a module's export section. Type is set for functions only.
type Export struct {
	Name  string
	Kind  ExternKind
	Index uint32
	Type  FuncType
}

// Function is a function that the module defines (not one that it imports).
type Function struct {
	Type uint32 // index into Types

	// Start and End bound the function's entry in the code section: its local declarations and
	// its instructions. Code is where its instructions start. All are offsets into Bytes.
	Start, Code, End int

	Locals   int // declared locals, without the parameters
	MaxStack int // the highest that its operand stack gets, in values
	Slots    int // 8-byte slots for its parameters, locals and highest operand stack, all of them vectors if one is
}

// FuncUse is a function index written outside the code and name sections.
type FuncUse struct {
	Start, End int // offsets into Bytes
	Index      uint32
}

// Section is one section's contents.
type Section struct {
	ID         byte
	Name       string // of a custom section
	Start, End int    // offsets into Bytes; a custom section's name is left out
}

// Section ids of the binary format.
const (
	SectionCustom    byte = 0
	SectionType      byte = 1
	SectionImport    byte = 2
	SectionFunction  byte = 3
	SectionTable     byte = 4
	SectionMemory    byte = 5
	SectionGlobal    byte = 6
	SectionExport    byte = 7
	SectionStart     byte = 8
	SectionElement   byte = 9
	SectionCode      byte = 10
	SectionData      byte = 11
	SectionDataCount byte = 12
)

func sectionName(id byte) string {
	names := [...]string{
		"custom", "type", "import", "function", "table", "memory", "global",
		"export", "start", "element", "code", "data", "data count",
	}
	if int(id) < len(names) {
		return names[id]
	}
	return "unknown"
}
