// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

// ReservedPrefix begins the names that belong to the meter: a guest that imports a module or
// exports anything by such a name is refused.
const ReservedPrefix = "wasmill:meter"

// Policy is what a host admits. The zero Policy admits modules that import nothing, have no start
// section and keep the default limits.
type Policy struct {
	Limits Limits

	// Imports are the functions that the host offers. A module may import these, by exactly
	// these names and types, and nothing else.
	Imports []Import

	// AnyImport admits every import, tables, memories and globals too. It is for tools that look
	// at modules without running them, and for test suites; Imports is then not looked at.
	AnyImport bool

	// AllowStart admits a start section, whose function would run while the module is being
	// instantiated, before its host knows it.
	AllowStart bool
}

// Limits bounds what a module may declare. A field that is zero takes its default; the defaults
// leave what real toolchains emit (Go: 3.3 MB, 2,128 functions, bodies to 29 KB; CPython: 6 MB) a
// factor of three or more, and keep the engine's worst compile within a child's budget.
type Limits struct {
	Size          int // bytes of the module; 10 MiB
	Types         int // 10,000
	Params        int // parameters of one function type; 256
	Results       int // results of one function type; 256
	Imports       int // 1,000
	Functions     int // imported and defined; 100,000
	Tables        int // 64
	TableEntries  int // least size of one table; 1,000,000
	MemoryPages   int // least size of the memory, in pages of 64 KiB; 16,384 (1 GiB)
	Globals       int // 10,000
	Exports       int // 10,000
	Elements      int // element segments; 10,000
	ElementItems  int // entries over all element segments; 1,000,000
	DataSegments  int // 100,000
	Body          int // bytes of one function's body; 512 KiB
	Locals        int // declared locals of one function; 50,000
	ModuleLocals  int // declared locals over all functions; 1,000,000
	Nesting       int // blocks within blocks; 10,000
	Operands      int // height of one function's operand stack; 50,000
	BrTargets     int // br_table targets of one function; 65,536
	ModuleTargets int // br_table targets over all functions; 500,000 (a 6 MB Go program has 128,000)
	Name          int // bytes of one name of an import, an export or a custom section; 16 KiB
	CustomSection int // bytes of one custom section other than name and .debug_*; 1 MiB

	// Merges bounds variables x control points of one function, ModuleMerges their sum over all
	// functions. The engine's compiler keeps locals and mutable globals as variables and may make
	// a merge of each at each block, once more per loop around it, and reads each mutable global
	// anew after each call: 10,000 ifs x 1,000 locals compiled for 22.8 s, 200 nested
	// loops x 1,000 locals for 150 s. 4,000,000 and 64,000,000.
	Merges, ModuleMerges int

	// Transfers bounds the values that calls, blocks and branches pass by their types, over all
	// functions: two bytes of code may pass Params + Results values. 20,000,000.
	Transfers int
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Size, 10 << 20},
		{&l.Types, 10_000},
		{&l.Params, 256},
		{&l.Results, 256},
		{&l.Imports, 1_000},
		{&l.Functions, 100_000},
		{&l.Tables, 64},
		{&l.TableEntries, 1_000_000},
		{&l.MemoryPages, 16_384},
		{&l.Globals, 10_000},
		{&l.Exports, 10_000},
		{&l.Elements, 10_000},
		{&l.ElementItems, 1_000_000},
		{&l.DataSegments, 100_000},
		{&l.Body, 512 << 10},
		{&l.Locals, 50_000},
		{&l.ModuleLocals, 1_000_000},
		{&l.Nesting, 10_000},
		{&l.Operands, 50_000},
		{&l.BrTargets, 65_536},
		{&l.ModuleTargets, 500_000},
		{&l.Name, 16 << 10},
		{&l.CustomSection, 1 << 20},
		{&l.Merges, 4_000_000},
		{&l.ModuleMerges, 64_000_000},
		{&l.Transfers, 20_000_000},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}
