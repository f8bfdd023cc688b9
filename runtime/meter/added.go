// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import "github.com/wasmill/wasmill/runtime/module"

// Instructions that the meter writes and package module has no name for.
const (
	opI64LtS     = 0x53
	opI64GtU     = 0x56
	opI32WrapI64 = 0xa7
	opI64ExtendU = 0xad
	opI64Add     = 0x7c
	opI64Sub     = 0x7d
	opI64Mul     = 0x7e
	opI64Or      = 0x84
	opI64ShrU    = 0x88
)

// The functions that the meter adds after the guest's, in order.
const (
	addedTake  = iota // (cost i64): fuel is below cost, get more
	addedEnter        // (cost, frame i64): fuel is below cost or stack below frame
	addedBulk         // (n i32, weight i64) -> (n i32): charge n*weight/64
	addedGrow         // (n i32, weight, most i64) -> (n i32): the same, unless n is over most
)

// addedNames are their names in stack traces.
var addedNames = [...]string{
	addedTake:  module.ReservedPrefix + " take",
	addedEnter: module.ReservedPrefix + " enter",
	addedBulk:  module.ReservedPrefix + " bulk",
	addedGrow:  module.ReservedPrefix + " grow",
}

func (w *rewriter) emitCall(function uint32) {
	w.emit(byte(module.OpCall))
	w.scratch = appendU32(w.scratch, function)
}

func (w *rewriter) emitIndexed(op module.Opcode, index uint32) {
	w.emit(byte(op))
	w.scratch = appendU32(w.scratch, index)
}

func (w *rewriter) emitI64(v int64) {
	w.emit(byte(module.OpI64Const))
	w.scratch = appendS64(w.scratch, v)
}

// subConst writes global = global - v.
func (w *rewriter) subConst(global uint32, v int64) {
	w.emitIndexed(module.OpGlobalGet, global)
	w.emitI64(v)
	w.emit(opI64Sub)
	w.emitIndexed(module.OpGlobalSet, global)
}

// short leaves whether fuel is below cost.
func (w *rewriter) short(cost int64) {
	w.emitIndexed(module.OpGlobalGet, w.fuelGlobal())
	w.emitI64(cost)
	w.emit(opI64LtS)
}

// takeIfShort writes if fuel < cost { take(cost) }.
func (w *rewriter) takeIfShort(cost int64) {
	w.short(cost)
	w.emit(byte(module.OpIf), byte(module.BlockEmpty))
	w.emitI64(cost)
	w.emitCall(w.added(addedTake))
	w.emit(byte(module.OpEnd))
}

// enter writes a function's entry, leave its end. Where fuel or stack is short, the way out is at the
// end, so that the common way takes no branch and nothing that is live has been across a call:
//
//	loop
//	  block
//	    br_if 0 (fuel < cost)
//	    fuel -= cost
//	    ...                    ;; the guest's body
//	    return
//	  end
//	  take(cost)
//	  br 0
//	end
//	unreachable
//
// A function that accounts for its frame computes what would be left of both in locals, finds by one
// test whether either is negative, and has a block of its own around the guest's body, where every
// exit meets to give the stack back.
func (w *rewriter) enter(cost int64, results []module.ValueType) {
	w.emit(byte(module.OpLoop), byte(module.BlockEmpty), byte(module.OpBlock), byte(module.BlockEmpty))
	w.depth = 2
	if !w.wrapped {
		w.labels = append(w.labels, label{at: 0})
		w.short(cost)
		w.emit(byte(module.OpBrIf), 0)
		w.subConst(w.fuelGlobal(), cost)
		return
	}
	w.info.Stacked++
	w.emitIndexed(module.OpGlobalGet, w.fuelGlobal())
	w.emitI64(cost)
	w.emit(opI64Sub)
	w.emitIndexed(module.OpLocalTee, w.fuelLocal)
	w.emitIndexed(module.OpGlobalGet, w.stackGlobal())
	w.emitIndexed(module.OpLocalTee, w.outerLocal)
	w.emitI64(w.frame)
	w.emit(opI64Sub)
	w.emitIndexed(module.OpLocalTee, w.stackLocal)
	w.emit(opI64Or)
	w.emitI64(0)
	w.emit(opI64LtS, byte(module.OpBrIf), 0)
	w.emitIndexed(module.OpLocalGet, w.fuelLocal)
	w.emitIndexed(module.OpGlobalSet, w.fuelGlobal())
	w.emitIndexed(module.OpLocalGet, w.stackLocal)
	w.emitIndexed(module.OpGlobalSet, w.stackGlobal())
	w.emit(byte(module.OpBlock))
	w.blockType(results)
	w.depth = 3
	w.labels = append(w.labels, label{at: 3})
}

