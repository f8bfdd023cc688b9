// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package moduletest builds WebAssembly modules by code, for tests of the rooms that take modules
// in. It checks nothing: what it builds is as broken as its caller asks for.
package moduletest

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wasmill/wasmill/runtime/module"
)

// Header begins every module.
const Header = "\x00asm\x01\x00\x00\x00"

// Builder collects the parts of a module. Its zero value is the empty module.
type Builder struct {
	types, imports, funcs, globals, exports, elements, codes, data [][]byte
	nImports                                                       int
	table, memory                                                  []byte
	start                                                          []byte
	passive                                                        bool // a data count section is needed
}

// U32 returns v in LEB128.
func U32(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

// S64 returns v in signed LEB128.
func S64(v int64) []byte {
	var b []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Name returns s with its length before it.
func Name(s string) []byte { return append(U32(uint32(len(s))), s...) }

// Vec returns the items with their count before them.
func Vec(items ...[]byte) []byte {
	b := U32(uint32(len(items)))
	for _, i := range items {
		b = append(b, i...)
	}
	return b
}

// Section returns a section.
func Section(id byte, content []byte) []byte {
	return append(append([]byte{id}, U32(uint32(len(content)))...), content...)
}

// Type returns the index of the function type written as `i32 i64 -> i32`, which it adds.
func (b *Builder) Type(sig string) uint32 {
	params, results, _ := strings.Cut(sig, "->")
	t := append([]byte{0x60}, types(params)...)
	b.types = append(b.types, append(t, types(results)...))
	return uint32(len(b.types) - 1)
}

func types(list string) []byte {
	var ts [][]byte
	for _, name := range strings.Fields(list) {
		ts = append(ts, []byte{valueType(name)})
	}
	return Vec(ts...)
}

func valueType(name string) byte {
	for _, t := range []module.ValueType{
		module.I32, module.I64, module.F32, module.F64, module.V128, module.FuncRef, module.ExternRef,
	} {
		if t.String() == name {
			return byte(t)
		}
	}
	panic(fmt.Sprintf("moduletest: no value type %q", name))
}

// Import adds an imported function and returns its index. All imports come before the first Func.
func (b *Builder) Import(mod, name, sig string) uint32 {
	i := append(append(Name(mod), Name(name)...), 0)
	b.imports = append(b.imports, append(i, U32(b.Type(sig))...))
	b.nImports++
	return uint32(b.nImports - 1)
}

// Func adds a function, exported by its name unless that is "", and returns its index. locals is a
// list of types, code is in the form that Code takes, without the last end.
func (b *Builder) Func(name, sig, locals, code string) uint32 {
	var groups [][]byte
	for _, l := range strings.Fields(locals) {
		groups = append(groups, append(U32(1), valueType(l)))
	}
	return b.RawFunc(name, b.Type(sig), append(Vec(groups...), append(Code(code), 0x0b)...))
}

// RawFunc adds a function by its body, locals and all.
func (b *Builder) RawFunc(name string, typ uint32, body []byte) uint32 {
	index := uint32(b.nImports + len(b.funcs))
	b.funcs = append(b.funcs, U32(typ))
	b.codes = append(b.codes, append(U32(uint32(len(body))), body...))
	if name != "" {
		b.Export(name, module.ExternFunc, index)
	}
	return index
}

// Export adds an export.
func (b *Builder) Export(name string, kind module.ExternKind, index uint32) {
	b.exports = append(b.exports, append(append(Name(name), byte(kind)), U32(index)...))
}

// Memory gives the module a memory, exported as "memory". A negative greatest is none.
func (b *Builder) Memory(least uint32, greatest int64) {
	b.memory = limits(least, greatest)
	b.Export("memory", module.ExternMemory, 0)
}

// Table gives the module a table of functions.
func (b *Builder) Table(least uint32, greatest int64) {
	b.table = append([]byte{byte(module.FuncRef)}, limits(least, greatest)...)
}

func limits(least uint32, greatest int64) []byte {
	if greatest < 0 {
		return append([]byte{0}, U32(least)...)
	}
	return append(append([]byte{1}, U32(least)...), U32(uint32(greatest))...)
}

// Global adds a global; init is a constant expression in the form that Code takes.
func (b *Builder) Global(typ string, mutable bool, init string) uint32 {
	g := []byte{valueType(typ), 0}
	if mutable {
		g[1] = 1
	}
	b.globals = append(b.globals, append(append(g, Code(init)...), 0x0b))
	return uint32(len(b.globals) - 1)
}

// Elements puts functions in the table, from entry at on.
func (b *Builder) Elements(at int32, funcs ...uint32) {
	e := append([]byte{0, byte(module.OpI32Const)}, S64(int64(at))...)
	var list [][]byte
	for _, f := range funcs {
		list = append(list, U32(f))
	}
	b.elements = append(b.elements, append(append(e, 0x0b), Vec(list...)...))
}

// PassiveElements adds a segment for table.init.
func (b *Builder) PassiveElements(funcs ...uint32) {
	var list [][]byte
	for _, f := range funcs {
		list = append(list, U32(f))
	}
	b.elements = append(b.elements, append([]byte{1, 0}, Vec(list...)...))
}

// PassiveData adds a segment for memory.init.
func (b *Builder) PassiveData(content string) {
	b.passive = true
	b.data = append(b.data, append([]byte{1}, Name(content)...))
}

// Data puts content in the memory, from address at on.
func (b *Builder) Data(at int32, content string) {
	d := append([]byte{0, byte(module.OpI32Const)}, S64(int64(at))...)
	b.data = append(b.data, append(append(d, 0x0b), Name(content)...))
}

// Start makes f the start function.
func (b *Builder) Start(f uint32) { b.start = U32(f) }

// Bytes returns the module.
func (b *Builder) Bytes() []byte {
	out := []byte(Header)
	vec := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = append(out, Section(id, Vec(items...))...)
		}
	}
	vec(module.SectionType, b.types)
	vec(module.SectionImport, b.imports)
	vec(module.SectionFunction, b.funcs)
	if b.table != nil {
		vec(module.SectionTable, [][]byte{b.table})
	}
	if b.memory != nil {
		vec(module.SectionMemory, [][]byte{b.memory})
	}
	vec(module.SectionGlobal, b.globals)
	vec(module.SectionExport, b.exports)
	if b.start != nil {
		out = append(out, Section(module.SectionStart, b.start)...)
	}
	vec(module.SectionElement, b.elements)
	if b.passive {
		out = append(out, Section(module.SectionDataCount, U32(uint32(len(b.data))))...)
	}
	vec(module.SectionCode, b.codes)
	vec(module.SectionData, b.data)
	return out
}

