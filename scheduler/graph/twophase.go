// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// twoPhase puts a first phase before a window, in the tasks of the nodes that it reads, where that is
// possible and the pipeline does not say otherwise: so few rows of a key that many rows have are sent
// to its one subtask.
func (c *checker) twoPhase(d *draft, w *Window, spec window.Spec) {
	why := spec.OnePhase()
	if name := idling(d.node); why == "" && name != "" {
		// Whether rows that come after that are late is known only behind the exchange.
		why = fmt.Sprintf("%q may be idle, and its rows late then", name)
	}
	asked := w.TwoPhase != nil && *w.TwoPhase
	switch {
	case why != "" && asked:
		c.report(d.where.under("window", "two_phase"), "leave it out", "window %q can't be aggregated in two phases: %s", d.name, why)
		return
	case why != "", w.TwoPhase != nil && !asked, !asked && d.node.Parallelism == 1:
		return
	}
	partials, err := spec.Partials(operator.Context{Pool: &batch.Pool{}})
	if err != nil {
		c.report(d.where.under("window"), "", "%v", err)
		return
	}
	for i, in := range d.node.Inputs {
		local := c.firstPhase(d, in, i, spec, partials)
		d.before = append(d.before, local)
		d.node.Inputs[i] = Edge{From: local, Side: window.InputPartials, Partition: Hash, Key: spec.Key}
	}
}

// firstPhase returns the node of the first phase of a window's input.
func (c *checker) firstPhase(d *draft, in Edge, number int, spec window.Spec, partials *abi.Schema) *Node {
	name := d.name + ".local"
	if number > 0 {
		name += fmt.Sprint(number + 1)
	}
	return &Node{
		Name: name, Line: d.node.Line, Parallelism: in.From.Parallelism, DeadLetters: -1,
		Inputs:  []Edge{{From: in.From, Port: in.Port, Partition: Forward}},
		Outputs: []Port{{Schema: partials}},
		New:     func(ctx operator.Context) (operator.Operator, error) { return window.NewLocal(ctx, spec) },
		about:   "first phase of " + d.name,
	}
}

// idling returns the name of a node before one whose splits or subtasks may be left out of the watermark
// while they are idle; "" where there is none.
func idling(n *Node) string {
	seen := map[*Node]bool{}
	var find func(n *Node) string
	find = func(n *Node) string {
		if seen[n] {
			return ""
		}
		seen[n] = true
		own := n.Time
		if n.Source != nil {
			own = n.Source.Time
		}
		if own != nil && own.Idle > 0 {
			return n.Name
		}
		for _, in := range n.Inputs {
			if name := find(in.From); name != "" {
				return name
			}
		}
		return ""
	}
	return find(n)
}
