// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"encoding/binary"

	"github.com/wasmill/wasmill/runtime/module"
)

// label is a block of the guest in the new body.
type label struct {
	at    uint32 // labels open in the new body just inside the block
	plain int64  // what a plain loop's header charges; 0 for other blocks
}

// plainBlocks is how many blocks are put around a plain loop.
const plainBlocks = 3

// Frames: what the engine keeps for a call besides the function's values, and the size from which
// a function that calls nobody has its frame counted.
const (
	frameBase = 48
	largeLeaf = 4096
)

// code writes all bodies.
func (w *rewriter) code() {
	w.flow.findLeaves()
	w.bodies = make([]byte, 0, w.m.Stats.CodeBytes*5/4+256)
	for i := range w.m.Functions {
		w.body(i)
		w.bodies = appendU32(w.bodies, uint32(len(w.scratch)))
		w.bodies = append(w.bodies, w.scratch...)
	}
	for _, b := range w.addedBodies() {
		w.bodies = appendU32(w.bodies, uint32(len(b)))
		w.bodies = append(w.bodies, b...)
	}
}

// body writes the new body of function i to w.scratch. What does not change is copied in runs.
func (w *rewriter) body(i int) {
	fn := &w.m.Functions[i]
	if w.flow.leaves[i] != noLeaf {
		w.scratch = append(w.scratch[:0], w.m.Bytes[fn.Start:fn.End]...)
		return
	}
	w.flow.analyse(i)
	w.frame = int64(frameBase + 8*fn.Slots)
	w.wrapped = w.flow.calls || w.frame > largeLeaf
	w.copied, w.nextNode, w.depth = fn.Code, 0, 0
	w.labels, w.length = w.labels[:0], lengths{}
	w.declareLocals(fn)
	cost := w.flow.nodes[0].charge
	w.enter(cost, w.m.Types[fn.Type].Results)
	s := w.m.Scan(i)
	var in module.Instr
	for s.Next(&in) {
		w.charges(in.Start)
		w.instruction(&in)
	}
	w.copyTo(fn.End - 1)
	w.leave(cost)
}

// declareLocals writes the declarations of fn's locals and of three of the meter's. A local costs
// nothing where it is not used; the engine keeps it in a register where a global would go through memory.
func (w *rewriter) declareLocals(fn *module.Function) {
	groups, width := binary.Uvarint(w.m.Bytes[fn.Start:fn.Code])
	w.scratch = appendU32(w.scratch[:0], uint32(groups)+1)
	w.scratch = append(w.scratch, w.m.Bytes[fn.Start+width:fn.Code]...)
	w.emit(3, byte(module.I64))
	w.fuelLocal = uint32(len(w.m.Types[fn.Type].Params) + fn.Locals)
	w.outerLocal, w.stackLocal = w.fuelLocal+1, w.fuelLocal+2
}

func (w *rewriter) emit(b ...byte) { w.scratch = append(w.scratch, b...) }

func (w *rewriter) copyTo(pos int) {
	w.scratch = append(w.scratch, w.m.Bytes[w.copied:pos]...)
	w.copied = pos
}

// blockType writes the type of a block that takes nothing and leaves results.
func (w *rewriter) blockType(results []module.ValueType) {
	switch len(results) {
	case 0:
		w.emit(byte(module.BlockEmpty))
	case 1:
		w.emit(byte(results[0]))
	default:
		w.scratch = appendS64(w.scratch, int64(w.typeIndex(module.FuncType{Results: results})))
	}
}

// charges writes the charges of all nodes that begin at pos.
func (w *rewriter) charges(pos int) {
	for w.nextNode < len(w.flow.nodes) && w.flow.nodes[w.nextNode].pos == pos {
		n := &w.flow.nodes[w.nextNode]
		w.nextNode++
		if n.charge == 0 {
			continue
		}
		w.copyTo(pos)
		w.info.Charges++
		if n.check {
			w.info.Checks++
		}
		switch {
		case w.nextNode == 1: // written by enter
		case w.inPlain: // the header's check was written with the loop
			w.emitIndexed(module.OpLocalGet, w.fuelLocal)
			w.emitI64(n.charge)
			w.emit(opI64Sub)
			w.emitIndexed(module.OpLocalTee, w.fuelLocal)
			w.emitIndexed(module.OpGlobalSet, w.fuelGlobal())
		default:
			if n.check {
				w.takeIfShort(n.charge)
			}
			w.subConst(w.fuelGlobal(), n.charge)
		}
	}
}

