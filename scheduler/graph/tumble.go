// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// portLate is the name of the output of rows that come too late for their window.
const portLate = "late"

// window checks an operator that is a window.
func (c *checker) window(d *draft, o *Operator) {
	in := c.input(d)
	c.onlyWindow(d, o)
	if in.untimed != "" {
		c.report(d.where.under("window"), in.untimed, "window %q needs rows with an event time", d.name)
	}
	key := c.key(d, o.Key, in)
	c.spread(d, o, key)
	spec := window.Spec{Input: in.schema, Key: key}
	if o.Window != nil {
		spec.Size, spec.Offset, spec.Lateness = o.Window.Tumble, o.Window.Offset, o.Window.Lateness
		c.windowBounds(d, o.Window)
	} else {
		c.missing(d.where.under("window"), "add window: {tumble: 10s}", "operator %q aggregates over no window", d.name)
	}
	if len(o.Aggregates) == 0 {
		c.missing(d.where.under("aggregate"), "add aggregate: {rows: count()}", "window %q computes nothing", d.name)
	}
	for i := range o.Aggregates {
		if a, ok := c.aggregate(d, &o.Aggregates[i], in); ok {
			spec.Aggregates = append(spec.Aggregates, a)
		}
	}
	d.node.about = c.windowAbout(o)
	c.windowOutputs(d, o, in, spec)
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return window.New(ctx, spec) }
}

// windowBounds checks the durations of a window.
func (c *checker) windowBounds(d *draft, w *Window) {
	where := d.where.under("window")
	size := where.under("tumble")
	if w.Tumble == 0 && !c.given(size) {
		c.missing(size, "add tumble: 10s", "the window has no size")
	} else {
		between(c, w.Tumble, time.Microsecond, window.MaxSize, size)
	}
	between(c, w.Offset, -window.MaxSize, window.MaxSize, where.under("offset"))
	between(c, w.Lateness, 0, window.MaxSize, where.under("lateness"))
	for key, t := range map[string]time.Duration{"tumble": w.Tumble, "offset": w.Offset, "lateness": w.Lateness} {
		if t%time.Microsecond != 0 {
			c.report(where.under(key), "", "%s is %s; event time counts whole microseconds", key, durationText(t))
		}
	}
}

// onlyWindow reports what a window can't have.
func (c *checker) onlyWindow(d *draft, o *Operator) {
	for _, f := range []struct {
		key   string
		given bool
	}{{"operator", o.Operator != ""}, {"config", o.Config != nil}, {"columns", len(o.Columns) > 0}} {
		if f.given {
			c.report(d.where.under(f.key).itsKey(), "write it into the aggregate that is a module's", "%s means nothing to a window", f.key)
		}
	}
	if o.Partition != nil {
		c.report(d.where.under("partition").itsKey(), "leave it out", "a window is partitioned by its key")
	}
}

// spread gives a window its edges: by key, or all rows to one subtask.
func (c *checker) spread(d *draft, o *Operator, key []int) {
	for i := range d.node.Inputs {
		if len(o.Key) > 0 {
			d.node.Inputs[i].Partition, d.node.Inputs[i].Key = Hash, key
		}
	}
	if len(o.Key) > 0 || c.wrong(d.where.under("key")) {
		return
	}
	if o.Parallelism > 1 {
		c.report(d.where.under("parallelism"), "leave it out, or add key: [COLUMN]", "a window without a key has one subtask, not %d", o.Parallelism)
	}
	d.node.Parallelism = 1
}

// windowOutputs completes the node of a window.
func (c *checker) windowOutputs(d *draft, o *Operator, in *stream, spec window.Spec) {
	results := &stream{untimed: in.untimed}
	late := &stream{port: portLate, schema: in.schema, origins: in.origins, untimed: in.untimed}
	wrong := slices.ContainsFunc([]string{"aggregate", "key", "window"}, func(key string) bool { return c.wrong(d.where.under(key)) })
	if in.schema != nil && !wrong {
		schema, err := spec.Output()
		if err != nil {
			c.report(d.where.under("window"), "", "%v", err)
		} else {
			results.schema = schema
			results.origins = windowOrigins(d, spec, in, schema)
		}
	}
	c.outputs(d, []*stream{results, late}, o.OnError)
	d.portsKnown = true
}

