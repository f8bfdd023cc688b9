// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/lookup"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// The defaults of a lookup by a module.
const (
	defaultInFlight      = 4
	defaultLookupKeys    = 256
	defaultLookupTimeout = 10 * time.Second
	defaultLookupBackoff = 100 * time.Millisecond
	defaultCacheKeys     = 10_000
)

// The longest times of a lookup.
const (
	maxLookupTimeout = 24 * time.Hour
	maxLookupTTL     = 10 * 365 * 24 * time.Hour
)

// lookup checks an operator that is a lookup.
func (c *checker) lookup(d *draft, o *Operator) {
	in := c.input(d)
	c.onlyLookup(d, o)
	c.partition(d, o, in)
	where, l := d.where.under("lookup"), o.Lookup
	spec := lookup.Spec{Input: in.schema, Inner: l.Type == LookupInner}
	switch module := l.Path != "" || c.given(where.under("wasm")); {
	case module && l.Table != nil:
		c.report(where.under("wasm").itsKey(), "keep one", "lookup %q has both a table and a module", d.name)
	case module:
		c.moduleLookup(d, l, in, &spec)
	case l.Table != nil:
		c.tableLookup(d, l, in, &spec)
	default:
		c.missing(where.under("table"), "add table: {file: PATH}, or wasm: PATH", "lookup %q does not say what rows are looked up in", d.name)
	}
	if len(o.Key) > 0 {
		d.node.about += ", key " + strings.Join(o.Key, ", ")
	}
	out := &stream{untimed: in.untimed, changes: in.changes, upserts: in.upserts}
	if in.schema != nil && !c.wrong(where) {
		schema, err := spec.Output()
		if err != nil {
			c.report(where.under("columns"), "name what is added: columns: {NAME: COLUMN}", "%v", err)
		} else {
			out.schema, out.origins = schema, slices.Clone(in.origins)
			for len(out.origins) < len(schema.Fields) {
				out.origins = append(out.origins, fmt.Sprintf("lookup %q", d.name))
			}
		}
	}
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return lookup.New(ctx, spec) }
	c.outputs(d, []*stream{out}, o.OnError)
	d.portsKnown = true
}

// onlyLookup reports what a lookup can't have, or has elsewhere.
func (c *checker) onlyLookup(d *draft, o *Operator) {
	for _, f := range []struct {
		key   string
		given bool
		hint  string
	}{
		{"inputs", len(o.Inputs) > 0, "write from: NODE"},
		{"operator", o.Operator != "", "write it into the lookup"},
		{"config", o.Config != nil, "write it into the lookup"},
		{"columns", len(o.Wasm.Columns) > 0, "write it into the lookup"},
	} {
		if f.given {
			c.report(d.where.under(f.key).itsKey(), f.hint, "%s means nothing beside a lookup", f.key)
		}
	}
}

// tableLookup checks a lookup in a table in memory.
func (c *checker) tableLookup(d *draft, l *Lookup, in *stream, spec *lookup.Spec) {
	where := d.where.under("lookup")
	for _, f := range []struct {
		key   string
		given bool
	}{
		{"operator", l.Operator != ""}, {"config", l.Config != nil}, {"in_flight", l.InFlight != 0}, {"keys", l.Keys != 0}, {"timeout", l.Timeout != 0},
		{"retries", l.Retries != 0}, {"backoff", l.Backoff != 0}, {"order", l.Order != OrderKept}, {"cache", l.Cache != nil},
	} {
		if f.given {
			c.report(where.under(f.key).itsKey(), "leave it out", "%s means nothing to a table, which lies in memory", f.key)
		}
	}
	t, at := l.Table, where.under("table")
	c.micros(t.Reload, 0, maxLookupTTL, at.under("reload"))
	if in.changes && t.Reload > 0 {
		c.report(at.under("reload"), "leave it out, or put the lookup before the operator that takes rows back",
			"a row that is taken back has to meet what it met before, and this table changes")
	}
	d.node.about = "lookup in " + endAbout(t.Connector, t.Format) + lookupAbout(l)
	if t.Reload > 0 {
		d.node.about += ", read anew every " + durationText(t.Reload)
	}
	source, schema := c.lookupSource(d, t, at)
	if schema == nil || in.schema == nil {
		return
	}
	var key []int
	spec.Rows, spec.Keys = schema, &abi.Schema{}
	c.lookupOn(d, l, in, schema, "the table", func(column, of int) {
		spec.On, key = append(spec.On, column), append(key, of)
		spec.Keys.Fields = append(spec.Keys.Fields, schema.Fields[of])
	})
	c.lookupColumns(d, l, spec)
	spec.Table = lookup.NewTable(lookup.TableSpec{Source: source, Key: key, Columns: spec.Columns, Reload: t.Reload})
}

