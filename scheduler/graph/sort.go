// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"strconv"
	"strings"

	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/scheduler/timesort"
)

// Sort puts rows into order of event time: all of them, or, where the operator has a key, those of
// each key. A row goes on when the watermark has passed it.
type Sort struct {
	// By is what rows of one time are ordered by: columns as of a Top's. Those that are not named
	// follow from left to right.
	By []string `yaml:"by"`
}

// sort checks an operator that is a sort.
func (c *checker) sort(d *draft, o *Operator) {
	const what = "a sort"
	in := c.input(d)
	c.only(d, o, what)
	c.insertsOnly(d, in, what, "put the sort before the operator that takes rows back")
	where := d.where.under("sort")
	if in.untimed != "" {
		c.report(where, in.untimed, "sort %q goes by event time, which the rows lack", d.name)
	}
	w := o.Sort
	spec := timesort.Spec{Input: in.schema, Key: c.deal(d, o, in, what), By: c.orderBy(w.By, where.under("by"), in)}
	d.node.about = "sort by event time" + byText(w.By, ", then by ")
	if len(o.Key) > 0 {
		d.node.about += ", key " + strings.Join(o.Key, ", ")
	}
	d.node.Stateful = true
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return timesort.New(ctx, spec), nil }
	sorted, late := *in, *in
	sorted.port, late.port = "", portLate
	sorted.readers, late.readers = 0, 0
	c.outputs(d, []*stream{&sorted, &late}, o.OnError)
	d.portsKnown = true
}

func byText(by []string, before string) string {
	if len(by) == 0 {
		return ""
	}
	return before + strings.Join(by, ", ")
}

// orderBy reads columns to order by: COLUMN, COLUMN asc or COLUMN desc.
func (c *checker) orderBy(texts []string, where place, in *stream) []rows.By {
	var order []rows.By
	seen := map[string]bool{}
	for i, text := range texts {
		at := where
		if len(texts) > 1 {
			at = where.under(strconv.Itoa(i))
		}
		if c.wrong(at) {
			continue
		}
		name, descending := cutOrder(text)
		switch {
		case name == "":
			c.report(at, "write COLUMN, COLUMN asc or COLUMN desc", "%q names no column to order by", clip(text))
		case seen[name]:
			c.report(at, "", "rows are ordered by column %q twice", clip(name))
		case in.schema != nil:
			if col := c.column(in, name, at); col >= 0 {
				if f := &in.schema.Fields[col]; !rows.Ordered(f.Type) {
					c.report(at, "", "rows can't be ordered by column %q of type %s", f.Name, f.TypeString())
				}
				order = append(order, rows.By{Column: col, Descending: descending})
			}
		}
		seen[name] = true
	}
	return order
}

// cutOrder takes a column to order by apart.
func cutOrder(text string) (column string, descending bool) {
	text = strings.TrimSpace(text)
	if column, ok := strings.CutSuffix(text, " desc"); ok {
		return strings.TrimSpace(column), true
	}
	return strings.TrimSpace(strings.TrimSuffix(text, " asc")), false
}
