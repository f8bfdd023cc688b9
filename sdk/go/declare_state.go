// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// stateField is a state of an operator, or a field by which it sets timers.
type stateField struct {
	offset uintptr
	kind   wire.StateKind // 0 of timers
	timer  uint32         // of timers, their schema
	stored *row.Codec
	key    *row.Codec // of a map
	slice  reflect.Type
}

// stateTypes are the names of the types of state, in the order of their kinds.
var stateTypes = [...]string{"ValueState[", "ListState[", "MapState[", "ReducingState["}

// isState says whether a field of a type is a state or sets timers.
func isState(t reflect.Type) bool { return stateKind(t) != 0 || timerSchema(t) != 0 }

// stateKind returns the kind of state that a type is, 0 where it is none.
func stateKind(t reflect.Type) wire.StateKind {
	for i, name := range stateTypes {
		if row.Is(t, name) {
			return wire.StateKind(i + 1)
		}
	}
	return 0
}

// timerSchema returns the schema of the timers that a type sets, 0 where it sets none.
func timerSchema(t reflect.Type) uint32 {
	switch {
	case row.Is(t, "EventTimers"):
		return wire.SchemaEventTimer
	case row.Is(t, "ProcessingTimers"):
		return wire.SchemaProcessingTimer
	}
	return 0
}

// keeps is the keeping of a process.
type keeps struct{}

// declare takes in a field that is a state or sets timers.
func (keeps) declare(d *declaration, f reflect.StructField) error {
	kind, timer := stateKind(f.Type), timerSchema(f.Type)
	if timer != 0 {
		d.states = append(d.states, stateField{offset: f.Offset, timer: timer})
		return nil
	}
	name, options := row.Tag(f)
	s := wire.State{Name: name, Kind: kind, Doc: f.Tag.Get("doc")}
	var operator, broadcast bool
	operator, options = row.Option(options, "operator")
	broadcast, options = row.Option(options, "broadcast")
	switch {
	case operator && broadcast:
		return errors.New("a state has the option operator or broadcast, not both")
	case operator:
		s.Scope = wire.ScopeOperator
	case broadcast:
		s.Scope = wire.ScopeBroadcast
	}
	at := stateField{offset: f.Offset, kind: kind, slice: f.Type.Field(1).Type}
	if err := at.parts(&s, options, f.Tag.Get("merge")); err != nil {
		return err
	}
	var err error
	if s.TTL, err = parseTTL(f.Tag.Get("ttl")); err != nil {
		return err
	}
	d.states = append(d.states, at)
	d.wire.States = append(d.wire.States, s)
	return nil
}

// parts reads the types of a state's rows.
func (at *stateField) parts(s *wire.State, options []string, merge string) error {
	for _, option := range options {
		if !strings.HasPrefix(option, "scale=") {
			return errors.New("unknown option \"" + option + "\" in its tag; there are operator, broadcast and scale=0 to scale=18")
		}
	}
	t := at.slice.Elem()
	parts := []row.Part{{Type: t, Name: "value", Options: options, Merge: merge}}
	if at.kind == wire.MapState {
		key, value := t.Field(0), t.Field(1)
		parts = []row.Part{
			{Type: key.Type, Offset: key.Offset, Name: "key", Options: options},
			{Type: value.Type, Offset: value.Offset, Name: "value", Options: options},
		}
		var err error
		if at.key, err = row.OfParts(t.Size(), parts[0]); err != nil {
			return err
		}
		if !at.key.Scalar() {
			return errors.New("the key of a map has no list and no struct in it")
		}
		s.Key = at.key.Fields
	}
	var err error
	if at.stored, err = row.OfParts(t.Size(), parts...); err != nil {
		return err
	}
	if len(options) > 0 && !at.stored.Has(wire.Decimal) {
		return errors.New("the option " + options[0] + " in its tag is of a Decimal, and there is none")
	}
	s.Fields = at.stored.Fields[len(s.Key):]
	if len(at.stored.Fields) == 0 || at.key != nil && len(s.Key) == 0 {
		return errors.New(t.String() + " has no field that would be a column")
	}
	return at.merges(s)
}

