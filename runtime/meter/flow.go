// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"slices"

	"github.com/wasmill/wasmill/runtime/module"
)

// none stands for no node: the end of a path, or the beginning of a region, which expects nothing.
const none = -1

// node is a piece of straight code: it is entered at its beginning only and forks at its end only.
type node struct {
	pos    int   // offset of its first instruction: its charge goes before it
	cost   int64 // of its own instructions; after solve, of the dearest path from it
	charge int64 // after solve: what is charged at pos

	next   int32 // where it goes on to
	branch int32 // the other way, when forks
	forks  bool
	keep   bool // a fork not to be refined: its branch leaves a loop

	head  bool // begins a region
	check bool // the charge is checked
	alone bool // has one predecessor, so it can charge for itself
	plain bool // a loop's header whose loop neither loops inside nor calls
}

// edge is a way to the end of a block that is still open.
type edge struct {
	node   int32
	branch bool  // the node's branch rather than its next
	older  int32 // the block's edge before this one
}

// open is a block that the walk is in.
type open struct {
	op     module.Opcode
	loops  int   // loops around the block, itself counted
	arity  int64 // values that a branch to it takes
	sets   int   // assignments to locals before it
	fork   int32 // an if's node
	header int32 // a loop's node
	edges  int32
	live   bool // something goes to its end
	head   bool // its end begins a region
}

// flow finds the regions of one function and what each charges. It is reused from one to the next.
type flow struct {
	m      *module.Module
	leaves []int64 // by defined function: what its callers pay for it, or noLeaf
	nodes  []node
	edges  []edge
	blocks []open
	cur    int32 // the node in hand, none in dead code
	loops  int
	locals int
	sets   int
	length lengths
	calls  bool // it calls functions of the guest
	plain  bool // it has a plain loop
}

// analyse fills f.nodes for function i, in the order of their positions.
func (f *flow) analyse(i int) {
	fn := &f.m.Functions[i]
	t := f.m.Types[fn.Type]
	f.nodes, f.edges, f.blocks = f.nodes[:0], f.edges[:0], f.blocks[:0]
	f.loops, f.sets, f.calls, f.length = 0, 0, false, lengths{}
	f.locals = len(t.Params) + fn.Locals
	f.cur = none
	f.cur = f.begin(fn.Code)
	f.nodes[0].head, f.nodes[0].check = true, true
	f.blocks = append(f.blocks, open{op: module.OpBlock, edges: none, arity: int64(len(t.Results))})
	s := f.m.Scan(i)
	var in module.Instr
	for s.Next(&in) {
		f.step(&in)
	}
	f.solve()
	f.plain = slices.ContainsFunc(f.nodes, func(n node) bool { return n.plain })
}

// begin makes a node; the one in hand goes on to it.
func (f *flow) begin(pos int) int32 {
	n := int32(len(f.nodes))
	f.nodes = append(f.nodes, node{pos: pos, next: none, branch: none})
	if f.cur != none {
		f.nodes[f.cur].next = n
	}
	return n
}

func (f *flow) pay(cost int64) {
	if f.cur != none {
		f.nodes[f.cur].cost += cost
	}
}

func (f *flow) step(in *module.Instr) {
	f.pay(int64(costs[in.Op]))
	weight := bulkWeight(in.Op)
	switch static, ok := f.length.of(in); {
	case ok:
		f.pay(static * weight / 64)
	case weight > 0:
		f.notPlain()
	}
	switch in.Op {
	case module.OpBlock:
		f.enter(in, open{})
	case module.OpLoop:
		f.loop(in)
	case module.OpIf:
		fork := f.cur
		if f.cur != none {
			f.nodes[fork].forks = true
			f.cur = f.begin(in.End)
			f.nodes[f.cur].alone = true
		}
		f.enter(in, open{fork: fork})
	case module.OpElse:
		f.elseArm(in)
	case module.OpEnd:
		f.end(in)
	case module.OpBr:
		f.leave(in.Index, false)
		f.cur = none
	case module.OpBrIf:
		if f.cur != none {
			f.nodes[f.cur].forks = true
			f.leave(in.Index, true)
			f.cur = f.begin(in.End)
			f.nodes[f.cur].alone = true
		}
	case module.OpBrTable:
		f.brTable(in)
	case module.OpReturn, module.OpUnreachable:
		f.cur = none
	case module.OpCall:
		f.direct(in.Index)
	case module.OpCallIndirect:
		f.call(f.m.Types[in.Index], false)
	case module.OpLocalSet, module.OpLocalTee:
		f.sets++
	}
}

func (f *flow) enter(in *module.Instr, b open) {
	b.op, b.loops, b.sets, b.edges = in.Op, f.loops, f.sets, none
	switch {
	case in.Block == module.BlockEmpty:
	case in.Block < module.BlockIndex:
		b.arity = 1
	case in.Op == module.OpLoop:
		b.arity = int64(len(f.m.Types[in.Block-module.BlockIndex].Params))
	default:
		b.arity = int64(len(f.m.Types[in.Block-module.BlockIndex].Results))
	}
	f.blocks = append(f.blocks, b)
}

