// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

// instruction checks the instruction v.op, whose immediates come next.
func (v *validator) instruction() {
	info := &ops[v.op]
	switch info.imm {
	case immNone:
		if info.name == "" {
			v.unknownOpcode()
			return
		}
	case immMem:
		v.memArg(info)
	case immMemLane:
		v.memArg(info)
		v.lane(info)
	case immLane:
		v.lane(info)
	case immU32, immOther:
		if v.op < OpDrop {
			v.control()
		} else {
			v.special()
		}
		return
	}
	for i := len(info.pops) - 1; i >= 0; i-- {
		v.popType(info.pops[i])
	}
	if info.push != anyType {
		v.vals = append(v.vals, info.push)
	}
}

func (v *validator) unknownOpcode() {
	b := v.bin[v.at]
	var proposal string
	switch {
	case b == 0x12 || b == 0x13:
		proposal = "tail calls"
	case b == 0x06 || b == 0x07 || b == 0x08 || b == 0x09 || b == 0x0a || b == 0x18 || b == 0x19 || b == 0x1f:
		proposal = "exceptions"
	case b == 0x14 || b == 0x15 || b >= 0xd3 && b <= 0xd6:
		proposal = "typed function references"
	case b == 0xfb:
		proposal = "garbage collection"
	case b == 0xfe:
		proposal = "threads"
	case b == 0xfd:
		proposal = "relaxed SIMD"
	}
	if proposal != "" && v.err == nil {
		v.fail(Unsupported, v.at, "illegal opcode %#x, an instruction of %s: only WebAssembly 2.0 is supported, build without it", b, proposal)
		return
	}
	v.fail(Malformed, v.at, "illegal opcode %#x", b)
}

// memArg reads alignment and offset. A 2.0 alignment is below 32; bit 6 marks multiple memories.
func (v *validator) memArg(info *opInfo) {
	align := v.u32()
	v.u32()
	switch {
	case v.err != nil:
	case align >= 32:
		v.fail(Malformed, v.at, "malformed memop flags %#x", align)
	case v.m.Memory == nil:
		v.fault("unknown memory 0: %s needs a memory", v.op)
	case align > uint32(info.align):
		v.fault("alignment must not be larger than natural: %s has 2**%d, natural is 2**%d", v.op, align, info.align)
	}
}

func (v *validator) lane(info *opInfo) {
	if n := v.byte(); v.err == nil && n >= info.lanes {
		v.fault("invalid lane index %d: %s has %d lanes", n, v.op, info.lanes)
	}
}

// control checks the instructions 0x00 to 0x11 that are not plain.
func (v *validator) control() {
	switch v.op {
	case OpUnreachable:
		v.unreachable()
	case OpBlock, OpLoop:
		in, out := v.blockSignature()
		v.open(v.op, in, out)
	case OpIf:
		in, out := v.blockSignature()
		v.popType(I32)
		v.open(OpIf, in, out)
	case OpElse:
		if v.frames[len(v.frames)-1].op != OpIf {
			v.fail(Malformed, v.at, "else without if")
			return
		}
		f := v.close()
		if v.err == nil {
			v.frames = append(v.frames, frame{op: OpElse, in: f.in, out: f.out, height: len(v.vals)})
			v.pushTypes(f.in)
		}
	case OpEnd:
		v.endBlock()
	case OpBr:
		v.popTypes(v.target(v.u32()))
		v.unreachable()
	case OpBrIf:
		v.popType(I32)
		ts := v.target(v.u32())
		v.popTypes(ts)
		v.pushTypes(ts)
	case OpBrTable:
		v.brTable()
	case OpReturn:
		v.popTypes(v.frames[0].out)
		v.unreachable()
	case OpCall:
		i := v.u32()
		if v.err == nil && int64(i) >= int64(len(v.m.funcTypes)) {
			v.fault("unknown function %d: the module has %d functions, the imported ones counted", i, len(v.m.funcTypes))
			return
		}
		v.call(v.m.funcTypes[i])
	case OpCallIndirect:
		i := v.typeIndex()
		t := v.table()
		if v.err == nil && t.Elem != FuncRef {
			v.fault("type mismatch: call_indirect through a table of %s", t.Elem)
		}
		v.popType(I32)
		v.call(i)
	}
}

func (v *validator) call(typeIndex uint32) {
	if v.err != nil {
		return
	}
	t := &v.m.Types[typeIndex]
	v.popTypes(t.Params)
	v.pushTypes(t.Results)
	v.reloads++
}

func (v *validator) endBlock() {
	f := v.close()
	if v.err != nil {
		return
	}
	if f.op == OpIf && !(FuncType{Results: f.in}).Equal(FuncType{Results: f.out}) {
		v.fault("type mismatch: an if without else takes %s and leaves %s", listTypes(f.in), listTypes(f.out))
		return
	}
	if len(v.frames) > 0 {
		v.pushTypes(f.out)
	}
}

func (v *validator) target(label uint32) []ValueType {
	if v.err != nil {
		return nil
	}
	if int64(label) >= int64(len(v.frames)) {
		v.fault("unknown label %d: %d blocks are open", label, len(v.frames))
		return nil
	}
	return v.frames[len(v.frames)-1-int(label)].label()
}

