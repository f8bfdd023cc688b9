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

// Weights of work that depends on an operand, in 1/64 unit for each byte, entry or page.
const (
	weightByte  = 4         // wazero copies and fills about 16 bytes in the time of one unit
	weightEntry = 8 * 4     // a table's entry is 8 bytes
	weightPage  = 65536 * 4 // a fresh page is zeroed, and faulted in later
)

// Costs beyond single instructions.
const (
	costCall         = 8
	costCallIndirect = 14
	costBrTable      = 4

	// registers is how many locals the engine keeps out of memory. Where control joins, values of
	// further locals that were assigned may be moved from one stack slot to another.
	registers = 16
)

// costs is what each instruction costs, in units of about one simple machine instruction (0.3 to
// 0.5 ns). Never written to. The weights are ns per instruction, relative to i32.add, of
// BenchmarkInstruction under wazero's compiler on amd64, rounded; reads of locals and integer
// constants are free, since they become operands. An assignment is not: a loop may consist of
// nothing else.
var costs = makeCosts()

func makeCosts() *[module.NumOpcodes]uint16 {
	var t [module.NumOpcodes]uint16
	set := func(cost uint16, ops ...module.Opcode) {
		for _, op := range ops {
			t[op] = cost
		}
	}
	span := func(cost uint16, first, last module.Opcode) {
		for op := first; op <= last; op++ {
			t[op] = cost
		}
	}
	span(1, 0, module.NumOpcodes-1)
	set(0, module.OpNop, module.OpBlock, module.OpLoop, module.OpElse, module.OpEnd, module.OpDrop,
		module.OpLocalGet, module.OpI32Const, module.OpI64Const)
	set(costBrTable, module.OpBrTable)
	set(costCall, module.OpCall)
	set(costCallIndirect, module.OpCallIndirect)
	set(3, module.OpTableGet, module.OpTableSet)
	span(2, 0x28, 0x3e) // loads and stores: a bounds check each
	set(200, module.OpMemoryGrow, module.OpTableGrow)
	span(10, 0x6d, 0x70)                                   // i32 div, rem
	span(20, 0x7f, 0x82)                                   // i64 div, rem
	span(2, 0x8b, 0xa6)                                    // float arithmetic
	set(5, 0x8d, 0x8e, 0x8f, 0x90, 0x9b, 0x9c, 0x9d, 0x9e) // ceil, floor, trunc, nearest
	set(12, 0x91, 0x95, 0x9f, 0xa3)                        // sqrt, div
	set(6, 0x96, 0x97, 0xa4, 0xa5)                         // min, max
	span(8, 0xa8, 0xab)                                    // checked conversions to i32
	span(8, 0xae, 0xb1)                                    // checked conversions to i64
	span(3, 0xb2, 0xbb)                                    // conversions to float
	span(8, 0x100, 0x107)                                  // saturating conversions
	set(20, module.OpMemoryInit, module.OpMemoryCopy, module.OpMemoryFill, module.OpTableInit,
		module.OpTableCopy, module.OpTableFill, module.OpDataDrop, module.OpElemDrop, module.OpRefFunc)
	span(2, 0x200, 0x2ff) // vectors
	span(3, 0x200, 0x20b) // vector loads and stores
	span(4, 0x254, 0x25d)
	set(8, 0x20d, 0x20e, 0x262, 0x26b, 0x26c, 0x26d, 0x2cc, 0x2d5) // shuffles, popcnt, emulated shifts and multiplication
	set(10, 0x2e3, 0x2e7, 0x2ef, 0x2f3)                            // sqrt, div
	set(6, 0x2e8, 0x2e9, 0x2f4, 0x2f5)                             // min, max
	span(8, 0x2f8, 0x2ff)                                          // conversions
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
