// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import "github.com/wasmill/wasmill/runtime/module"

// noLeaf marks a function that charges for itself.
const noLeaf = -1

// A leaf's bounds: the bytes of its body, so that finding leaves stays cheap, and its cost, so that
// its callers are not billed much for a way through it that they do not take.
const (
	leafBytes = 256
	leafCost  = 64
)

// findLeaves fills f.leaves. A leaf is a small function without loops and calls that only direct
// calls reach: its callers pay for all of it with the call, and it is left as it is.
func (f *flow) findLeaves() {
	leaves := make([]int64, len(f.m.Functions))
	for i := range leaves {
		leaves[i] = noLeaf
		fn := &f.m.Functions[i]
		index := uint32(f.m.ImportedFuncs + i)
		if fn.End-fn.Start > leafBytes || f.m.Declared(index) || f.m.HasStart && f.m.Start == index || !f.simple(i) {
			continue
		}
		f.analyse(i)
		cost := int64(0)
		for _, n := range f.nodes {
			cost += n.charge
		}
		if cost <= leafCost {
			leaves[i] = cost
		}
	}
	f.leaves = leaves
}

// simple says whether function i has nothing that would have to be rewritten or runs unbounded.
func (f *flow) simple(i int) bool {
	s := f.m.Scan(i)
	var in module.Instr
	for s.Next(&in) {
		switch in.Op {
		case module.OpLoop, module.OpCall, module.OpCallIndirect, module.OpRefFunc:
			return false
		}
		if bulkWeight(in.Op) > 0 {
			return false
		}
	}
	return true
}