func (f *flow) loop(in *module.Instr) {
	header := int32(none)
	if f.cur != none {
		f.notPlain()
		header = f.begin(in.End)
		f.cur = header
		h := &f.nodes[header]
		h.head, h.check, h.plain = true, true, !f.m.HasParams(in.Block)
	}
	f.loops++
	f.enter(in, open{header: header})
}

// notPlain marks the innermost loop as one that calls or has a loop inside. An outer one has been
// marked when the inner one began.
func (f *flow) notPlain() {
	for i := len(f.blocks) - 1; i >= 0; i-- {
		if b := &f.blocks[i]; b.op == module.OpLoop {
			if b.header != none {
				f.nodes[b.header].plain = false
			}
			return
		}
	}
}

func (f *flow) direct(index uint32) {
	t := f.m.FuncType(index)
	if i := int(index) - f.m.ImportedFuncs; i >= 0 && f.leaves != nil && f.leaves[i] != noLeaf {
		f.pay(f.leaves[i] + int64(len(t.Params)+len(t.Results)))
		return
	}
	f.call(t, int(index) < f.m.ImportedFuncs)
}

func (f *flow) call(t module.FuncType, imported bool) {
	f.pay(int64(len(t.Params) + len(t.Results)))
	f.calls = f.calls || !imported
	f.notPlain()
}

// leave adds an edge from the node in hand to the label's end; to a loop's header or out of the
// function there is nothing to note.
func (f *flow) leave(label uint32, branch bool) {
	if f.cur == none {
		return
	}
	at := len(f.blocks) - 1 - int(label)
	b := &f.blocks[at]
	f.pay(b.arity)
	leaves := f.loops > b.loops
	if branch && leaves {
		f.nodes[f.cur].keep = true
	}
	if b.op == module.OpLoop || at == 0 {
		return
	}
	b.live = true
	b.head = b.head || leaves
	b.edges = f.addEdge(edge{node: f.cur, branch: branch, older: b.edges})
}

func (f *flow) addEdge(e edge) int32 {
	f.edges = append(f.edges, e)
	return int32(len(f.edges) - 1)
}

func (f *flow) brTable(in *module.Instr) {
	arity := int64(0) // the same for all labels
	if f.cur != none {
		f.m.Labels(in, func(label uint32) {
			b := &f.blocks[len(f.blocks)-1-int(label)]
			b.live, b.head = true, true
			arity = b.arity
		})
	}
	f.pay(arity)
	f.cur = none
}

func (f *flow) elseArm(in *module.Instr) {
	b := &f.blocks[len(f.blocks)-1]
	b.op = module.OpElse
	if f.cur != none {
		b.live = true
		b.edges = f.addEdge(edge{node: f.cur, older: b.edges})
	}
	f.cur = none
	if b.fork != none {
		f.cur = f.begin(in.End)
		f.nodes[f.cur].alone = true
		f.nodes[b.fork].branch = f.cur
	}
}

func (f *flow) end(in *module.Instr) {
	b := f.blocks[len(f.blocks)-1]
	f.blocks = f.blocks[:len(f.blocks)-1]
	merge := int64(max(0, min(f.locals, f.sets-b.sets)-registers) / 2)
	if b.op == module.OpLoop {
		f.loops--
		if b.header != none {
			f.nodes[b.header].cost += merge
		}
		if f.cur != none {
			f.cur = f.begin(in.End)
			f.nodes[f.cur].head = true
		}
		return
	}
	forked := b.op == module.OpIf && b.fork != none
	if len(f.blocks) == 0 || !b.live && !forked {
		return
	}
	f.cur = f.begin(in.End)
	f.nodes[f.cur].head = b.head
	f.nodes[f.cur].cost = merge + b.arity
	if forked {
		f.nodes[b.fork].branch = f.cur
	}
	for e := b.edges; e != none; e = f.edges[e].older {
		if n := &f.nodes[f.edges[e].node]; f.edges[e].branch {
			n.branch = f.cur
		} else {
			n.next = f.cur
		}
	}
}

// solve sets what each node charges. All edges in nodes go forward, so one pass backwards does.
func (f *flow) solve() {
	for i := len(f.nodes) - 1; i >= 0; i-- {
		n := &f.nodes[i]
		next, branch := f.expects(n.next), f.expects(n.branch)
		if n.forks && !n.keep {
			next = f.refine(n.next, next, branch)
			branch = f.refine(n.branch, branch, next)
		}
		n.cost += max(next, branch)
		if n.head {
			n.charge = n.cost
			if n.check {
				n.charge = max(1, n.charge)
			}
		}
	}
}

// expects returns what n takes to be paid already.
func (f *flow) expects(n int32) int64 {
	if n == none || f.nodes[n].head {
		return 0
	}
	return f.nodes[n].cost
}

// refine makes n, the way of a fork that expects cost, charge what it expects beyond the other way,
// if that is much and nobody else arrives at n. It returns what n expects then.
func (f *flow) refine(n int32, cost, other int64) int64 {
	if cost <= other+SplitAbove || !f.nodes[n].alone {
		return cost
	}
	f.nodes[n].charge = cost - other
	return other
}
