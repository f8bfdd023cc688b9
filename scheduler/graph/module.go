// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/nearest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// guest is an operator of a module that a part names.
type guest struct {
	module operator.Module
	number int
	op     *describe.Operator
}

func (g *guest) about(w *Wasm) string {
	return fmt.Sprintf("wasm %s, operator %s, sha256 %.12s", w.Path, g.op.Name, g.module.Digest())
}

// guest finds the operator of a part, nil where there is a problem.
func (c *checker) guest(w *Wasm, where place, kind describe.Kind) *guest {
	if w.Path == "" {
		c.missing(where.under("wasm"), "", "the path of the module is empty")
		return nil
	}
	module, err := c.load(w.Path)
	if err != nil {
		c.report(where.under("wasm"), "", "%v", err)
		return nil
	}
	ops := module.Description().Operators
	var names []string
	for i := range ops {
		names = append(names, ops[i].Name)
	}
	g := &guest{module: module}
	at := where.under("wasm")
	switch {
	case w.Operator != "":
		at = where.under("operator")
		g.number, g.op = module.Description().Operator(w.Operator)
		if g.op == nil {
			c.report(at, c.didYouMean(w.Operator, names), "%s has no operator %q", clip(w.Path), clip(w.Operator))
			return nil
		}
	case c.wrong(where.under("operator")):
		return nil
	case len(ops) != 1:
		c.report(where.under("operator"), "add operator: NAME; there are "+nearest.List(names), "%s has %d operators", clip(w.Path), len(ops))
		return nil
	default:
		g.op = &ops[0]
	}
	if g.op.Kind == kind {
		return g
	}
	switch {
	case kind == describe.Process:
		c.report(at, "write it as a process", "operator %q is of kind %s, and a trigger is a process", g.op.Name, g.op.Kind)
	case g.op.Kind == describe.Aggregate:
		c.report(at, "use it in a window: aggregate: {NAME: {wasm: PATH, operator: "+g.op.Name+"}}", "operator %q is an aggregate, not a map", g.op.Name)
	case g.op.Kind == describe.Map:
		c.report(at, "make it an operator of the pipeline, before the window", "operator %q is a map, not an aggregate", g.op.Name)
	case g.op.Kind == describe.Process:
		c.report(at, "make it an operator of the pipeline, before the window", "operator %q is a process, not an aggregate", g.op.Name)
	default:
		c.report(at, "it runs map, process and aggregate", "operator %q is of kind %s, which this version does not run", g.op.Name, g.op.Kind)
	}
	return nil
}

// load loads a module once.
func (c *checker) load(path string) (operator.Module, error) {
	if c.catalog.Modules == nil {
		return nil, fmt.Errorf("there is nothing here that runs modules")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.folder, path)
	}
	m, ok := c.modules[path]
	if !ok {
		m.module, m.err = c.catalog.Modules.Load(c.ctx, path)
		c.modules[path] = m
	}
	return m.module, m.err
}

// columns finds the columns that a guest reads, nil where there is a problem or the stream is not
// known.
func (c *checker) columns(g *guest, w *Wasm, where, from place, in *stream) []int {
	return c.portColumns(g, &g.op.Inputs[0], w.Columns, where, from, in)
}

// portColumns is columns of an input. renamed has the stream's names of those that are called otherwise there.
func (c *checker) portColumns(g *guest, input *describe.Port, renamed map[string]string, where, from place, in *stream) []int {
	for _, name := range slices.Sorted(maps.Keys(renamed)) {
		if input.Schema().Index(name) < 0 {
			c.unknown(where.under("columns", name), input.Schema().Names(),
				"operator %q reads no column %q", g.op.Name, clip(name))
		}
	}
	if in.schema == nil {
		return nil
	}
	if input.Time && in.untimed != "" {
		c.report(from, in.untimed, "operator %q reads event time, which the rows lack", g.op.Name)
	}
	columns, ok := []int{}, true
	for i := range input.Fields {
		f := &input.Fields[i]
		name, at := f.Name, where.under("columns", f.Name)
		if mapped, given := renamed[f.Name]; given {
			name = mapped
		}
		col := in.schema.Index(name)
		columns = append(columns, col)
		switch {
		case col < 0:
			c.missing(at, c.columnHint(name, f.Name, in), "operator %q reads column %q of type %s, which the stream lacks", g.op.Name, clip(name), f.TypeString())
			ok = false
		case !f.SameType(&in.schema.Fields[col]):
			c.report(at, "", "operator %q reads column %q as %s; the stream has it as %s, from %s",
				g.op.Name, name, f.TypeString(), in.schema.Fields[col].TypeString(), in.origins[col])
			ok = false
		}
	}
	if !ok {
		return nil
	}
	return columns
}

// columnHint returns the hint at a column that is not there, which an operator calls field.
func (c *checker) columnHint(name, field string, in *stream) string {
	meant := c.nearest(name, in.schema.Names())
	switch {
	case name != field:
		return c.didYouMean(name, in.schema.Names())
	case meant != "":
		return fmt.Sprintf("if %q is meant, write columns: {%s: %s}", meant, field, meant)
	}
	return fmt.Sprintf("write columns: {%s: COLUMN}; there are %s", field, nearest.List(in.schema.Names()))
}