// Code assembles instructions in the text format's flat form, such as
//
//	loop void  local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0  end
//
// A block has its type after it: void, a value type, or the index of a function type. Loads and stores
// may be followed by offset=N. The labels of br_table are one word, 0,1,2, the default last. Indices of
// tables and memories are left out: they are 0. Numbers after ;; to the line's end are no code.
func Code(text string) []byte {
	var words []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, ";;")
		words = append(words, strings.Fields(line)...)
	}
	a := assembler{words: words}
	for len(a.words) > 0 {
		a.instruction(a.next())
	}
	return a.out
}

type assembler struct {
	words []string
	out   []byte
}

func (a *assembler) next() string {
	w := a.words[0]
	a.words = a.words[1:]
	return w
}

func (a *assembler) number() int64 {
	n, err := strconv.ParseInt(a.next(), 0, 64)
	if err != nil {
		panic("moduletest: " + err.Error())
	}
	return n
}

func (a *assembler) index() { a.out = append(a.out, U32(uint32(a.number()))...) }

var opcodes = func() map[string]module.Opcode {
	names := map[string]module.Opcode{}
	for op := range module.Opcode(module.NumOpcodes) {
		names[op.String()] = op
	}
	return names
}()

func (a *assembler) instruction(name string) {
	op, ok := opcodes[name]
	if !ok {
		panic(fmt.Sprintf("moduletest: no instruction %q", name))
	}
	if op < 0x100 {
		a.out = append(a.out, byte(op))
	} else {
		a.out = append(append(a.out, 0xfb+byte(op>>8)), U32(uint32(op&0xff))...)
	}
	switch op {
	case module.OpBlock, module.OpLoop, module.OpIf:
		a.blockType(a.next())
	case module.OpBr, module.OpBrIf, module.OpCall, module.OpLocalGet, module.OpLocalSet, module.OpLocalTee,
		module.OpGlobalGet, module.OpGlobalSet, module.OpRefFunc, module.OpDataDrop, module.OpElemDrop:
		a.index()
	case module.OpBrTable:
		labels := strings.Split(a.next(), ",")
		a.out = append(a.out, U32(uint32(len(labels)-1))...)
		for _, l := range labels {
			n, err := strconv.ParseUint(l, 10, 32)
			if err != nil {
				panic("moduletest: " + err.Error())
			}
			a.out = append(a.out, U32(uint32(n))...)
		}
	case module.OpCallIndirect, module.OpMemoryInit, module.OpTableInit:
		a.index()
		a.out = append(a.out, 0)
	case module.OpI32Const, module.OpI64Const:
		a.out = append(a.out, S64(a.number())...)
	case module.OpF32Const, module.OpF64Const:
		a.float(op)
	case module.OpRefNull:
		a.out = append(a.out, valueType(a.next()))
	case module.OpMemorySize, module.OpMemoryGrow, module.OpMemoryFill, module.OpTableGet, module.OpTableSet,
		module.OpTableGrow, module.OpTableSize, module.OpTableFill:
		a.out = append(a.out, 0)
	case module.OpMemoryCopy, module.OpTableCopy:
		a.out = append(a.out, 0, 0)
	default:
		a.rest(name)
	}
}

func (a *assembler) rest(name string) {
	if strings.Contains(name, ".load") || strings.Contains(name, ".store") {
		a.out = append(a.out, 0)
		offset := uint64(0)
		if len(a.words) > 0 && strings.HasPrefix(a.words[0], "offset=") {
			var err error
			if offset, err = strconv.ParseUint(a.next()[len("offset="):], 0, 32); err != nil {
				panic("moduletest: " + err.Error())
			}
		}
		a.out = append(a.out, U32(uint32(offset))...)
	}
	if strings.Contains(name, "_lane") {
		a.out = append(a.out, byte(a.number()))
	}
}

func (a *assembler) float(op module.Opcode) {
	f, err := strconv.ParseFloat(a.next(), 64)
	if err != nil {
		panic("moduletest: " + err.Error())
	}
	if op == module.OpF32Const {
		a.out = binary.LittleEndian.AppendUint32(a.out, math.Float32bits(float32(f)))
		return
	}
	a.out = binary.LittleEndian.AppendUint64(a.out, math.Float64bits(f))
}

func (a *assembler) blockType(name string) {
	if name == "void" {
		a.out = append(a.out, byte(module.BlockEmpty))
		return
	}
	if n, err := strconv.ParseInt(name, 10, 32); err == nil {
		a.out = append(a.out, S64(n)...)
		return
	}
	a.out = append(a.out, valueType(name))
}
