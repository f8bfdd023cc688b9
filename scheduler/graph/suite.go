// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Suite is a file of tests of a pipeline, or of one operator of a module, checked: every name is
// known and every row has the types of its stream.
type Suite struct {
	Graph *Graph
	Tests []Test
}

// Test is a script: what comes in, step by step, and what is expected to come out.
type Test struct {
	Name  string
	Line  int
	Steps []Step
}

// Step is a step of a test. What it has is done in the order of the fields.
type Step struct {
	Line      int
	Rows      []Given
	Watermark []Mark
	Clock     time.Duration // by which processing time moves on
	End       bool          // all sources end
	// Expect says what has come out since it was last looked at: of each sink that is not named nothing.
	Expect   []Expected
	Failures []Failure
	Fails    string // the job ends here with an error that has this text
	// Asks says that the step looks at what came out.
	Asks bool
}

// Given are rows of a source.
type Given struct {
	Source *Node
	Rows   *batch.Batch
}

// Mark is a watermark of a source.
type Mark struct {
	Source *Node
	Time   abi.EventTime
}

// Expected are the rows that a sink was given, in any order.
type Expected struct {
	Sink *Node
	Rows *batch.Batch
	// Columns are those that a row names; others are not compared.
	Columns []int
}

// Failure is a row that fails and is dropped, as its operator's on_error says.
type Failure struct {
	Operator string `yaml:"operator"`
	Reason   string `yaml:"reason"` // a part of it
}

// suiteFile is a file of tests as it stands.
type suiteFile struct {
	Pipeline string     `yaml:"pipeline"`
	Operator *Operator  `yaml:"operator"`
	Tests    []testFile `yaml:"tests"`
}

type testFile struct {
	Name  string     `yaml:"-"`
	Steps []stepFile `yaml:"steps"`
}

func (t *testFile) setName(name string) { t.Name = name }

type stepFile struct {
	Rows      Literal       `yaml:"rows"`
	Watermark Literal       `yaml:"watermark"`
	Clock     time.Duration `yaml:"clock"`
	End       bool          `yaml:"end"`
	Expect    Literal       `yaml:"expect"`
	Failures  []Failure     `yaml:"failures"`
	Fails     string        `yaml:"fails"`
}

// The names by which a test of one operator calls what is around it. Its event time is a column of its
// source's rows.
const (
	suiteSource    = "in"
	suiteOperator  = "operator"
	suiteSink      = "out"
	suiteEventTime = "event_time"
	suiteConnector = "test"
)

// LoadSuite checks the tests in data, the content of the file path, and the pipeline that they are of.
func LoadSuite(ctx context.Context, path string, data []byte, catalog Catalog) (*Suite, Problems) {
	s, file := parseSuite(path, data, &catalog)
	if file == nil {
		return nil, s.sorted()
	}
	g, problems := s.graph(ctx, path, file, catalog)
	if g == nil {
		return nil, append(problems, s.sorted()...)
	}
	return s.suite(file, g)
}

// ParseSuite checks the tests in data, the content of the file path, which are of a graph whatever the file says.
func ParseSuite(path string, data []byte, g *Graph) (*Suite, Problems) {
	s, file := parseSuite(path, data, &Catalog{})
	if file == nil {
		return nil, s.sorted()
	}
	return s.suite(file, g)
}

// parseSuite reads a file, as far as it can; nil where it is no YAML.
func parseSuite(path string, data []byte, catalog *Catalog) (*suiteChecker, *suiteFile) {
	s := &suiteChecker{reporter: &reporter{file: path}, pool: &batch.Pool{}}
	if s.root = document(data, s.reporter); s.root == nil {
		return s, nil
	}
	var file suiteFile
	d := &decoder{out: s.reporter, sources: catalog.sources(), sinks: catalog.sinks()}
	d.decode(s.root, reflect.ValueOf(&file).Elem(), at())
	if len(file.Tests) == 0 {
		s.missing(at("tests"), "add tests: {NAME: {steps: [...]}}", "there are no tests")
	}
	return s, &file
}

func (s *suiteChecker) suite(file *suiteFile, g *Graph) (*Suite, Problems) {
	s.nodes = g.Nodes
	suite := &Suite{Graph: g}
	for i := range file.Tests {
		suite.Tests = append(suite.Tests, s.test(&file.Tests[i]))
	}
	if s.count > 0 {
		return nil, s.sorted()
	}
	return suite, nil
}

