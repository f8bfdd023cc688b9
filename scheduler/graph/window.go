// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are the same on each machine, or at least there

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// portLate is the name of the output of rows that come too late for their window.
const portLate = "late"

// Window is windows of event time: tumbling ones by Tumble, sliding ones by Slide and Size, cumulating
// ones by Cumulate and Size, sessions by Session or SessionGap; or windows of rows of a key as they come,
// by Count, or Global.
type Window struct {
	Tumble   time.Duration `yaml:"tumble"`   // the size of windows that follow each other
	Slide    time.Duration `yaml:"slide"`    // from one window's begin to the next one's, at most Size
	Cumulate time.Duration `yaml:"cumulate"` // each Size, a window begins that grows to Size by this step
	Size     time.Duration `yaml:"size"`
	// Session is the gap without rows of a key after which its window ends. With SessionGap each row has
	// its own gap: a column of milliseconds, int32 or int64.
	Session    time.Duration `yaml:"session"`
	SessionGap string        `yaml:"session_gap"`
	// Count is how many rows of a key a window has, in the order in which they come; one ends every Every rows.
	Count int64 `yaml:"count"`
	Every int64 `yaml:"every"` // 0: Count
	// Global is whether all rows of a key are in one window, which ends with the input.
	Global bool `yaml:"global"`
	// Offset moves the windows, which begin at multiples of Tumble, Slide or Size since 1970.
	Offset time.Duration `yaml:"offset"`
	// Zone is a time zone such as Europe/Berlin, in which days begin; the size is whole days then, of
	// 23 to 25 hours where clocks change. Empty: UTC.
	Zone string `yaml:"zone"`

	Lateness time.Duration `yaml:"lateness"` // how late a row may come and still update a result
	// Early is how much processing time passes between results of a window that has not ended, for
	// keys that have changed; EarlyRows is after how many rows of a key there is one, of tumbling windows.
	Early     time.Duration  `yaml:"early"`
	EarlyRows int64          `yaml:"early_rows"`
	Updates   window.Updates `yaml:"updates"` // how a result comes that replaces one before
	// Purge is whether rows that are in a result are in no later one of their window, which does not overlap.
	Purge bool `yaml:"purge"`
	// Keep is which rows of a window, which does not overlap, its results are of; nil: all.
	Keep *Keep `yaml:"keep"`
	// Trigger is a process of a module that says when a window, which does not overlap, has results, in place of its end, Early and
	// EarlyRows, and when its rows are dropped: see window.Trigger. nil: none.
	Trigger *Wasm `yaml:"trigger"`
	// TwoPhase is whether rows are aggregated before they are sent to the subtask of their key, and
	// merged there. Nil: where that gives the same results and there are several subtasks.
	TwoPhase *bool `yaml:"two_phase"`
}

// window checks an operator that is a window.
func (c *checker) window(d *draft, o *Operator) {
	in := c.input(d)
	c.onlyWindow(d, o)
	if in.untimed != "" {
		c.report(d.where.under("window"), in.untimed, "window %q needs rows with an event time", d.name)
	}
	c.wholeChanges(d, in, d.where.under("from"), "a window")
	key := c.deal(d, o, in, "a window")
	spec := window.Spec{Input: in.schema, Key: key, Changes: in.changes, Memory: c.windowMemory()}
	if o.Window != nil {
		c.windows(d, o.Window, &spec, in)
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
	d.node.Stateful = true
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return window.New(ctx, spec) }
	if spec.PerKey() {
		d.node.New = func(ctx operator.Context) (operator.Operator, error) { return window.NewPerKey(ctx, spec) }
	}
	if c.windowOutputs(d, o, in, spec) && o.Window != nil && !spec.PerKey() {
		c.twoPhase(d, o.Window, spec)
	}
}

// windowMemory returns how much the groups of a subtask of a window may take in memory: as much as
// they need where state lies in memory anyway; else all subtasks of windows together a quarter of what
// the caches of all operators take, which is on top of it.
func (c *checker) windowMemory() int64 {
	o := &c.pipeline.Options
	if o.State.Backend == BackendMemory {
		return math.MaxInt64
	}
	var subtasks int64
	for i := range c.pipeline.Operators {
		if w := &c.pipeline.Operators[i]; w.Window != nil {
			subtasks += int64(max(w.Parallelism, o.Parallelism, 1))
		}
	}
	return int64(o.State.Memory) / 4 / max(subtasks, 1)
}

// windows checks what a window says of its windows and completes the spec with it.
func (c *checker) windows(d *draft, w *Window, spec *window.Spec, in *stream) {
	where := d.where.under("window")
	if !c.perKey(w, where, spec, in) {
		c.windowSize(w, where, spec)
	}
	c.micros(w.Offset, -window.MaxSize, window.MaxSize, where.under("offset"))
	c.micros(w.Lateness, 0, window.MaxSize, where.under("lateness"))
	spec.Offset, spec.Lateness, spec.Updates, spec.Purge = w.Offset, w.Lateness, w.Updates, w.Purge
	if early := where.under("early"); w.Early != 0 || c.given(early) {
		c.micros(w.Early, time.Millisecond, window.MaxSize, early)
		spec.Early = w.Early
	}
	if rows := where.under("early_rows"); w.EarlyRows != 0 || c.given(rows) {
		switch {
		case w.EarlyRows < 1:
			c.report(rows, "", "early_rows is %d; it can be 1 or more", w.EarlyRows)
		case w.Slide != 0 || w.Cumulate != 0:
			c.report(rows.itsKey(), "write early: 10s instead", "windows that overlap share their rows, and can't count them")
		case spec.Changes:
			c.report(rows.itsKey(), "write early: 10s instead", "the input takes rows back, and they can't be counted")
		}
		spec.EarlyRows = w.EarlyRows
	}
	if w.Updates != window.Append && w.Lateness == 0 && w.Early == 0 && w.EarlyRows == 0 && w.Trigger == nil {
		c.report(where.under("updates").itsKey(), "add lateness: 1m or early: 10s, or leave updates out", "each result of window %q comes once", d.name)
	}
	if w.Trigger != nil {
		c.trigger(d, w, where, spec, in)
	}
}

