// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"fmt"

	"github.com/wasmill/wasmill/state"
)

// Swept is a state that a Sweeper cleans: a *Value, a *Map or a *List.
type Swept interface {
	base() *entries
	// removed says that so many entries of a key were removed.
	removed(key Key, entries int) error
	// counts says whether an entry with that namespace is a row.
	counts(namespace []byte) bool
}

var (
	_ Swept = (*Value)(nil)
	_ Swept = (*Map)(nil)
	_ Swept = (*List)(nil)
)

func (e *entries) base() *entries         { return e }
func (e *entries) removed(Key, int) error { return nil }
func (e *entries) counts([]byte) bool     { return true }

func (l *List) removed(key Key, entries int) error { return l.uncount(key, entries) }
func (l *List) counts(namespace []byte) bool       { return len(namespace) > 0 }

// Sweeper removes rows that are over and that nobody reads, a few at a time: it goes round the key
// groups, and in each through the states, for ever. Where it stands it does not keep: made anew it
// begins a round, which changes nothing that can be read. It belongs to the goroutine of the store.
type Sweeper struct {
	store  state.Store
	states []Swept // those with a time to live
	groups state.Groups
	group  state.Group // where it stands, Unkeyed at last
	state  int
	from   []byte // the key to go on from; empty at the begin of the state
	to     []byte
	keys   state.Strings
	values state.Strings
	key    Key // whose entries are being removed
	count  int
}

// NewSweeper returns a sweeper of those states of a store that have a time to live.
func NewSweeper(store state.Store, states ...Swept) *Sweeper {
	s := &Sweeper{store: store, groups: store.Groups()}
	for _, st := range states {
		if st.base().ttl.After > 0 {
			s.states = append(s.states, st)
		}
	}
	s.group = s.groups.From
	if s.groups.From == s.groups.To {
		s.group = state.Unkeyed
	}
	return s
}

// sweepBytes is how many bytes are read at a time.
const sweepBytes = 1 << 20

// Sweep looks at the next entries, at most so many, and removes those that are over; a state of a
// group that has none counts as one. wrapped says that it has come to the end of a round; so a store
// of n entries is gone through by n + groups * states.
func (s *Sweeper) Sweep(most int) (wrapped bool, err error) {
	if len(s.states) == 0 {
		return true, nil
	}
	for most > 0 {
		looked, ended, err := s.some(most)
		if err != nil {
			return false, fmt.Errorf("state: removing what is over: %w", err)
		}
		most -= max(looked, 1)
		if ended && s.next() {
			return true, nil
		}
	}
	return false, nil
}

// some sweeps entries of the state and group at hand.
func (s *Sweeper) some(most int) (looked int, ended bool, err error) {
	st := s.states[s.state]
	e := st.base()
	if len(s.from) == 0 {
		s.from = state.AppendKey(s.from, s.group, e.id, nil, nil)
		s.to = state.AppendKey(s.to[:0], s.group, e.id+1, nil, nil)
	}
	more, err := s.store.Scan(s.from, s.to, state.Limit{Entries: most, Bytes: sweepBytes}, &s.keys, &s.values)
	if err != nil {
		return 0, false, err
	}
	for i := range s.keys.Len() {
		if err := s.look(st, e, s.keys.At(i), s.values.At(i)); err != nil {
			return 0, false, err
		}
	}
	if err := s.settle(st); err != nil {
		return 0, false, err
	}
	if more {
		s.from = state.AppendNext(s.from[:0], s.keys.At(s.keys.Len()-1))
	}
	return s.keys.Len(), !more, nil
}

// look removes an entry that is over.
func (s *Sweeper) look(st Swept, e *entries, key, value []byte) error {
	g, _, user, namespace, ok := state.ParseKey(key)
	if !ok {
		return fmt.Errorf("%x is no key that a state has", key)
	}
	if !st.counts(namespace) {
		return nil
	}
	stamp, _, err := cut(value)
	if err != nil || !e.ttl.over(g, stamp) {
		return err
	}
	if s.count > 0 && (s.key.Group != g || string(s.key.Key) != string(user)) {
		if err := s.settle(st); err != nil {
			return err
		}
	}
	s.key, s.count = Key{g, user}, s.count+1
	return s.store.Delete(key)
}

// settle tells the state of what was removed of a key.
func (s *Sweeper) settle(st Swept) error {
	if s.count == 0 {
		return nil
	}
	err := st.removed(s.key, s.count)
	s.key, s.count = Key{}, 0
	return err
}

// next goes to the next state or group, and says whether that begins a round.
func (s *Sweeper) next() bool {
	s.from = s.from[:0]
	if s.state++; s.state < len(s.states) {
		return false
	}
	s.state = 0
	switch {
	case s.group == state.Unkeyed:
		s.group = s.groups.From
		if s.groups.From == s.groups.To {
			s.group = state.Unkeyed
		}
		return true
	case s.group+1 == s.groups.To:
		s.group = state.Unkeyed
	default:
		s.group++
	}
	return false
}
