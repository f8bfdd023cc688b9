// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package window groups the rows of a stream by key and by windows of event time, and aggregates
// each group.
//
// A tumbling window [start, end) takes the rows whose event time lies in it. It gives its results
// when the watermark reaches end: one row a key, with the event time end - 1 us, windows in
// order of time, keys in the order in which they first came. A row that comes after that, but
// before the watermark reaches end plus the allowed lateness, is folded in too, and the updated
// result of its key follows at once. A later one is late: it goes to the late output.
package window

import (
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Spec is a tumbling window with its aggregates.
type Spec struct {
	Input      *abi.Schema
	Key        []int         // columns of the input; none for one group over all rows
	Size       time.Duration // a whole number of microseconds, at least 1
	Offset     time.Duration // windows begin at multiples of Size plus Offset since 1970 UTC
	Lateness   time.Duration // allowed lateness
	Aggregates []Aggregate
}

// Aggregate is a column that a window produces. Exactly one of Call and Module is set.
type Aggregate struct {
	Name   string // of the column
	Call   *aggregate.Call
	Module *ModuleAggregate
}

// ModuleAggregate is an aggregate of a user's module.
type ModuleAggregate struct {
	Fields []abi.Field // what it produces: one becomes the column itself, several a struct
	New    func(operator.Context) (operator.Aggregate, error)
}

// The output ports of a window.
const (
	PortResults = 0
	PortLate    = 1 // rows that came too late, as they came in
)

// The columns that a window adds between its key and its aggregates.
const (
	ColumnStart = "window_start"
	ColumnEnd   = "window_end"
)

// MaxSize is the longest window and the longest allowed lateness: 250 years, which a
// time.Duration still holds.
const MaxSize = 250 * 365 * 24 * time.Hour

// Output returns the schema of the results: the key columns, window_start and window_end, then
// the aggregates. An error names the aggregate or the setting that is not possible.
func (s *Spec) Output() (*abi.Schema, error) {
	switch {
	case s.Size < time.Microsecond || s.Size > MaxSize || s.Size%time.Microsecond != 0:
		return nil, fmt.Errorf("a window has a size of 1us to %v in whole microseconds, not %v", MaxSize, s.Size)
	case s.Lateness < 0 || s.Lateness > MaxSize:
		return nil, fmt.Errorf("the allowed lateness is 0 to %v, not %v", MaxSize, s.Lateness)
	case len(s.Aggregates) == 0:
		return nil, fmt.Errorf("a window has at least one aggregate, such as rows: count()")
	}
	out := &abi.Schema{}
	for _, col := range s.Key {
		out.Fields = append(out.Fields, s.Input.Fields[col])
	}
	out.Fields = append(out.Fields,
		abi.Field{Name: ColumnStart, Type: abi.Timestamp}, abi.Field{Name: ColumnEnd, Type: abi.Timestamp})
	modules := 0
	for _, a := range s.Aggregates {
		f, err := a.field(s.Input)
		if err != nil {
			return nil, fmt.Errorf("aggregate %q: %w", a.Name, err)
		}
		if a.Module != nil {
			modules++
		}
		f.Name = a.Name
		out.Fields = append(out.Fields, f)
	}
	if modules > 1 {
		// Each may fail a row that another one has already folded in.
		return nil, fmt.Errorf("a window has at most one aggregate of a module; use a second window for the other")
	}
	if err := out.Check(); err != nil {
		return nil, err
	}
	return out, nil
}

func (a *Aggregate) field(in *abi.Schema) (abi.Field, error) {
	switch {
	case a.Call != nil:
		return a.Call.Output(in)
	case len(a.Module.Fields) == 1:
		return a.Module.Fields[0], nil
	}
	return abi.Field{Type: abi.Struct, Children: a.Module.Fields}, nil
}
