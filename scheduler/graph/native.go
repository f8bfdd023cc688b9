// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"time"
)

// only reports the keys that an operator of the engine's own can't have. what is the operator as a
// sentence names it, such as "a dedup".
func (c *checker) only(d *draft, o *Operator, what string) {
	for _, f := range []struct {
		key   string
		given bool
		hint  string
	}{
		{"inputs", len(o.Inputs) > 0, "write from: NODE"},
		{"operator", o.Operator != "", "leave it out"},
		{"config", o.Config != nil, "leave it out"},
		{"columns", len(o.Columns) > 0, "leave it out"},
		{"partition", o.Partition != nil, "leave it out"},
	} {
		if f.given {
			c.report(d.where.under(f.key).itsKey(), f.hint, "%s means nothing to %s", f.key, what)
		}
	}
}

// deal gives an operator of the engine's own its edges: by key, or all rows to one subtask.
func (c *checker) deal(d *draft, o *Operator, in *stream, what string) []int {
	key := c.key(d, o.Key, in)
	for i := range d.node.Inputs {
		if len(o.Key) > 0 {
			d.node.Inputs[i].Partition, d.node.Inputs[i].Key = Hash, key
		}
	}
	if len(o.Key) > 0 || c.wrong(d.where.under("key")) {
		return key
	}
	if o.Parallelism > 1 {
		c.report(d.where.under("parallelism"), "leave it out, or add key: [COLUMN]", "%s without a key has one subtask, not %d", what, o.Parallelism)
	}
	d.node.Parallelism = 1
	return key
}

// micros checks a duration of event or processing time.
func (c *checker) micros(t, least, most time.Duration, where place) {
	between(c, t, least, most, where)
	if t%time.Microsecond != 0 {
		c.report(where, "", "%s is %s; time is counted in whole microseconds", where.path[len(where.path)-1], durationText(t))
	}
}

// wholeChanges reports an input whose updates come without the row that they replace.
func (c *checker) wholeChanges(d *draft, in *stream, where place, what string) {
	if in.upserts {
		c.report(where, "have them come with updates: retract, or put a dedup: {keep: last} with their key in between",
			"%s needs to know the row that an update replaces, and its input has updates without", what)
	}
}

// keepOrder sees to it that rows of a changelog don't overtake each other: they go from each subtask to
// one, by key or as they are. Where own, the number of subtasks that the part asks for, is 0, it has as
// many as what it reads.
func (c *checker) keepOrder(d *draft, in *stream, own int) {
	if !in.changes || len(d.node.Inputs) == 0 {
		return
	}
	if e := d.node.Inputs[0]; own == 0 && e.Partition == Forward {
		d.node.Parallelism = e.From.Parallelism
	}
	for _, e := range d.node.Inputs {
		spread := e.Partition == Rebalance || e.Partition == Forward && e.From.Parallelism != d.node.Parallelism
		if spread && d.node.Parallelism > 1 {
			c.report(d.where.under("parallelism"), "write parallelism: 1, or add a key: [COLUMN] that updates leave alone",
				"updates would overtake each other on their way from %s to the subtasks of %s", e.From.Name, d.name)
			return
		}
	}
}

// insertsOnly reports an input that is a changelog.
func (c *checker) insertsOnly(d *draft, in *stream, what, hint string) {
	if in.changes {
		c.report(d.where.under("from"), hint, "%s can't take rows back, and its input does", what)
	}
}
