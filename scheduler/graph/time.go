// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
)

// Time says where event time comes from, and how the watermark behind it is made: of a source split
// by split, of an operator subtask by subtask.
type Time struct {
	// Column is a timestamp column; -1, of an operator, for the event time that its rows have.
	Column int
	// OutOfOrder is how much earlier than the latest one so far a row may be: the watermark is that
	// much behind the latest. With 0 it is monotonous.
	OutOfOrder time.Duration
	// Punctuated says that the watermark is what the timestamp column Mark says instead, from
	// after each row that has one.
	Punctuated bool
	Mark       int
	// Idle is how long a source's split, or an operator's subtask, may be without rows until it is left
	// out of the watermark; 0 is for ever.
	Idle time.Duration
	// Align is the group in which a source's splits keep together; nil where they do not.
	Align *Align
}

// MarkColumn returns the column that the watermark comes from, -1 where it is not punctuated.
func (t *Time) MarkColumn() int {
	if t.Punctuated {
		return t.Mark
	}
	return -1
}

// Align keeps the splits of all sources that name the same group together: one that is ahead of the
// slowest pauses. What is ahead would only wait in state for what is behind.
type Align struct {
	Group string `yaml:"group"`
	// Drift is how far ahead of the slowest one's watermark a split's may be.
	Drift time.Duration `yaml:"drift"`
}

// eventTime checks what a source or an operator says of time. It returns nil where the column is not
// known.
func (c *checker) eventTime(d *draft, t *EventTime, schema *abi.Schema) *Time {
	where := d.where.under("time")
	for key, d := range map[string]time.Duration{"out_of_order": t.OutOfOrder, "idle": t.Idle} {
		if d < 0 {
			c.report(where.under(key), "", "%s is %v; it can't be negative", key, d)
		} else if d%time.Microsecond != 0 {
			c.report(where.under(key), "", "%s is %s; event time counts whole microseconds", key, durationText(d))
		}
	}
	if t.Watermark != "" && t.OutOfOrder != 0 {
		c.report(where.under("out_of_order").itsKey(), "keep one", "the watermark comes from column %q, so that no bound is needed", clip(t.Watermark))
	}
	out := &Time{Column: -1, OutOfOrder: t.OutOfOrder, Punctuated: t.Watermark != "", Idle: t.Idle, Align: t.Align}
	if schema == nil {
		return nil
	}
	ok := true
	if t.Column != "" {
		out.Column = c.timeColumn(d, t.Column, "event time", schema, where.under("column"))
		ok = out.Column >= 0
	}
	if t.Watermark != "" {
		out.Mark = c.timeColumn(d, t.Watermark, "a watermark", schema, where.under("watermark"))
		ok = ok && out.Mark >= 0
	}
	if !ok {
		return nil
	}
	return out
}

// timeColumn finds a timestamp column, -1 where there is none.
func (c *checker) timeColumn(d *draft, name, what string, schema *abi.Schema, where place) int {
	i := schema.Index(name)
	if i < 0 {
		c.report(where, c.didYouMean(name, schema.Names()), "%s %q has no column %q", d.kind, d.name, clip(name))
		return -1
	}
	if f := &schema.Fields[i]; f.Type != abi.Timestamp {
		c.report(where, fmt.Sprintf("declare it in the schema as %s: timestamp", f.Name),
			"%s is a timestamp; column %q is of type %s", what, f.Name, f.TypeString())
	}
	return i
}

// sourceTime checks the time of a source. source says whether the source itself is known.
func (c *checker) sourceTime(d *draft, t *EventTime, main *stream) *Time {
	where := d.where.under("time")
	if t.Column == "" {
		c.missing(where.under("column"), "add column: COLUMN", "time does not say in which column it is")
		return nil
	}
	if t.Align != nil {
		c.align(d, t)
	}
	return c.eventTime(d, t, main.schema)
}

// align checks a source's alignment.
func (c *checker) align(d *draft, t *EventTime) {
	where := d.where.under("time", "align")
	if t.Align.Group == "" {
		c.missing(where.under("group"), "add group: NAME", "align does not say in which group")
	} else {
		c.checkName(t.Align.Group, where.under("group"))
	}
	switch {
	case t.Align.Drift == 0 && !c.given(where.under("drift")):
		c.missing(where.under("drift"), "add drift: 30s", "align does not say how far ahead a split may be")
	case t.Align.Drift < time.Microsecond:
		c.report(where.under("drift"), "", "drift is %s; it is 1us at least", durationText(t.Align.Drift))
	}
	if d.node.Source != nil && !d.node.Source.Source.Bounded() && t.Idle == 0 {
		c.missing(d.where.under("time", "idle"), "add idle: 30s", "with align, a split of %q without rows would pause all others for ever", d.name)
	}
}

// operatorTime checks the time of an operator, which makes its watermark anew.
func (c *checker) operatorTime(d *draft, o *Operator) {
	where := d.where.under("time")
	switch {
	case o.Time == nil:
		return
	case o.Path == "":
		c.report(where.itsKey(), "write it to the source, or to a module's operator", "operator %q does not make event time", d.name)
		return
	}
	if o.Time.Align != nil {
		c.report(where.under("align").itsKey(), "write it to the source", "align is of a source's splits; operator %q has none", d.name)
	}
	main := d.streams[0]
	t := c.eventTime(d, o.Time, main.schema)
	if o.Time.Column == "" && main.untimed != "" && !main.writesTime && !c.wrong(where.under("column")) {
		c.missing(where.under("column"), "add column: COLUMN", "the rows of operator %q have no event time, and time does not say in which column it is", d.name)
	}
	main.untimed = ""
	d.node.Time = t
}

// PlanTime is where event time comes from.
type PlanTime struct {
	Column     string     `json:"column,omitempty"` // empty: rows have it already
	OutOfOrder string     `json:"out_of_order,omitempty"`
	Watermark  string     `json:"watermark,omitempty"` // the column that it comes from, where it is punctuated
	Idle       string     `json:"idle"`
	Align      *PlanAlign `json:"align,omitempty"`
}

// PlanAlign is a group of splits that keep together.
type PlanAlign struct {
	Group string `json:"group"`
	Drift string `json:"drift"`
}

func (t *Time) plan(schema *abi.Schema) *PlanTime {
	p := &PlanTime{Idle: durationText(t.Idle)}
	if t.Column >= 0 {
		p.Column = schema.Fields[t.Column].Name
	}
	if t.Punctuated {
		p.Watermark = schema.Fields[t.Mark].Name
	} else {
		p.OutOfOrder = durationText(t.OutOfOrder)
	}
	if t.Align != nil {
		p.Align = &PlanAlign{Group: t.Align.Group, Drift: durationText(t.Align.Drift)}
	}
	return p
}

// String says it in words.
func (p *PlanTime) String() string {
	text := p.Column
	if text == "" {
		text = "as the rows have it"
	}
	switch {
	case p.Watermark != "":
		text += ", watermark from " + p.Watermark
	case p.OutOfOrder == "0s":
		text += ", monotonous"
	default:
		text += ", out of order by up to " + p.OutOfOrder
	}
	if p.Idle != "0s" {
		text += ", idle after " + p.Idle
	}
	if p.Align != nil {
		text += fmt.Sprintf(", at most %s ahead in group %s", p.Align.Drift, p.Align.Group)
	}
	return text
}