// brTable checks that all targets take what is on the stack. The types are popped once, for the
// default, and the others are held against the stack below, so that no target allocates.
func (v *validator) brTable() {
	v.popType(I32)
	n := v.count("br_table targets", "BrTargets", v.policy.Limits.BrTargets, 1)
	v.targets += n + 1
	v.allTargets += n + 1
	l := v.policy.Limits
	if v.err != nil || !v.within("BrTargets", l.BrTargets, uint64(v.targets), "br_table targets of the function:") ||
		!v.within("ModuleTargets", l.ModuleTargets, uint64(v.allTargets), "br_table targets of all functions so far:") {
		return
	}
	arity := -1
	for range n + 1 {
		ts := v.target(v.u32())
		if v.err != nil {
			return
		}
		if arity >= 0 && len(ts) != arity {
			v.fault("type mismatch: br_table labels take %d and %d values", arity, len(ts))
			return
		}
		arity = len(ts)
		v.peekTypes(ts)
	}
	v.unreachable()
}

// peekTypes checks that ts could be popped, and leaves them.
func (v *validator) peekTypes(ts []ValueType) {
	v.pass(len(ts))
	f := &v.frames[len(v.frames)-1]
	have := v.vals[f.height:]
	if len(have) < len(ts) && !f.unreachable {
		v.fault("type mismatch: %s finds too few operands", v.op)
		return
	}
	for i := 1; i <= len(ts) && i <= len(have); i++ {
		if t, want := have[len(have)-i], ts[len(ts)-i]; t != want && t != anyType {
			v.fault("type mismatch: %s finds %s, it takes %s", v.op, t, want)
			return
		}
	}
}

// special checks the instructions from 0x1a on that have immediates of their own.
func (v *validator) special() {
	switch v.op {
	case OpDrop:
		v.pop()
	case OpSelect, OpSelectT:
		v.selectOp()
	case OpLocalGet, OpLocalSet, OpLocalTee:
		v.local()
	case OpGlobalGet, OpGlobalSet:
		v.global()
	case OpI32Const:
		v.leb(32, true)
		v.push(I32)
	case OpI64Const:
		v.leb(64, true)
		v.push(I64)
	case OpF32Const:
		v.bytes(4)
		v.push(F32)
	case OpF64Const:
		v.bytes(8)
		v.push(F64)
	case OpV128Const:
		v.bytes(16)
		v.push(V128)
	case OpI8x16Shuffle:
		for _, lane := range v.bytes(16) {
			if lane >= 32 {
				v.fault("invalid lane index %d: i8x16.shuffle has 32 lanes", lane)
			}
		}
		v.popType(V128)
		v.popType(V128)
		v.push(V128)
	case OpRefNull:
		v.push(v.refType())
	case OpRefIsNull:
		if t := v.pop(); t != anyType && !t.IsRef() {
			v.fault("type mismatch: ref.is_null finds %s, it takes a reference", t)
		}
		v.push(I32)
	case OpRefFunc:
		v.refFunc()
	case OpMemorySize, OpMemoryGrow, OpMemoryInit, OpMemoryCopy, OpMemoryFill, OpDataDrop:
		v.memory()
	default:
		v.tableOp()
	}
}

func (v *validator) selectOp() {
	t := anyType
	if v.op == OpSelectT {
		if n := v.u32(); v.err == nil && n != 1 {
			v.fault("invalid result arity: select names %d types, it takes one", n)
			return
		}
		t = v.valueType()
		v.popType(I32)
		v.popType(t)
		v.popType(t)
		v.push(t)
		return
	}
	v.popType(I32)
	a, b := v.pop(), v.pop()
	if a.IsRef() || b.IsRef() || a != b && a != anyType && b != anyType {
		v.fault("type mismatch: select finds %s and %s, it takes two numbers of one type", b, a)
		return
	}
	if a == anyType {
		a = b
	}
	v.push(a)
}

func (v *validator) local() {
	i := v.u32()
	if v.err == nil && int64(i) >= int64(len(v.locals)) {
		v.fault("unknown local %d: the function has %d, its parameters counted", i, len(v.locals))
	}
	if v.err != nil {
		return
	}
	t := v.locals[i]
	if v.op != OpLocalGet {
		v.popType(t)
	}
	if v.op != OpLocalSet {
		v.push(t)
	}
}

func (v *validator) global() {
	i := v.u32()
	if v.err == nil && int64(i) >= int64(len(v.m.Globals)) {
		v.fault("unknown global %d: the module has %d", i, len(v.m.Globals))
	}
	if v.err != nil {
		return
	}
	g := v.m.Globals[i]
	switch {
	case v.op == OpGlobalGet:
		v.push(g.Type)
	case !g.Mutable:
		v.fault("global is immutable: global.set %d", i)
	default:
		v.popType(g.Type)
	}
}

func (v *validator) refFunc() {
	i := v.u32()
	switch {
	case v.err != nil:
	case int64(i) >= int64(len(v.m.funcTypes)):
		v.fault("unknown function %d: the module has %d functions, the imported ones counted", i, len(v.m.funcTypes))
	case int(i) >= len(v.m.declared) || !v.m.declared[i]:
		v.fault("undeclared function reference: function %d is in no export, global or element segment", i)
	}
	v.push(FuncRef)
}
