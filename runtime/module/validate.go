// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import "slices"

// validator type-checks function bodies by the algorithm of the specification's appendix
// (https://www.w3.org/TR/wasm-core-2/#validation-algorithm): a stack of value types and a stack of
// control frames, both reused from function to function.
type validator struct {
	*parser

	vals   []ValueType
	frames []frame
	locals []ValueType // parameters first
	op     Opcode      // the instruction in hand, for messages
	at     int         // its offset

	body       *Function
	vector     bool // the body has a vector
	mutable    int  // mutable globals of the module
	most       int  // highest operand stack
	loops      int  // loops around the instruction in hand
	merges     int  // control points of this function, see Limits.Merges
	reloads    int  // calls of this function
	transfers  int  // over all functions
	targets    int  // br_table targets of this function
	allTargets int  // and over all functions
}

// frame is a block that is open.
type frame struct {
	op          Opcode // OpBlock, OpLoop, OpIf, OpElse; OpBlock for the function's own
	in, out     []ValueType
	height      int // of the operand stack below its operands
	unreachable bool
}

// label returns the types that a branch to f takes.
func (f *frame) label() []ValueType {
	if f.op == OpLoop {
		return f.in
	}
	return f.out
}

func (v *validator) validateBodies() {
	v.section = "code"
	for _, g := range v.m.Globals {
		if g.Mutable {
			v.mutable++
		}
	}
	modMerges := 0
	l := v.policy.Limits
	for i := range v.m.Functions {
		v.fn = v.m.ImportedFuncs + i
		v.body = &v.m.Functions[i]
		v.validateBody()
		v.at = v.body.Start
		variables := 1 + v.mutable + len(v.locals)
		merges := variables*v.merges + (1+v.mutable)*v.reloads
		modMerges += merges
		v.m.Stats.Merges = max(v.m.Stats.Merges, merges)
		if v.err == nil && v.within("Merges", l.Merges, uint64(merges), "variables x control points of the function:") {
			v.within("ModuleMerges", l.ModuleMerges, uint64(modMerges), "variables x control points of all functions so far:")
		}
		if v.err != nil {
			return
		}
	}
	v.m.Stats.BrTargets = v.allTargets
	v.section, v.fn = "", -1
}

func (v *validator) validateBody() {
	v.pos, v.end = v.body.Start, v.body.End
	t := v.m.Types[v.body.Type]
	v.most, v.loops, v.merges, v.reloads, v.targets, v.vector = 0, 0, 1, 0, 0, false
	v.readLocals(t)
	v.body.Code = v.pos
	v.vals, v.frames = v.vals[:0], v.frames[:0]
	v.frames = append(v.frames, frame{op: OpBlock, out: t.Results})
	for v.err == nil && len(v.frames) > 0 {
		v.at = v.pos
		if v.pos >= v.end {
			v.malformed("unexpected end: the body lacks an end")
			break
		}
		v.op = v.opcode()
		v.vector = v.vector || v.op >= opVector
		v.instruction()
		if len(v.vals) > v.most {
			v.most = len(v.vals)
			v.within("Operands", v.policy.Limits.Operands, uint64(v.most), "operands on the stack:")
		}
	}
	if v.err == nil && v.pos != v.end {
		v.malformed("END opcode expected: %d bytes follow the function's end", v.left())
	}
	v.body.MaxStack = v.most
	v.body.Slots = len(v.locals) + v.most
	if v.vector {
		v.body.Slots *= 2
	}
}

func (v *validator) readLocals(t FuncType) {
	l := v.policy.Limits
	v.locals = append(v.locals[:0], t.Params...)
	v.vector = slices.Contains(t.Params, V128)
	declared := uint64(0)
	for groups := v.count("groups of locals", "Locals", l.Locals, 2); groups > 0 && v.err == nil; groups-- {
		n := v.u32()
		declared += uint64(n)
		if v.err != nil || !v.within("Locals", l.Locals, declared, "locals of the function:") ||
			!v.within("ModuleLocals", l.ModuleLocals, uint64(v.m.Stats.Locals)+declared, "locals of all functions so far:") {
			return
		}
		t := v.valueType()
		v.vector = v.vector || t == V128
		for range n {
			v.locals = append(v.locals, t)
		}
	}
	v.body.Locals = int(declared)
	v.m.Stats.Locals += int(declared)
	v.m.Stats.MostLocals = max(v.m.Stats.MostLocals, int(declared))
}