// windowSize checks how long windows are and when they begin.
func (c *checker) windowSize(w *Window, where place, spec *window.Spec) {
	var given []string
	for _, key := range []struct {
		name string
		t    time.Duration
	}{{"tumble", w.Tumble}, {"slide", w.Slide}, {"cumulate", w.Cumulate}} {
		if key.t != 0 || c.given(where.under(key.name)) {
			given = append(given, key.name)
			c.micros(key.t, time.Microsecond, window.MaxSize, where.under(key.name))
		}
	}
	size := where.under("size")
	sized := w.Size != 0 || c.given(size)
	switch {
	case len(given) == 0 && sized:
		c.report(size.itsKey(), "write tumble: "+durationText(w.Size)+", or add slide: or cumulate:", "size alone does not say when windows begin")
		return
	case len(given) == 0:
		if !c.wrong(where) { // else what is wrong may be what it was to be
			c.missing(where.under("tumble"), "add tumble: 10s", "the window has no size")
		}
		return
	case len(given) > 1:
		c.report(where.under(given[1]).itsKey(), "keep one", "a window has one of %s and %s", given[0], given[1])
		return
	case given[0] == "tumble" && sized:
		c.report(size.itsKey(), "leave it out", "tumble is the size")
	case given[0] != "tumble" && !sized:
		c.missing(size, "add size: 1h", "%s does not say how long windows are", given[0])
		return
	case given[0] != "tumble":
		c.micros(w.Size, time.Microsecond, window.MaxSize, size)
	}
	spec.Size, spec.Slide, spec.Step = max(w.Tumble, w.Size), w.Slide, w.Cumulate
	if w.Zone == "" {
		return
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil || w.Zone == "Local" {
		c.report(where.under("zone"), "write it like Europe/Berlin", "there is no time zone %q", clip(w.Zone))
		return
	}
	spec.Zone = zone
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

// windowOutputs completes the node of a window, and says whether all is known of it.
func (c *checker) windowOutputs(d *draft, o *Operator, in *stream, spec window.Spec) bool {
	results := &stream{untimed: in.untimed, changes: spec.Changelog(), upserts: spec.Updates == window.Replace}
	late := &stream{port: portLate, schema: in.schema, origins: in.origins, untimed: in.untimed, changes: in.changes}
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
	return results.schema != nil
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
		if in.changes && out.Module != nil {
			c.report(where, "aggregate what comes before the updates begin", "a module's aggregate can't take rows back, and the input of %q does", d.name)
		}
		return out, out.Module != nil
	case a.Call != "":
		out.Call = c.call(a.Call, where, in)
		if in.changes && out.Call != nil && !out.Call.Retracts() {
			c.report(where, "use count, sum, avg, min, max or count_distinct", "%s can't take rows back, and the input of %q does", out.Call.Function, d.name)
		}
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
	if w := o.Window; w != nil {
		switch {
		case w.Slide != 0:
			fmt.Fprintf(&s, "window slide %s, size %s", durationText(w.Slide), durationText(w.Size))
		case w.Session != 0:
			fmt.Fprintf(&s, "window session %s", durationText(w.Session))
		case w.Count != 0:
			fmt.Fprintf(&s, "window count %d", w.Count)
			if w.Every != 0 {
				fmt.Fprintf(&s, ", every %d", w.Every)
			}
		case w.Global:
			s.WriteString("window global")
		case w.SessionGap != "":
			fmt.Fprintf(&s, "window session_gap %s", w.SessionGap)
		case w.Cumulate != 0:
			fmt.Fprintf(&s, "window cumulate %s, size %s", durationText(w.Cumulate), durationText(w.Size))
		default:
			fmt.Fprintf(&s, "window tumble %s", durationText(w.Tumble))
		}
		if w.Offset != 0 {
			fmt.Fprintf(&s, ", offset %s", durationText(w.Offset))
		}
		if w.Zone != "" {
			fmt.Fprintf(&s, ", zone %s", w.Zone)
		}
		if w.Lateness != 0 {
			fmt.Fprintf(&s, ", lateness %s", durationText(w.Lateness))
		}
		if w.Early != 0 {
			fmt.Fprintf(&s, ", early %s", durationText(w.Early))
		}
		if w.EarlyRows != 0 {
			fmt.Fprintf(&s, ", early_rows %d", w.EarlyRows)
		}
		if w.Updates != window.Append {
			fmt.Fprintf(&s, ", updates %s", w.Updates)
		}
		if w.Purge {
			s.WriteString(", purge")
		}
		if w.Keep != nil {
			s.WriteString(", " + w.Keep.about())
		}
		if t := w.Trigger; t != nil {
			fmt.Fprintf(&s, ", trigger %s", strings.TrimSpace(t.Path+" "+t.Operator))
		}
	}
	if len(o.Key) > 0 {
		fmt.Fprintf(&s, ", key %s", strings.Join(o.Key, ", "))
	}
	return s.String()
}
