// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

// funcIndex reads a function index of a section other than the code section, and notes it.
func (p *parser) funcIndex() uint32 {
	at := p.pos
	i := p.u32()
	if p.err != nil {
		return 0
	}
	if int64(i) >= int64(len(p.m.funcTypes)) {
		p.fail(Invalid, at, "unknown function %d: the module has %d functions, the imported ones counted", i, len(p.m.funcTypes))
		return 0
	}
	p.m.FuncUses = append(p.m.FuncUses, FuncUse{Start: at, End: p.pos, Index: i})
	return i
}

// declare notes that function i occurs outside the code, so that ref.func may name it.
func (p *parser) declare(i uint32) {
	if p.m.declared == nil {
		p.m.declared = make([]bool, len(p.m.funcTypes))
	}
	if p.err == nil {
		p.m.declared[i] = true
	}
}

// constExpr reads a constant expression, which must leave one value of type want.
func (p *parser) constExpr(want ValueType) {
	at := p.pos
	values, got := 0, anyType
	for p.err == nil {
		start := p.pos
		op := p.opcode()
		switch op {
		case OpEnd:
			if values != 1 || got != want {
				p.fail(Invalid, at, "type mismatch: a constant expression must leave one %s, this leaves %d values, the last %s", want, values, got)
			}
			return
		case OpI32Const:
			p.leb(32, true)
			got = I32
		case OpI64Const:
			p.leb(64, true)
			got = I64
		case OpF32Const:
			p.bytes(4)
			got = F32
		case OpF64Const:
			p.bytes(8)
			got = F64
		case OpV128Const:
			p.bytes(16)
			got = V128
		case OpRefNull:
			got = p.refType()
		case OpRefFunc:
			p.declare(p.funcIndex())
			got = FuncRef
		case OpGlobalGet:
			got = p.constGlobal()
		default:
			if p.err == nil && ops[op].name == "" {
				p.fail(Malformed, start, "illegal opcode in a constant expression")
			}
			p.fail(Invalid, start, "constant expression required: %s is not constant", op)
		}
		values++
	}
}

func (p *parser) constGlobal() ValueType {
	at := p.pos
	i := p.u32()
	switch {
	case p.err != nil:
	case int64(i) >= int64(p.m.ImportedGlobals):
		p.fail(Invalid, at, "unknown global %d: a constant expression may read imported globals only", i)
	case p.m.Globals[i].Mutable:
		p.fail(Invalid, at, "constant expression required: global %d is mutable", i)
	default:
		return p.m.Globals[i].Type
	}
	return anyType
}
