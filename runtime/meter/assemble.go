// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wasmill/wasmill/runtime/module"
)

// assemble writes the new module, section by section in the format's order. Sections that hold no
// function index and get nothing added are copied.
func (w *rewriter) assemble() []byte {
	out := make([]byte, 0, len(w.bodies)+len(w.m.Bytes)-w.m.Stats.CodeBytes+4096)
	out = append(out, "\x00asm\x01\x00\x00\x00"...)
	old := [module.SectionDataCount + 1]*module.Section{}
	for i := range w.m.Sections {
		if s := &w.m.Sections[i]; s.ID != module.SectionCustom {
			old[s.ID] = s
		}
	}
	section := func(id byte, content []byte) {
		out = append(out, id)
		out = appendU32(out, uint32(len(content)))
		out = append(out, content...)
	}
	for _, id := range []byte{
		module.SectionType, module.SectionImport, module.SectionFunction, module.SectionTable,
		module.SectionMemory, module.SectionGlobal, module.SectionExport, module.SectionStart,
		module.SectionElement, module.SectionDataCount, module.SectionCode, module.SectionData,
	} {
		if content := w.section(id, old[id]); content != nil {
			section(id, content)
		}
	}
	section(module.SectionCustom, w.names())
	return out
}

// section returns the contents of the new section, nil when there is none.
func (w *rewriter) section(id byte, old *module.Section) []byte {
	switch id {
	case module.SectionType:
		return w.typeSection(old)
	case module.SectionImport:
		return w.importSection(old)
	case module.SectionFunction:
		return w.extended(old, len(w.m.Functions), len(addedNames), func(b []byte) []byte {
			b = appendU32(b, w.typeOf.take)
			b = appendU32(b, w.typeOf.enter)
			b = appendU32(b, w.typeOf.bulk)
			return appendU32(b, w.typeOf.grow)
		})
	case module.SectionTable:
		return w.tableSection(old)
	case module.SectionMemory:
		return w.memorySection(old)
	case module.SectionGlobal:
		return w.extended(old, len(w.m.Globals)-w.m.ImportedGlobals, 2, func(b []byte) []byte {
			b = append(b, byte(module.I64), 1, byte(module.OpI64Const), 0, byte(module.OpEnd))
			b = append(b, byte(module.I64), 1, byte(module.OpI64Const))
			b = appendS64(b, w.config.StackBytes)
			return append(b, byte(module.OpEnd))
		})
	case module.SectionExport:
		return w.extended(old, len(w.m.Exports), 2, func(b []byte) []byte {
			b = append(appendName(b, FuelExport), byte(module.ExternGlobal))
			b = appendU32(b, w.fuelGlobal())
			b = append(appendName(b, StackExport), byte(module.ExternGlobal))
			return appendU32(b, w.stackGlobal())
		})
	case module.SectionCode:
		return append(appendU32(nil, uint32(len(w.m.Functions)+len(addedNames))), w.bodies...)
	}
	if old == nil {
		return nil
	}
	return w.moved(nil, old.Start, old.End)
}

// extended returns a section of n old entries and more that add appends.
func (w *rewriter) extended(old *module.Section, n, more int, add func([]byte) []byte) []byte {
	b := appendU32(nil, uint32(n+more))
	if old != nil {
		b = w.moved(b, old.Start+countLen(w.m.Bytes[old.Start:]), old.End)
	}
	return add(b)
}

// countLen returns the length of the LEB128 number at the beginning of b.
func countLen(b []byte) int {
	return slices.IndexFunc(b, func(c byte) bool { return c < 0x80 }) + 1
}

// moved appends the module's bytes from start to end with the function indices in them renewed.
func (w *rewriter) moved(b []byte, start, end int) []byte {
	uses := w.m.FuncUses
	first, _ := slices.BinarySearchFunc(uses, start, func(u module.FuncUse, pos int) int { return u.Start - pos })
	for _, u := range uses[first:] {
		if u.Start >= end {
			break
		}
		b = append(b, w.m.Bytes[start:u.Start]...)
		b = appendU32(b, w.function(u.Index))
		start = u.End
	}
	return append(b, w.m.Bytes[start:end]...)
}

