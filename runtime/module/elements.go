// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

// elementEntry reads an element segment. Its flags: bit 0 not active, bit 1 an explicit table (when
// active) or declarative (when not), bit 2 expressions in place of function indices.
func (p *parser) elementEntry() {
	at := p.pos
	flags := p.u32()
	if p.err == nil && flags > 7 {
		p.fail(Malformed, at, "malformed element segment: flags %d", flags)
	}
	if p.err != nil {
		return
	}
	active, explicit, exprs := flags&1 == 0, flags&2 != 0, flags&4 != 0
	table := uint32(0)
	if active {
		if explicit {
			table = p.u32()
		}
		if p.err == nil && int64(table) >= int64(len(p.m.Tables)) {
			p.fail(Invalid, at, "unknown table %d: the module has %d tables", table, len(p.m.Tables))
			return
		}
		p.constExpr(I32)
	}
	elem := FuncRef
	if flags&3 != 0 {
		elem = p.elementKind(exprs)
	}
	if p.err != nil {
		return
	}
	if active && p.m.Tables[table].Elem != elem {
		p.fail(Invalid, at, "type mismatch: a segment of %s for a table of %s", elem, p.m.Tables[table].Elem)
		return
	}
	p.elementItems(elem, exprs)
	p.m.elemTypes = append(p.m.elemTypes, elem)
}

func (p *parser) elementKind(exprs bool) ValueType {
	if exprs {
		return p.refType()
	}
	if b := p.byte(); p.err == nil && b != 0 {
		p.pos--
		p.malformed("malformed element kind %#x", b)
	}
	return FuncRef
}

func (p *parser) elementItems(elem ValueType, exprs bool) {
	limit := p.policy.Limits.ElementItems
	n := p.count("element entries", "ElementItems", limit, 1)
	p.items += n
	if p.err != nil || !p.within("ElementItems", limit, uint64(p.items), "element entries so far:") {
		return
	}
	for range n {
		if exprs {
			p.constExpr(elem)
		} else {
			p.declare(p.funcIndex())
		}
		if p.err != nil {
			return
		}
	}
}