func (v *validator) fault(format string, args ...any) { v.fail(Invalid, v.at, format, args...) }

func (v *validator) push(t ValueType) { v.vals = append(v.vals, t) }

// pop takes a value of any type.
func (v *validator) pop() ValueType {
	f := &v.frames[len(v.frames)-1]
	if len(v.vals) == f.height {
		if !f.unreachable {
			v.fault("type mismatch: %s finds too few operands", v.op)
		}
		return anyType
	}
	t := v.vals[len(v.vals)-1]
	v.vals = v.vals[:len(v.vals)-1]
	return t
}

func (v *validator) popType(want ValueType) {
	if n := len(v.vals); n > v.frames[len(v.frames)-1].height && v.vals[n-1] == want {
		v.vals = v.vals[:n-1]
		return
	}
	if t := v.pop(); t != want && t != anyType && v.err == nil {
		v.fault("type mismatch: %s finds %s, it takes %s", v.op, t, want)
	}
}

func (v *validator) pass(n int) {
	v.transfers += n
	v.within("Transfers", v.policy.Limits.Transfers, uint64(v.transfers), "values passed by calls, blocks and branches so far:")
}

func (v *validator) popTypes(ts []ValueType) {
	v.pass(len(ts))
	for i := len(ts) - 1; i >= 0 && v.err == nil; i-- {
		v.popType(ts[i])
	}
}

func (v *validator) pushTypes(ts []ValueType) {
	v.pass(len(ts))
	v.vals = append(v.vals, ts...)
}

func (v *validator) open(op Opcode, in, out []ValueType) {
	v.popTypes(in)
	if v.err != nil || !v.within("Nesting", v.policy.Limits.Nesting, uint64(len(v.frames)), "blocks within blocks:") {
		return
	}
	v.frames = append(v.frames, frame{op: op, in: in, out: out, height: len(v.vals)})
	v.m.Stats.Nesting = max(v.m.Stats.Nesting, len(v.frames)-1)
	v.pushTypes(in)
	if op == OpLoop {
		v.loops++
	}
	v.merges += 1 + v.loops
}

func (v *validator) close() frame {
	f := v.frames[len(v.frames)-1]
	v.popTypes(f.out)
	if v.err == nil && len(v.vals) != f.height {
		v.fault("type mismatch: %s leaves %d values too many on the stack", v.op, len(v.vals)-f.height)
	}
	v.frames = v.frames[:len(v.frames)-1]
	if f.op == OpLoop {
		v.loops--
	}
	return f
}

func (v *validator) unreachable() {
	f := &v.frames[len(v.frames)-1]
	v.vals = v.vals[:f.height]
	f.unreachable = true
}

func (v *validator) blockSignature() (in, out []ValueType) {
	switch t := v.blockType(); {
	case t == BlockEmpty:
		return nil, nil
	case t < BlockIndex:
		return nil, singleType[t]
	case uint64(t-BlockIndex) >= uint64(len(v.m.Types)):
		v.fault("unknown type %d: the module has %d types", t-BlockIndex, len(v.m.Types))
		return nil, nil
	default:
		ft := &v.m.Types[t-BlockIndex]
		return ft.Params, ft.Results
	}
}

// singleType holds the one-element list of each value type by its byte, never written to.
var singleType = func() (lists [0x80][]ValueType) {
	for _, t := range []ValueType{I32, I64, F32, F64, V128, FuncRef, ExternRef} {
		lists[t] = []ValueType{t}
	}
	return lists
}()