// suiteChecker makes tests of what a file says.
type suiteChecker struct {
	*reporter
	pool  *batch.Pool
	nodes []*Node
}

// graph returns the graph that the tests are of.
func (s *suiteChecker) graph(ctx context.Context, path string, file *suiteFile, catalog Catalog) (*Graph, Problems) {
	switch {
	case file.Pipeline != "" && file.Operator != nil:
		s.report(at("operator").itsKey(), "keep one", "the tests are of a pipeline and of an operator")
	case file.Operator != nil:
		return s.single(ctx, path, file.Operator, catalog)
	case file.Pipeline == "":
		s.missing(at("pipeline"), "add pipeline: PATH, or operator: {wasm: PATH}", "the file does not say what the tests are of")
	default:
		name := file.Pipeline
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		data, problems := Read(name)
		if problems != nil {
			return nil, problems
		}
		return Load(ctx, name, data, catalog)
	}
	return nil, nil
}

// single returns a pipeline around one operator: a source for each of its inputs and a sink for each output.
func (s *suiteChecker) single(ctx context.Context, path string, o *Operator, catalog Catalog) (*Graph, Problems) {
	p := &Pipeline{Name: "test", Folder: filepath.Dir(path)}
	catalog.Connectors = append(slices.Clone(catalog.Connectors), suiteEnds())
	op := s.operator(ctx, p.Folder, o, catalog)
	if op == nil {
		return nil, nil
	}
	whole := *o
	whole.Name = suiteOperator
	for i := range op.Inputs {
		in := &op.Inputs[i]
		name := in.Name
		if name == "" {
			name = suiteSource
		}
		schema := &abi.Schema{Fields: slices.Clone(in.Fields)}
		schema.Fields = append(schema.Fields, abi.Field{Name: suiteEventTime, Type: abi.Timestamp})
		p.Sources = append(p.Sources, Source{
			Name: name, Connector: suiteConnector, Schema: schema, Time: &EventTime{Column: suiteEventTime},
		})
		if len(op.Inputs) == 1 {
			whole.From = []string{name}
			continue
		}
		at := slices.IndexFunc(whole.Inputs, func(given Input) bool { return given.Name == in.Name })
		if at < 0 {
			whole.Inputs = append(whole.Inputs, Input{Name: in.Name})
			at = len(whole.Inputs) - 1
		}
		whole.Inputs[at].From = []string{name}
	}
	p.Operators = []Operator{whole}
	for i := range op.Outputs {
		name, from := op.Outputs[i].Name, suiteOperator+"."+op.Outputs[i].Name
		if i == 0 {
			name, from = suiteSink, suiteOperator
		}
		p.Sinks = append(p.Sinks, Sink{Name: name, From: []string{from}, Connector: suiteConnector})
	}
	if whole.OnError == operator.PolicyDeadLetter {
		p.Sinks = append(p.Sinks, Sink{Name: operator.PortDeadLetters, From: []string{suiteOperator + "." + operator.PortDeadLetters}, Connector: suiteConnector})
	}
	graph, problems := Check(ctx, p, catalog)
	for i := range problems {
		line, column, _ := s.root.find(at("operator"))
		problems[i].File, problems[i].Line, problems[i].Column = path, line, column
	}
	return graph, problems
}

// operator finds the operator that is tested, nil where there is a problem.
func (s *suiteChecker) operator(ctx context.Context, folder string, o *Operator, catalog Catalog) *describe.Operator {
	where := at("operator")
	if o.Path == "" {
		s.missing(where.under("wasm"), "add wasm: PATH", "the operator is of no module")
		return nil
	}
	path := o.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	m, err := catalog.Modules.Load(ctx, path)
	if err != nil {
		s.report(where.under("wasm"), "", "%v", err)
		return nil
	}
	ops := m.Description().Operators
	if o.Operator == "" && len(ops) == 1 {
		return &ops[0]
	}
	var names []string
	for i := range ops {
		if ops[i].Name == o.Operator {
			return &ops[i]
		}
		names = append(names, ops[i].Name)
	}
	s.report(where.under("operator"), s.didYouMean(o.Operator, names), "%s has no operator %q", clip(o.Path), clip(o.Operator))
	return nil
}

// suiteEnds is the connector of what is around a single operator. Nobody opens it.
func suiteEnds() operator.Connector {
	return operator.Connector{
		Name: suiteConnector,
		Source: func(_ operator.Config, spec operator.SourceSpec) (operator.Source, error) {
			return suiteEnd{schema: spec.Schema}, nil
		},
		Sink: func(operator.Config, operator.SinkSpec) (operator.Sink, error) { return suiteEnd{}, nil },
	}
}