// lookupSource makes the source of a table. The schema is nil where there is a problem.
func (c *checker) lookupSource(d *draft, t *LookupTable, where place) (operator.Source, *abi.Schema) {
	part := &draft{name: d.name, kind: "source", where: where}
	s := &Source{Connector: t.Connector, Options: t.Options, Format: t.Format, Schema: t.Schema, noConnector: t.noConnector}
	source := c.makeSource(part, s)
	if source == nil {
		return nil, nil
	}
	if !source.Bounded() {
		c.report(where.under(t.Connector), "join a table that grows as a stream: join: {as_of: left}", "the table of lookup %q has no end, and is read whole", d.name)
		return nil, nil
	}
	return source, c.sourceSchema(part, s, source)
}

// lookupOn finds the columns that rows are looked up by, pair by pair.
func (c *checker) lookupOn(d *draft, l *Lookup, in *stream, table *abi.Schema, what string, found func(column, of int)) {
	where := d.where.under("lookup", "on")
	if len(l.On) == 0 {
		c.missing(where, "add on: {COLUMN: COLUMN OF THE TABLE}", "lookup %q does not say by which columns", d.name)
	}
	seen := map[int]bool{}
	for i := range l.On {
		on := &l.On[i]
		at := where.under(on.Left)
		if c.wrong(at) {
			continue
		}
		column := c.column(in, on.Left, at.itsKey())
		of := table.Index(on.Right)
		if of < 0 {
			c.report(at, c.didYouMean(on.Right, table.Names()), "%s has no column %q", what, clip(on.Right))
		}
		if column < 0 || of < 0 {
			continue
		}
		if seen[of] {
			c.report(at, "", "column %q of %s is looked up by twice", clip(on.Right), what)
			continue
		}
		seen[of] = true
		if a, b := &in.schema.Fields[column], &table.Fields[of]; !a.SameType(b) {
			c.report(at, "make one like the other", "column %q is of type %s; %s has %q as %s", a.Name, a.TypeString(), what, b.Name, b.TypeString())
			continue
		}
		found(column, of)
	}
}

// lookupColumns finds the columns that are added.
func (c *checker) lookupColumns(d *draft, l *Lookup, spec *lookup.Spec) {
	where := d.where.under("lookup", "columns")
	for i := range l.Columns {
		column := &l.Columns[i]
		at := where.under(column.Name)
		if c.wrong(at) {
			continue
		}
		of := spec.Rows.Index(column.From)
		if of < 0 {
			c.report(at, c.didYouMean(column.From, spec.Rows.Names()), "the table has no column %q", clip(column.From))
			continue
		}
		spec.Columns, spec.Names = append(spec.Columns, of), append(spec.Names, column.Name)
	}
	if len(l.Columns) > 0 || c.given(where) {
		return
	}
	for i := range spec.Rows.Fields {
		if name := spec.Rows.Fields[i].Name; spec.Keys.Index(name) < 0 {
			spec.Columns, spec.Names = append(spec.Columns, i), append(spec.Names, name)
		}
	}
}

