// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/changelog"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// config is what a connector or a format sees of the pipeline.
type config struct {
	checker *checker
	value   *value
	where   place
}

var _ operator.Config = (*config)(nil)

// reported is an error whose problems the checker has already.
type reported struct{ Problems }

// Decode reads the options.
func (c *config) Decode(into any) error {
	out := c.checker.reporter
	count, kept := out.count, len(out.problems)
	(&decoder{out: out}).decode(c.value, reflect.ValueOf(into).Elem(), c.where)
	if out.count > count {
		return reported{slices.Clone(out.problems[kept:])}
	}
	return nil
}

// Path makes a path absolute.
func (c *config) Path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.checker.folder, path)
}

func (c *checker) config(options Literal, where place) *config {
	return &config{checker: c, value: valueOf(options, where, c.reporter), where: where}
}

// source checks a source.
func (c *checker) source(d *draft, s *Source) {
	main := &stream{}
	d.node.Parallelism = c.parallelism(d, s.Parallelism, c.pipeline.Options.Parallelism)
	source := c.makeSource(d, s)
	if source != nil {
		d.node.about = endAbout(s.Connector, s.Format)
		d.node.Source = &SourceNode{Source: source}
		main.schema = c.sourceSchema(d, s, source)
	} else if s.Schema != nil && s.Schema.Check() == nil {
		main.schema = s.Schema // what else is wrong can be said
	}
	if main.schema != nil {
		for range main.schema.Fields {
			main.origins = append(main.origins, fmt.Sprintf("source %q", d.name))
		}
	}
	switch {
	case s.Time != nil:
		if t := c.sourceTime(d, s.Time, main); source != nil {
			d.node.Source.Time = t
		}
	case !c.wrong(d.where.under("time")):
		main.untimed = fmt.Sprintf("source %q has none; add to it time: {column: COLUMN, out_of_order: 5s}", d.name)
	}
	c.outputs(d, []*stream{main}, s.OnError)
	d.portsKnown = true
}

// makeSource returns nil where it can't.
func (c *checker) makeSource(d *draft, s *Source) operator.Source {
	var connector *operator.Connector
	for i := range c.catalog.Connectors {
		if conn := &c.catalog.Connectors[i]; conn.Name == s.Connector && conn.Source != nil {
			connector = conn
		}
	}
	format, ok := c.format(s.Format, d.where.under("format"))
	if connector == nil {
		c.noConnector(d, s.Connector, s.noConnector, c.catalog.sources())
		return nil
	}
	spec := operator.SourceSpec{Schema: s.Schema, Format: format}
	if s.Schema == nil && c.wrong(d.where.under("schema")) {
		spec.Schema, ok = abi.Opaque(), false
	}
	config := c.config(s.Options, d.where.under(s.Connector))
	source, err := connector.Source(config, spec)
	if c.made(err, config, !ok); err != nil {
		return nil
	}
	if !ok {
		return nil
	}
	return source
}

// sourceSchema returns nil where it is not known.
func (c *checker) sourceSchema(d *draft, s *Source, source operator.Source) *abi.Schema {
	where := d.where.under("schema")
	schema := source.Schema()
	switch {
	case schema == nil:
		c.report(where, "declare one: schema: {COLUMN: TYPE}; wasmill check --infer writes it from the first rows",
			"source %q has no schema", d.name)
		return nil
	case s.Schema != nil && !s.Schema.Equal(schema):
		c.report(where, "leave the schema out, or write "+schema.String(), "the source's rows have %s", difference(schema, s.Schema))
		return nil
	}
	if err := schema.Check(); err != nil {
		c.report(where, "", "%v", err)
		return nil
	}
	if len(schema.Fields) == 0 {
		c.report(where, "declare the columns that are read: schema: {COLUMN: TYPE}", "source %q has no columns", d.name)
		return nil
	}
	return schema
}

// sink checks a sink.
func (c *checker) sink(d *draft, s *Sink) {
	in := c.input(d)
	d.node.Parallelism = c.parallelism(d, s.Parallelism, 1)
	c.keepOrder(d, in, d.node.Parallelism)
	schema := c.written(d, s, in)
	var connector *operator.Connector
	for i := range c.catalog.Connectors {
		if conn := &c.catalog.Connectors[i]; conn.Name == s.Connector && conn.Sink != nil {
			connector = conn
		}
	}
	format, ok := c.format(s.Format, d.where.under("format"))
	if connector == nil {
		c.noConnector(d, s.Connector, s.noConnector, c.catalog.sinks())
		return
	}
	spec := operator.SinkSpec{Schema: schema, Format: format}
	if spec.Schema == nil {
		spec.Schema, ok = abi.Opaque(), false
	}
	config := c.config(s.Options, d.where.under(s.Connector))
	sink, err := connector.Sink(config, spec)
	c.made(err, config, !ok)
	d.node.Sink, d.node.about = sink, endAbout(s.Connector, s.Format)
	if s.Kinds != "" {
		d.node.Sink = &changelog.Sink{To: sink, Schema: schema}
		d.node.about += ", kinds as " + s.Kinds
	}
}

// written returns the schema of what a sink is given, nil where it is not known. No sink takes
// changes but as rows with a column for their kind.
func (c *checker) written(d *draft, s *Sink, in *stream) *abi.Schema {
	where := d.where.under("kinds")
	switch {
	case s.Kinds == "" && in.changes && !c.wrong(where):
		c.report(d.where.under("from"), "add kinds: COLUMN to write each row's kind (+I, -U, +U, -D) as the first column, or have inserts only come here",
			"sink %q takes no changes, and what it reads updates or deletes rows that came before", d.name)
	case s.Kinds != "" && in.schema != nil:
		if in.schema.Index(s.Kinds) >= 0 {
			c.report(where, "choose another name", "the stream has a column %q already", clip(s.Kinds))
			return nil
		}
		schema := changelog.Schema(in.schema, s.Kinds)
		if err := schema.Check(); err != nil {
			c.report(where, "", "%v", err)
			return nil
		}
		return schema
	}
	return in.schema
}

// noConnector reports that a source or sink has none, or one that there is not.
func (c *checker) noConnector(d *draft, name string, said bool, names []string) {
	switch {
	case name != "":
		c.report(d.where.under(name), c.didYouMean(name, names), "no %s connector is called %q", d.kind, name)
	case !said && c.given(d.where) || c.root == nil:
		c.report(d.where.itsKey(), "add one of "+strings.Join(names, ", "), "%s %q has no connector", d.kind, clip(d.name))
	}
}

// format makes a format: nil where the pipeline names none, and false where there is a problem.
func (c *checker) format(f Format, where place) (operator.Format, bool) {
	if f.Name == "" {
		return nil, !c.wrong(where)
	}
	var names []string
	for _, t := range c.catalog.Formats {
		if t.Name != f.Name {
			names = append(names, t.Name)
			continue
		}
		config := c.config(f.Options, where.under(f.Name))
		format, err := t.New(config)
		c.made(err, config, false)
		return format, err == nil
	}
	c.report(where, c.didYouMean(f.Name, names), "there is no format %q", clip(f.Name))
	return nil, false
}

func endAbout(connector string, f Format) string {
	if f.Name == "" {
		return connector
	}
	return connector + ", " + f.Name
}
