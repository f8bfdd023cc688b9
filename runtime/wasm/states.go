// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"errors"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
)

// states are the states of a process, and what the call at hand does with them. What is written is in the
// store at once, behind a journal that can take it back; timers are kept until the call is done.
type states struct {
	op      *describe.Operator
	pool    *batch.Pool
	limits  *Limits
	store   state.Store
	journal *journal
	list    []*keptState
	names   func(key []byte) string // a key, for people
	timers  pendingTimers
	clocks  map[bool]*kind.Clock            // by whether it goes by event time; those that a state needs
	schemas func(number uint32) *abi.Schema // of what can be put

	// Of the call at hand.
	keys      *keys
	broadcast bool // it is one with rows of a broadcast input
	wrote     bool // the guest has put something
	left      allowance
	scans     []scan
	incoming  batch.Message // what the guest handed over last
	answer    batch.Message

	// Scratch.
	rowKeys  []kind.Key
	encoded  []byte
	mapKeys  state.Strings
	values   state.Strings
	missing  []uint32 // rows of the answer that are not there
	reducing *keptState
	failure  error       // of a merge
	merge    state.Merge // setValue, mergeRow: made once
	reduce   state.Merge
}

// keptState is one state.
type keptState struct {
	number  int
	d       *describe.State
	stored  *abi.Schema // of its rows: a map's key, then the fields
	request func(number uint32) *abi.Schema
	chunk   int // of rows that are read at a time

	value   *kind.Value // also of a reducing state
	rows    *kind.List
	entries *kind.Map
	builder *batch.Builder
}

// unkeyed is the key of state that belongs to no key.
var unkeyed = kind.Key{Group: state.Unkeyed}

// newStates returns the states over the store of a subtask, each under the number that declared gives it.
func newStates(op *describe.Operator, c *operator.Context, limits *Limits, names func([]byte) string, ids []state.ID) (*states, error) {
	s := &states{
		op: op, pool: c.Pool, limits: limits, store: c.State, names: names,
		journal: newJournal(c.State, int(limits.StateBytes)), clocks: map[bool]*kind.Clock{},
	}
	s.merge, s.reduce, s.schemas = s.setValue, s.mergeRow, s.puttable
	for i := range op.States {
		k, err := s.make(i, ids[i])
		if err != nil {
			return nil, err
		}
		s.list = append(s.list, k)
	}
	return s, nil
}

func (s *states) make(number int, id state.ID) (*keptState, error) {
	d := &s.op.States[number]
	k := &keptState{number: number, d: d, chunk: chunk(d), stored: &abi.Schema{Fields: d.StoredFields()}}
	k.request = only(uint32(abi.SchemaRequest+number), &abi.Schema{Fields: d.Key})
	k.builder = s.pool.NewBuilder(k.stored)
	ttl := kind.TTL{After: d.TTL.After.Microseconds(), Renew: kind.Renew(d.TTL.Renew)}
	if ttl.After > 0 {
		var err error
		if ttl.Clock, err = s.clock(d.TTL.EventTime); err != nil {
			return nil, err
		}
	}
	switch d.Kind {
	case describe.List:
		k.rows = kind.NewList(s.journal, id, ttl, abi.MaxListRows)
	case describe.MapState:
		k.entries = kind.NewMap(s.journal, id, ttl)
	default:
		k.value = kind.NewValue(s.journal, id, ttl)
	}
	return k, nil
}

// clock returns the clock of times to live of one kind.
func (s *states) clock(event bool) (*kind.Clock, error) {
	if s.clocks[event] != nil {
		return s.clocks[event], nil
	}
	c := kind.ProcessingTime()
	if event {
		var err error
		if c, err = kind.EventTime(s.store); err != nil {
			return nil, err
		}
	}
	s.clocks[event] = c
	return c, nil
}

// sweeper returns a sweeper of the states whose time to live goes by one clock, nil where none does.
func (s *states) sweeper(event bool) *kind.Sweeper {
	var swept []kind.Swept
	for _, k := range s.list {
		if k.d.TTL.After == 0 || k.d.TTL.EventTime != event {
			continue
		}
		switch {
		case k.rows != nil:
			swept = append(swept, k.rows)
		case k.entries != nil:
			swept = append(swept, k.entries)
		default:
			swept = append(swept, k.value)
		}
	}
	if swept == nil {
		return nil
	}
	return kind.NewSweeper(s.journal, swept...)
}

