// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package describe reads what a module says of itself: the Module message of wasmill.fbs, which
// wasmill_describe returns. The bytes come from a guest, so that reading is bounded in size,
// count and depth, and ends in an error that says which operator and which part is wrong.
package describe

import (
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/internal/flat"
)

// Kind is the kind of an operator.
type Kind uint8

// The kinds that the contract numbers; a host of this version runs Map, Process and Aggregate.
const (
	Map Kind = iota + 1
	Process
	Aggregate
	Source
	Sink
	Table
)

var kindNames = [...]string{Map: "map", Process: "process", Aggregate: "aggregate", Source: "source", Sink: "sink", Table: "table"}

// String returns the kind's name in the documentation.
func (k Kind) String() string {
	if k < Map || k > Table {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Module is all that a module holds.
type Module struct {
	ABI       uint32 // the version of the contract that it was built for
	SDK       string // name and version of the SDK, for people; "" where it has none
	Operators []Operator
}

// Operator is one operator of a module.
type Operator struct {
	Name        string
	Kind        Kind
	Doc         string
	Inputs      []Port
	Outputs     []Port
	Config      []abi.Field
	Accumulator *abi.Field // of an aggregate, nil of others
	Counters    []string
	Key         []abi.Field // by which a process's keyed inputs are partitioned; nil: the pipeline says it
	States      []State     // of a process
}

// Port is an input or an output of an operator.
type Port struct {
	Name string // "" for the main one, which is the first
	// Fields are the columns that the guest reads or writes.
	Fields []abi.Field
	// Forward says of an output that the input's other columns pass by on the host.
	Forward bool
	// Time says of an input that the guest reads each row's event time, of an output that it
	// writes it.
	Time bool
	// Broadcast says of an input of a process that each subtask is given all of its rows.
	Broadcast bool
}

// Schema returns the port's columns as a schema.
func (p *Port) Schema() *abi.Schema { return &abi.Schema{Fields: p.Fields} }

// Operator returns the named operator's number and itself, -1 and nil where there is none.
func (m *Module) Operator(name string) (int, *Operator) {
	for i := range m.Operators {
		if m.Operators[i].Name == name {
			return i, &m.Operators[i]
		}
	}
	return -1, nil
}

// Parse reads and checks a description.
func Parse(buf []byte) (*Module, error) {
	if len(buf) > abi.MaxDescribe {
		return nil, fmt.Errorf("description: it has %d bytes; %d are allowed", len(buf), abi.MaxDescribe)
	}
	root, err := flat.Root(buf, "")
	if err != nil {
		return nil, fmt.Errorf("description: %w", err)
	}
	m := &Module{}
	r := reader{}
	m.ABI = r.u32(root, 0)
	m.SDK = r.text(root, 1, abi.MaxName)
	for i, t := range r.tables(root, 2, abi.MaxOperators) {
		op := r.operator(t)
		if r.err == nil {
			r.err = op.check()
		}
		if r.err != nil {
			return nil, fmt.Errorf("description: operator %d %q: %w", i+1, op.Name, r.err)
		}
		if n, _ := m.Operator(op.Name); n >= 0 {
			return nil, fmt.Errorf("description: operator %q is there twice, as number %d and %d", op.Name, n+1, i+1)
		}
		m.Operators = append(m.Operators, op)
	}
	if r.err != nil {
		return nil, fmt.Errorf("description: %w", r.err)
	}
	if len(m.Operators) == 0 {
		return nil, fmt.Errorf("description: the module holds no operator")
	}
	return m, nil
}

// reader keeps the first error, so that the reading above it is a list of what is read. Tables and
// strings may be shared, so that a small buffer can name a description of any size: what is read
// is counted, shared parts each time.
type reader struct {
	err   error
	nodes int // fields read so far, of the operator at hand
	bytes int // of tables and strings read so far
}

// tableBytes is what a table counts, about as much as a small one takes in a buffer.
const tableBytes = 16

func (r *reader) count(bytes int) {
	if r.bytes += bytes; r.bytes > abi.MaxDescribe {
		keep(r, 0, fmt.Errorf("it names more than %d bytes, shared ones counted each time", abi.MaxDescribe))
	}
}

func keep[T any](r *reader, v T, err error) T {
	if r.err == nil {
		r.err = err
	}
	return v
}

func (r *reader) u32(t flat.Table, id int) uint32 {
	v, err := t.Uint32(id)
	return keep(r, v, err)
}

func (r *reader) u8(t flat.Table, id int, def uint8) uint8 {
	v, err := t.Uint8(id, def)
	return keep(r, v, err)
}

func (r *reader) text(t flat.Table, id, limit int) string {
	v, err := t.String(id, limit)
	r.count(len(v))
	return keep(r, v, err)
}

func (r *reader) tables(t flat.Table, id, limit int) []flat.Table {
	v, err := t.Tables(id, limit)
	r.count(tableBytes * len(v))
	return keep(r, v, err)
}

func (r *reader) operator(t flat.Table) Operator {
	r.nodes = 0
	op := Operator{
		Name:    r.text(t, 0, abi.MaxName),
		Kind:    Kind(r.u8(t, 1, uint8(Map))),
		Doc:     r.text(t, 2, abi.MaxDoc),
		Inputs:  r.ports(t, 3),
		Outputs: r.ports(t, 4),
		Config:  r.fields(t, 5, 1),
	}
	acc, ok, err := t.Table(6)
	if keep(r, ok, err) {
		f := r.field(acc, 1)
		f.Name = accumulatorName
		op.Accumulator = &f
	}
	counters, err := t.Strings(7, abi.MaxCounters, abi.MaxName)
	for _, name := range counters {
		r.count(tableBytes + len(name))
	}
	op.Counters = keep(r, counters, err)
	op.Key = r.fields(t, 8, 1)
	for _, state := range r.tables(t, 9, abi.MaxStates) {
		op.States = append(op.States, r.state(state))
	}
	return op
}

// accumulatorName is the name of the one column of a batch of accumulators, whatever its
// declaration calls it.
const accumulatorName = "accumulator"

func (r *reader) ports(t flat.Table, id int) []Port {
	var ports []Port
	for _, p := range r.tables(t, id, abi.MaxPorts) {
		if r.err != nil {
			return nil
		}
		ports = append(ports, Port{
			Name:    r.text(p, 0, abi.MaxName),
			Fields:  r.fields(p, 1, 1),
			Forward: r.u8(p, 2, 0) != 0,
			Time:    r.u8(p, 3, 0) != 0,

			Broadcast: r.u8(p, 4, 0) != 0,
		})
	}
	return ports
}

func (r *reader) fields(t flat.Table, id, depth int) []abi.Field {
	var fields []abi.Field
	for _, f := range r.tables(t, id, abi.MaxFields) {
		if r.err != nil {
			return nil
		}
		fields = append(fields, r.field(f, depth))
	}
	return fields
}

// field reads a field and its children, so many and so deep.
func (r *reader) field(t flat.Table, depth int) abi.Field {
	if r.nodes++; r.nodes > abi.MaxFields {
		keep(r, 0, fmt.Errorf("it has more than %d fields in all", abi.MaxFields))
		return abi.Field{}
	}
	if depth > abi.MaxNesting {
		keep(r, 0, fmt.Errorf("types are nested more than %d deep", abi.MaxNesting))
		return abi.Field{}
	}
	return abi.Field{
		Name:     r.text(t, 0, abi.MaxName),
		Type:     abi.Type(r.u8(t, 1, uint8(abi.Bool))),
		Scale:    r.u8(t, 2, 0),
		Required: r.u8(t, 3, 0) != 0,
		Children: r.fields(t, 4, depth+1),
		Default:  r.text(t, 5, abi.MaxDoc),
		Doc:      r.text(t, 6, abi.MaxDoc),
	}
}

// check returns an error for an operator that the contract does not allow.
func (op *Operator) check() error {
	if op.Name == "" {
		return fmt.Errorf("it has no name")
	}
	if op.Kind < Map || op.Kind > Table {
		return fmt.Errorf("its kind %d is none that this version knows", op.Kind)
	}
	for _, side := range []struct {
		name  string
		ports []Port
	}{{"input", op.Inputs}, {"output", op.Outputs}} {
		for i := range side.ports {
			if err := checkPort(side.ports, i); err != nil {
				return fmt.Errorf("%s %d: %w", side.name, i, err)
			}
		}
	}
	if err := checkConfig(op.Config); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return op.checkKind()
}

func checkConfig(fields []abi.Field) error {
	if err := (&abi.Schema{Fields: fields}).Check(); err != nil {
		return err
	}
	for i := range fields {
		f := &fields[i]
		if f.Type == abi.List {
			f = &f.Children[0]
		}
		if f.Type == abi.Bytes || f.Type == abi.Struct || f.Type == abi.List {
			return fmt.Errorf("field %q has the type %s; a pipeline can give bool, int32, int64, float64, decimal, string, timestamp and lists of these",
				fields[i].Name, fields[i].TypeString())
		}
	}
	return nil
}

func checkPort(ports []Port, i int) error {
	if i > 0 && ports[i].Name == "" {
		return fmt.Errorf("it has no name; only the first may have none")
	}
	for j := range ports[:i] {
		if ports[j].Name == ports[i].Name {
			return fmt.Errorf("its name %q is used twice", ports[i].Name)
		}
	}
	return ports[i].Schema().Check()
}

func (op *Operator) checkKind() error {
	if op.Kind != Process && (len(op.Key) > 0 || len(op.States) > 0) {
		return fmt.Errorf("a %s has no key and no states", op.Kind)
	}
	for i := range op.Inputs {
		if op.Inputs[i].Broadcast && op.Kind != Process {
			return fmt.Errorf("input %d: a %s has no broadcast inputs", i, op.Kind)
		}
	}
	switch op.Kind {
	case Process:
		if err := op.checkProcess(); err != nil {
			return err
		}
	case Map:
		if len(op.Inputs) != 1 || len(op.Outputs) == 0 {
			return fmt.Errorf("a map has one input and at least one output, not %d and %d", len(op.Inputs), len(op.Outputs))
		}
	case Aggregate:
		if len(op.Inputs) != 1 || len(op.Outputs) != 1 {
			return fmt.Errorf("an aggregate has one input and one output, not %d and %d", len(op.Inputs), len(op.Outputs))
		}
		if op.Accumulator == nil {
			return fmt.Errorf("an aggregate declares its accumulator")
		}
		if op.Outputs[0].Forward || op.Outputs[0].Time {
			return fmt.Errorf("an aggregate's output neither forwards columns nor has an event time of its own")
		}
	}
	if (op.Accumulator != nil) != (op.Kind == Aggregate) {
		return fmt.Errorf("a %s has no accumulator", op.Kind)
	}
	if op.Accumulator != nil {
		acc := &abi.Schema{Fields: []abi.Field{*op.Accumulator}}
		if err := acc.Check(); err != nil {
			return fmt.Errorf("accumulator: %w", err)
		}
	}
	for i, name := range op.Counters {
		if name == "" || slices.Contains(op.Counters[:i], name) {
			return fmt.Errorf("counter %d has the name %q, which is empty or used twice", i, name)
		}
	}
	return nil
}