// merges reads how the columns of a reducing state are merged.
func (at *stateField) merges(s *wire.State) error {
	names := map[string]byte{"add": wire.MergeAdd, "min": wire.MergeMin, "max": wire.MergeMax, "append": wire.MergeAppend}
	for _, n := range at.stored.Nodes {
		how, ok := names[n.Merge]
		switch {
		case s.Kind == wire.ReducingState && !ok:
			return errors.New("column " + n.Name + " of a ReducingState needs a tag that says how it is merged: `merge:\"add\"`, min, max or append")
		case s.Kind == wire.ReducingState:
			s.Merge = append(s.Merge, how)
		case n.Merge != "":
			return errors.New("column " + n.Name + " says how it is merged; only a ReducingState merges")
		}
	}
	return nil
}

// units are the units of a time to live, in microseconds: of two that fit, the first leaves no number.
var units = [...]struct {
	name   string
	micros int64
}{{"us", 1}, {"ms", 1000}, {"s", 1_000_000}, {"m", 60_000_000}, {"h", 3_600_000_000}, {"d", 86_400_000_000}}

// parseTTL reads the tag ttl: "1h", "1h,write", "1h,read,event_time".
func parseTTL(tag string) (ttl wire.TTL, err error) {
	if tag == "" {
		return ttl, nil
	}
	words := strings.Split(tag, ",")
	for _, u := range units {
		digits, ok := strings.CutSuffix(words[0], u.name)
		if n, e := strconv.ParseInt(digits, 10, 64); ok && e == nil && n > 0 && n <= 1<<53/u.micros {
			ttl.After = n * u.micros
		}
	}
	if ttl.After == 0 {
		return ttl, errors.New("ttl is \"" + tag + "\"; it begins with a number and a unit of us, ms, s, m, h or d, such as 90s")
	}
	for _, word := range words[1:] {
		switch word {
		case "create":
			ttl.Renew = wire.RenewCreate
		case "write":
			ttl.Renew = wire.RenewWrite
		case "read":
			ttl.Renew = wire.RenewReadAndWrite
		case "event_time":
			ttl.EventTime = true
		default:
			return ttl, errors.New("ttl has the word \"" + word + "\"; there are create, write, read and event_time")
		}
	}
	return ttl, nil
}

// open hands an operator its states.
func (keeps) open(d *declaration, c *call, op unsafe.Pointer) {
	number := uint32(0)
	for i := range d.states {
		f := &d.states[i]
		at := unsafe.Add(op, f.offset)
		if f.timer != 0 {
			t := (*timers)(at)
			t.call, t.schema = c, f.timer
			c.keepers = append(c.keepers, t)
			continue
		}
		declared := &d.wire.States[number]
		s := state{
			call: c, number: number, name: declared.Name, scope: declared.Scope,
			stored: f.stored, slice: f.slice, borrows: f.stored.Borrows(),
		}
		if s.scope == wire.ScopeKey {
			s.mask = ^uint32(0)
		}
		c.keepers = append(c.keepers, f.open(at, s))
		number++
	}
}

// open makes a field a state.
func (at *stateField) open(field unsafe.Pointer, s state) keeper {
	switch at.kind {
	case wire.ValueState:
		v := (*valueState)(field)
		v.state = s
		return v
	case wire.MapState:
		m := (*mapState)(field)
		t := at.slice.Elem()
		m.state, m.keys, m.values = s, at.key, at.stored.Behind(len(at.key.Fields))
		m.group, m.flags = t.Field(2).Offset, t.Field(3).Offset
		m.exact, m.nulls = !at.key.Has(wire.Float64), at.key.Nullable() // NaN is not equal to itself
		return m
	}
	p := (*puts)(field)
	p.state = s
	return p
}
