// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// trigger checks the process that says when windows have results.
func (c *checker) trigger(d *draft, w *Window, where place, spec *window.Spec, in *stream) {
	says := c.says(w, where)
	for _, other := range []string{"early", "early_rows", "purge"} {
		if says(other) && !c.wrong(where.under(other)) {
			c.report(where.under(other).itsKey(), "leave it out", "the trigger says when there are results and when rows are dropped, and %s does so too", other)
		}
	}
	at := where.under("trigger")
	if w.Trigger.Path == "" {
		c.missing(at.under("wasm"), "add wasm: PATH", "the trigger of window %q names no module", d.name)
		return
	}
	g := c.guest(w.Trigger, at, describe.Process)
	if g == nil || !c.oneInAndOut(g, at) || in.schema == nil {
		return
	}
	reads, err := spec.TriggerInput()
	if err != nil {
		c.report(at, "", "%v", err)
		return
	}
	own := fmt.Sprintf("window %q", d.name)
	s := &stream{schema: reads, origins: slices.Concat(in.origins, []string{own, own}), untimed: in.untimed}
	columns := c.portColumns(g, &g.op.Inputs[0], w.Trigger.Columns, at, d.where.under("from"), s)
	config := c.configRow(g, w.Trigger.Config, at)
	if columns == nil || c.wrong(d.where.under("key")) || !c.keyOfTrigger(g, at, spec, s, columns) {
		return
	}
	out := &g.op.Outputs[0]
	decisions := out.Schema()
	if out.Forward {
		decisions, _ = operator.Forward(reads, out.Fields)
	}
	spec.Trigger = &window.Trigger{Decisions: decisionsOf(g, spec, decisions)}
	if err := spec.CheckDecisions(); err != nil {
		c.report(at, "", "operator %q: %v", g.op.Name, err)
		return
	}
	module, made := g.module, operator.ModuleSpec{
		Number: g.number, Config: config, Outputs: []*abi.Schema{decisions},
		Inputs: []operator.ModuleInput{{Schema: reads, Columns: columns, Key: spec.Key}},
	}
	spec.Trigger.New = func(ctx operator.Context) (operator.Operator, error) { return module.Operator(ctx, made) }
}

// oneInAndOut says whether a process has the ports of a trigger.
func (c *checker) oneInAndOut(g *guest, at place) bool {
	switch {
	case len(g.op.Inputs) != 1 || g.op.Inputs[0].Broadcast:
		c.report(at, "write it as a process with one input", "a trigger has one input, the rows of the window by their key; operator %q has others", g.op.Name)
	case len(g.op.Outputs) != 1:
		c.report(at, "write it as a process with one output", "a trigger has one output, its decisions; operator %q has %d", g.op.Name, len(g.op.Outputs))
	default:
		return true
	}
	return false
}

// decisionsOf returns the schema of decisions with the key columns called as those of the window, where the process has a key of its own
// and calls them as there.
func decisionsOf(g *guest, spec *window.Spec, decisions *abi.Schema) *abi.Schema {
	out := &abi.Schema{Fields: slices.Clone(decisions.Fields)}
	for i := range g.op.Key {
		name := spec.Input.Fields[spec.Key[i]].Name
		if at := decisions.Index(g.op.Key[i].Name); at >= 0 && decisions.Index(name) < 0 {
			out.Fields[at].Name = name
		}
	}
	return out
}

// keyOfTrigger says whether a process that has a key of its own has that of the window.
func (c *checker) keyOfTrigger(g *guest, at place, spec *window.Spec, s *stream, columns []int) bool {
	if len(g.op.Key) == 0 {
		return true
	}
	var key []int
	for i := range g.op.Key {
		key = append(key, columns[g.op.Inputs[0].Schema().Index(g.op.Key[i].Name)])
	}
	if slices.Equal(key, spec.Key) {
		return true
	}
	names := func(key []int) string {
		var names []string
		for _, col := range key {
			names = append(names, s.schema.Fields[col].Name)
		}
		return strings.Join(names, ", ")
	}
	c.report(at, "give the window that key, or map other columns to its fields by columns:",
		"the key of operator %q is its own: %s; a trigger has that of its window: %s", g.op.Name, names(key), names(spec.Key))
	return false
}
