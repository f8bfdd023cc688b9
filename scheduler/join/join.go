// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package join joins two keyed streams, left (input 0) and right (input 1), over keyed state. Rows
// meet where their keys are equal; a null in a key meets nothing, as in SQL, and a NaN a NaN.
//
// A window join joins the rows that lie in the same window of event time. It gives the results of a
// window when the watermark reaches its end, with the event time end - 1 us. A row all of whose
// windows have been given is late.
//
// An interval join joins a left row with the right rows whose event time is From to To later, both
// bounds included. A pair comes out when its second row comes, with the later of both event times.
// A row without a partner comes out when the watermark has passed the last event time that a partner
// could have had; that, or its own time where it is later, is its event time then, so that it is
// never late. Rows of a semi join have that time too, though they come out as soon as they meet.
// A row before the watermark is late.
//
// A temporal join joins a left row with the version of the right table as of the left row's event
// time: the last right row of the key that is not later. The right stream is a changelog by key, or
// rows each of which replaces the one before it; UpdateBefore rows say nothing and are left out. Of
// versions of one key and time the last to come counts. The left row waits until the watermark has
// passed its time, and keeps it. A left row before the watermark is late. A right row before the
// watermark counts from now on, unless there is a later version that the watermark has reached:
// then it is late. A deletion is forgotten when the watermark has passed it.
//
// A regular join joins all rows, or those that were written within the last TTL of processing time.
// Both inputs may be changelogs, and the output is one unless the join is inner or semi and neither
// input is: a row that comes out without a partner is deleted when one comes, and comes back when
// the last one is deleted. All changes are inserts and deletes. A row that has expired is forgotten
// silently: what came out with it stays. A deletion of a row that the join does not know changes
// nothing and is counted. Its rows have no event time, since they may change at any time.
//
// Where Flink differs: its window join has no column of the window, its interval join in SQL holds
// the watermark back instead of giving rows without a partner a later time, and its regular join
// passes update kinds on.
//
// All that an operator remembers lies in its store (state/FORMAT.md, "Joins"): equal rows of one
// key and time lie there once, with a count. A hot key is read in pages, and results leave in
// batches of bounded size.
package join

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/nearest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// The inputs.
const (
	InputLeft  = 0
	InputRight = 1
)

// The output ports. A regular join has results only.
const (
	PortResults   = 0
	PortLateLeft  = 1 // left rows that came too late, as they came in
	PortLateRight = 2
)

// The columns that a window join adds, named as those of an aggregating window.
const (
	ColumnStart = "window_start"
	ColumnEnd   = "window_end"
)

// Type says what comes out besides pairs, or instead of them.
type Type uint8

// The types.
const (
	Inner Type = iota // pairs
	Left              // and left rows without a partner, padded with nulls
	Right             // and right rows without a partner
	Full              // and both
	Semi              // left rows that have a partner, alone
	Anti              // left rows that have none, alone
)

var typeNames = []string{Inner: "inner", Left: "left", Right: "right", Full: "full", Semi: "semi", Anti: "anti"}

// TypeNames returns the names of all types.
func TypeNames() []string { return append([]string(nil), typeNames...) }

// String returns the type's name in a pipeline file.
func (t Type) String() string {
	if int(t) >= len(typeNames) {
		return fmt.Sprintf("type(%d)", uint8(t))
	}
	return typeNames[t]
}

// UnmarshalText reads the type's name.
func (t *Type) UnmarshalText(text []byte) error {
	for i, name := range typeNames {
		if name == string(text) {
			*t = Type(i)
			return nil
		}
	}
	hint := ""
	if meant := nearest.Name(string(text), typeNames); meant != "" {
		hint = fmt.Sprintf("; did you mean %q?", meant)
	}
	return fmt.Errorf("a join is %s, not %.40q%s", strings.Join(typeNames, ", "), text, hint)
}

// pairs says whether pairs come out, not left rows alone.
func (t Type) pairs() bool { return t <= Full }

// outer says whether rows of an input come out that have no partner.
func (t Type) outer(input int) bool {
	if input == InputLeft {
		return t == Left || t == Full || t == Anti
	}
	return t == Right || t == Full
}

// tracks says whether it has to be known of rows of an input whether they have met a partner.
func (t Type) tracks(input int) bool { return t.outer(input) || t == Semi && input == InputLeft }

// Spec is a join. Exactly one of Window, Interval, Temporal and Regular is set.
type Spec struct {
	Type   Type
	Inputs [2]Input
	// Prefix comes before the name of a right column that a left one has too. Default: DefaultPrefix.
	Prefix string

	Window   *Window
	Interval *Interval
	Temporal bool
	Regular  *Regular
}

// DefaultPrefix is the Prefix of a Spec that has none.
const DefaultPrefix = "right_"

// Input is a side of a join.
type Input struct {
	Schema *abi.Schema
	// Key has the columns of the key, in the same order and of the same types on both sides.
	Key []int
	// Changes says that rows may be updates and deletions. Of a regular join, and of the right
	// side of a temporal one.
	Changes bool
}

// Window says which rows of a window join meet.
type Window struct {
	Size time.Duration // whole microseconds, at least 1
	// Slide is from one window's begin to the next one's, at most Size. 0: Size, so that windows
	// tumble.
	Slide  time.Duration
	Offset time.Duration // windows begin at multiples of Slide plus Offset since 1970 UTC
}

// Interval says which right rows a left row of an interval join meets: those whose event time is
// From to To later. Both may be negative, in whole microseconds.
type Interval struct{ From, To time.Duration }

