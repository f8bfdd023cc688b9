// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// checker makes nodes of a pipeline's parts. It goes on after a problem: what a part would have
// produced is then unknown, and nothing is said about what follows from that.
type checker struct {
	*reporter
	ctx      context.Context
	pipeline *Pipeline
	catalog  Catalog
	folder   string // absolute
	pool     *batch.Pool
	drafts   []*draft // in the order of the file, from order() on topologically
	byName   map[string]*draft
	readable []string          // names of sources and operators
	modules  map[string]loaded // by path
}

type loaded struct {
	module operator.Module
	err    error
}

// draft is a node that is being checked.
type draft struct {
	name   string
	kind   string // source, operator or sink
	where  place
	make   func(*draft) // checks the part and completes the node
	node   *Node
	before []*Node // that the part needs besides its own, each after all that it reads
	inputs []*link
	// streams are the outputs. Where portsKnown is false there may be others.
	streams    []*stream
	portsKnown bool
	readers    int // of outputs that are not known
}

// link is a reference to an output.
type link struct {
	from  *draft // nil where there is none of that name
	port  string
	text  string // as in the file
	where place
	side  int // the input of the operator whose rows it brings
}

// from returns the references of a key from: one, or a list that is read as one stream.
func from(refs []string, part place, side int) []*link {
	var links []*link
	for i, ref := range refs {
		where := part.under("from")
		if len(refs) > 1 {
			where = where.under(strconv.Itoa(i))
		}
		links = append(links, &link{text: ref, where: where, side: side})
	}
	return links
}

// references returns all that an operator reads.
func (o *Operator) references(part place) []*link {
	links := from(o.From, part, 0)
	for i := range o.Inputs {
		in := &o.Inputs[i]
		links = append(links, from(in.From, part.under("inputs", in.Name), i)...)
	}
	if o.Join != nil {
		links = append(links, o.Join.references(part.under("join"))...)
	}
	return links
}

// stream is what is known of an output.
type stream struct {
	port    string
	schema  *abi.Schema // nil: unknown
	origins []string    // of the columns: `source "bids"`
	// untimed says why rows have no event time, and what to do; "" where they have one.
	untimed string
	// writesTime says that a module writes each row's event time, of which there may yet be no watermark.
	writesTime bool
	// changes says that rows may be updates and deletions of rows before them: a changelog.
	changes bool
	// upserts says of a changelog that an update comes without the row that it replaces.
	upserts bool
	readers int
}

func newChecker(ctx context.Context, p *Pipeline, catalog Catalog, out *reporter) *checker {
	c := &checker{
		reporter: out, ctx: ctx, pipeline: p, catalog: catalog, pool: &batch.Pool{},
		byName: map[string]*draft{}, modules: map[string]loaded{}, folder: p.Folder,
	}
	if folder, err := filepath.Abs(p.Folder); err == nil {
		c.folder = folder
	}
	return c
}

// graph checks everything.
func (c *checker) graph() (*Graph, Problems) {
	c.settings()
	c.declare()
	for _, d := range c.drafts {
		c.resolve(d)
	}
	c.order()
	for _, d := range c.drafts {
		d.make(d)
	}
	c.unread()
	if c.count > 0 {
		return nil, c.sorted()
	}
	g := &Graph{Name: c.pipeline.Name, Options: c.pipeline.Options}
	for _, d := range c.drafts {
		g.Nodes = append(append(g.Nodes, d.before...), d.node)
	}
	return g, nil
}

// The bounds of a pipeline's settings.
const (
	maxParallelism = 128 // a subtask owns at least one of the key groups
	maxLatency     = time.Hour
)

// between reports a number that is out of bounds.
func between[T int | time.Duration](c *checker, v, least, most T, where place) {
	if v < least || v > most {
		text := func(v T) string {
			if d, ok := any(v).(time.Duration); ok {
				return durationText(d)
			}
			return fmt.Sprint(v)
		}
		c.report(where, "", "%s is %s; it can be %s to %s", where.path[len(where.path)-1], text(v), text(least), text(most))
	}
}

