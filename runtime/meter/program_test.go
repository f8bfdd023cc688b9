// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/module/moduletest"
)

// ins is an instruction of a random program; blocks hold what is in them.
type ins struct {
	op        module.Opcode
	imm       int64
	labels    []int64
	result    bool // a block leaves an i32
	body, alt []ins
}

// program is a random module of functions (i32, i32) -> i32 over four locals, two of them parameters, a
// global and a page of memory. It always ends: a loop counts down a local of its own, and a function calls
// only functions before it.
type program struct {
	funcs   [][]ins
	locals  []int // of each function, without parameters
	fields  int   // of the function in hand
	rng     *rand.Rand
	labels  []labelInfo
	current int
}

type labelInfo struct {
	loop   bool
	result bool
}

// plainLocals are the locals that code may assign; those after them count loops.
const plainLocals = 4

func newProgram(seed uint64) *program {
	p := &program{rng: rand.New(rand.NewPCG(seed, 7))}
	for range 1 + p.rng.IntN(4) {
		p.fields, p.labels = plainLocals, []labelInfo{{result: true}}
		body := append(p.stmts(3), p.expr(2)...)
		p.funcs = append(p.funcs, body)
		p.locals = append(p.locals, p.fields-2)
		p.current++
	}
	return p
}

func (p *program) stmts(depth int) []ins {
	var out []ins
	for range 1 + p.rng.IntN(4) {
		out = append(out, p.stmt(depth)...)
	}
	return out
}

func (p *program) within(l labelInfo, f func() []ins) []ins {
	p.labels = append(p.labels, l)
	out := f()
	p.labels = p.labels[:len(p.labels)-1]
	return out
}

// op returns an instruction without a block.
func op(o module.Opcode, imm int64) ins { return ins{op: o, imm: imm} }

func (p *program) stmt(depth int) []ins {
	if depth <= 0 {
		return append(p.expr(1), op(module.OpLocalSet, int64(p.rng.IntN(plainLocals))))
	}
	switch p.rng.IntN(12) {
	case 0:
		return []ins{{op: module.OpBlock, body: p.within(labelInfo{}, func() []ins { return p.stmts(depth - 1) })}}
	case 1, 2:
		return p.loop(depth)
	case 3, 4:
		i := ins{op: module.OpIf}
		cond := p.expr(depth - 1)
		i.body = p.within(labelInfo{}, func() []ins { return p.stmts(depth - 1) })
		if p.rng.IntN(2) == 0 {
			i.alt = p.within(labelInfo{}, func() []ins { return p.stmts(depth - 1) })
		}
		return append(cond, i)
	case 5:
		return p.branchIf(depth)
	case 6:
		return p.branchTable(depth)
	case 7:
		return append(append(p.expr(1), p.expr(depth-1)...), op(0x36, 0)) // i32.store
	case 8:
		return append(p.expr(depth-1), op(module.OpGlobalSet, 0))
	case 9:
		return p.fill()
	case 10:
		return append(p.expr(depth-1), op(module.OpDrop, 0))
	}
	return append(p.expr(depth-1), op(module.OpLocalSet, int64(p.rng.IntN(plainLocals))))
}

// loop counts down a local of its own at its header and leaves when that is zero, whatever its body does.
func (p *program) loop(depth int) []ins {
	counter := int64(p.fields)
	p.fields++
	out := []ins{op(module.OpI32Const, 1+int64(p.rng.IntN(4))), op(module.OpLocalSet, counter)}
	body := p.within(labelInfo{}, func() []ins {
		return p.within(labelInfo{loop: true}, func() []ins {
			b := []ins{
				op(module.OpLocalGet, counter), op(0x45, 0), op(module.OpBrIf, 1),
				op(module.OpLocalGet, counter), op(module.OpI32Const, 1), op(0x6b, 0), op(module.OpLocalSet, counter),
			}
			b = append(b, p.stmts(depth-1)...)
			if p.rng.IntN(3) > 0 {
				b = append(b, op(module.OpBr, 0))
			}
			return b
		})
	})
	return append(out, ins{op: module.OpBlock, body: []ins{{op: module.OpLoop, body: body}}})
}

// label picks an open label that takes no value; the second result is false when there is none.
func (p *program) label() (int64, bool) {
	for range 4 {
		at := p.rng.IntN(len(p.labels))
		if !p.labels[at].result {
			return int64(len(p.labels) - 1 - at), true
		}
	}
	return 0, false
}

func (p *program) branchIf(depth int) []ins {
	l, ok := p.label()
	if !ok {
		return append(append(p.expr(depth-1), p.expr(1)...), op(module.OpBrIf, int64(len(p.labels)-1)), op(module.OpDrop, 0))
	}
	return append(p.expr(depth-1), op(module.OpBrIf, l))
}

// branchTable is a switch of three arms.
func (p *program) branchTable(depth int) []ins {
	inner := append(p.expr(depth-1), ins{op: module.OpBrTable, labels: []int64{0, 1, 2, 0}})
	for range 3 {
		arm := p.within(labelInfo{}, func() []ins { return p.stmts(depth - 2) })
		inner = append([]ins{{op: module.OpBlock, body: inner}}, arm...)
		if p.rng.IntN(2) == 0 {
			inner = append(inner, op(module.OpNop, 0))
		}
	}
	return []ins{{op: module.OpBlock, body: inner}}
}

