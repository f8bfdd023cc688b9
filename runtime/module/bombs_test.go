// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/runtime/module"
	mt "github.com/wasmill/wasmill/runtime/module/moduletest"
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// raw is a module of the given sections.
func raw(sections ...[]byte) []byte {
	return append([]byte(mt.Header), join(sections...)...)
}

// oneBody is a module of one function of no type, with the given body, locals and all.
func oneBody(body []byte) []byte {
	var b mt.Builder
	b.RawFunc("", b.Type("->"), body)
	return b.Bytes()
}

// locals declares n locals of type i32 in one group.
func locals(n uint32) []byte { return join(mt.U32(1), mt.U32(n), []byte{byte(module.I32)}) }

// bombs are the modules that kill or stall a process whose engine sees them. limit is the one that each
// breaks, "" where the bytes are malformed; grows is how much Parse may allocate for it.
var bombs = []struct {
	name  string
	limit string
	grows uint64
	build func() []byte
}{
	{"type count", "Types", 64 << 10, func() []byte { return raw(mt.Section(1, mt.U32(1<<32-1))) }},
	{"import count", "Imports", 64 << 10, func() []byte { return raw(mt.Section(2, mt.U32(1<<32-1))) }},
	{"function count", "Functions", 64 << 10, func() []byte { return raw(mt.Section(3, mt.U32(1<<32-1))) }},
	{"table count", "Tables", 64 << 10, func() []byte { return raw(mt.Section(4, mt.U32(1<<32-1))) }},
	{"memory count", "Size", 64 << 10, func() []byte { return raw(mt.Section(5, mt.U32(1<<32-1))) }},
	{"global count", "Globals", 64 << 10, func() []byte { return raw(mt.Section(6, mt.U32(1<<32-1))) }},
	{"export count", "Exports", 64 << 10, func() []byte { return raw(mt.Section(7, mt.U32(1<<32-1))) }},
	{"element count", "Elements", 64 << 10, func() []byte { return raw(mt.Section(9, mt.U32(1<<32-1))) }},
	{"code count", "Functions", 64 << 10, func() []byte { return raw(mt.Section(10, mt.U32(1<<32-1))) }},
	{"data count", "DataSegments", 64 << 10, func() []byte { return raw(mt.Section(11, mt.U32(1<<32-1))) }},
	{"data count section", "DataSegments", 64 << 10, func() []byte { return raw(mt.Section(12, mt.U32(1<<32-1))) }},
	{"a count within its limit and over the bytes left", "", 64 << 10, func() []byte { return raw(mt.Section(3, mt.U32(99_999))) }},
	{"parameter count", "Params", 64 << 10, func() []byte { return raw(mt.Section(1, join(mt.U32(1), []byte{0x60}, mt.U32(1<<32-1)))) }},
	{"element entries", "ElementItems", 64 << 10, func() []byte {
		return raw(mt.Section(9, join(mt.U32(1), []byte{1, 0}, mt.U32(1<<32-1))))
	}},
	{"import name", "Name", 64 << 10, func() []byte { return raw(mt.Section(2, join(mt.U32(1), mt.U32(1<<32-1)))) }},
	{"section size", "", 64 << 10, func() []byte { return join([]byte(mt.Header), []byte{1}, mt.U32(1<<32-1)) }},
	{"data segment size", "", 64 << 10, func() []byte { return raw(mt.Section(11, join(mt.U32(1), []byte{1}, mt.U32(1<<32-1)))) }},
	{"locals", "Locals", 64 << 10, func() []byte { return oneBody(append(locals(1<<32-1), 0x0b)) }},
	{"locals of many groups", "Locals", 64 << 10, func() []byte {
		group := join(mt.U32(1<<31), []byte{byte(module.I32)})
		return oneBody(join(mt.U32(3), group, group, group, []byte{0x0b}))
	}},
	{"locals of many functions", "ModuleLocals", 4 << 20, func() []byte {
		var b mt.Builder
		typ, body := b.Type("->"), append(locals(50_000), 0x0b)
		for range 1000 {
			b.RawFunc("", typ, body)
		}
		return b.Bytes()
	}},
	{"a million empty functions", "Functions", 64 << 10, func() []byte {
		n := 1_000_000
		return raw(mt.Section(1, []byte{1, 0x60, 0, 0}), mt.Section(3, join(mt.U32(uint32(n)), make([]byte, n))),
			mt.Section(10, join(mt.U32(uint32(n)), bytes.Repeat([]byte{2, 0, 0x0b}, n))))
	}},
	{"5 million instructions in one function", "Body", 64 << 10, func() []byte {
		return oneBody(join([]byte{0}, bytes.Repeat(mt.Code("i32.const 0 drop"), 2_500_000), []byte{0x0b}))
	}},
	{"phi explosion: 10,000 ifs x 1,000 locals", "Merges", 1 << 20, func() []byte {
		return oneBody(join(locals(1000), bytes.Repeat(mt.Code("local.get 0 if void i32.const 1 local.set 0 end"), 10_000), []byte{0x0b}))
	}},
	{"200 nested loops x 1,000 locals", "Merges", 1 << 20, func() []byte {
		return oneBody(join(locals(1000), bytes.Repeat(mt.Code("loop void"), 200), bytes.Repeat([]byte{0x0b}, 201)))
	}},
	{"br_table with a million targets", "BrTargets", 64 << 10, func() []byte {
		return oneBody(join([]byte{0}, mt.Code("i32.const 0"), []byte{0x0e}, mt.U32(500_000), make([]byte, 500_001), []byte{0x0b}))
	}},
	{"1,000 br_tables of 1,000 targets", "BrTargets", 1 << 20, func() []byte {
		table := join(mt.Code("block void i32.const 0"), []byte{0x0e}, mt.U32(999), make([]byte, 1000), []byte{0x0b})
		return withBodies(20, join([]byte{0}, bytes.Repeat(table, 100), []byte{0x0b}))
	}},
	{"nesting", "Nesting", 4 << 20, func() []byte {
		return oneBody(join([]byte{0}, bytes.Repeat(mt.Code("block void"), 100_000), bytes.Repeat([]byte{0x0b}, 100_001)))
	}},
	{"values by calls", "Transfers", 8 << 20, func() []byte {
		var b mt.Builder
		wide := b.Type("-> " + strings.Repeat("i32 ", 256))
		b.RawFunc("", wide, join([]byte{0}, mt.Code("unreachable"), []byte{0x0b}))
		b.RawFunc("", wide, join([]byte{0}, bytes.Repeat(mt.Code("call 0 return"), 100_000), []byte{0x0b}))
		return b.Bytes()
	}},
	{"operands", "Operands", 8 << 20, func() []byte {
		return oneBody(join([]byte{0}, bytes.Repeat(mt.Code("i32.const 0"), 200_000), []byte{0x0b}))
	}},
	{"mutable globals read anew after calls", "Merges", 4 << 20, func() []byte {
		var b mt.Builder
		for range 9_000 {
			b.Global("i32", true, "i32.const 0")
		}
		b.RawFunc("", b.Type("->"), join([]byte{0}, bytes.Repeat(mt.Code("call 0"), 10_000), []byte{0x0b}))
		return b.Bytes()
	}},
	{"a table of 2**32-1 entries", "TableEntries", 64 << 10, func() []byte {
		var b mt.Builder
		b.Table(1<<32-1, -1)
		return b.Bytes()
	}},
	{"a memory of 4 GiB", "MemoryPages", 64 << 10, func() []byte {
		var b mt.Builder
		b.Memory(65536, -1)
		return b.Bytes()
	}},
	{"a custom section of 9 MB", "CustomSection", 64 << 10, func() []byte {
		return raw(mt.Section(0, append(mt.Name("junk"), make([]byte, 9<<20)...)))
	}},
	{"a module of 11 MB", "Size", 64 << 10, func() []byte {
		return raw(mt.Section(0, append(mt.Name("junk"), make([]byte, 11<<20)...)))
	}},
}

// withBodies is a module of n functions of no type with the same body.
func withBodies(n int, body []byte) []byte {
	var b mt.Builder
	typ := b.Type("->")
	for range n {
		b.RawFunc("", typ, body)
	}
	return b.Bytes()
}

func TestBombsAreRefusedBeforeTheyCostAnything(t *testing.T) {
	for _, c := range bombs {
		t.Run(c.name, func(t *testing.T) {
			bin := c.build()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := module.Parse(bin, module.Policy{})
			runtime.ReadMemStats(&after)
			var refused *module.Error
			switch {
			case !errors.As(err, &refused):
				t.Fatalf("accepted: %v", err)
			case c.limit == "" && refused.Kind != module.Malformed:
				t.Errorf("want malformed, got %v", err)
			case c.limit != "" && (refused.Kind != module.OverLimit || refused.Limit != c.limit || refused.Value <= refused.Max):
				t.Errorf("want the limit %s, got %v", c.limit, err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > c.grows {
				t.Errorf("%d bytes allocated, at most %d wanted", got, c.grows)
			}
		})
	}
}
