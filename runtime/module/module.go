// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

// Module is a module that Parse has accepted.
type Module struct {
	// Bytes is the whole module. It is the slice that Parse was given: nobody may write to it while
	// the Module is in use.
	Bytes []byte

	Sections []Section // in the order of the file
	Types    []FuncType
	Imports  []ImportEntry
	// ImportedFuncs is how many function indices belong to imports: m.Functions[0] has this index.
	ImportedFuncs int
	Functions     []Function
	Tables        []TableType  // imported ones first
	Memory        *MemoryType  // nil without a memory
	Globals       []GlobalType // imported ones first
	Exports       []Export
	HasStart      bool
	Start         uint32 // function index, when HasStart

	// ImportedTables, ImportedGlobals and ImportedMemory say what of the above is imported.
	ImportedTables, ImportedGlobals int
	ImportedMemory                  bool

	// FuncUses are all function indices outside the code and name sections, in order.
	FuncUses []FuncUse

	// ModuleName and FuncNames come from the name section; FuncNames is sorted by Index. Both are
	// empty when the section is missing or broken.
	ModuleName string
	FuncNames  []FuncName

	Stats Stats

	funcTypes []uint32 // type index by function index
	elemTypes []ValueType
	dataCount int    // -1 without a data count section
	dataSegs  int    // entries of the data section
	declared  []bool // by function index: ref.func may name it
}

// FuncName is a function's name in the name section.
type FuncName struct {
	Index uint32
	Name  string
}

// Stats is what `wasmill inspect` tells of a module.
type Stats struct {
	Size        int // bytes of the module
	Functions   int // defined functions
	CodeBytes   int // bytes of all bodies
	LargestBody int
	DataBytes   int // bytes of all data segments
	CustomBytes int // bytes of all custom sections
	Locals      int // declared locals over all functions
	MostLocals  int // declared locals of the function that has most
	Merges      int // see Limits.Merges: the function that has most
	BrTargets   int // targets of all br_table instructions
	Nesting     int // the deepest nesting of blocks
}

// FuncType returns the type of the function with the given index, imports counted.
func (m *Module) FuncType(index uint32) FuncType { return m.Types[m.funcTypes[index]] }

// FuncName returns the name of the function with the given index, or "" when it has none.
func (m *Module) FuncName(index uint32) string {
	i := sort.Search(len(m.FuncNames), func(i int) bool { return m.FuncNames[i].Index >= index })
	if i < len(m.FuncNames) && m.FuncNames[i].Index == index {
		return m.FuncNames[i].Name
	}
	return ""
}

// Declared says whether the function with the given index occurs in an export, a global or an element
// segment. One that does not is reached by direct calls only (and by the start section).
func (m *Module) Declared(index uint32) bool {
	return int(index) < len(m.declared) && m.declared[index]
}

// Export returns the export of that name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// Parse reads and validates bin under p. Every error is an *Error. The Module keeps bin.
func Parse(bin []byte, p Policy) (*Module, error) {
	p.Limits = p.Limits.withDefaults()
	if err := checkPreamble(bin); err != nil {
		return nil, err
	}
	ps := &parser{
		reader: reader{bin: bin, end: len(bin), fn: -1},
		m:      &Module{Bytes: bin, dataCount: -1},
		policy: p,
	}
	ps.within("Size", p.Limits.Size, uint64(len(bin)), "bytes of the module:")
	ps.pos = min(8, ps.end)
	for ps.err == nil && ps.pos < ps.end {
		ps.nextSection()
	}
	ps.finish()
	if ps.err == nil {
		ps.checkImports()
	}
	if ps.err == nil {
		v := validator{parser: ps}
		v.validateBodies()
	}
	if ps.err != nil {
		if ps.err.Func >= 0 && ps.err.Name == "" {
			ps.err.Name = ps.m.FuncName(uint32(ps.err.Func))
		}
		return nil, ps.err
	}
	return ps.m, nil
}

// checkPreamble refuses what is no core module, and says what it looks like.
func checkPreamble(bin []byte) error {
	say := func(kind Kind, format string, args ...any) error {
		return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Func: -1}
	}
	if bytes.HasPrefix(bin, []byte("\x00asm")) {
		switch {
		case len(bin) < 8:
			return say(NotWasm, "the file ends after %d bytes, within its header: was it copied whole?", len(bin))
		case bin[6] == 1 && bin[7] == 0:
			return say(NotWasm, "this is a component (WASI 0.2 and later), but a core module is wanted: "+
				"build for wasm32-wasip1 or wasm32-unknown-unknown, without componentizing")
		case !bytes.Equal(bin[4:8], []byte{1, 0, 0, 0}):
			return say(NotWasm, "unknown binary version %d, but only version 1 is known: rebuild it with a current toolchain",
				uint32(bin[4])|uint32(bin[5])<<8|uint32(bin[6])<<16|uint32(bin[7])<<24)
		}
		return nil
	}
	for _, l := range []struct{ magic, what string }{
		{"\x1f\x8b", "a gzip file: unpack it first (gunzip)"},
		{"\x28\xb5\x2f\xfd", "a zstd file: unpack it first (unzstd)"},
		{"BZh", "a bzip2 file: unpack it first (bunzip2)"},
		{"PK\x03\x04", "a zip archive: unpack it first (unzip)"},
		{"\x7fELF", "a native Linux program: build it for WebAssembly (GOOS=wasip1 GOARCH=wasm, --target wasm32-wasip1)"},
		{"MZ", "a native Windows program: build it for WebAssembly"},
		{"\xcf\xfa\xed\xfe", "a native macOS program: build it for WebAssembly"},
		{"!<arch>\n", "an archive of object files: link it to a module (-buildmode=c-shared in Go, crate-type cdylib in Rust)"},
		{"(module", "WebAssembly's text format: translate it first (wat2wasm)"},
		{"(component", "a component in text format: a core module is wanted"},
	} {
		if bytes.HasPrefix(bin, []byte(l.magic)) {
			return say(NotWasm, "this is %s", l.what)
		}
	}
	if len(bin) == 0 {
		return say(NotWasm, "the file is empty: did the build fail?")
	}
	head := bin[:min(len(bin), 64)]
	if strings.IndexFunc(string(head), func(c rune) bool { return c == 0xfffd || c < ' ' && c != '\n' && c != '\r' && c != '\t' }) < 0 {
		return say(NotWasm, "this looks like text (%.40q): give the .wasm file that the build wrote", head)
	}
	return say(NotWasm, "it begins with % x, a module begins with 00 61 73 6d: give the .wasm file that the build wrote",
		bin[:min(len(bin), 4)])
}
