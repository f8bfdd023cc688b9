// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

// Instr is one instruction of a function body.
type Instr struct {
	Op         Opcode
	Start, End int // offsets into Bytes

	// Index is the first immediate that is an index: of a label, function, local, global, table,
	// segment or, for call_indirect, the type. IndexStart and IndexEnd bound its bytes.
	Index                uint32
	IndexStart, IndexEnd int

	// Value is the number of an i32.const.
	Value int32

	// Block is the type of a block, loop or if: BlockEmpty, a ValueType, or BlockIndex plus an index
	// into Types.
	Block BlockType
}

// BlockType is the type of a block.
type BlockType uint64

// Block types that are no value type.
const (
	BlockEmpty BlockType = 0x40
	BlockIndex BlockType = 0x100 // plus the type's index
)

// HasParams says whether a block of this type takes operands.
func (m *Module) HasParams(t BlockType) bool {
	return t >= BlockIndex && len(m.Types[t-BlockIndex].Params) > 0
}

// Scanner walks the instructions of a function of a module that Parse has accepted.
type Scanner struct {
	r reader
}

// Scan returns a Scanner of the instructions of m.Functions[i].
func (m *Module) Scan(i int) Scanner {
	f := &m.Functions[i]
	return Scanner{r: reader{bin: m.Bytes, pos: f.Code, end: f.End, fn: -1}}
}

// Next reads the next instruction into in, and returns false at the function's end.
func (s *Scanner) Next(in *Instr) bool {
	r := &s.r
	if r.pos >= r.end {
		return false
	}
	in.Start = r.pos
	in.Op = r.opcode()
	switch ops[in.Op].imm {
	case immNone:
	case immU32:
		r.index(in)
	case immMem:
		r.u32()
		r.u32()
	case immLane:
		r.pos++
	case immMemLane:
		r.u32()
		r.u32()
		r.pos++
	case immOther:
		r.otherImmediates(in)
	}
	in.End = r.pos
	return r.err == nil
}

func (r *reader) index(in *Instr) {
	in.IndexStart = r.pos
	in.Index = r.u32()
	in.IndexEnd = r.pos
}

func (r *reader) otherImmediates(in *Instr) {
	switch in.Op {
	case OpBlock, OpLoop, OpIf:
		in.Block = r.blockType()
	case OpBrTable:
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.u32()
		}
		r.u32()
	case OpCallIndirect, OpMemoryInit, OpMemoryCopy, OpTableInit, OpTableCopy:
		r.index(in)
		r.u32()
	case OpMemorySize, OpMemoryGrow, OpMemoryFill, OpRefNull:
		r.pos++
	case OpSelectT:
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.pos++
		}
	case OpI32Const:
		in.Value = int32(r.leb(32, true))
	case OpI64Const:
		r.leb(64, true)
	case OpF32Const:
		r.bytes(4)
	case OpF64Const:
		r.bytes(8)
	case OpV128Const, OpI8x16Shuffle:
		r.bytes(16)
	}
}

// Labels calls f with each label of a br_table instruction, the default last.
func (m *Module) Labels(in *Instr, f func(label uint32)) {
	r := reader{bin: m.Bytes, pos: in.Start + 1, end: in.End, fn: -1}
	for n := int64(r.u32()); n >= 0 && r.err == nil; n-- {
		f(r.u32())
	}
}

// opcode reads an opcode. One that does not exist is returned as an Opcode without a name.
func (r *reader) opcode() Opcode {
	b := r.byte()
	if b != 0xfc && b != 0xfd {
		return Opcode(b)
	}
	sub := r.u32()
	if b == 0xfc {
		return 0x100 + Opcode(min(sub, 0xff))
	}
	if sub > 0xff {
		return 0x29a // a gap
	}
	return 0x200 + Opcode(sub)
}

// blockType reads a block's type; it does not look whether the index exists.
func (r *reader) blockType() BlockType {
	if r.pos < r.end {
		b := r.bin[r.pos]
		if t := BlockType(b); t == BlockEmpty || ValueType(b).valid() {
			r.pos++
			return t
		}
	}
	start := r.pos
	v := int64(r.leb(33, true))
	if r.err == nil && v < 0 {
		r.fail(Malformed, start, "malformed block type")
		return BlockEmpty
	}
	return BlockIndex + BlockType(v)
}