// Regular says how long a regular join keeps rows.
type Regular struct {
	TTL time.Duration // processing time since a row was last written; 0: for ever
}

// MaxSpan is the longest duration of a join in event time: 250 years either way.
const MaxSpan = 250 * 365 * 24 * time.Hour

// Output returns the schema of the results: the columns of the left rows, then, where pairs come
// out, of the right ones, then of a window join window_start and window_end, as far as there are no columns of
// these names yet. An error says what of the spec is not possible.
func (s *Spec) Output() (*abi.Schema, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	left := s.Inputs[InputLeft].Schema
	out := &abi.Schema{Fields: append([]abi.Field(nil), left.Fields...)}
	if s.Type.pairs() {
		for _, f := range s.Inputs[InputRight].Schema.Fields {
			if left.Index(f.Name) >= 0 {
				f.Name = s.prefix() + f.Name
			}
			if out.Index(f.Name) >= 0 {
				return nil, fmt.Errorf("the results have two columns %q; choose another prefix than %q for the right ones", f.Name, s.prefix())
			}
			out.Fields = append(out.Fields, f)
		}
	}
	if s.Window != nil {
		for _, name := range []string{ColumnStart, ColumnEnd} {
			if out.Index(name) < 0 {
				out.Fields = append(out.Fields, abi.Field{Name: name, Type: abi.Timestamp})
			}
		}
	}
	return out, out.Check()
}

func (s *Spec) prefix() string {
	if s.Prefix == "" {
		return DefaultPrefix
	}
	return s.Prefix
}

// Changes says whether the results are a changelog.
func (s *Spec) Changes() bool {
	return s.Regular != nil && (s.Type != Inner && s.Type != Semi || s.Inputs[InputLeft].Changes || s.Inputs[InputRight].Changes)
}

// Pairs says whether the results have the columns of both inputs, not of the left one only.
func (s *Spec) Pairs() bool { return s.Type.pairs() }

// Late says whether the join has outputs of late rows.
func (s *Spec) Late() bool { return s.Regular == nil }

func (s *Spec) check() error {
	kinds := 0
	for _, set := range []bool{s.Window != nil, s.Interval != nil, s.Temporal, s.Regular != nil} {
		if set {
			kinds++
		}
	}
	left, right := &s.Inputs[InputLeft], &s.Inputs[InputRight]
	switch {
	case kinds != 1:
		return errors.New("a join is one of window, interval, temporal and regular")
	case int(s.Type) >= len(typeNames):
		return fmt.Errorf("there is no join type number %d", s.Type)
	case len(left.Key) == 0 || len(left.Key) != len(right.Key):
		return fmt.Errorf("the left rows have a key of %d columns and the right ones of %d; there is at least one, and as many on both sides", len(left.Key), len(right.Key))
	case s.Temporal && s.Type != Inner && s.Type != Left:
		return fmt.Errorf("a temporal join is inner or left, not %s", s.Type)
	case s.Regular == nil && left.Changes:
		return errors.New("the left rows are a changelog; only a regular join takes one")
	case s.Regular == nil && !s.Temporal && right.Changes:
		return errors.New("the right rows are a changelog; only a regular or a temporal join takes one")
	}
	for i := range left.Key {
		l, r := &left.Schema.Fields[left.Key[i]], &right.Schema.Fields[right.Key[i]]
		if !l.SameType(r) {
			return fmt.Errorf("column %q is of type %s and %q of type %s; what is joined has the same type", l.Name, l.TypeString(), r.Name, r.TypeString())
		}
	}
	return s.checkTimes()
}

func (s *Spec) checkTimes() error {
	in := func(what string, t, least time.Duration) error {
		if t < least || t > MaxSpan || t%time.Microsecond != 0 {
			return fmt.Errorf("%s is %v; it can be %v to %v, in whole microseconds", what, t, least, MaxSpan)
		}
		return nil
	}
	switch {
	case s.Window != nil:
		w := s.Window
		slide := w.Slide
		if slide == 0 {
			slide = w.Size
		}
		if err := errors.Join(in("the size of the window", w.Size, time.Microsecond), in("its slide", slide, time.Microsecond), in("its offset", w.Offset, -MaxSpan)); err != nil {
			return err
		}
		if w.Slide > w.Size {
			return fmt.Errorf("the window slides by %v and has a size of %v, so that rows would lie in none", w.Slide, w.Size)
		}
	case s.Interval != nil:
		i := s.Interval
		if err := errors.Join(in("from", i.From, -MaxSpan), in("to", i.To, -MaxSpan)); err != nil {
			return err
		}
		if i.From > i.To {
			return fmt.Errorf("the interval is from %v to %v, which is before", i.From, i.To)
		}
	case s.Regular != nil:
		return in("ttl", s.Regular.TTL, 0)
	}
	return nil
}

// New returns the operator of a spec, for one subtask.
func New(ctx operator.Context, spec Spec) (operator.Stateful, error) {
	schema, err := spec.Output()
	if err != nil {
		return nil, err
	}
	if ctx.State == nil {
		return nil, fmt.Errorf("join: node %q is made without a store", ctx.Node)
	}
	b := newBase(ctx, spec, schema)
	switch {
	case spec.Window != nil:
		return newWindowJoin(b), nil
	case spec.Interval != nil:
		return newIntervalJoin(b), nil
	case spec.Temporal:
		return newTemporalJoin(b), nil
	}
	return newRegularJoin(b, ctx), nil
}
