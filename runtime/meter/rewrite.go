// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmill/wasmill/runtime/module"
)

// What the meter adds to a module. Guests can neither import nor export such names: package module
// refuses them.
const (
	ImportModule = module.ReservedPrefix
	RefillImport = "refill" // (left i64) -> (new i64)
	StackImport  = "stack"  // () -> ()
	FuelExport   = module.ReservedPrefix + " fuel"
	StackExport  = module.ReservedPrefix + " stack"

	// AddedImports is by how much the indices of the functions that a guest defines go up.
	AddedImports = 2
)

// Config bounds what a rewritten module may use. A field that is zero takes its default.
type Config struct {
	// StackBytes is how deep calls may nest, in bytes of estimated frames; 1 MiB. The engine's own
	// ceiling is 50 MB, which costs the host 173 MB before it stops a guest.
	StackBytes int64

	// MemoryPages is the most that the memory may grow to, in pages of 64 KiB; 1,024 (64 MiB).
	// A module that declares a larger maximum is clamped, one that needs more from the start is
	// refused.
	MemoryPages uint32

	// TableEntries is the most that all tables together may grow to; 1,000,000. Tables share what
	// their minima leave.
	TableEntries uint32
}

func (c Config) withDefaults() Config {
	if c.StackBytes == 0 {
		c.StackBytes = 1 << 20
	}
	if c.MemoryPages == 0 {
		c.MemoryPages = 1024
	}
	if c.TableEntries == 0 {
		c.TableEntries = 1_000_000
	}
	return c
}

// Info tells what Rewrite did.
type Info struct {
	CostVersion int
	Charges     int // charges put in, bulk ones included
	Checks      int // how many of them are checked
	Stacked     int // functions that account for their frames
	Before      int // bytes of the module
	After       int
	MaxPages    uint32 // the memory's maximum; 0 without a memory
}

// Rewrite returns m with charges in it. The result is valid wherever m is, shares nothing with it,
// and depends on m and c only. It fails when m needs more memory or table entries than c allows.
func Rewrite(m *module.Module, c Config) ([]byte, Info, error) {
	w := &rewriter{m: m, config: c.withDefaults(), flow: flow{m: m}}
	w.info = Info{CostVersion: CostVersion, Before: len(m.Bytes)}
	w.types = m.Types[:len(m.Types):len(m.Types)]
	if err := w.clamp(); err != nil {
		return nil, Info{}, fmt.Errorf("meter module: %w", err)
	}
	w.addTypes()
	w.code()
	out := w.assemble()
	w.info.After = len(out)
	return out, w.info, nil
}

type rewriter struct {
	m      *module.Module
	config Config
	info   Info
	flow   flow

	types                             []module.FuncType // the guest's and then the meter's
	typeOf                            addedTypes
	memory                            *module.MemoryType
	tables                            []module.TableType
	bodies                            []byte // contents of the new code section, without its count
	scratch                           []byte // the body in hand
	copied                            int    // how far the body in hand is copied
	labels                            []label
	depth                             uint32 // labels open in the new body
	wrapped                           bool   // the body in hand is wrapped in a block, so that all exits meet at its end
	frame                             int64  // bytes that the body in hand takes off the stack
	nextNode                          int
	length                            lengths
	inPlain                           bool   // in a plain loop
	fuelLocal, outerLocal, stackLocal uint32 // the meter's locals in the body in hand
}

// clamp sets the maxima of the module's own memory and tables. Imported ones are not the module's
// to bound.
func (w *rewriter) clamp() error {
	if m := w.m.Memory; m != nil {
		t := *m
		if !w.m.ImportedMemory {
			if t.Min > w.config.MemoryPages {
				return fmt.Errorf("it needs %d pages of memory (%d MiB) from the start, at most %d pages (%d MiB) are allowed",
					t.Min, t.Min>>4, w.config.MemoryPages, w.config.MemoryPages>>4)
			}
			if !t.HasMax || t.Max > w.config.MemoryPages {
				t.Max, t.HasMax = w.config.MemoryPages, true
			}
		} else if !t.HasMax {
			t.Max = 65536
		}
		w.memory = &t
		w.info.MaxPages = t.Max
	}
	w.tables = append(w.tables, w.m.Tables...)
	for i := range w.tables {
		if t := &w.tables[i]; !t.HasMax {
			t.Max = 1<<32 - 1
		}
	}
	own := w.tables[w.m.ImportedTables:]
	left := int64(w.config.TableEntries)
	for _, t := range own {
		left -= int64(t.Min)
	}
	if left < 0 {
		return fmt.Errorf("its tables need %d entries from the start, at most %d are allowed",
			int64(w.config.TableEntries)-left, w.config.TableEntries)
	}
	for i := range own {
		t := &own[i]
		most := uint32(min(int64(t.Min)+left/int64(len(own)), 1<<32-1))
		if !t.HasMax || t.Max > most {
			t.Max, t.HasMax = most, true
		}
	}
	return nil
}

// addedTypes are the indices of the types that the meter needs.
type addedTypes struct {
	refill, stack, take, enter, bulk, grow uint32
}

func (w *rewriter) addTypes() {
	i32, i64 := module.I32, module.I64
	w.typeOf = addedTypes{
		refill: w.typeIndex(module.FuncType{Params: []module.ValueType{i64}, Results: []module.ValueType{i64}}),
		stack:  w.typeIndex(module.FuncType{}),
		take:   w.typeIndex(module.FuncType{Params: []module.ValueType{i64}}),
		enter:  w.typeIndex(module.FuncType{Params: []module.ValueType{i64, i64}}),
		bulk:   w.typeIndex(module.FuncType{Params: []module.ValueType{i32, i64}, Results: []module.ValueType{i32}}),
		grow:   w.typeIndex(module.FuncType{Params: []module.ValueType{i32, i64, i64}, Results: []module.ValueType{i32}}),
	}
}

// typeIndex returns the index of t among the types that the meter added, which adds it if need be.
// The guest's own types are not searched: there may be many.
func (w *rewriter) typeIndex(t module.FuncType) uint32 {
	for i := len(w.m.Types); i < len(w.types); i++ {
		if w.types[i].Equal(t) {
			return uint32(i)
		}
	}
	w.types = append(w.types, t)
	return uint32(len(w.types) - 1)
}

// function returns the new index of a function of the guest.
func (w *rewriter) function(index uint32) uint32 {
	if int(index) < w.m.ImportedFuncs {
		return index
	}
	return index + AddedImports
}

// Indices of what the meter added.
func (w *rewriter) refillImport() uint32 { return uint32(w.m.ImportedFuncs) }
func (w *rewriter) stackImport() uint32  { return uint32(w.m.ImportedFuncs) + 1 }
func (w *rewriter) added(n int) uint32 {
	return uint32(w.m.ImportedFuncs + AddedImports + len(w.m.Functions) + n)
}
func (w *rewriter) fuelGlobal() uint32  { return uint32(len(w.m.Globals)) }
func (w *rewriter) stackGlobal() uint32 { return uint32(len(w.m.Globals)) + 1 }

func appendU32(b []byte, v uint32) []byte { return binary.AppendUvarint(b, uint64(v)) }

// appendS64 appends v as signed LEB128.
func appendS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, name string) []byte {
	return append(appendU32(b, uint32(len(name))), name...)
}
