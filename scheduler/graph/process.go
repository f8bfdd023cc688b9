// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Input is what an input of a process reads. Its name is the port's.
type Input struct {
	Name string   `yaml:"-"`
	From []string `yaml:"from"`
	// Key is the columns by which its rows are partitioned, where they are not those of the operator. Not of a
	// broadcast input.
	Key []string `yaml:"key"`
	// Columns are as a Wasm's.
	Columns map[string]string `yaml:"columns"`
}

func (in *Input) setName(name string) { in.Name = name }

// wasm checks an operator that is a module's map or process.
func (c *checker) wasm(d *draft, o *Operator) {
	if c.isProcess(&o.Wasm) {
		c.process(d, o)
		return
	}
	c.onlyProcess(d, o)
	c.wasmMap(d, o)
}

// onlyProcess reports what only a process can have.
func (c *checker) onlyProcess(d *draft, o *Operator) {
	if len(o.Inputs) > 0 {
		c.report(d.where.under("inputs").itsKey(), "write from: NODE", "inputs mean nothing to an operator that is no process")
	}
	if len(o.TTL) > 0 {
		c.report(d.where.under("ttl").itsKey(), "leave it out", "ttl means nothing to an operator that is no process")
	}
}

// isProcess says whether a part names a process, as far as that can be known; what can't is reported
// elsewhere.
func (c *checker) isProcess(w *Wasm) bool {
	if w.Path == "" {
		return false
	}
	module, err := c.load(w.Path)
	if err != nil {
		return false
	}
	ops := module.Description().Operators
	if w.Operator == "" {
		return len(ops) == 1 && ops[0].Kind == describe.Process
	}
	_, op := module.Description().Operator(w.Operator)
	return op != nil && op.Kind == describe.Process
}

// processInput is an input port of a process, and what the file says of it.
type processInput struct {
	port    *describe.Port
	number  int
	fed     bool
	where   place // of from, key and columns
	columns map[string]string
	names   []string // of the key
	stream  *stream
	key     []int // columns
}

// process checks an operator that is a module's process.
func (c *checker) process(d *draft, o *Operator) {
	g := c.guest(&o.Wasm, d.where, describe.Process)
	if g == nil {
		c.outputs(d, []*stream{{}}, o.OnError)
		return
	}
	d.node.about = g.about(&o.Wasm)
	inputs := c.processInputs(d, o, g)
	spec := operator.ModuleSpec{Number: g.number, Config: c.configRow(g, o.Config, d.where), TTL: o.TTL}
	c.processTTL(d, o, g)
	for i := range inputs {
		in := &inputs[i]
		in.stream = c.side(d, in.number)
		columns := c.portColumns(g, in.port, in.columns, in.where, in.where.under("from"), in.stream)
		c.processKey(d, g, in, columns)
		spec.Inputs = append(spec.Inputs, operator.ModuleInput{Schema: in.stream.schema, Columns: columns, Key: in.key})
	}
	c.sameKeys(g, inputs)
	c.processEdges(d, o, inputs)
	c.processTime(d, g, inputs)
	if o.Partition != nil && *o.Partition != Hash {
		c.report(d.where.under("partition").itsKey(), "leave it out", "a process is partitioned by its key")
	}
	c.processOutputs(d, o, g, inputs, &spec)
	module := g.module
	d.node.Stateful = true
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return module.Operator(ctx, spec) }
}