type suiteEnd struct {
	operator.Source
	operator.Sink
	schema *abi.Schema
}

func (e suiteEnd) Schema() *abi.Schema { return e.schema }

func (s *suiteChecker) test(f *testFile) Test {
	where := at("tests", f.Name)
	line, _, _ := s.root.find(where.itsKey())
	t := Test{Name: f.Name, Line: line}
	if len(f.Steps) == 0 {
		s.missing(where.under("steps"), "add steps: [{rows: ...}, {expect: ...}]", "test %q does nothing", clip(f.Name))
	}
	for i := range f.Steps {
		t.Steps = append(t.Steps, s.step(&f.Steps[i], where.under("steps", strconv.Itoa(i))))
	}
	return t
}

func (s *suiteChecker) step(f *stepFile, where place) Step {
	line, _, _ := s.root.find(where)
	step := Step{Line: line, Clock: f.Clock, End: f.End, Failures: f.Failures, Fails: f.Fails}
	if f.Clock < 0 {
		s.report(where.under("clock"), "", "the clock can't go back")
	}
	step.Asks = f.Expect != nil || len(f.Failures) > 0
	for _, e := range s.entries(f.Rows, where.under("rows")) {
		at := where.under("rows", e.key)
		if n := s.node(e.key, at, "source", func(n *Node) bool { return n.Source != nil }); n != nil {
			rows, _ := s.rows(e.value, at, n.Outputs[0].Schema)
			step.Rows = append(step.Rows, Given{n, rows})
		}
	}
	step.Watermark = s.marks(f.Watermark, where.under("watermark"))
	for _, e := range s.entries(f.Expect, where.under("expect")) {
		at := where.under("expect", e.key)
		if n := s.node(e.key, at, "sink", func(n *Node) bool { return n.Sink != nil }); n != nil {
			rows, columns := s.rows(e.value, at, SinkSchema(n))
			step.Expect = append(step.Expect, Expected{n, rows, columns})
		}
	}
	for i := range f.Failures {
		at := where.under("failures", strconv.Itoa(i), "operator")
		s.node(f.Failures[i].Operator, at, "source or operator", func(n *Node) bool { return n.Sink == nil })
	}
	return step
}

// SinkSchema returns the schema of the rows that a sink is given.
func SinkSchema(n *Node) *abi.Schema {
	in := n.Inputs[0]
	return in.From.Outputs[in.Port].Schema
}

// entries returns what a mapping has; nothing where it is not there.
func (s *suiteChecker) entries(from Literal, where place) []entry {
	if from == nil {
		return nil
	}
	v := valueOf(from, where, s.reporter)
	if v.kind != mapping && v.kind != null {
		s.report(where, "write {NAME: ...}", "expected a mapping by name, not %s", v.describe())
	}
	return v.entries
}

func (s *suiteChecker) node(name string, where place, kind string, is func(*Node) bool) *Node {
	var names []string
	for _, n := range s.nodes {
		if !is(n) {
			continue
		}
		if n.Name == name {
			return n
		}
		names = append(names, n.Name)
	}
	s.report(where.itsKey(), s.didYouMean(name, names), "there is no %s %q", kind, clip(name))
	return nil
}

// marks returns the watermarks of a step: one for all sources with event time, or one for each that is named.
func (s *suiteChecker) marks(from Literal, where place) []Mark {
	if from == nil {
		return nil
	}
	timed := func(n *Node) bool { return n.Source != nil && n.Source.Time != nil }
	v := valueOf(from, where, s.reporter)
	var marks []Mark
	if v.kind == mapping {
		for _, e := range v.entries {
			if n := s.node(e.key, where.under(e.key), "source with event time", timed); n != nil {
				marks = append(marks, Mark{n, s.time(e.value, where.under(e.key))})
			}
		}
		return marks
	}
	t := s.time(v, where)
	for _, n := range s.nodes {
		if timed(n) {
			marks = append(marks, Mark{n, t})
		}
	}
	return marks
}

func (s *suiteChecker) time(v *value, where place) abi.EventTime {
	t, ok := parseTimestamp(v.text)
	if v.kind != timestamp && v.kind != text || !ok {
		s.report(where, "", "expected a timestamp like 2001-01-31T23:59:59Z, not %s", v.describe())
	}
	return abi.EventTime(t)
}
