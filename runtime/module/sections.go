// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import "strings"

// parser reads the sections of a module into m.
type parser struct {
	reader
	m       *Module
	policy  Policy
	last    int // rank of the last section that was no custom section
	bodies  int // entries of the code section
	items   int // element entries so far
	hasName bool
}

// rank is a section's place in the order that the format demands: the data count section stands
// before the code section.
func rank(id byte) int {
	switch {
	case id == SectionDataCount:
		return 2*int(SectionCode) - 1
	default:
		return 2 * int(id)
	}
}

func (p *parser) nextSection() {
	start := p.pos
	p.section = ""
	id := p.byte()
	size := p.u32()
	if p.err != nil {
		return
	}
	switch {
	case id == 13:
		p.fail(Unsupported, start, "a tag section: exceptions are not supported, build without them")
		return
	case id > SectionDataCount:
		p.fail(Malformed, start, "malformed section id %d", id)
		return
	}
	p.section = sectionName(id)
	if int64(size) > int64(p.left()) {
		p.malformed("unexpected end: the section is to have %d bytes, but only %d are left", size, p.left())
		return
	}
	if id != SectionCustom {
		if rank(id) <= p.last {
			p.fail(Malformed, start, "unexpected content after last section: the %s section is repeated or out of order", p.section)
			return
		}
		p.last = rank(id)
	}
	s := Section{ID: id, Start: p.pos, End: p.pos + int(size)}
	end := p.end
	p.end = s.End
	p.readSection(&s)
	if p.err == nil && p.pos != p.end {
		p.malformed("section size mismatch: %d bytes are left over", p.left())
	}
	p.m.Sections = append(p.m.Sections, s)
	p.end = end
	p.section = ""
}

func (p *parser) readSection(s *Section) {
	l := p.policy.Limits
	switch s.ID {
	case SectionCustom:
		p.customSection(s)
	case SectionType:
		p.each("types", "Types", l.Types, 3, p.typeEntry)
	case SectionImport:
		p.each("imports", "Imports", l.Imports, 4, p.importEntry)
	case SectionFunction:
		p.each("functions", "Functions", l.Functions, 1, p.functionEntry)
	case SectionTable:
		p.each("tables", "Tables", l.Tables, 3, func() { p.m.Tables = append(p.m.Tables, p.tableType()) })
		p.within("Tables", l.Tables, uint64(len(p.m.Tables)), "tables, with the imported ones:")
	case SectionMemory:
		p.each("memories", "Size", l.Size, 2, func() { p.addMemory(p.memoryType()) })
	case SectionGlobal:
		p.each("globals", "Globals", l.Globals, 4, p.globalEntry)
	case SectionExport:
		p.exportSection()
	case SectionStart:
		p.startSection()
	case SectionElement:
		p.each("element segments", "Elements", l.Elements, 2, p.elementEntry)
	case SectionDataCount:
		n := p.u32()
		if p.within("DataSegments", l.DataSegments, uint64(n), "data segments:") {
			p.m.dataCount = int(n)
		}
	case SectionCode:
		p.each("function bodies", "Functions", l.Functions, 2, p.codeEntry)
	case SectionData:
		p.each("data segments", "DataSegments", l.DataSegments, 2, p.dataEntry)
	}
}

// each reads a vector, entry by entry.
func (p *parser) each(what, limit string, limitValue, least int, entry func()) {
	for n := p.count(what, limit, limitValue, least); n > 0 && p.err == nil; n-- {
		entry()
	}
}

func (p *parser) customSection(s *Section) {
	l := p.policy.Limits
	s.Name = p.name("custom section name", l.Name)
	s.Start = p.pos
	p.m.Stats.CustomBytes += s.End - s.Start
	if p.err != nil {
		return
	}
	if s.Name == "name" {
		if !p.hasName {
			p.hasName = true
			p.m.readNames(p.bin[s.Start:s.End])
		}
	} else if !strings.HasPrefix(s.Name, ".debug_") {
		p.within("CustomSection", l.CustomSection, uint64(p.left()), "bytes of a custom section:")
	}
	p.pos = p.end
}