// processInputs returns the ports of a process, and tells each of the links that a part has which of
// them it feeds.
func (c *checker) processInputs(d *draft, o *Operator, g *guest) []processInput {
	inputs := make([]processInput, len(g.op.Inputs))
	var names []string
	for i := range inputs {
		inputs[i] = processInput{port: &g.op.Inputs[i], number: i, where: d.where, columns: o.Columns, names: o.Key}
		names = append(names, g.op.Inputs[i].Name)
	}
	links := d.inputs
	feed := func(refs []string, number int) {
		for range refs {
			links[0].side = number
			links = links[1:]
		}
	}
	if len(o.From) > 0 {
		feed(o.From, 0)
		inputs[0].fed = true
	}
	for i := range o.Inputs {
		given := &o.Inputs[i]
		where := d.where.under("inputs", given.Name)
		number := slices.Index(names, given.Name)
		feed(given.From, number)
		if number < 0 {
			if len(names) == 1 && names[0] == "" {
				c.report(where.itsKey(), "write from: NODE instead of inputs", "operator %q has no input %q, but one without a name", g.op.Name, clip(given.Name))
			} else {
				c.unknown(where, names, "operator %q has no input %q", g.op.Name, clip(given.Name))
			}
			continue
		}
		in := &inputs[number]
		if in.fed {
			c.report(where.itsKey(), "keep one", "input %q is given by from and by inputs", given.Name)
		}
		in.fed, in.where, in.columns = true, where, given.Columns
		if given.Key != nil || c.given(where.under("key")) {
			in.names = given.Key
		}
		if len(given.From) == 0 {
			c.missing(where.under("from"), "add from: NODE", "input %q reads nothing", given.Name)
		}
	}
	for i, name := range names {
		if !inputs[i].fed && len(d.inputs) > 0 {
			c.missing(d.where.under("inputs"), c.inputsHint(names), "operator %q has an input %q, and nothing is said of what it reads", g.op.Name, name)
		}
	}
	if len(o.Inputs) > 0 && len(o.Columns) > 0 {
		c.report(d.where.under("columns").itsKey(), "write it under the input whose columns it names", "columns are said for each input")
	}
	return inputs
}

func (c *checker) inputsHint(names []string) string {
	var parts []string
	for _, name := range names {
		if name == "" {
			name = `""`
		}
		parts = append(parts, name+": {from: NODE}")
	}
	return "write inputs: {" + strings.Join(parts, ", ") + "}"
}

// processKey finds the key columns of an input.
func (c *checker) processKey(d *draft, g *guest, in *processInput, columns []int) {
	where := in.where.under("key")
	if in.port.Broadcast {
		if in.where.path[len(in.where.path)-2] == "inputs" && len(in.names) > 0 && c.given(where) {
			c.report(where.itsKey(), "leave it out", "input %q is broadcast: each subtask is given all of its rows, whatever their key", in.port.Name)
		}
		return
	}
	if len(g.op.Key) == 0 {
		if in.names == nil && in.fed && !c.given(where) && !c.given(d.where.under("key")) {
			c.missing(where, "add key: [COLUMN], or key: [] for one state and one subtask for all rows", "operator %q keeps state by a key, and does not say which", g.op.Name)
			return
		}
		in.key = c.keyAt(where, in.names, in.stream)
		return
	}
	if columns == nil || in.stream.schema == nil {
		return
	}
	for i := range g.op.Key {
		in.key = append(in.key, columns[in.port.Schema().Index(g.op.Key[i].Name)])
	}
	if len(in.names) == 0 {
		return
	}
	if given := c.keyAt(where, in.names, in.stream); len(given) == len(in.names) && !slices.Equal(given, in.key) {
		var own []string
		for _, col := range in.key {
			own = append(own, in.stream.schema.Fields[col].Name)
		}
		c.report(where, "leave it out, or map other columns to its fields by columns:", "the key of operator %q is its own: %s", g.op.Name, strings.Join(own, ", "))
	}
}

// keyAt finds the columns of a key that is given at a place.
func (c *checker) keyAt(where place, names []string, in *stream) []int {
	var key []int
	for i, name := range names {
		at := where
		if len(names) > 1 {
			at = where.under(strconv.Itoa(i))
		}
		if c.wrong(at) || in.schema == nil {
			continue
		}
		if slices.Contains(names[:i], name) {
			c.report(at, "", "column %q is in the key twice", clip(name))
		} else if col := c.column(in, name, at); col >= 0 {
			key = append(key, col)
		}
	}
	return key
}