func (w *rewriter) leave(cost int64) {
	if w.wrapped {
		w.emit(byte(module.OpEnd))
		w.emitIndexed(module.OpLocalGet, w.outerLocal)
		w.emitIndexed(module.OpGlobalSet, w.stackGlobal())
	}
	w.emit(byte(module.OpReturn), byte(module.OpEnd))
	w.emitI64(cost)
	if w.wrapped {
		w.emitI64(w.frame)
		w.emitCall(w.added(addedEnter))
	} else {
		w.emitCall(w.added(addedTake))
	}
	w.emit(byte(module.OpBr), 0, byte(module.OpEnd), byte(module.OpUnreachable), byte(module.OpEnd))
}

// bulk writes the charge of a bulk instruction, whose last operand is on the stack and stays there.
func (w *rewriter) bulk(in *module.Instr, weight int64) {
	w.emitI64(weight)
	switch in.Op {
	case module.OpMemoryGrow:
		w.emitI64(int64(w.memory.Max))
	case module.OpTableGrow:
		w.emitI64(int64(w.tables[in.Index].Max))
	default:
		w.emitCall(w.added(addedBulk))
		return
	}
	w.emitCall(w.added(addedGrow))
}

// addedBodies returns the bodies of the added functions.
func (w *rewriter) addedBodies() [][]byte {
	var out [][]byte
	for _, write := range []func(){w.takeBody, w.enterBody, w.bulkBody, w.growBody} {
		w.scratch = append(w.scratch[:0], 0) // no locals
		write()
		w.emit(byte(module.OpEnd))
		out = append(out, append([]byte(nil), w.scratch...))
	}
	return out
}

// refilled writes fuel = refill(what is on the stack), and a trap if that is negative: a host
// that gives too little would otherwise be asked forever.
func (w *rewriter) refilled() {
	w.emitCall(w.refillImport())
	w.emitIndexed(module.OpGlobalSet, w.fuelGlobal())
	w.short(0)
	w.emit(byte(module.OpIf), byte(module.BlockEmpty), byte(module.OpUnreachable), byte(module.OpEnd))
}

// takeBody: fuel = refill(fuel - cost) + cost, so that the charge that follows can be made.
func (w *rewriter) takeBody() {
	w.emitIndexed(module.OpGlobalGet, w.fuelGlobal())
	w.emit(byte(module.OpLocalGet), 0, opI64Sub)
	w.refilled()
	w.emitIndexed(module.OpGlobalGet, w.fuelGlobal())
	w.emit(byte(module.OpLocalGet), 0, opI64Add)
	w.emitIndexed(module.OpGlobalSet, w.fuelGlobal())
}

// enterBody: the stack comes first, since its end is final.
func (w *rewriter) enterBody() {
	w.emitIndexed(module.OpGlobalGet, w.stackGlobal())
	w.emit(byte(module.OpLocalGet), 1, opI64LtS, byte(module.OpIf), byte(module.BlockEmpty))
	w.emitCall(w.stackImport())
	w.emit(byte(module.OpUnreachable), byte(module.OpEnd))
	w.emit(byte(module.OpLocalGet), 0)
	w.emitCall(w.added(addedTake))
}

// bulkBody: fuel -= (n*weight)>>6, checked; n < 2**32 and weight < 2**30, so nothing wraps.
func (w *rewriter) bulkBody() {
	w.emitIndexed(module.OpGlobalGet, w.fuelGlobal())
	w.emit(byte(module.OpLocalGet), 0, opI64ExtendU)
	w.emit(byte(module.OpLocalGet), 1, opI64Mul)
	w.emitI64(6)
	w.emit(opI64ShrU, opI64Sub)
	w.emitIndexed(module.OpGlobalSet, w.fuelGlobal())
	w.short(0)
	w.emit(byte(module.OpIf), byte(module.BlockEmpty))
	w.emitIndexed(module.OpGlobalGet, w.fuelGlobal())
	w.refilled()
	w.emit(byte(module.OpEnd), byte(module.OpLocalGet), 0)
}

// growBody: growing by more than the maximum does nothing but return -1, so it is not charged by its
// operand. A guest that tries to get too much finds out, and does not run out of fuel.
func (w *rewriter) growBody() {
	w.emit(byte(module.OpLocalGet), 0, opI64ExtendU)
	w.emit(byte(module.OpLocalGet), 2, opI64GtU, byte(module.OpIf), byte(module.BlockEmpty))
	w.emit(byte(module.OpLocalGet), 0, byte(module.OpReturn), byte(module.OpEnd))
	w.emit(byte(module.OpLocalGet), 0, byte(module.OpLocalGet), 1)
	w.emitCall(w.added(addedBulk))
}