// operator checks an operator.
func (c *checker) operator(d *draft, o *Operator) {
	d.node.Parallelism = c.parallelism(d, o.Parallelism, c.pipeline.Options.Parallelism)
	var is []string
	var makes func(*draft, *Operator)
	for _, k := range []struct {
		what  string
		given bool
		make  func(*draft, *Operator)
	}{
		{"a module's (wasm)", o.Path != "" || c.given(d.where.under("wasm")), c.wasm},
		{"a window", o.Window != nil || len(o.Aggregates) > 0 || c.given(d.where.under("window")) || c.given(d.where.under("aggregate")), c.window},
		{"a join", o.Join != nil || c.given(d.where.under("join")), c.join},
		{"a lookup", o.Lookup != nil || c.given(d.where.under("lookup")), c.lookup},
		{"a dedup", o.Dedup != nil || c.given(d.where.under("dedup")), c.dedup},
		{"a top", o.Top != nil || c.given(d.where.under("top")), c.top},
		{"a sort", o.Sort != nil || c.given(d.where.under("sort")), c.sort},
	} {
		if k.given {
			is, makes = append(is, k.what), k.make
		}
	}
	switch len(is) {
	case 1:
		makes(d, o)
		if o.Path == "" {
			c.onlyProcess(d, o)
		}
		c.operatorTime(d, o)
	case 0:
		if c.given(d.where) || c.root == nil {
			c.report(d.where.itsKey(), "add wasm: PATH, or window: {tumble: 10s} with aggregate:", "operator %q does not say what it does", clip(d.name))
		}
		c.input(d)
	default:
		c.report(d.where.itsKey(), "make two of it, one reading the other", "operator %q is both %s and %s", d.name, is[0], is[1])
		c.input(d)
	}
}

// wasmMap checks an operator that is a module's map.
func (c *checker) wasmMap(d *draft, o *Operator) {
	in := c.input(d)
	c.partition(d, o, in)
	g := c.guest(&o.Wasm, d.where, describe.Map)
	if g == nil {
		c.outputs(d, []*stream{{}}, o.OnError)
		return
	}
	d.node.about = g.about(&o.Wasm)
	spec := operator.ModuleSpec{
		Number: g.number,
		Inputs: []operator.ModuleInput{{Schema: in.schema, Columns: c.columns(g, &o.Wasm, d.where, d.where.under("from"), in)}},
		Config: c.configRow(g, o.Config, d.where),
	}
	var streams []*stream
	for i := range g.op.Outputs {
		s := c.mapped(d, &g.op.Outputs[i], in)
		if i == 0 {
			s.port = ""
		}
		spec.Outputs = append(spec.Outputs, s.schema)
		streams = append(streams, s)
	}
	c.outputs(d, streams, o.OnError)
	d.portsKnown = true
	module := g.module
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return module.Operator(ctx, spec) }
}

// mapped returns the stream of an output of a map.
func (c *checker) mapped(d *draft, p *describe.Port, in *stream) *stream {
	s := &stream{port: p.Name, schema: p.Schema(), untimed: in.untimed, changes: in.changes, upserts: in.upserts}
	if s.writesTime = p.Time; p.Time && in.untimed != "" {
		s.untimed = fmt.Sprintf("operator %q writes event times, and nothing makes a watermark of them; add to it time: {out_of_order: 5s}", d.name)
	}
	own := fmt.Sprintf("operator %q", d.name)
	for range p.Fields {
		s.origins = append(s.origins, own)
	}
	if !p.Forward {
		return s
	}
	if in.schema == nil {
		s.schema, s.origins = nil, nil
		return s
	}
	schema, from := operator.Forward(in.schema, p.Fields)
	if err := schema.Check(); err != nil {
		c.report(d.where.under("wasm"), "", "with the columns that operator %q forwards: %v", d.name, err)
		s.schema, s.origins = nil, nil
		return s
	}
	s.schema, s.origins = schema, nil
	for _, column := range from {
		if column >= 0 {
			s.origins = append(s.origins, in.origins[column])
		} else {
			s.origins = append(s.origins, own)
		}
	}
	return s
}

// partition says by which edges a map is reached.
func (c *checker) partition(d *draft, o *Operator, in *stream) {
	partition := Forward
	switch {
	case o.Partition != nil:
		partition = *o.Partition
	case len(o.Key) > 0:
		partition = Hash
	}
	where := d.where.under("partition")
	switch {
	case int(partition) >= len(partitionNames):
		c.report(where, "", "there is no partitioning number %d", partition)
	case partition == Hash && len(o.Key) == 0:
		c.missing(d.where.under("key"), "add key: [COLUMN]", "rows are partitioned by hash of a key, which is not given")
	case partition != Hash && len(o.Key) > 0:
		c.report(d.where.under("key"), "write partition: hash, or leave the key out", "a key means nothing to partition: %s", partition)
	}
	key := c.key(d, o.Key, in)
	for i := range d.node.Inputs {
		d.node.Inputs[i].Partition, d.node.Inputs[i].Key = partition, key
	}
	c.keepOrder(d, in, o.Parallelism)
}

// key finds the columns of a key.
func (c *checker) key(d *draft, names []string, in *stream) []int {
	var key []int
	seen := map[string]bool{}
	for i, name := range names {
		where := d.where.under("key")
		if len(names) > 1 {
			where = where.under(fmt.Sprint(i))
		}
		if c.wrong(where) || in.schema == nil {
			continue
		}
		if seen[name] {
			c.report(where, "", "column %q is in the key twice", clip(name))
			continue
		}
		seen[name] = true
		if col := c.column(in, name, where); col >= 0 {
			key = append(key, col)
		}
	}
	return key
}

// column finds a column of a stream by name, -1 where there is none, which is reported.
func (c *checker) column(s *stream, name string, where place) int {
	i := s.schema.Index(name)
	if i < 0 {
		c.report(where, c.didYouMean(name, s.schema.Names()), "the stream has no column %q", clip(name))
	}
	return i
}