func (w *rewriter) typeSection(old *module.Section) []byte {
	added := w.types[len(w.m.Types):]
	return w.extended(old, len(w.m.Types), len(added), func(b []byte) []byte {
		for _, t := range added {
			b = append(b, 0x60)
			for _, list := range [][]module.ValueType{t.Params, t.Results} {
				b = appendU32(b, uint32(len(list)))
				for _, v := range list {
					b = append(b, byte(v))
				}
			}
		}
		return b
	})
}

func (w *rewriter) importSection(old *module.Section) []byte {
	return w.extended(old, len(w.m.Imports), AddedImports, func(b []byte) []byte {
		for _, i := range []struct {
			name string
			t    uint32
		}{{RefillImport, w.typeOf.refill}, {StackImport, w.typeOf.stack}} {
			b = appendName(appendName(b, ImportModule), i.name)
			b = appendU32(append(b, byte(module.ExternFunc)), i.t)
		}
		return b
	})
}

func (w *rewriter) tableSection(old *module.Section) []byte {
	if old == nil {
		return nil
	}
	own := w.tables[w.m.ImportedTables:]
	b := appendU32(nil, uint32(len(own)))
	for _, t := range own {
		b = appendLimits(append(b, byte(t.Elem)), t.Min, t.Max)
	}
	return b
}

func (w *rewriter) memorySection(old *module.Section) []byte {
	if old == nil {
		return nil
	}
	if w.memory == nil || w.m.ImportedMemory {
		return []byte{0}
	}
	return appendLimits([]byte{1}, w.memory.Min, w.memory.Max)
}

func appendLimits(b []byte, least, greatest uint32) []byte {
	return appendU32(appendU32(append(b, 1), least), greatest)
}

// maxName is how many bytes of a function's name are kept: a stack trace has 30 of them, and a guest
// may choose names of megabytes.
const maxName = 256

func cut(name string) string {
	if len(name) <= maxName {
		return name
	}
	return strings.ToValidUTF8(name[:maxName], "") + "..."
}

// names returns a name section with a name for every function, so that stack traces name functions
// as the guest's author counts them: a function without a name is called by its export, or func[N]
// by its index before the rewriting. The module gets no name, which would precede each function's.
func (w *rewriter) names() []byte {
	b := appendName(nil, "name")
	sub := func(id byte, content []byte) {
		b = append(b, id)
		b = appendU32(b, uint32(len(content)))
		b = append(b, content...)
	}
	exported := map[uint32]string{}
	for _, e := range w.m.Exports {
		if e.Kind == module.ExternFunc && exported[e.Index] == "" {
			exported[e.Index] = e.Name
		}
	}
	total := w.m.ImportedFuncs + len(w.m.Functions)
	names := appendU32(nil, uint32(total+AddedImports+len(addedNames)))
	next := w.m.FuncNames
	for i := range uint32(total) {
		if int(i) == w.m.ImportedFuncs {
			names = w.importNames(names)
		}
		name := exported[i]
		if len(next) > 0 && next[0].Index == i {
			name, next = next[0].Name, next[1:]
		}
		if name == "" {
			name = "func[" + strconv.Itoa(int(i)) + "]"
		}
		names = appendName(appendU32(names, w.function(i)), cut(name))
	}
	if len(w.m.Functions) == 0 {
		names = w.importNames(names)
	}
	for i, name := range addedNames {
		names = appendName(appendU32(names, w.added(i)), name)
	}
	sub(1, names)
	return b
}

func (w *rewriter) importNames(b []byte) []byte {
	b = appendName(appendU32(b, w.refillImport()), ImportModule+" "+RefillImport)
	return appendName(appendU32(b, w.stackImport()), ImportModule+" "+StackImport)
}
