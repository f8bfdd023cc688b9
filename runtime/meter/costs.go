// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import "github.com/wasmill/wasmill/runtime/module"

// CostVersion names the cost table and the charging rule together. It goes up with every change
// that could make any module cost another amount: a bill or a checkpointed budget made under one
// version is not comparable with another's.
const CostVersion = 1

// SplitAbove is the difference in cost, in units, above which the dearer way of a fork pays for
// itself. At 32 the extra charge (a subtraction and a store) adds less than a tenth to that way.
const SplitAbove = 32

// Weights of work that depends on an operand, in 1/64 unit for each byte, entry or page. A copy of
// 64 KiB takes 0.08 units a byte, one of 16 MiB 0.24; a page of memory is zeroed when it is first touched.
const (
	weightByte  = 16
	weightEntry = 8 * weightByte
	weightPage  = 65536 * weightByte
)

// Costs beyond single instructions.
const (
	costCall         = 8
	costCallIndirect = 14

	// registers is how many locals the engine keeps out of memory. Where control joins, values of
	// further locals that were assigned may be moved from one stack slot to another.
	registers = 16
)

// costs is what each instruction costs, in units of 0.28 ns, which an i32.add takes. Never written to. The
// weights are from BenchmarkInstruction: how long a chain of the instruction takes under wazero's compiler
// on a Xeon at 3.6 GHz (amd64), in i32.adds. Two rules bend them. What becomes an operand of another
// instruction is free: reads of locals, integer constants. (An assignment is not: a loop may consist
// of nothing else.) What other work hides is charged half its latency: loads, multiplications.
var costs = makeCosts()

// costTable is the costs that are not 1, as first and last opcode and cost; a later entry wins.
var costTable = []struct {
	first, last module.Opcode
	cost        uint16
}{
	{module.OpNop, module.OpElse, 0}, // block, loop, else; if follows
	{module.OpIf, module.OpIf, 1},
	{module.OpEnd, module.OpEnd, 0},
	{module.OpBrTable, module.OpBrTable, 4},
	{module.OpCall, module.OpCall, costCall},
	{module.OpCallIndirect, module.OpCallIndirect, costCallIndirect},
	{module.OpDrop, module.OpDrop, 0},
	{module.OpSelect, module.OpSelectT, 2},
	{module.OpLocalGet, module.OpLocalGet, 0},
	{module.OpTableGet, module.OpTableSet, 2},
	{0x28, 0x3e, 2}, // loads and stores
	{module.OpMemoryGrow, module.OpMemoryGrow, 120},
	{module.OpI32Const, module.OpI64Const, 0},
	{0x67, 0x69, 2}, // i32.clz, ctz, popcnt
	{0x6c, 0x6c, 2}, // i32.mul
	{0x6d, 0x70, 12},
	{0x79, 0x7b, 2},
	{0x7e, 0x7e, 2},
	{0x7f, 0x82, 16},
	{0x8d, 0x90, 8}, // f32.ceil, floor, trunc, nearest
	{0x91, 0x91, 12},
	{0x92, 0x94, 2}, // f32.add, sub, mul
	{0x95, 0x95, 12},
	{0x96, 0x97, 4}, // f32.min, max
	{0x9b, 0x9e, 8}, // f64 as f32
	{0x9f, 0x9f, 13},
	{0xa0, 0xa2, 2},
	{0xa3, 0xa3, 13},
	{0xa4, 0xa5, 4},
	{0xa8, 0xab, 8}, // conversions to integers trap
	{0xae, 0xb1, 8},
	{0xb2, 0xbb, 4}, // conversions to floats
	{module.OpRefFunc, module.OpRefFunc, 450}, // leaves the guest
	{0x100, 0x107, 8},                         // saturating conversions
	{module.OpMemoryInit, module.OpTableFill, 12},
	{module.OpDataDrop, module.OpDataDrop, 2},
	{module.OpElemDrop, module.OpElemDrop, 2},
	{module.OpTableGrow, module.OpTableGrow, 120},
	{module.OpTableSize, module.OpTableSize, 1},
	{0x200, 0x20b, 3}, // vector loads and stores
	{0x20d, 0x20e, 2}, // i8x16.shuffle, swizzle
	{0x241, 0x24c, 2}, // float comparisons
	{0x253, 0x253, 5},
	{0x254, 0x25d, 4}, // loads and stores of one lane
	{0x25e, 0x25f, 4},
	{0x262, 0x262, 5}, // i8x16.popcnt
	{0x263, 0x264, 6}, // all_true, bitmask
	{0x267, 0x26a, 8}, // f32x4.ceil and its like
	{0x26b, 0x26b, 3},
	{0x26c, 0x26d, 6},
	{0x274, 0x275, 8},
	{0x27a, 0x27a, 8},
	{0x27c, 0x27f, 6}, // pairwise additions
	{0x282, 0x284, 6},
	{0x294, 0x295, 8},
	{0x29c, 0x29f, 12}, // multiplications
	{0x2a3, 0x2a4, 6},
	{0x2b5, 0x2b5, 10},
	{0x2ba, 0x2ba, 5},
	{0x2bc, 0x2bf, 12},
	{0x2c3, 0x2c4, 6},
	{0x2cb, 0x2cd, 14}, // 64-bit shifts
	{0x2d5, 0x2d5, 10},
	{0x2d6, 0x2db, 3},
	{0x2dc, 0x2df, 12},
	{0x2e3, 0x2e3, 13},
	{0x2e4, 0x2e6, 2},
	{0x2e7, 0x2e7, 13},
	{0x2e8, 0x2e9, 12},
	{0x2ea, 0x2eb, 4},
	{0x2ef, 0x2ef, 13},
	{0x2f0, 0x2f2, 2},
	{0x2f3, 0x2f3, 13},
	{0x2f4, 0x2f5, 12},
	{0x2f6, 0x2f7, 4},
	{0x2f8, 0x2fb, 16}, // conversions
	{0x2fc, 0x2fd, 20},
	{0x2fe, 0x2ff, 5},
}

func makeCosts() *[module.NumOpcodes]uint16 {
	var t [module.NumOpcodes]uint16
	for op := range t {
		t[op] = 1
	}
	for _, c := range costTable {
		for op := c.first; op <= c.last; op++ {
			t[op] = c.cost
		}
	}
	return &t
}

// staticLength is the largest constant operand of a bulk instruction that is part of a region's cost; a
// larger one is charged as an unknown one is, just before the instruction runs.
const staticLength = 4096

// lengths follows the instructions of a body to tell which operands of bulk instructions are constants.
type lengths struct {
	value    int32
	constant bool
}

// of takes the next instruction. If that is a bulk instruction whose last operand is a small constant, it
// returns the constant.
func (l *lengths) of(in *module.Instr) (int64, bool) {
	value, ok := l.value, l.constant && bulkWeight(in.Op) > 0 && l.value >= 0 && l.value <= staticLength && in.Op != module.OpMemoryGrow
	l.value, l.constant = in.Value, in.Op == module.OpI32Const
	return int64(value), ok
}

// bulkWeight returns the weight of the instruction's last operand, 0 when its work is fixed.
func bulkWeight(op module.Opcode) int64 {
	switch op {
	case module.OpMemoryInit, module.OpMemoryCopy, module.OpMemoryFill:
		return weightByte
	case module.OpTableInit, module.OpTableCopy, module.OpTableFill, module.OpTableGrow:
		return weightEntry
	case module.OpMemoryGrow:
		return weightPage
	}
	return 0
}