// moduleLookup checks a lookup that a module answers.
func (c *checker) moduleLookup(d *draft, l *Lookup, in *stream, spec *lookup.Spec) {
	where := d.where.under("lookup")
	spec.Remote = c.lookupRemote(l, where)
	if in.changes {
		c.report(d.where.under("from"), "put the lookup before the operator that takes rows back, or look rows up in a table",
			"a row that is taken back has to meet what it met before, and a module may answer otherwise")
	}
	w := &Wasm{Path: l.Path, Operator: l.Operator, Config: l.Config}
	g := c.guest(w, where, describe.Map)
	if g == nil {
		return
	}
	d.node.about = "lookup by " + g.about(w) + lookupAbout(l)
	keys := g.op.Inputs[0].Schema()
	module := operator.ModuleSpec{Number: g.number, Config: c.configRow(g, w.Config, where), Inputs: []operator.ModuleInput{{Schema: keys, Columns: []int{}}}}
	at := where.under("wasm")
	switch out := &g.op.Outputs[0]; {
	case g.op.Inputs[0].Time:
		c.report(at, "", "operator %q reads event time, which a key has not", g.op.Name)
	case len(g.op.Outputs) > 1:
		c.report(at, "", "operator %q has %d outputs; one that answers has one", g.op.Name, len(g.op.Outputs))
	case out.Forward:
		spec.Rows, _ = operator.Forward(keys, out.Fields)
	default:
		spec.Rows = out.Schema()
	}
	if spec.Rows == nil || in.schema == nil {
		return
	}
	spec.Keys, spec.On = keys, make([]int, len(keys.Fields))
	given := make([]bool, len(keys.Fields))
	c.lookupOn(d, l, in, keys, fmt.Sprintf("operator %q", g.op.Name), func(column, of int) { spec.On[of], given[of] = column, true })
	for i := range keys.Fields {
		module.Inputs[0].Columns = append(module.Inputs[0].Columns, i)
		if !given[i] && len(l.On) > 0 && !c.wrong(where.under("on")) {
			c.report(where.under("on"), fmt.Sprintf("add COLUMN: %s", keys.Fields[i].Name), "operator %q reads column %q too", g.op.Name, keys.Fields[i].Name)
		}
	}
	c.lookupColumns(d, l, spec)
	module.Outputs = []*abi.Schema{spec.Rows}
	loaded := g.module
	spec.New = func(ctx operator.Context) (operator.Lookup, error) { return lookup.NewModule(ctx, loaded, module), nil }
}

// lookupRemote checks how a module is asked.
func (c *checker) lookupRemote(l *Lookup, where place) *lookup.Remote {
	r := &lookup.Remote{InFlight: l.InFlight, Keys: l.Keys, Timeout: l.Timeout, Retries: l.Retries, Backoff: l.Backoff, Unordered: l.Order == OrderAnswered}
	number := func(v *int, key string, otherwise, most int) {
		if at := where.under(key); *v != 0 || c.given(at) {
			between(c, *v, 1, most, at)
		}
		*v = cmp.Or(*v, otherwise)
	}
	number(&r.InFlight, "in_flight", defaultInFlight, lookup.MaxInFlight)
	number(&r.Keys, "keys", defaultLookupKeys, lookup.MaxKeys)
	between(c, r.Retries, 0, lookup.MaxRetries, where.under("retries"))
	between(c, r.Timeout, 0, maxLookupTimeout, where.under("timeout"))
	between(c, r.Backoff, 0, maxLookupTimeout, where.under("backoff"))
	if !c.given(where.under("timeout")) {
		r.Timeout = cmp.Or(r.Timeout, defaultLookupTimeout)
	}
	if !c.given(where.under("backoff")) {
		r.Backoff = cmp.Or(r.Backoff, defaultLookupBackoff)
	}
	if l.Cache != nil {
		r.Cache = lookup.Cache{Keys: l.Cache.Keys, TTL: l.Cache.TTL}
		at := where.under("cache")
		if r.Cache.Keys != 0 || c.given(at.under("keys")) {
			between(c, r.Cache.Keys, 1, lookup.MaxCacheKeys, at.under("keys"))
		}
		r.Cache.Keys = cmp.Or(r.Cache.Keys, defaultCacheKeys)
		between(c, r.Cache.TTL, 0, maxLookupTTL, at.under("ttl"))
	}
	return r
}

func lookupAbout(l *Lookup) string {
	var s strings.Builder
	s.WriteString(" by ")
	for i := range l.On {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%s = %s", l.On[i].Left, l.On[i].Right)
	}
	if l.Type == LookupInner {
		s.WriteString(", inner")
	}
	if l.Order == OrderAnswered {
		s.WriteString(", as rows are answered")
	}
	if l.Cache != nil {
		s.WriteString(", cached")
	}
	return s.String()
}