func (c *checker) settings() {
	if c.pipeline.Name == "" {
		c.missing(at("name"), "begin the file with name: NAME", "the pipeline has no name")
	} else {
		c.checkName(c.pipeline.Name, at("name"))
	}
	o := &c.pipeline.Options
	between(c, o.Parallelism, 1, maxParallelism, at("options", "parallelism"))
	between(c, o.Latency, time.Microsecond, maxLatency, at("options", "latency"))
	between(c, o.BatchRows, 1, abi.MaxRows, at("options", "batch_rows"))
	c.state(&o.State)
}

var validName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,63}$`)

func (c *checker) checkName(name string, where place) {
	if !validName.MatchString(name) {
		c.report(where, "a name has 1 to 64 of a-z, 0-9, _ and -, and begins with a letter or _", "%q can't be a name", clip(name))
	}
}

// declare makes a draft of each part.
func (c *checker) declare() {
	c.declareSources()
	p := c.pipeline
	for i := range p.Operators {
		o := &p.Operators[i]
		c.add(&draft{name: o.Name, kind: "operator", where: at("operators", o.Name), make: func(d *draft) { c.operator(d, o) }}, o.references(at("operators", o.Name)))
	}
	for i := range p.Sinks {
		s := &p.Sinks[i]
		c.add(&draft{name: s.Name, kind: "sink", where: at("sinks", s.Name), make: func(d *draft) { c.sink(d, s) }}, from(s.From, at("sinks", s.Name), 0))
	}
	if len(p.Sinks) == 0 {
		c.missing(at("sinks"), "add sinks: {NAME: {from: NODE, stdout: }}", "the pipeline has no sinks")
	}
}

func (c *checker) declareSources() {
	sources := c.pipeline.Sources
	for i := range sources {
		s := &sources[i]
		c.add(&draft{name: s.Name, kind: "source", where: at("sources", s.Name), make: func(d *draft) { c.source(d, s) }}, nil)
	}
	if len(sources) == 0 {
		c.missing(at("sources"), "add sources: {NAME: {file: PATH}}", "the pipeline has no sources")
	}
}

func (c *checker) add(d *draft, inputs []*link) {
	c.checkName(d.name, d.where.itsKey())
	if other, ok := c.byName[d.name]; ok {
		c.report(d.where.itsKey(), "sources, operators and sinks share one set of names", "the name %q is taken by a %s", clip(d.name), other.kind)
	} else {
		c.byName[d.name] = d
	}
	if d.kind != "sink" {
		c.readable = append(c.readable, d.name)
	}
	line, _, _ := c.root.find(d.where.itsKey())
	d.node = &Node{Name: d.name, Line: line, DeadLetters: -1}
	d.inputs = inputs
	c.drafts = append(c.drafts, d)
}

// outputs completes a draft's node.
func (c *checker) outputs(d *draft, streams []*stream, policy operator.Policy) {
	d.streams = streams
	if int(policy) >= len(policyNames) {
		c.report(d.where.under("on_error"), "", "there is no policy number %d", policy)
	}
	d.node.OnError = policy
	if policy == operator.PolicyDeadLetter {
		for _, s := range streams {
			if s.port == operator.PortDeadLetters {
				c.report(d.where.under("on_error"), "write on_error: fail or drop", "operator %q has an output %q of its own", d.name, s.port)
			}
		}
		d.node.DeadLetters = len(d.streams)
		letters := &stream{port: operator.PortDeadLetters, schema: operator.DeadLetterSchema(), untimed: "dead letters have no event time"}
		for range letters.schema.Fields {
			letters.origins = append(letters.origins, "dead letters of "+d.name)
		}
		d.streams = append(d.streams, letters)
	}
	for _, s := range d.streams {
		d.node.Outputs = append(d.node.Outputs, Port{Name: s.port, Schema: s.schema})
	}
}

// parallelism returns how many subtasks a part has.
func (c *checker) parallelism(d *draft, own, otherwise int) int {
	where := d.where.under("parallelism")
	if own == 0 && !c.given(where) {
		return otherwise
	}
	between(c, own, 1, maxParallelism, where)
	return own
}

// made takes the error of a connector or format, which may have reported what is wrong already.
func (c *checker) made(err error, config *config, broken bool) {
	var said reported
	if err == nil || broken || errors.As(err, &said) {
		return
	}
	where := config.where
	message := err.Error()
	if key, rest, ok := strings.Cut(message, ": "); ok {
		if _, given := config.value.get(key); given {
			where, message = where.under(key), rest
		}
	}
	c.report(where, "", "%s", message)
}