func (w *rewriter) instruction(in *module.Instr) {
	_, static := w.length.of(in)
	switch in.Op {
	case module.OpBlock, module.OpIf:
		w.depth++
		w.labels = append(w.labels, label{at: w.depth})
	case module.OpLoop:
		w.loop(in)
	case module.OpEnd:
		w.end(in)
	case module.OpBr, module.OpBrIf:
		if to := w.label(in.Index); to != in.Index {
			w.reindex(in, to)
		}
	case module.OpBrTable:
		w.brTable(in)
	case module.OpReturn:
		if w.wrapped {
			w.copyTo(in.Start)
			w.emit(byte(module.OpBr))
			w.scratch = appendU32(w.scratch, w.depth-w.labels[0].at)
			w.copied = in.End
		}
	case module.OpCall, module.OpRefFunc:
		if to := w.function(in.Index); to != in.Index {
			w.reindex(in, to)
		}
	default:
		if weight := bulkWeight(in.Op); weight > 0 && !static {
			w.copyTo(in.Start)
			w.bulk(in, weight)
			w.info.Charges++
			w.info.Checks++
		}
	}
}

// label returns the new number of the guest's label l.
func (w *rewriter) label(l uint32) uint32 {
	return w.depth - w.labels[len(w.labels)-1-int(l)].at
}

func (w *rewriter) reindex(in *module.Instr, to uint32) {
	w.copyTo(in.IndexStart)
	w.scratch = appendU32(w.scratch, to)
	w.copied = in.IndexEnd
}

// loop opens a loop. A plain one, which neither loops inside nor calls, keeps its fuel in a local,
// which each charge also stores, and goes out of the way to take more. So its own code has no call in
// it, never loads the global, whose way through memory would take longer than a short loop does,
// and takes no branch that it did not take before (RATIONALE.md has the figures).
//
//	block                      ;; all blocks have the loop's type
//	  loop
//	    block void
//	      local = global
//	      loop                 ;; the guest's
//	        br_if 1 (local < cost)
//	        global = local = local - cost
//	        ...
//	      end
//	      br 2
//	    end
//	    take(cost)
//	    br 0
//	  end
//	end
func (w *rewriter) loop(in *module.Instr) {
	w.depth++
	var n *node
	if w.nextNode < len(w.flow.nodes) && w.flow.nodes[w.nextNode].pos == in.End {
		n = &w.flow.nodes[w.nextNode]
	}
	if n == nil || !n.plain {
		w.labels = append(w.labels, label{at: w.depth})
		return
	}
	blockType := w.m.Bytes[in.Start+1 : in.End]
	w.copyTo(in.Start)
	w.emit(byte(module.OpBlock))
	w.emit(blockType...)
	w.emit(byte(module.OpLoop))
	w.emit(blockType...)
	w.emit(byte(module.OpBlock), byte(module.BlockEmpty))
	w.emitIndexed(module.OpGlobalGet, w.fuelGlobal())
	w.emitIndexed(module.OpLocalSet, w.fuelLocal)
	w.copyTo(in.End)
	w.emitIndexed(module.OpLocalGet, w.fuelLocal)
	w.emitI64(n.charge)
	w.emit(opI64LtS, byte(module.OpBrIf), 1)
	w.depth += plainBlocks
	w.labels = append(w.labels, label{at: w.depth, plain: n.charge})
	w.inPlain = true
}

func (w *rewriter) end(in *module.Instr) {
	l := w.labels[len(w.labels)-1]
	w.labels = w.labels[:len(w.labels)-1]
	if len(w.labels) == 0 {
		return
	}
	w.depth--
	if l.plain > 0 {
		w.depth -= plainBlocks
		w.inPlain = false
		w.copyTo(in.End)
		w.emit(byte(module.OpBr), 2, byte(module.OpEnd))
		w.emitI64(l.plain)
		w.emitCall(w.added(addedTake))
		w.emit(byte(module.OpBr), 0, byte(module.OpEnd), byte(module.OpEnd))
	}
}

func (w *rewriter) brTable(in *module.Instr) {
	same := true
	count := uint32(0)
	w.m.Labels(in, func(l uint32) {
		same = same && w.label(l) == l
		count++
	})
	if same {
		return
	}
	w.copyTo(in.Start + 1)
	w.scratch = appendU32(w.scratch, count-1)
	w.m.Labels(in, func(l uint32) { w.scratch = appendU32(w.scratch, w.label(l)) })
	w.copied = in.End
}
