// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// fields reads "price: int64, at: timestamp".
func fields(text string) []abi.Field {
	f, err := abi.ParseType("struct<" + text + ">")
	if err != nil {
		panic(err)
	}
	return f.Children
}

func required(f []abi.Field) []abi.Field {
	f[0].Required, f[0].Doc = true, "what one unit costs"
	return f
}

func withDefault(text, def string) abi.Field {
	f := fields(text)[0]
	f.Default = def
	return f
}

// size is an option that reads itself.
type size int

func (s *size) UnmarshalText(text []byte) error {
	if n, err := fmt.Sscanf(string(text), "%dMiB", s); err != nil || n != 1 {
		return fmt.Errorf("%q is no size; expected one like 16MiB", text)
	}
	return nil
}

// endOptions are options of all kinds that a connector may have.
type endOptions struct {
	Path    string            `yaml:"path"`
	Follow  bool              `yaml:"follow"`
	Max     size              `yaml:"max_record"`
	Wait    time.Duration     `yaml:"wait"`
	Rate    float64           `yaml:"rate"`
	Port    uint16            `yaml:"port"`
	Brokers []string          `yaml:"brokers"`
	Labels  map[string]string `yaml:"labels"`
	Nested  *struct {
		Depth int8 `yaml:"depth"`
	} `yaml:"nested"`
	Any any `yaml:"any"`
}

func (o *endOptions) SetScalar(path string) error {
	o.Path = path
	return nil
}

type fakeSource struct {
	operator.Source
	schema *abi.Schema
	opts   endOptions
	path   string
}

func (s *fakeSource) Schema() *abi.Schema { return s.schema }
func (s *fakeSource) Bounded() bool       { return !s.opts.Follow }

type fakeSink struct {
	operator.Sink
	schema *abi.Schema
}

type fakeFormat struct{ operator.Format }

type fakeModules map[string]*describe.Module

func (m fakeModules) Load(_ context.Context, path string) (operator.Module, error) {
	d, ok := m[filepath.Base(path)]
	if !ok {
		return nil, fmt.Errorf("no module %s", filepath.Base(path))
	}
	return &fakeModule{description: d}, nil
}

type fakeModule struct{ description *describe.Module }

func (m *fakeModule) Digest() string                { return strings.Repeat("0123456789abcdef", 4) }
func (m *fakeModule) Description() *describe.Module { return m.description }

// madeOperator and madeAggregate show what they were made with.
type madeOperator struct {
	operator.Operator
	spec operator.ModuleSpec
}

type madeAggregate struct {
	operator.Aggregate
	spec operator.ModuleSpec
}

func (m *fakeModule) Operator(_ operator.Context, s operator.ModuleSpec) (operator.Operator, error) {
	return madeOperator{spec: s}, nil
}

func (m *fakeModule) Aggregate(_ operator.Context, s operator.ModuleSpec) (operator.Aggregate, error) {
	return madeAggregate{spec: s}, nil
}

func fakeCatalog() Catalog {
	source := func(c operator.Config, spec operator.SourceSpec) (operator.Source, error) {
		s := &fakeSource{schema: spec.Schema}
		if err := c.Decode(&s.opts); err != nil {
			return nil, err
		}
		if s.opts.Path == "" {
			return nil, errors.New("path: which file? Write path: flights.json")
		}
		s.path = c.Path(s.opts.Path)
		return s, nil
	}
	sink := func(c operator.Config, spec operator.SinkSpec) (operator.Sink, error) {
		var opts endOptions
		if err := c.Decode(&opts); err != nil {
			return nil, fmt.Errorf("sink: %w", err)
		}
		for i := range spec.Schema.Fields {
			if f := &spec.Schema.Fields[i]; f.Type == abi.Bytes && spec.Format == nil {
				return nil, fmt.Errorf("bytes can't be written: column %q", f.Name)
			}
		}
		return &fakeSink{schema: spec.Schema}, nil
	}
	numbers := func(operator.Config, operator.SourceSpec) (operator.Source, error) {
		return &fakeSource{schema: &abi.Schema{Fields: fields("n: int64, at: timestamp")}}, nil
	}
	format := func(c operator.Config) (operator.Format, error) {
		var opts struct {
			Timestamps string `yaml:"timestamps"`
		}
		if err := c.Decode(&opts); err != nil {
			return nil, err
		}
		if opts.Timestamps == "minutes" {
			return nil, fmt.Errorf("timestamps: %q is no unit", opts.Timestamps)
		}
		return fakeFormat{}, nil
	}
	return Catalog{
		Connectors: []operator.Connector{
			{Name: "file", Source: source, Sink: sink}, {Name: "numbers", Source: numbers}, {Name: "stdout", Sink: sink},
		},
		Formats: []operator.FormatType{{Name: "json", New: format}, {Name: "csv", New: format}},
		Modules: fakeModules{
			"euros.wasm": {Operators: []describe.Operator{euros()}},
			"split.wasm": {Operators: []describe.Operator{{
				Name: "split", Kind: describe.Map, Inputs: []describe.Port{{Fields: fields("price: int64")}},
				Outputs: []describe.Port{{Name: "small", Forward: true}, {Name: "big", Fields: fields("price: int64, size: string")}, {Name: "dead_letters", Fields: fields("x: bool")}},
			}}},
			"process.wasm": {Operators: processes()},
			"stamp.wasm": {Operators: []describe.Operator{{
				Name: "stamp", Kind: describe.Map, Inputs: []describe.Port{{}}, Outputs: []describe.Port{{Forward: true, Time: true}},
			}}},
			"many.wasm": {Operators: []describe.Operator{
				euros(), {Name: "mean", Kind: describe.Aggregate, Inputs: []describe.Port{{Fields: fields("price: int64")}},
					Outputs: []describe.Port{{Fields: fields("mean: float64, n: int64")}}, Accumulator: &fields("a: struct<s: int64, n: int64>")[0]},
				{Name: "sessions", Kind: describe.Process, Inputs: []describe.Port{{}}, Outputs: []describe.Port{{}}},
				{Name: "timed", Kind: describe.Map, Inputs: []describe.Port{{Time: true}}, Outputs: []describe.Port{{Forward: true}}},
				{Name: "typed", Kind: describe.Map, Inputs: []describe.Port{{}}, Outputs: []describe.Port{{Forward: true}}, Config: []abi.Field{
					withDefault("b: bool", "true"), withDefault("i: int32", "-7"), withDefault("l: int64", ""), withDefault("f: float64", "1e3"),
					withDefault("d: decimal(2)", "12.5"), withDefault("s: string", "12"), withDefault("t: timestamp", "2001-01-31T12:00:00Z"), withDefault("ls: list<string>", "[a, b]"),
				}},
				{Name: "baddefault", Kind: describe.Map, Inputs: []describe.Port{{}}, Outputs: []describe.Port{{Forward: true}}, Config: []abi.Field{withDefault("i: int64", "many")}},
			}},
		},
	}
}