// sameKeys reports keyed inputs whose keys are of different types: a key of one must be one of the other.
func (c *checker) sameKeys(g *guest, inputs []processInput) {
	var first *processInput
	for i := range inputs {
		in := &inputs[i]
		if in.port.Broadcast || in.stream.schema == nil {
			continue
		}
		if first == nil {
			first = in
			continue
		}
		types := func(in *processInput) string {
			var out []string
			for _, col := range in.key {
				out = append(out, in.stream.schema.Fields[col].TypeString())
			}
			return strings.Join(out, ", ")
		}
		if a, b := types(first), types(in); a != b && !c.wrong(in.where) && !c.wrong(first.where) {
			c.report(in.where.under("key"), "the keys of inputs that share state have the same types",
				"input %q of operator %q is keyed by (%s), input %q by (%s)", in.port.Name, g.op.Name, b, first.port.Name, a)
		}
	}
}

// processEdges gives a process its edges: by key, or all rows to one subtask, and broadcast ones to all.
func (c *checker) processEdges(d *draft, o *Operator, inputs []processInput) {
	keyed := false
	for i := range d.node.Inputs {
		edge := &d.node.Inputs[i]
		in := &inputs[edge.Side]
		switch {
		case in.port.Broadcast:
			edge.Partition = Broadcast
		case len(in.key) > 0:
			edge.Partition, edge.Key = Hash, in.key
			keyed = true
		}
	}
	if keyed || c.wrong(d.where.under("key")) || slices.ContainsFunc(inputs, func(in processInput) bool {
		return in.stream.schema == nil || c.wrong(in.where)
	}) {
		return
	}
	if o.Parallelism > 1 {
		c.report(d.where.under("parallelism"), "leave it out, or add key: [COLUMN]", "a process without a key has one subtask, not %d", o.Parallelism)
	}
	d.node.Parallelism = 1
}

// processTTL checks the times to live that the file gives states.
func (c *checker) processTTL(d *draft, o *Operator, g *guest) {
	var names []string
	for i := range g.op.States {
		names = append(names, g.op.States[i].Name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.TTL)) {
		where, ttl := d.where.under("ttl", name), o.TTL[name]
		if !slices.Contains(names, name) {
			c.unknown(where, names, "operator %q has no state %q", g.op.Name, clip(name))
			continue
		}
		between(c, ttl, 0, maxTTL, where)
		if ttl%time.Microsecond != 0 {
			c.report(where, "", "%s is %s; times to live count whole microseconds", clip(name), durationText(ttl))
		}
	}
}

// maxTTL is the longest time to live that a pipeline may give a state.
const maxTTL = 100 * 365 * 24 * time.Hour

// processTime reports states that forget by an event time that there is none of.
func (c *checker) processTime(d *draft, g *guest, inputs []processInput) {
	hint := untimed(inputs)
	if hint == "" {
		return
	}
	for i := range g.op.States {
		if s := &g.op.States[i]; s.TTL.After > 0 && s.TTL.EventTime {
			c.report(d.where.under("wasm"), hint, "state %q of operator %q forgets by event time, which the rows lack", s.Name, g.op.Name)
		}
	}
}

// untimed says why rows of an input have no event time, "" where all have one.
func untimed(inputs []processInput) string {
	for i := range inputs {
		if why := inputs[i].stream.untimed; why != "" && !inputs[i].port.Broadcast {
			return why
		}
	}
	return ""
}

// processOutputs completes the node of a process.
func (c *checker) processOutputs(d *draft, o *Operator, g *guest, inputs []processInput, spec *operator.ModuleSpec) {
	first := *inputs[0].stream
	first.untimed = untimed(inputs)
	first.changes = slices.ContainsFunc(inputs, func(in processInput) bool { return in.stream.changes })
	var streams []*stream
	for i := range g.op.Outputs {
		s := c.mapped(d, &g.op.Outputs[i], &first)
		if i == 0 {
			s.port = ""
		}
		spec.Outputs = append(spec.Outputs, s.schema)
		streams = append(streams, s)
	}
	c.outputs(d, streams, o.OnError)
	d.portsKnown = true
}