func windowOrigins(d *draft, spec window.Spec, in *stream, schema *abi.Schema) []string {
	var origins []string
	for _, col := range spec.Key {
		origins = append(origins, in.origins[col])
	}
	for len(origins) < len(schema.Fields) {
		origins = append(origins, fmt.Sprintf("window %q", d.name))
	}
	return origins
}

// aggregate checks a column that a window produces.
func (c *checker) aggregate(d *draft, a *Aggregate, in *stream) (window.Aggregate, bool) {
	where := d.where.under("aggregate", a.Name)
	out := window.Aggregate{Name: a.Name}
	switch {
	case a.Path != "" || c.given(where.under("wasm")):
		if a.Call != "" {
			c.report(where, "keep one", "aggregate %q is both a call and a module's", clip(a.Name))
			return out, false
		}
		out.Module = c.moduleAggregate(d, a, where, in)
		return out, out.Module != nil
	case a.Call != "":
		out.Call = c.call(a.Call, where, in)
		return out, out.Call != nil
	default:
		c.missing(where, "write a call, such as count(), or {wasm: PATH}", "aggregate %q does not say what it computes", clip(a.Name))
	}
	return out, false
}

// call checks a call of a built-in aggregate, nil where there is a problem or the stream is not
// known.
func (c *checker) call(text string, where place, in *stream) *aggregate.Call {
	usage := aggregate.Usage()
	name, _, _ := strings.Cut(text, "(")
	if name = strings.TrimSpace(name); usage[name] == "" {
		c.report(where, c.didYouMean(name, slices.Sorted(maps.Keys(usage))), "no aggregate is called %q", clip(name))
		return nil
	}
	hint := ""
	call, err := aggregate.ParseCall(text, func(name string) (int, error) {
		if in.schema == nil {
			return 0, nil
		}
		i := in.schema.Index(name)
		if i < 0 {
			hint = c.didYouMean(name, in.schema.Names())
			return 0, fmt.Errorf("the stream has no column %q", clip(name))
		}
		return i, nil
	})
	if err == nil && in.schema != nil {
		_, err = call.Output(in.schema)
	}
	if err != nil {
		c.report(where, hint, "%v", err)
		return nil
	}
	if in.schema == nil {
		return nil
	}
	return &call
}

// moduleAggregate returns nil where there is a problem.
func (c *checker) moduleAggregate(d *draft, a *Aggregate, where place, in *stream) *window.ModuleAggregate {
	g := c.guest(&a.Wasm, where, describe.Aggregate)
	if g == nil {
		return nil
	}
	fields := g.op.Outputs[0].Fields
	spec := operator.ModuleSpec{
		Number: g.number, Outputs: []*abi.Schema{{Fields: fields}},
		Inputs: []operator.ModuleInput{{Schema: in.schema, Columns: c.columns(g, &a.Wasm, where, d.where.under("from"), in)}},
		Config: c.configRow(g, a.Config, where),
	}
	if len(fields) == 0 {
		c.report(where, "", "operator %q produces no column", g.op.Name)
		return nil
	}
	if c.wrong(where) {
		return nil
	}
	module := g.module
	return &window.ModuleAggregate{Fields: fields, New: func(ctx operator.Context) (operator.Aggregate, error) {
		return module.Aggregate(ctx, spec)
	}}
}

func (c *checker) windowAbout(o *Operator) string {
	var s strings.Builder
	if o.Window != nil {
		fmt.Fprintf(&s, "window tumble %s", durationText(o.Window.Tumble))
		if o.Window.Offset != 0 {
			fmt.Fprintf(&s, ", offset %s", durationText(o.Window.Offset))
		}
		if o.Window.Lateness != 0 {
			fmt.Fprintf(&s, ", lateness %s", durationText(o.Window.Lateness))
		}
	}
	if len(o.Key) > 0 {
		fmt.Fprintf(&s, ", key %s", strings.Join(o.Key, ", "))
	}
	return s.String()
}