// fill is a memory.fill of a length that is constant or not, within the page or not.
func (p *program) fill() []ins {
	out := []ins{op(module.OpI32Const, int64(p.rng.IntN(60000))), op(module.OpI32Const, int64(p.rng.IntN(256)))}
	if p.rng.IntN(2) == 0 {
		return append(out, op(module.OpI32Const, int64(p.rng.IntN(6000))), op(module.OpMemoryFill, 0))
	}
	return append(append(out, p.expr(1)...), op(module.OpI32Const, 0xfff), op(0x71, 0), op(module.OpMemoryFill, 0))
}

var binaryOps = []module.Opcode{0x6a, 0x6b, 0x6c, 0x6d, 0x70, 0x71, 0x72, 0x73, 0x74, 0x76, 0x46, 0x48, 0x4d}

// expr returns code that leaves an i32.
func (p *program) expr(depth int) []ins {
	if depth <= 0 {
		switch p.rng.IntN(3) {
		case 0:
			return []ins{op(module.OpI32Const, int64(int32(p.rng.Uint32())>>p.rng.IntN(32)))}
		case 1:
			return []ins{op(module.OpGlobalGet, 0)}
		}
		return []ins{op(module.OpLocalGet, int64(p.rng.IntN(plainLocals)))}
	}
	switch p.rng.IntN(9) {
	case 0:
		return append(append(p.expr(depth-1), op(module.OpI32Const, 0xfff8), op(0x71, 0)), op(0x28, 0)) // load within the page
	case 1:
		i := ins{op: module.OpIf, result: true}
		cond := p.expr(depth - 1)
		i.body = p.within(labelInfo{result: true}, func() []ins { return p.expr(depth - 1) })
		i.alt = p.within(labelInfo{result: true}, func() []ins { return append(p.stmts(depth-2), p.expr(depth-1)...) })
		return append(cond, i)
	case 2:
		return []ins{{op: module.OpBlock, result: true, body: p.within(labelInfo{result: true}, func() []ins {
			return append(append(append(p.expr(1), p.expr(1)...), op(module.OpBrIf, 0)), append([]ins{op(module.OpDrop, 0)}, p.expr(depth-1)...)...)
		})}}
	case 3:
		if p.current > 0 {
			call := op(module.OpCall, int64(p.rng.IntN(p.current)))
			if p.rng.IntN(3) == 0 {
				return append(append(append(p.expr(1), p.expr(1)...), op(module.OpI32Const, call.imm)), op(module.OpCallIndirect, 0))
			}
			return append(append(p.expr(depth-1), p.expr(1)...), call)
		}
	case 4:
		return append(p.expr(depth-1), op(module.OpLocalTee, int64(p.rng.IntN(plainLocals))))
	case 5:
		return append(append(append(p.expr(1), p.expr(1)...), p.expr(1)...), op(module.OpSelect, 0))
	}
	return append(append(p.expr(depth-1), p.expr(depth-1)...), op(binaryOps[p.rng.IntN(len(binaryOps))], 0))
}

// bytes returns the program as a module. Its last function is exported as run, every second one
// is in the table.
func (p *program) bytes() []byte {
	var b moduletest.Builder
	b.Memory(1, 1)
	b.Global("i32", true, "i32.const 5")
	b.Table(uint32(len(p.funcs)), -1)
	typ := b.Type("i32 i32 -> i32")
	for i, body := range p.funcs {
		var groups []byte
		groups = append(groups, 1)
		groups = append(groups, moduletest.U32(uint32(p.locals[i]))...)
		groups = append(groups, byte(module.I32))
		name := ""
		if i == len(p.funcs)-1 {
			name = "run"
		}
		f := b.RawFunc(name, typ, append(encode(groups, body), byte(module.OpEnd)))
		if i%2 == 0 {
			b.Elements(int32(i), f)
		}
	}
	return b.Bytes()
}

func encode(out []byte, code []ins) []byte {
	for i := range code {
		in := &code[i]
		text := in.op.String()
		switch in.op {
		case module.OpBlock, module.OpLoop, module.OpIf:
			typ := " void"
			if in.result {
				typ = " i32"
			}
			out = encode(append(out, moduletest.Code(text+typ)...), in.body)
			if in.alt != nil {
				out = encode(append(out, byte(module.OpElse)), in.alt)
			}
			out = append(out, byte(module.OpEnd))
			continue
		case module.OpBrTable:
			labels := make([]string, len(in.labels))
			for j, l := range in.labels {
				labels[j] = fmt.Sprint(l)
			}
			text += " " + strings.Join(labels, ",")
		case module.OpBr, module.OpBrIf, module.OpCall, module.OpCallIndirect, module.OpLocalGet, module.OpLocalSet,
			module.OpLocalTee, module.OpGlobalGet, module.OpGlobalSet, module.OpI32Const:
			text += fmt.Sprintf(" %d", in.imm)
		}
		out = append(out, moduletest.Code(text)...)
	}
	return out
}