// begin prepares for a call. keys may have none.
func (s *states) begin(k *keys, broadcast bool) {
	s.keys, s.broadcast, s.wrote = k, broadcast, false
	s.left = allowance{left: s.limits.StateBytes, limit: s.limits.StateBytes}
	s.timers.reset()
	s.drop()
	s.journal.begin()
}

// drop lets go of what the call had at hand.
func (s *states) drop() {
	s.forget()
	if s.incoming.Batch != nil {
		s.incoming.Batch.Release()
		s.incoming = batch.Message{}
	}
	s.scans = s.scans[:0]
	empty(&s.values)
	empty(&s.mapKeys)
}

// mostScratch is how much memory of a list that a call has filled is kept for the next one.
const mostScratch = 16 << 20

// empty empties a list, and lets go of its memory where that is much.
func empty(list *state.Strings) {
	if list.Size() > mostScratch {
		*list = state.Strings{}
	}
	list.Reset()
}

// forget lets go of the last result.
func (s *states) forget() {
	if s.answer.Batch != nil {
		s.answer.Batch.Release()
		s.answer = batch.Message{}
	}
}

// keep ends a call whose work stays; its timers are still to be set.
func (s *states) keep() {
	s.drop()
	s.journal.keep()
}

// takeBack ends a call that is undone.
func (s *states) takeBack() error {
	s.drop()
	s.timers.reset()
	if err := s.journal.takeBack(); err != nil {
		return &storeError{err}
	}
	return nil
}

// storeError is a store that can't go on. Nobody's row and nobody's module is at fault.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }

func (e *storeError) Unwrap() error { return e.err }

// blame says whose fault an error of a state is: what the guest asked for, or the store.
func (s *states) blame(k *keptState, err error) error {
	var limit *kind.LimitError
	var size *state.SizeError
	var changed *journalError
	switch {
	case err == nil || errors.As(err, new(*breach)) || errors.As(err, new(*storeError)):
		return err
	case errors.As(err, &limit):
		return breachf("list %q has %d rows of the key %s, the most there can be: clear it, or give it a time to live", k.d.Name, limit.Most, s.names(limit.Key.Key))
	case errors.As(err, &size):
		return breachf("state %q: a %s of %d bytes; at most %d are possible", k.d.Name, size.What, size.Size, size.Most)
	case errors.As(err, &changed):
		return &breach{changed}
	}
	return &storeError{fmt.Errorf("state %q: %w", k.d.Name, err)}
}

// puttable returns the schema of what may be put.
func (s *states) puttable(number uint32) *abi.Schema {
	switch at := int64(number) - abi.SchemaState; {
	case number == abi.SchemaEventTimer || number == abi.SchemaProcessingTimer:
		return timerSchema
	case at >= 0 && at < int64(len(s.list)):
		return s.list[at].stored
	}
	return nil
}

// state returns the state with a number.
func (s *states) state(number uint32, what string) (*keptState, error) {
	if uint64(number) >= uint64(len(s.list)) {
		return nil, breachf("it called %s with state %d; its description has %d", what, number, len(s.list))
	}
	return s.list[number], nil
}

// key returns the key that a key number of the call stands for.
func (s *states) key(k *keptState, number uint32) (kind.Key, error) {
	if k.d.Scope != describe.ScopeKey {
		return unkeyed, nil
	}
	if uint64(number) >= uint64(len(s.keys.keys)) {
		if s.broadcast {
			return kind.Key{}, breachf("it used state %q, which is kept by key, in a call with rows of a broadcast input, which have no key", k.d.Name)
		}
		return kind.Key{}, breachf("it named key number %d of state %q; the call has %d keys", number, k.d.Name, len(s.keys.keys))
	}
	return s.keys.keys[number], nil
}

// asked returns the key of each row of a message, nil being one row of each key.
func (s *states) asked(k *keptState, m *batch.Message) ([]kind.Key, error) {
	s.rowKeys = s.rowKeys[:0]
	if m == nil {
		if k.d.Scope != describe.ScopeKey {
			return append(s.rowKeys, unkeyed), nil
		}
		if s.broadcast {
			_, err := s.key(k, 0)
			return nil, err
		}
		return s.keys.keys, nil
	}
	rows := m.Batch.Rows()
	if k.d.Scope == describe.ScopeKey && m.Group == nil && rows > 0 {
		return nil, breachf("a batch of %d rows of state %q does not say by group which key each has", rows, k.d.Name)
	}
	for row := range rows {
		number := uint32(0)
		if m.Group != nil {
			number = m.Group[row]
		}
		key, err := s.key(k, number)
		if err != nil {
			return nil, err
		}
		s.rowKeys = append(s.rowKeys, key)
	}
	return s.rowKeys, nil
}