func (p *parser) typeEntry() {
	l := p.policy.Limits
	switch b := p.byte(); {
	case p.err != nil:
		return
	case b == 0x5e || b == 0x5f || b == 0x4e || b == 0x50 || b == 0x4f:
		p.pos--
		p.fail(Unsupported, p.pos, "a type of the garbage collection proposal (%#x): not supported", b)
		return
	case b != 0x60:
		p.pos--
		p.malformed("malformed type: it begins with %#x, a function type begins with 0x60", b)
		return
	}
	params := p.typeList("parameters of a function type", "Params", l.Params)
	results := p.typeList("results of a function type", "Results", l.Results)
	p.m.Types = append(p.m.Types, FuncType{Params: params, Results: results})
}

func (p *parser) typeList(what, limit string, limitValue int) []ValueType {
	n := p.count(what, limit, limitValue, 1)
	if n == 0 {
		return nil
	}
	ts := make([]ValueType, 0, n)
	for range n {
		ts = append(ts, p.valueType())
	}
	return ts
}

func (p *parser) typeIndex() uint32 {
	at := p.pos
	i := p.u32()
	if p.err == nil && int64(i) >= int64(len(p.m.Types)) {
		p.fail(Invalid, at, "unknown type %d: the module has %d types", i, len(p.m.Types))
		return 0
	}
	return i
}

func (p *parser) importEntry() {
	l := p.policy.Limits
	e := ImportEntry{Module: p.name("import module name", l.Name), Name: p.name("import name", l.Name)}
	kind := p.byte()
	if p.err != nil {
		return
	}
	e.Kind = ExternKind(kind)
	switch e.Kind {
	case ExternFunc:
		e.Type = p.typeIndex()
		p.m.funcTypes = append(p.m.funcTypes, e.Type)
		p.m.ImportedFuncs++
	case ExternTable:
		e.Table = p.tableType()
		p.m.Tables = append(p.m.Tables, e.Table)
		p.m.ImportedTables++
	case ExternMemory:
		e.Memory = p.memoryType()
		p.addMemory(e.Memory)
		p.m.ImportedMemory = true
	case ExternGlobal:
		e.Global = p.globalType()
		p.m.Globals = append(p.m.Globals, e.Global)
		p.m.ImportedGlobals++
	case 4:
		p.fail(Unsupported, p.pos-1, "import %q %q of an exception tag: exceptions are not supported", e.Module, e.Name)
	default:
		p.fail(Malformed, p.pos-1, "malformed import kind %#x", kind)
	}
	p.m.Imports = append(p.m.Imports, e)
}

func (p *parser) functionEntry() {
	t := p.typeIndex()
	p.m.funcTypes = append(p.m.funcTypes, t)
	p.within("Functions", p.policy.Limits.Functions, uint64(len(p.m.funcTypes)), "functions, with the imported ones:")
	p.m.Functions = append(p.m.Functions, Function{Type: t})
}

func (p *parser) tableType() TableType {
	t := TableType{Elem: p.refType()}
	at := p.pos
	t.Min, t.Max, t.HasMax = p.sizeLimits("table", 1<<32-1)
	if p.err == nil && !p.within("TableEntries", p.policy.Limits.TableEntries, uint64(t.Min), "entries of a table:") {
		p.err.Offset = at
	}
	return t
}

func (p *parser) memoryType() MemoryType {
	var t MemoryType
	t.Min, t.Max, t.HasMax = p.sizeLimits("memory", 65536)
	if p.err == nil {
		p.within("MemoryPages", p.policy.Limits.MemoryPages, uint64(t.Min), "pages of memory:")
	}
	return t
}

func (p *parser) sizeLimits(what string, most uint64) (least, greatest uint32, hasMax bool) {
	at := p.pos
	flags := p.byte()
	if p.err != nil {
		return 0, 0, false
	}
	switch {
	case flags == 2 || flags == 3:
		p.fail(Unsupported, at, "the %s is shared: threads are not supported, build without them", what)
		return 0, 0, false
	case flags >= 4 && flags <= 7:
		p.fail(Unsupported, at, "the %s has 64-bit addresses: build for wasm32", what)
		return 0, 0, false
	case flags > 7:
		p.fail(Malformed, at, "malformed limits of a %s: flags %#x", what, flags)
		return 0, 0, false
	}
	least = p.u32()
	if flags == 1 {
		greatest, hasMax = p.u32(), true
	}
	switch {
	case p.err != nil:
	case uint64(least) > most || uint64(greatest) > most:
		p.fail(Invalid, at, "the size of a %s must be at most %d: it has least %d, greatest %d", what, most, least, greatest)
	case hasMax && least > greatest:
		p.fail(Invalid, at, "size minimum must not be greater than maximum: a %s has %d and %d", what, least, greatest)
	}
	return least, greatest, hasMax
}

