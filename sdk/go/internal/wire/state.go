// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

// State is a state that a process declares.
type State struct {
	Name   string
	Kind   StateKind
	Doc    string
	Fields []Field
	Key    []Field // of a map
	Merge  []byte  // of a reducing state, one a field
	Scope  Scope
	TTL    TTL
}

// StateKind says how many rows a state has of a key, and what putting one does.
type StateKind uint8

// The kinds of state.
const (
	ValueState StateKind = iota + 1
	ListState
	MapState
	ReducingState
)

// Scope says whose rows a state has.
type Scope uint8

// The scopes.
const (
	ScopeKey Scope = iota
	ScopeOperator
	ScopeBroadcast
)

// How a field of a reducing state takes a value.
const (
	MergeAdd byte = iota + 1
	MergeMin
	MergeMax
	MergeAppend
)

// TTL says when a row of a state is forgotten.
type TTL struct {
	After     int64 // microseconds; 0: never
	Renew     Renew
	EventTime bool
}

// Renew says what a time to live counts from.
type Renew uint8

// What a time to live counts from.
const (
	RenewCreate Renew = iota
	RenewWrite
	RenewReadAndWrite
)

func (w *writer) state(s *State) int {
	return w.table(text(s.Name), scalar(uint32(s.Kind)), text(s.Doc), w.fields(s.Fields), w.fields(s.Key), bytes(s.Merge),
		scalar(uint32(s.Scope)), wide(s.TTL.After), scalar(uint32(s.TTL.Renew)), flag(s.TTL.EventTime))
}
