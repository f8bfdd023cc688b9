// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

// memory checks the instructions on memory that are not loads or stores.
func (v *validator) memory() {
	if v.op == OpMemoryInit || v.op == OpDataDrop {
		v.dataIndex()
	}
	memories := 1
	switch v.op {
	case OpDataDrop:
		return
	case OpMemoryCopy:
		memories = 2
	}
	for range memories {
		if b := v.byte(); v.err == nil && b != 0 {
			v.fail(Malformed, v.at, "zero byte expected: %s names memory %#x, there is only one", v.op, b)
			return
		}
	}
	if v.err == nil && v.m.Memory == nil {
		v.fault("unknown memory 0: %s needs a memory", v.op)
		return
	}
	switch v.op {
	case OpMemorySize:
		v.push(I32)
	case OpMemoryGrow:
		v.popType(I32)
		v.push(I32)
	default:
		v.popType(I32)
		v.popType(I32)
		v.popType(I32)
	}
}

func (v *validator) dataIndex() {
	i := v.u32()
	switch {
	case v.err != nil:
	case v.m.dataCount < 0:
		v.fail(Malformed, v.at, "data count section required: %s is used", v.op)
	case int64(i) >= int64(v.m.dataCount):
		v.fault("unknown data segment %d: the module has %d", i, v.m.dataCount)
	}
}

// table reads a table index and returns that table's type.
func (v *validator) table() TableType {
	i := v.u32()
	if v.err == nil && int64(i) >= int64(len(v.m.Tables)) {
		v.fault("unknown table %d: the module has %d tables", i, len(v.m.Tables))
	}
	if v.err != nil {
		return TableType{Elem: FuncRef}
	}
	return v.m.Tables[i]
}

// elem reads an element segment's index and returns that segment's type.
func (v *validator) elem() ValueType {
	i := v.u32()
	if v.err == nil && int64(i) >= int64(len(v.m.elemTypes)) {
		v.fault("unknown elem segment %d: the module has %d", i, len(v.m.elemTypes))
	}
	if v.err != nil {
		return FuncRef
	}
	return v.m.elemTypes[i]
}

func (v *validator) tableOp() {
	switch v.op {
	case OpTableGet:
		t := v.table()
		v.popType(I32)
		v.push(t.Elem)
	case OpTableSet:
		t := v.table()
		v.popType(t.Elem)
		v.popType(I32)
	case OpTableSize:
		v.table()
		v.push(I32)
	case OpTableGrow:
		t := v.table()
		v.popType(I32)
		v.popType(t.Elem)
		v.push(I32)
	case OpTableFill:
		t := v.table()
		v.popType(I32)
		v.popType(t.Elem)
		v.popType(I32)
	case OpElemDrop:
		v.elem()
	case OpTableInit:
		e := v.elem()
		v.copyEntries(e, v.table().Elem)
	case OpTableCopy:
		to := v.table().Elem
		v.copyEntries(v.table().Elem, to)
	}
}

func (v *validator) copyEntries(from, to ValueType) {
	if v.err == nil && from != to {
		v.fault("type mismatch: %s of %s to %s", v.op, from, to)
	}
	v.popType(I32)
	v.popType(I32)
	v.popType(I32)
}