func (p *parser) addMemory(t MemoryType) {
	if p.err == nil && p.m.Memory != nil {
		p.invalid("multiple memories: WebAssembly 2.0 has at most one")
		return
	}
	p.m.Memory = &t
}

func (p *parser) globalType() GlobalType {
	t := GlobalType{Type: p.valueType()}
	switch b := p.byte(); {
	case p.err != nil:
	case b > 1:
		p.pos--
		p.malformed("malformed mutability %#x", b)
	default:
		t.Mutable = b == 1
	}
	return t
}

func (p *parser) globalEntry() {
	t := p.globalType()
	p.constExpr(t.Type)
	p.m.Globals = append(p.m.Globals, t)
	p.within("Globals", p.policy.Limits.Globals, uint64(len(p.m.Globals)), "globals, with the imported ones:")
}

func (p *parser) startSection() {
	at := p.pos
	i := p.funcIndex()
	if p.err != nil {
		return
	}
	if t := p.m.FuncType(i); len(t.Params)+len(t.Results) > 0 {
		p.fail(Invalid, at, "start function: it must take and return nothing, but is %s", t)
		return
	}
	if !p.policy.AllowStart {
		p.fail(Refused, at, "a start section is not allowed: export the function as _initialize instead, which the host calls once")
		return
	}
	p.m.HasStart, p.m.Start = true, i
}

func (p *parser) codeEntry() {
	l := p.policy.Limits
	if p.bodies >= len(p.m.Functions) {
		p.malformed("function and code section have inconsistent lengths: %d functions are declared", len(p.m.Functions))
		return
	}
	p.fn = p.m.ImportedFuncs + p.bodies
	f := &p.m.Functions[p.bodies]
	p.bodies++
	size := p.u32()
	if p.err != nil || !p.within("Body", l.Body, uint64(size), "bytes of the function's body:") {
		return
	}
	if int64(size) > int64(p.left()) {
		p.malformed("unexpected end: the body is to have %d bytes, but only %d are left", size, p.left())
		return
	}
	f.Start, f.End = p.pos, p.pos+int(size)
	p.m.Stats.LargestBody = max(p.m.Stats.LargestBody, int(size))
	p.m.Stats.CodeBytes += int(size)
	p.pos = f.End
	p.fn = -1
}

func (p *parser) dataEntry() {
	at := p.pos
	flags := p.u32()
	switch {
	case p.err != nil:
		return
	case flags > 2:
		p.fail(Malformed, at, "malformed data segment: flags %d", flags)
		return
	case flags == 2:
		if i := p.u32(); p.err == nil && i != 0 {
			p.fail(Invalid, at, "unknown memory %d", i)
		}
	}
	if flags != 1 {
		if p.err == nil && p.m.Memory == nil {
			p.fail(Invalid, at, "unknown memory 0: an active data segment needs a memory")
		}
		p.constExpr(I32)
	}
	n := p.u32()
	if p.err != nil {
		return
	}
	if int64(n) > int64(p.left()) {
		p.malformed("unexpected end: a data segment is to have %d bytes, but only %d are left", n, p.left())
		return
	}
	p.pos += int(n)
	p.m.dataSegs++
	p.m.Stats.DataBytes += int(n)
}

// finish checks what can only be known when all sections are read.
func (p *parser) finish() {
	if p.err != nil {
		return
	}
	if p.bodies != len(p.m.Functions) {
		p.malformed("function and code section have inconsistent lengths: %d functions, %d bodies", len(p.m.Functions), p.bodies)
	}
	if c := p.m.dataCount; c >= 0 && c != p.m.dataSegs {
		p.malformed("data count and data section have inconsistent lengths: %d and %d", c, p.m.dataSegs)
	}
	p.m.Stats.Size = len(p.bin)
	p.m.Stats.Functions = len(p.m.Functions)
}
