// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

// Report is what `wasmill inspect` tells of a module.
type Report struct {
	Digest      string // sha256, in hex
	Name        string // by the name section, "" where it has none
	Stats       module.Stats
	Sections    []Section
	Imports     []Extern
	Exports     []Extern
	LeastPages  uint32 // of memory, 64 KiB each
	MostPages   uint32 // as this host's limits have it
	Description *describe.Module
	Meter       meter.Info

	Compiled    bool          // just now; else it lay in the cache
	CompileTime time.Duration // 0 where it lay in the cache
	// EmptyCalls is, for each map of the description, the fuel of a call without rows; -1 where
	// the operator does not open without a configuration, or is no map.
	EmptyCalls []int64
}

// Section is a part of the file.
type Section struct {
	Name string `json:"name"`
	Size int    `json:"size"` // bytes
}

// Extern is an import or an export.
type Extern struct {
	Module string `json:"module,omitempty"` // "" of an export
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Type   string `json:"type,omitempty"` // of a function, else ""
}

// Inspect loads the module in a file and reports on it.
func (e *Engine) Inspect(ctx context.Context, path string) (*Report, error) {
	m, err := e.LoadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	return m.Inspect(ctx)
}

// Inspect reports on the module.
func (m *Module) Inspect(ctx context.Context) (*Report, error) {
	p := m.parsed
	r := &Report{
		Digest: m.digest, Name: p.ModuleName, Stats: p.Stats, Description: m.description, Meter: m.meter,
		Compiled: m.code.Compiled, CompileTime: m.code.CompileTime,
		LeastPages: p.Memory.Min, MostPages: m.meter.MaxPages,
	}
	for _, s := range p.Sections {
		name := s.Name
		if s.ID != module.SectionCustom {
			name = sectionNames[s.ID]
		}
		r.Sections = append(r.Sections, Section{name, s.End - s.Start})
	}
	for _, i := range p.Imports {
		r.Imports = append(r.Imports, Extern{i.Module, i.Name, i.Kind.String(), p.Types[i.Type].String()})
	}
	for _, x := range p.Exports {
		extern := Extern{Name: x.Name, Kind: x.Kind.String()}
		if x.Kind == module.ExternFunc {
			extern.Type = x.Type.String()
		}
		r.Exports = append(r.Exports, extern)
	}
	for i := range m.description.Operators {
		fuel, err := m.emptyCall(ctx, i)
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		r.EmptyCalls = append(r.EmptyCalls, fuel)
	}
	return r, nil
}

// emptyCall returns the fuel that a map takes for a batch of no rows, or -1.
func (m *Module) emptyCall(ctx context.Context, number int) (int64, error) {
	op := &m.description.Operators[number]
	if op.Kind != describe.Map {
		return -1, nil
	}
	pool := &batch.Pool{}
	g, err := m.instantiate(ctx, surroundings{pool: pool, counters: len(op.Counters)})
	if err != nil {
		return -1, err
	}
	defer g.close()
	config := pool.NewBuilder(&abi.Schema{Fields: op.Config})
	config.EndRow()
	if err := g.open(ctx, number, config.Finish()); err != nil {
		return -1, err
	}
	in := batch.Message{Batch: pool.NewBuilder(op.Inputs[0].Schema()).Finish(), Time: op.Inputs[0].Time}
	g.bill()
	at, _, err := g.input(ctx, &in, nil)
	if err == nil {
		err = g.run(ctx, g.process, abi.ExportProcess, func(port uint32) *abi.Schema {
			if int(port) < len(op.Outputs) {
				return op.Outputs[port].Schema()
			}
			return nil
		}, uint64(at.ptr), uint64(at.size))
	}
	if err != nil {
		return -1, err
	}
	return g.bill(), nil
}

var sectionNames = [...]string{
	module.SectionType: "type", module.SectionImport: "import", module.SectionFunction: "function",
	module.SectionTable: "table", module.SectionMemory: "memory", module.SectionGlobal: "global",
	module.SectionExport: "export", module.SectionStart: "start", module.SectionElement: "element",
	module.SectionCode: "code", module.SectionData: "data", module.SectionDataCount: "data count",
}
