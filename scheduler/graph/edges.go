// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// resolve finds the nodes that a part reads.
func (c *checker) resolve(d *draft) {
	from := d.where.under("from")
	if len(d.inputs) == 0 && d.kind != "source" && !c.given(d.where.under("join")) {
		c.missing(from, "add from: NODE", "%s %q reads nothing", d.kind, clip(d.name))
	}
	type input struct {
		side int
		text string
	}
	read := map[input]bool{}
	for _, in := range d.inputs {
		this := input{in.side, in.text}
		name, port, dotted := strings.Cut(in.text, ".")
		if c.wrong(in.where) {
			continue
		}
		other, ok := c.byName[name]
		switch {
		case read[this]:
			c.report(in.where, "", "%q is read twice", clip(in.text))
		case dotted && port == "":
			c.report(in.where, "write "+clip(name), "%q names no output", clip(in.text))
		case !ok:
			c.report(in.where, c.didYouMean(name, c.readable), "there is no source or operator %q", clip(name))
		case other.kind == "sink":
			c.report(in.where, "read what the sink reads", "%q is a sink, which has no output", clip(name))
		default:
			in.from, in.port = other, port
		}
		read[this] = true
	}
}

// order sorts the drafts topologically, and reports and cuts cycles.
func (c *checker) order() {
	const (
		open = iota + 1
		done
	)
	state := map[*draft]int{}
	var sorted, path []*draft
	var visit func(d *draft)
	visit = func(d *draft) {
		state[d] = open
		path = append(path, d)
		for _, in := range d.inputs {
			switch {
			case in.from == nil || state[in.from] == done:
			case state[in.from] == open:
				c.cycle(path, in)
				in.from = nil
			default:
				visit(in.from)
			}
		}
		path = path[:len(path)-1]
		state[d] = done
		sorted = append(sorted, d)
	}
	for _, d := range c.drafts {
		if state[d] == 0 {
			visit(d)
		}
	}
	c.drafts = sorted
}

// cycle reports that in, of the last of path, closes a cycle. path goes against the stream.
func (c *checker) cycle(path []*draft, in *link) {
	in.from.readers++
	if c.count > maxKept {
		return // each takes time by its length
	}
	names := []string{in.from.name}
	for _, d := range slices.Backward(path) {
		names = append(names, d.name)
		if d == in.from {
			break
		}
	}
	const shown = 12
	if more := len(names) - shown; more > 0 {
		names = slices.Concat(names[:shown/2], []string{"..."}, names[len(names)-shown/2:])
	}
	c.report(in.where, "no operator may read its own output", "the nodes go round in a cycle: %s", strings.Join(names, " -> "))
}

// unread reports outputs whose rows would vanish.
func (c *checker) unread() {
	for _, d := range c.drafts {
		if d.kind == "sink" {
			continue
		}
		readers := d.readers
		for _, s := range d.streams {
			readers += s.readers
		}
		if readers == 0 && len(c.pipeline.Sinks) > 0 {
			c.report(d.where.itsKey(), "add a sink with from: "+d.name+", or remove it", "nothing reads %s %q", d.kind, clip(d.name))
		}
		if i := d.node.DeadLetters; i >= 0 && d.streams[i].readers == 0 {
			c.report(d.where.under("on_error"), fmt.Sprintf("add a sink with from: %s.%s, or write on_error: drop", d.name, operator.PortDeadLetters),
				"nothing reads the dead letters of %q", clip(d.name))
		}
	}
}

// read finds the output that a link names, nil where it is not known.
func (c *checker) read(in *link) *stream {
	if in.from == nil {
		return nil
	}
	var ports []string
	for _, s := range in.from.streams {
		if s.port == in.port {
			s.readers++
			return s
		}
		if s.port != "" {
			ports = append(ports, in.from.name+"."+s.port)
		}
	}
	in.from.readers++
	if in.from.portsKnown {
		hint := c.didYouMean(in.text, ports)
		switch {
		case in.port == operator.PortDeadLetters:
			hint = fmt.Sprintf("%s has one with on_error: dead_letter", in.from.name)
		case len(ports) == 0:
			hint = "write " + in.from.name
		}
		c.report(in.where, hint, "%q has no output %q", in.from.name, clip(in.port))
	}
	return nil
}

// input reads all that a draft with one input reads as one stream. What is unknown of it is nil.
func (c *checker) input(d *draft) *stream { return c.side(d, 0) }

// side reads all that a draft reads into one of its inputs as one stream. What is unknown of it is
// nil. The edges are added to the node.
func (c *checker) side(d *draft, side int) *stream {
	var whole *stream
	var first *link // whose schema it is
	for _, in := range d.inputs {
		if in.side != side {
			continue
		}
		s := c.read(in)
		if s == nil {
			continue
		}
		d.node.Inputs = append(d.node.Inputs, Edge{From: in.from.node, Port: slices.Index(in.from.streams, s), Side: side})
		if whole == nil || whole.schema == nil {
			next := *s
			if whole != nil && next.untimed == "" {
				next.untimed = whole.untimed
			}
			next.changes = next.changes || whole != nil && whole.changes
			next.upserts = next.upserts || whole != nil && whole.upserts
			whole, first = &next, in
			continue
		}
		if whole.untimed == "" {
			whole.untimed = s.untimed
		}
		whole.changes = whole.changes || s.changes
		whole.upserts = whole.upserts || s.upserts
		if s.schema != nil && !whole.schema.Equal(s.schema) {
			c.report(in.where, "streams that are read together have the same columns", "%q has %s, unlike %q before it",
				in.text, difference(s.schema, whole.schema), first.text)
		}
	}
	if whole == nil {
		return &stream{}
	}
	return whole
}

// difference says where a schema first differs from another.
func difference(s, from *abi.Schema) string {
	for i := range s.Fields {
		f := &s.Fields[i]
		switch {
		case i >= len(from.Fields):
			return fmt.Sprintf("a column %q more", f.Name)
		case f.Name != from.Fields[i].Name:
			return fmt.Sprintf("%q as column %d, not %q", f.Name, i+1, from.Fields[i].Name)
		case !f.SameType(&from.Fields[i]):
			return fmt.Sprintf("column %q of type %s, not %s", f.Name, f.TypeString(), from.Fields[i].TypeString())
		}
	}
	return fmt.Sprintf("no column %q", from.Fields[len(s.Fields)].Name)
}
