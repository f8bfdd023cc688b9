// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package window groups the rows of a stream by key and by windows of event time, and aggregates
// each group.
//
// Windows are tumbling, hopping (they overlap) or cumulating (they grow to their size), and the
// same for all keys. A window [start, end) takes the rows whose event time lies in it. It gives its
// results when the watermark reaches end: one row a key, with the event time end - 1 us, windows in
// order of time, keys in no order. A row that comes after that, but before the watermark reaches end
// plus the allowed lateness, is folded in too, and the updated result of its key follows at once.
// A row all of whose windows are over is late: it goes to the late output. Before a window fires it
// may give early results: of the keys that have changed, each so much processing time; of a key,
// each so many of its rows. What follows an earlier result is a row like it, or an update.
//
// Or each key has windows of its own: sessions, which end when it has had no rows for some time; windows of so many
// rows as they come; or one global window. PerKey is their operator, and that of tumbling windows whose results are not of all their
// rows; Aligned is that of windows that all keys share.
//
// A Trigger says when windows of which each key has its own give results, where that is neither at their end nor by time or rows.
//
// Windows that overlap are sliced: a row is folded into one slice, and a window merges its slices.
//
// All that an operator knows is in its store after Flush, under the key groups of its keys.
package window

import (
	"fmt"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Spec is the windows of a stream with their aggregates. Durations are whole microseconds.
type Spec struct {
	Input *abi.Schema
	// Changes says that the input is a changelog: rows may be taken back.
	Changes bool
	Key     []int // columns of the input; none for one group over all rows

	// Size is how long a window is. With Slide or Step, which are at most Size, windows overlap.
	Size  time.Duration
	Slide time.Duration // hopping windows: one begins each Slide
	Step  time.Duration // cumulating windows: each Size one begins that is Step, 2*Step, ... Size long
	// Offset moves the windows, which begin at multiples of Size, or Slide, since 1970.
	Offset time.Duration
	// Zone is where days begin and end. Size and Slide are days then, each 24 hours but where clocks
	// change. Nil is UTC.
	Zone *time.Location

	// Session is windows that end when a key has had no rows for some time, instead of windows of a Size.
	Session *Session
	// Count is windows of so many rows of a key, and Global one window of all rows of a key, which ends with
	// the input.
	Count  *Count
	Global bool

	Lateness  time.Duration // allowed lateness
	Early     time.Duration // processing time between results of windows that have not fired; 0 for none
	EarlyRows int64         // rows of a key between such results, of tumbling windows; 0 for none
	Updates   Updates
	// Purge says that rows which are in a result are in no later one. Of windows that do not overlap.
	Purge bool
	// Keep is which rows of a window its results are of; nil for all. Of windows that do not overlap, as Purge.
	Keep *Keep
	// Trigger says when there are results; nil for at the end and as Early and EarlyRows say. Of windows that do not
	// overlap, as Purge.
	Trigger    *Trigger
	Aggregates []Aggregate

	// Memory is how many bytes the groups of a subtask may take in memory; 0 is DefaultMemory.
	Memory int64
}

// DefaultMemory is how many bytes the groups of a subtask may take in memory.
const DefaultMemory = 256 << 20

// Updates says how a result comes that replaces an early one, or one before a late row.
type Updates uint8

// The ways.
const (
	Append  Updates = iota // as a row like the first
	Retract                // as the old row, an update before, and the new one, an update after
	Replace                // as the new row, an update after
)

var updatesNames = [...]string{Append: "append", Retract: "retract", Replace: "replace"}

// String returns the name that a pipeline file has.
func (u Updates) String() string { return updatesNames[u] }

// UnmarshalText reads a name.
func (u *Updates) UnmarshalText(text []byte) error {
	i := slices.Index(updatesNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("expected append, retract or replace, not %.40q", text)
	}
	*u = Updates(i)
	return nil
}

// Changelog says whether the results are a changelog.
func (s *Spec) Changelog() bool { return s.Updates != Append }

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
	if err := s.check(); err != nil {
		return nil, err
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

// MaxWindows is how many windows a row may be in, and of how many slices a window may be made: the
// greatest common divisor of its size and its slide is a slice.
const (
	MaxWindows = 10_000
	MaxSlices  = 1_000_000
)

// check returns what is not possible, if anything.
func (s *Spec) check() error {
	if s.PerKey() {
		return s.checkPerKey()
	}
	if err := s.checkSize(); err != nil {
		return err
	}
	switch {
	case s.Lateness < 0 || s.Lateness > MaxSize:
		return fmt.Errorf("the allowed lateness is 0 to %v, not %v", MaxSize, s.Lateness)
	case len(s.Aggregates) == 0:
		return fmt.Errorf("a window has at least one aggregate, such as rows: count()")
	case s.Early < 0 || s.EarlyRows < 0:
		return fmt.Errorf("early results come after some time or some rows, not %v or %d rows", s.Early, s.EarlyRows)
	case s.EarlyRows > 0 && (s.Slide > 0 || s.Step > 0):
		return fmt.Errorf("early results by rows are of tumbling windows; windows that overlap share their rows, and give early results by time")
	case s.EarlyRows > 0 && s.Changes:
		return fmt.Errorf("early results by rows are of rows that are not taken back; a changelog can have early results by time")
	case s.Updates != Append && s.Lateness == 0 && s.Early == 0 && s.EarlyRows == 0 && !s.Changes:
		return fmt.Errorf("no result is updated without lateness and early results")
	}
	for _, a := range s.Aggregates {
		switch {
		case !s.Changes:
		case a.Module != nil:
			return fmt.Errorf("aggregate %q: a module's aggregate can't take rows back, and the input is a changelog; compute it before the input's updates begin", a.Name)
		case !a.Call.Retracts():
			return fmt.Errorf("aggregate %q: %s can't take rows back, and the input is a changelog; use count, sum, avg, min, max or count_distinct", a.Name, a.Call.Function)
		}
	}
	return nil
}

func (s *Spec) checkSize() error {
	switch {
	case s.Size < time.Microsecond || s.Size > MaxSize || s.Size%time.Microsecond != 0:
		return fmt.Errorf("a window has a size of 1us to %v in whole microseconds, not %v", MaxSize, s.Size)
	case s.Slide < 0 || s.Step < 0 || s.Slide > 0 && s.Step > 0:
		return fmt.Errorf("a window slides by %v or cumulates by %v", s.Slide, s.Step)
	case s.Slide%time.Microsecond != 0 || s.Step%time.Microsecond != 0:
		return fmt.Errorf("windows slide and cumulate by whole microseconds, not %v", s.Slide+s.Step)
	case s.Slide > s.Size:
		return fmt.Errorf("windows slide by their size at most, %v, not %v", s.Size, s.Slide)
	case s.Step > 0 && s.Size%s.Step != 0:
		return fmt.Errorf("windows cumulate in steps of which their size, %v, is a multiple, not %v", s.Size, s.Step)
	case s.Slide > 0 && s.Size/s.Slide > MaxWindows || s.Step > 0 && s.Size/s.Step > MaxWindows:
		return fmt.Errorf("a row is in %d windows at most; with a size of %v the slide or step is at least %v, not %v", MaxWindows, s.Size, s.Size/MaxWindows, s.Slide+s.Step)
	case s.Slide > 0 && int64(s.Size/time.Microsecond)/gcd(s.Size.Microseconds(), s.Slide.Microseconds()) > MaxSlices:
		return fmt.Errorf("windows of %v that slide by %v have too little in common; make the size a multiple of the slide", s.Size, s.Slide)
	case s.Zone != nil && (s.Size%day != 0 || s.Slide%day != 0):
		return fmt.Errorf("in a time zone windows are whole days, such as 1d, not %v", s.Size)
	}
	return nil
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
