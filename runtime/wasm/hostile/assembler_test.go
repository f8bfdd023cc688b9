// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A small assembler: a module is put together from Go values, and a function's code is the bytes
// of its instructions, which the functions below return.

// The numbers of the binary format that attacks use.
const (
	opUnreachable = 0x00
	opBlock       = 0x02
	opLoop        = 0x03
	opIf          = 0x04
	opEnd         = 0x0b
	opBr          = 0x0c
	opBrIf        = 0x0d
	opBrTable     = 0x0e
	opReturn      = 0x0f
	opDrop        = 0x1a
	opI32Add      = 0x6a
	opI32DivS     = 0x6d
	opI64Or       = 0x84
	opI64Shl      = 0x86
	empty         = 0x40 // a block's type
	funcRef       = 0x70
)

type function struct {
	export string // "" for none
	params string // i and l, for i32 and i64
	result string
	locals int // of type i32
	code   []byte
}

type imported struct{ module, name, params, result string }

type data struct {
	at    uint32
	bytes []byte
}

// assembly is a module. Functions are numbered imports first.
type assembly struct {
	imports   []imported
	functions []function
	memory    [2]uint32 // pages: least, most
	table     uint32    // entries, 0 for no table
	elements  []uint32  // functions that the table begins with
	start     int       // a function, -1 for none
	globals   bool      // a mutable global and the table are exported
	data      []data
	sections  []byte // appended as they are
}

func leb(n uint32) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func sleb(n int64) []byte {
	var out []byte
	for {
		b := byte(n & 0x7f)
		if n >>= 7; n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

func name(s string) []byte { return append(leb(uint32(len(s))), s...) }

func section(id byte, content []byte) []byte {
	return slices.Concat([]byte{id}, leb(uint32(len(content))), content)
}

func list(items [][]byte) []byte {
	return append(leb(uint32(len(items))), bytes.Join(items, nil)...)
}

func funcType(params, result string) []byte {
	types := func(s string) []byte {
		var out [][]byte
		for _, c := range s {
			out = append(out, []byte{map[rune]byte{'i': 0x7f, 'l': 0x7e}[c]})
		}
		return list(out)
	}
	return slices.Concat([]byte{0x60}, types(params), types(result))
}

func (a *assembly) bytes() []byte {
	var types, imports, functions, exports, bodies [][]byte
	for _, i := range a.imports {
		imports = append(imports, slices.Concat(name(i.module), name(i.name), []byte{0}, leb(uint32(len(types)))))
		types = append(types, funcType(i.params, i.result))
	}
	for n, f := range a.functions {
		functions = append(functions, leb(uint32(len(types))))
		types = append(types, funcType(f.params, f.result))
		if f.export != "" {
			exports = append(exports, slices.Concat(name(f.export), []byte{0}, leb(uint32(len(a.imports)+n))))
		}
		body := slices.Concat([]byte{1}, leb(uint32(f.locals)), []byte{0x7f}, f.code, []byte{opEnd})
		bodies = append(bodies, append(leb(uint32(len(body))), body...))
	}
	out := slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, list(types)), section(2, list(imports)), section(3, list(functions)))
	if a.table > 0 {
		out = append(out, section(4, list([][]byte{append([]byte{funcRef, 0}, leb(a.table)...)}))...)
	}
	if a.memory[1] > 0 {
		out = append(out, section(5, list([][]byte{slices.Concat([]byte{1}, leb(a.memory[0]), leb(a.memory[1]))}))...)
		exports = append(exports, append(name("memory"), 2, 0))
	}
	if a.globals {
		out = append(out, section(6, list([][]byte{{0x7e, 1, 0x42, 0, opEnd}}))...)
		exports = append(exports, append(name("global"), 3, 0), append(name("table"), 1, 0))
	}
	out = append(out, section(7, list(exports))...)
	if a.start >= 0 {
		out = append(out, section(8, leb(uint32(a.start)))...)
	}
	if len(a.elements) > 0 {
		var refs [][]byte
		for _, f := range a.elements {
			refs = append(refs, leb(f))
		}
		out = append(out, section(9, append([]byte{1, 0, 0x41, 0, opEnd}, list(refs)...))...)
	}
	out = append(out, section(10, list(bodies))...)
	var segments [][]byte
	for _, d := range a.data {
		segments = append(segments, slices.Concat([]byte{0, 0x41}, sleb(int64(int32(d.at))), []byte{opEnd}, name(string(d.bytes))))
	}
	out = append(out, section(11, list(segments))...)
	return append(out, a.sections...)
}

// Instructions.

func code(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func i32(v int64) []byte         { return append([]byte{0x41}, sleb(int64(int32(v)))...) }
func i64(v int64) []byte         { return append([]byte{0x42}, sleb(v)...) }
func local(n uint32) []byte      { return append([]byte{0x20}, leb(n)...) }
func setLocal(n uint32) []byte   { return append([]byte{0x21}, leb(n)...) }
func call(f uint32) []byte       { return append([]byte{0x10}, leb(f)...) }
func indirect(t uint32) []byte   { return append(append([]byte{0x11}, leb(t)...), 0) }
func branch(depth uint32) []byte { return append([]byte{opBr}, leb(depth)...) }
func memoryGrow() []byte         { return []byte{0x40, 0} }
func memoryFill() []byte         { return []byte{0xfc, 11, 0} }
func tableGrow() []byte          { return []byte{0xfc, 15, 0} }
func i32Load() []byte            { return []byte{0x28, 2, 0} }
func refNull() []byte            { return []byte{0xd0, funcRef} }

// forever repeats code without end.
func forever(parts ...any) []byte {
	return code(opLoop, empty, code(parts...), branch(0), opEnd)
}

// times repeats code, with a counter in a local.
func times(n int64, counter uint32, parts ...any) []byte {
	return code(i32(n), setLocal(counter), opLoop, empty, code(parts...),
		local(counter), i32(-1), opI32Add, []byte{0x22}, leb(counter), opBrIf, 0, opEnd)
}