// processes are operators of kind process: with two keyed inputs and a broadcast one, with a key that the
// pipeline says, and with one of its own.
func processes() []describe.Operator {
	id, out := fields("id: int64"), []describe.Port{{Fields: fields("id: int64, total: int64")}, {Name: "unpaid", Fields: fields("id: int64"), Time: true}}
	forgets := describe.State{Name: "seen", Kind: describe.Value, Fields: id, TTL: describe.TTL{After: time.Hour, EventTime: true}}
	return []describe.Operator{
		{Name: "pay", Kind: describe.Process, Key: id, Outputs: out, States: []describe.State{forgets}, Inputs: []describe.Port{
			{Name: "orders", Fields: fields("id: int64, amount: int64")}, {Name: "payments", Fields: id},
			{Name: "rules", Fields: fields("name: string, limit: int64"), Broadcast: true},
		}},
		{Name: "match", Kind: describe.Process, Outputs: out, Inputs: []describe.Port{{Name: "left", Fields: id}, {Name: "right", Fields: id}}},
		{Name: "count", Kind: describe.Process, Inputs: []describe.Port{{Fields: id}},
			Outputs: []describe.Port{{Fields: fields("n: int64"), Forward: true}}, Config: []abi.Field{withDefault("step: int64", "1")}},
		{Name: "trigger", Kind: describe.Process, Key: fields("id: int64"), Inputs: []describe.Port{{Fields: fields("id: int64, price: int64, window_start: timestamp")}},
			Outputs: []describe.Port{{Fields: fields("auction: int64, window_start: timestamp, window_end: timestamp, fire: bool, purge: bool")}}, Config: []abi.Field{withDefault("rows: int64", "10")}},
		{Name: "anykey", Kind: describe.Process, Inputs: []describe.Port{{}}, Outputs: []describe.Port{{Fields: fields("fire: bool, purge: bool"), Forward: true}}},
		{Name: "count_by_id", Kind: describe.Process, Key: id, Inputs: []describe.Port{{Fields: id}}, Outputs: []describe.Port{{Fields: fields("n: int64"), Forward: true}}},
	}
}

func euros() describe.Operator {
	return describe.Operator{
		Name: "to_euros", Kind: describe.Map, Inputs: []describe.Port{{Fields: fields("price: int64")}},
		Outputs: []describe.Port{{Fields: fields("euros: float64, price: int64"), Forward: true}},
		Config:  required(append(fields("rate: float64"), withDefault("round: bool", "false"))),
	}
}

// cells returns a batch's only row as text.
func cells(t testing.TB, b *batch.Batch) string {
	t.Helper()
	if b == nil || b.Rows() != 1 {
		t.Fatalf("%v is no batch of one row", b)
	}
	var parts []string
	for i := range b.Columns {
		parts = append(parts, fmt.Sprintf("%s=%s", b.Schema.Fields[i].Name, cell(&b.Columns[i], 0)))
	}
	return strings.Join(parts, " ")
}

func cell(c *batch.Column, row int) string {
	switch {
	case c.Null(row):
		return "null"
	case c.Type == abi.Bool:
		return fmt.Sprint(c.Bool(row))
	case c.Type == abi.Int32:
		return fmt.Sprint(c.Int32s()[row])
	case c.Type == abi.Float64:
		return fmt.Sprint(c.Float64s()[row])
	case c.Type == abi.String:
		return c.String(row)
	case c.Type == abi.List:
		var items []string
		for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
			items = append(items, cell(&c.Children[0], int(i)))
		}
		return "[" + strings.Join(items, " ") + "]"
	}
	return fmt.Sprint(c.Int64s()[row])
}
