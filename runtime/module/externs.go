// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// exportSection reads the exports. Their names differ from each other.
func (p *parser) exportSection() {
	l := p.policy.Limits
	n := p.count("exports", "Exports", l.Exports, 3)
	seen := map[string]bool{}
	for ; n > 0 && p.err == nil; n-- {
		at := p.pos
		e := Export{Name: p.name("export name", l.Name)}
		if p.err != nil {
			return
		}
		switch {
		case seen[e.Name]:
			p.fail(Invalid, at, "duplicate export name %q", e.Name)
			return
		case strings.HasPrefix(e.Name, ReservedPrefix):
			p.fail(Refused, at, "export %q: names that begin with %q belong to the meter, choose another", e.Name, ReservedPrefix)
			return
		}
		seen[e.Name] = true
		p.exportTarget(&e)
		p.m.Exports = append(p.m.Exports, e)
	}
}

func (p *parser) exportTarget(e *Export) {
	at := p.pos
	kind := p.byte()
	if p.err != nil {
		return
	}
	e.Kind = ExternKind(kind)
	have := 0
	switch e.Kind {
	case ExternFunc:
		e.Index = p.funcIndex()
		if p.err == nil {
			p.declare(e.Index)
			e.Type = p.m.FuncType(e.Index)
		}
		return
	case ExternTable:
		have = len(p.m.Tables)
	case ExternMemory:
		if p.m.Memory != nil {
			have = 1
		}
	case ExternGlobal:
		have = len(p.m.Globals)
	default:
		p.fail(Malformed, at, "malformed export kind %#x", kind)
		return
	}
	e.Index = p.u32()
	if p.err == nil && int64(e.Index) >= int64(have) {
		p.fail(Invalid, at, "unknown %s %d: export %q", e.Kind, e.Index, e.Name)
	}
}

// checkImports holds the import section against the policy.
func (p *parser) checkImports() {
	p.section = "import"
	defer func() { p.section = "" }()
	at := p.end
	for _, s := range p.m.Sections {
		if s.ID == SectionImport {
			at = s.Start
		}
	}
	for i := range p.m.Imports {
		e := &p.m.Imports[i]
		if strings.HasPrefix(e.Module, ReservedPrefix) {
			p.fail(Refused, at, "import %q %q: modules that begin with %q belong to the meter", e.Module, e.Name, ReservedPrefix)
		}
		if !p.policy.AnyImport {
			p.checkImport(e, at)
		}
		if p.err != nil {
			return
		}
	}
}

func (p *parser) checkImport(e *ImportEntry, at int) {
	if e.Kind != ExternFunc {
		what := "define and export it instead"
		if e.Kind == ExternMemory {
			what = "link without --import-memory"
		}
		p.fail(Refused, at, "import %q %q of a %s: only functions may be imported, %s", e.Module, e.Name, e.Kind, what)
		return
	}
	nearest, distance := -1, 0
	for i, offered := range p.policy.Imports {
		if offered.Module == e.Module && offered.Name == e.Name {
			want, have := FuncType{Params: offered.Params, Results: offered.Results}, p.m.Types[e.Type]
			if !want.Equal(have) {
				p.fail(Refused, at, "import %q %q has the type %s, but the host offers %s", e.Module, e.Name, have, want)
			}
			return
		}
		if d := importDistance(offered, e); nearest < 0 || d < distance {
			nearest, distance = i, d
		}
	}
	if nearest < 0 {
		p.fail(Refused, at, "import %q %q: this host offers no functions to import", e.Module, e.Name)
		return
	}
	n := p.policy.Imports[nearest]
	p.fail(Refused, at, "import %q %q is not offered by this host; the nearest that is: %q %q", e.Module, e.Name, n.Module, n.Name)
}

// importDistance compares the heads of long names only: its time grows with the product of lengths.
func importDistance(offered Import, e *ImportEntry) int {
	head := func(s string) string { return s[:min(len(s), 64)] }
	return levenshtein.ComputeDistance(head(offered.Module), head(e.Module)) +
		levenshtein.ComputeDistance(head(offered.Name), head(e.Name))
}
