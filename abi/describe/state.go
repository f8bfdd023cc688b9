// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/internal/flat"
)

// State is a state that an operator of kind process declares.
type State struct {
	Name   string
	Kind   StateKind
	Doc    string
	Fields []abi.Field
	Key    []abi.Field // of a map
	Merge  []Merge     // of a reducing state, one a field
	Scope  Scope
	TTL    TTL
}

// StateKind says how many rows a state has of a key, and what putting one does.
type StateKind uint8

// The kinds of state.
const (
	Value StateKind = iota + 1
	List
	MapState
	Reducing
)

var stateKindNames = [...]string{Value: "value", List: "list", MapState: "map", Reducing: "reducing"}

// String returns the kind's name in the documentation.
func (k StateKind) String() string {
	if k < Value || k > Reducing {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return stateKindNames[k]
}

// Scope says whose rows a state has.
type Scope uint8

// The scopes.
const (
	ScopeKey       Scope = iota // of each key
	ScopeOperator               // of the subtask
	ScopeBroadcast              // the same on each subtask
)

// Merge says how a field of a reducing state takes a value that is put.
type Merge uint8

// The merges. Null leaves the field as it is.
const (
	MergeAdd Merge = iota + 1
	MergeMin
	MergeMax
	MergeAppend // strings, bytes and lists, end to end
)

// TTL says when a row of a state is forgotten.
type TTL struct {
	After     time.Duration // 0: never
	Renew     Renew
	EventTime bool // by the watermark; else by processing time
}

// Renew says what a time to live counts from.
type Renew uint8

// What a time to live counts from.
const (
	RenewCreate Renew = iota
	RenewWrite
	RenewReadAndWrite
)

// StoredFields returns the columns of a batch of the state's rows: a map's key, then the fields.
func (s *State) StoredFields() []abi.Field {
	return append(append([]abi.Field(nil), s.Key...), s.Fields...)
}

// maxTTL is the longest time to live, in microseconds: what a time.Duration holds.
const maxTTL = int64(1<<63-1) / int64(time.Microsecond)

func (r *reader) state(t flat.Table) State {
	s := State{
		Name:   r.text(t, 0, abi.MaxName),
		Kind:   StateKind(r.u8(t, 1, uint8(Value))),
		Doc:    r.text(t, 2, abi.MaxDoc),
		Fields: r.fields(t, 3, 1),
		Key:    r.fields(t, 4, 1),
		Scope:  Scope(r.u8(t, 6, 0)),
	}
	merges, err := t.Bytes(5, abi.MaxFields)
	for _, m := range keep(r, merges, err) {
		s.Merge = append(s.Merge, Merge(m))
	}
	ttl, err := t.Int64(7)
	if ttl = keep(r, ttl, err); ttl < 0 || ttl > maxTTL {
		keep(r, 0, fmt.Errorf("state %q: its time to live is %d us; it can be 0 to %d", s.Name, ttl, maxTTL))
		return s
	}
	s.TTL = TTL{After: time.Duration(ttl) * time.Microsecond, Renew: Renew(r.u8(t, 8, 0)), EventTime: r.u8(t, 9, 0) != 0}
	return s
}

// checkProcess returns an error for a process that the contract does not allow.
func (op *Operator) checkProcess() error {
	keyed := 0
	for i := range op.Inputs {
		p := &op.Inputs[i]
		if p.Broadcast {
			continue
		}
		keyed++
		for j := range op.Key {
			k := &op.Key[j]
			at := p.Schema().Index(k.Name)
			switch {
			case at < 0:
				return fmt.Errorf("input %d: it lacks the key's field %q", i, k.Name)
			case !p.Fields[at].SameType(k):
				return fmt.Errorf("input %d: field %q is of type %s, in the key of type %s", i, k.Name, p.Fields[at].TypeString(), k.TypeString())
			}
		}
	}
	if keyed < 1 || keyed > 2 || len(op.Outputs) == 0 {
		return fmt.Errorf("a process has one or two keyed inputs and at least one output, not %d and %d", keyed, len(op.Outputs))
	}
	if err := (&abi.Schema{Fields: op.Key}).Check(); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	for i := range op.States {
		if err := op.States[i].check(); err != nil {
			return fmt.Errorf("state %d %q: %w", i, op.States[i].Name, err)
		}
		for _, other := range op.States[:i] {
			if other.Name == op.States[i].Name {
				return fmt.Errorf("state %d: its name %q is used twice", i, other.Name)
			}
		}
	}
	return nil
}

func (s *State) check() error {
	switch {
	case s.Name == "":
		return fmt.Errorf("it has no name")
	case s.Kind < Value || s.Kind > Reducing:
		return fmt.Errorf("its kind %d is none that this version knows", s.Kind)
	case s.Scope > ScopeBroadcast:
		return fmt.Errorf("its scope %d is none that this version knows", s.Scope)
	case s.TTL.Renew > RenewReadAndWrite:
		return fmt.Errorf("its renew %d is none that this version knows", s.TTL.Renew)
	case (s.Kind == MapState) != (len(s.Key) > 0):
		return fmt.Errorf("a map has key fields, any other state has none")
	}
	if err := (&abi.Schema{Fields: s.StoredFields()}).Check(); err != nil {
		return err
	}
	for i := range s.Key {
		if t := s.Key[i].Type; t == abi.List || t == abi.Struct {
			return fmt.Errorf("key field %q is of type %s; a map's key can't be a list or a struct", s.Key[i].Name, s.Key[i].TypeString())
		}
	}
	if s.Kind != Reducing {
		if len(s.Merge) > 0 {
			return fmt.Errorf("a %s state merges nothing", s.Kind)
		}
		return nil
	}
	if len(s.Merge) != len(s.Fields) {
		return fmt.Errorf("it has %d fields and says of %d how they are merged", len(s.Fields), len(s.Merge))
	}
	for i, m := range s.Merge {
		if err := m.check(&s.Fields[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m Merge) check(f *abi.Field) error {
	ok := false
	switch m {
	case MergeAdd:
		ok = f.Type == abi.Int32 || f.Type == abi.Int64 || f.Type == abi.Float64 || f.Type == abi.Decimal
	case MergeMin, MergeMax:
		ok = f.Type != abi.List && f.Type != abi.Struct
	case MergeAppend:
		ok = f.Type == abi.String || f.Type == abi.Bytes || f.Type == abi.List
	default:
		return fmt.Errorf("field %q: its merge %d is none that this version knows", f.Name, m)
	}
	if !ok {
		return fmt.Errorf("field %q of type %s can't be merged so", f.Name, f.TypeString())
	}
	return nil
}
