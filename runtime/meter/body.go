// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import "github.com/wasmill/wasmill/runtime/module"

// label is a block of the guest in the new body.
type label struct {
	at    uint32 // labels open in the new body just inside the block
	extra bool   // a loop that got a second one around it
}

// Frames: what the engine keeps for a call besides the function's values, and the size from which
// a function that calls nobody has its frame counted.
const (
	frameBase = 48
	largeLeaf = 4096
)

// code writes all bodies.
func (w *rewriter) code() {
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
	w.flow.analyse(i)
	w.frame = int64(frameBase + 8*fn.Slots)
	w.wrapped = w.flow.calls || w.frame > largeLeaf
	w.scratch = append(w.scratch[:0], w.m.Bytes[fn.Start:fn.Code]...)
	w.copied, w.nextNode, w.depth = fn.Code, 0, 0
	w.labels = w.labels[:0]
	if w.wrapped {
		w.emit(byte(module.OpBlock))
		w.blockType(w.m.Types[fn.Type].Results)
		w.depth = 1
		w.info.Stacked++
	}
	w.labels = append(w.labels, label{at: w.depth})
	s := w.m.Scan(i)
	var in module.Instr
	for s.Next(&in) {
		w.charges(in.Start)
		w.instruction(&in)
	}
	w.copyTo(fn.End)
	if w.wrapped {
		w.addConst(w.stackGlobal(), w.frame, opI64Add)
		w.emit(byte(module.OpEnd))
	}
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
		case w.nextNode == 1 && w.wrapped:
			w.enter(n.charge)
		case n.check && !n.plain:
			w.takeIfShort(n.charge)
			w.addConst(w.fuelGlobal(), n.charge, opI64Sub)
		default: // unchecked, or a plain loop's header, whose check instruction writes
			w.addConst(w.fuelGlobal(), n.charge, opI64Sub)
		}
	}
}

func (w *rewriter) instruction(in *module.Instr) {
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
			w.scratch = appendU32(w.scratch, w.depth-1)
			w.copied = in.End
		}
	case module.OpCall, module.OpRefFunc:
		if to := w.function(in.Index); to != in.Index {
			w.reindex(in, to)
		}
	default:
		if weight := bulkWeight(in.Op); weight > 0 {
			w.copyTo(in.Start)
			w.emit(byte(module.OpI64Const))
			w.scratch = appendS64(w.scratch, weight)
			w.emitCall(w.added(addedBulk))
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

// loop opens a loop. A plain one, which neither loops inside nor calls, gets a second loop around
// it, where the guest takes more fuel: its own code then has no call in it, and the engine
// keeps its values in registers (RATIONALE.md has the figures).
//
//	loop                       ;; only entered again when fuel is short
//	  if fuel < cost { take(cost) }
//	  loop                     ;; the guest's
//	    br_if 1 (fuel < cost)
//	    fuel -= cost
//	    ...
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
	w.copyTo(in.End)
	w.takeIfShort(n.charge)
	w.depth++
	w.labels = append(w.labels, label{at: w.depth, extra: true})
	w.scratch = append(w.scratch, w.m.Bytes[in.Start:in.End]...)
	w.short(n.charge)
	w.emit(byte(module.OpBrIf), 1)
}

func (w *rewriter) end(in *module.Instr) {
	l := w.labels[len(w.labels)-1]
	w.labels = w.labels[:len(w.labels)-1]
	if len(w.labels) == 0 {
		return
	}
	w.depth--
	if l.extra {
		w.depth--
		w.copyTo(in.End)
		w.emit(byte(module.OpEnd))
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
