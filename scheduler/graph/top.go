// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/topn"
)

// Top keeps the first rows of each key, or, without a key, of all. Without a window it gives a changelog,
// and takes one; with a window it gives the top of each window once, at its end.
type Top struct {
	Rows   int        `yaml:"rows"` // how many: 1 to topn.MaxRows
	By     []string   `yaml:"by"`   // what rows are ordered by: COLUMN, COLUMN asc or COLUMN desc; at least one
	Rank   string     `yaml:"rank"` // a column to write the rank into, from 1 on; empty: none
	Window *TopWindow `yaml:"window"`
}

// TopWindow says which rows have a top together. Exactly one of Tumble and End is set.
type TopWindow struct {
	Tumble time.Duration `yaml:"tumble"` // the size of windows of the rows' event time
	Offset time.Duration `yaml:"offset"` // of Tumble, as of a Window
	// End is a timestamp column that says when the row's window ends: window_end of the results of
	// a window.
	End string `yaml:"end"`
}

// top checks an operator that is a top.
func (c *checker) top(d *draft, o *Operator) {
	const what = "a top"
	in := c.input(d)
	c.only(d, o, what)
	where := d.where.under("top")
	w := o.Top
	spec := topn.Spec{
		Input: in.schema, Key: c.deal(d, o, in, what), Rows: w.Rows, By: c.orderBy(w.By, where.under("by"), in),
		Rank: w.Rank, Changes: in.changes, Timed: in.untimed == "",
	}
	if w.Rows == 0 && !c.given(where.under("rows")) {
		c.missing(where.under("rows"), "add rows: 10", "top %q does not say how many rows it keeps", d.name)
	} else {
		between(c, w.Rows, 1, topn.MaxRows, where.under("rows"))
	}
	if len(w.By) == 0 {
		c.missing(where.under("by"), "add by: [COLUMN desc]", "top %q does not say by what rows are ordered", d.name)
	}
	if w.Window == nil {
		c.wholeChanges(d, in, d.where.under("from"), what)
	} else {
		c.insertsOnly(d, in, "a top of a window", "leave window out: the top of all rows follows a changelog; or put the top before the operator that takes rows back")
		spec.Window = c.topWindow(d, w.Window, in)
	}
	d.node.about = topAbout(w, o.Key)
	d.node.Stateful = true
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return topn.New(ctx, spec) }
	c.topOutputs(d, o, in, &spec)
}

// topWindow checks the window of a top.
func (c *checker) topWindow(d *draft, w *TopWindow, in *stream) *topn.Window {
	where := d.where.under("top", "window")
	if in.untimed != "" {
		c.report(where, in.untimed, "the windows of top %q end by event time, which the rows lack", d.name)
	}
	out := &topn.Window{End: -1, Size: w.Tumble, Offset: w.Offset}
	tumble, end := where.under("tumble"), where.under("end")
	switch given := w.Tumble != 0 || c.given(tumble); {
	case given && w.End != "":
		c.report(end.itsKey(), "keep one", "the window of a top has tumble or end, not both")
	case given:
		c.micros(w.Tumble, time.Microsecond, topn.MaxSize, tumble)
		c.micros(w.Offset, -topn.MaxSize, topn.MaxSize, where.under("offset"))
	case w.End == "":
		c.missing(end, "add end: window_end, or tumble: 1h", "the window of top %q has no end", d.name)
	case w.Offset != 0:
		c.report(where.under("offset").itsKey(), "leave it out", "offset means nothing to windows whose end is in a column")
	case in.schema != nil:
		i := c.column(in, w.End, end)
		if i >= 0 && in.schema.Fields[i].Type != abi.Timestamp {
			c.report(end, "", "a window ends at a timestamp; column %q is of type %s", w.End, in.schema.Fields[i].TypeString())
		}
		out.End = i
	}
	return out
}

// topOutputs completes the node of a top.
func (c *checker) topOutputs(d *draft, o *Operator, in *stream, spec *topn.Spec) {
	top := &stream{untimed: in.untimed, changes: spec.Window == nil}
	if in.schema != nil && !c.wrong(d.where.under("top", "window")) {
		schema, err := spec.Output()
		if err != nil {
			c.report(d.where.under("top"), "give it another name: rank: NAME", "%v", err)
		} else {
			top.schema, top.origins = schema, slices.Clone(in.origins)
			for len(top.origins) < len(schema.Fields) {
				top.origins = append(top.origins, fmt.Sprintf("top %q", d.name))
			}
		}
	}
	streams := []*stream{top}
	if spec.Window != nil {
		streams = append(streams, &stream{port: portLate, schema: in.schema, origins: in.origins, untimed: in.untimed})
	}
	c.outputs(d, streams, o.OnError)
	d.portsKnown = true
}

func topAbout(w *Top, key []string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "top %d%s", w.Rows, byText(w.By, " by "))
	if t := w.Window; t != nil && t.End != "" {
		fmt.Fprintf(&s, ", of windows that end at %s", t.End)
	} else if t != nil {
		fmt.Fprintf(&s, ", of windows tumble %s", durationText(t.Tumble))
		if t.Offset != 0 {
			fmt.Fprintf(&s, ", offset %s", durationText(t.Offset))
		}
	}
	if len(key) > 0 {
		fmt.Fprintf(&s, ", key %s", strings.Join(key, ", "))
	}
	return s.String()
}
