// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package timer keeps timers in a store: per key and namespace, once for each time, popped in order
// of time. They are state like any other, so that they are flushed, snapshotted and handed over with
// their key groups, and need no memory of their own but the heads of the groups.
//
// A timer is an entry without a value, under a state number of the engine:
//
//	| group 2 | state 2 | 0x00 | time 8 | size of the key, uvarint | key | namespace |
//
// (the key of the entry is empty), so that a group's timers lie in order of time, and those of one
// time and key in order of namespace. It leaves to others what the time is and when to ask.
package timer

import (
	"fmt"

	"github.com/wasmill/wasmill/state"
)

// The states in which timers lie.
const (
	EventTime      = state.FirstReserved + 1
	ProcessingTime = state.FirstReserved + 2
)

// How many timers of a group are read at a time: few at first, for a timer that is set among those read makes them be
// read anew, and twice as many each time when more of them are asked for.
const (
	firstPrefetch = 8
	mostPrefetch  = 64
	prefetchBytes = 64 << 10
)

// prefix is the size of what comes before a timer's time.
const prefix = 5

// Timer is a timer that is due.
type Timer struct {
	Group          state.Group
	Time           int64 // microseconds since 1970 UTC, or what the operator counts
	Key, Namespace []byte
}

// Timers are the timers of one kind of a store. They belong to the store's goroutine, and nobody
// else writes their state.
type Timers struct {
	store  state.Store
	id     state.ID
	heads  []*head // by group
	groups queue   // the same, the earliest first
	key    []byte
	end    []byte
	values state.Strings
	due    Timer // what Next returned
}

// head is the beginning of a group's timers.
type head struct {
	group  state.Group
	place  int // in the queue
	keys   state.Strings
	at     int    // of the next one in keys
	from   []byte // where to read on; what lies before is in keys, or gone
	ahead  int    // how many were read at once
	filled bool   // keys hold all from at to from
	next   int64  // no timer of the group is earlier; valid unless empty
	empty  bool
}

// New returns the timers that a store has, of EventTime or of ProcessingTime.
func New(store state.Store, id state.ID) *Timers {
	r := store.Groups()
	t := &Timers{store: store, id: id}
	for g := r.From; g < r.To; g++ {
		t.groups = append(t.groups, &head{group: g, place: len(t.groups), next: -1 << 63})
		t.heads = append(t.heads, t.groups[len(t.groups)-1])
	}
	return t
}

// Set sets a timer, which may be set already.
func (t *Timers) Set(timer Timer) error {
	t.key = t.appendKey(t.key[:0], &timer)
	if err := t.store.Put(t.key, nil); err != nil {
		return fmt.Errorf("state: setting a timer: %w", err)
	}
	t.changed(timer.Group, timer.Time)
	return nil
}

// Delete deletes a timer, which need not be set.
func (t *Timers) Delete(timer Timer) error {
	t.key = t.appendKey(t.key[:0], &timer)
	if err := t.store.Delete(t.key); err != nil {
		return fmt.Errorf("state: deleting a timer: %w", err)
	}
	t.changed(timer.Group, timer.Time)
	return nil
}

func (t *Timers) appendKey(dst []byte, timer *Timer) []byte {
	dst = state.AppendKey(dst, timer.Group, t.id, nil, nil)
	dst = state.AppendTime(dst, timer.Time)
	return append(state.AppendSized(dst, timer.Key), timer.Namespace...)
}

// changed forgets what was read of a group where a timer at a time may lie within it.
func (t *Timers) changed(group state.Group, at int64) {
	h := t.heads[group-t.store.Groups().From]
	if h.filled && !h.empty && at > state.Time(h.from[prefix:]) {
		return
	}
	h.filled = false
	h.from = h.from[:0]
	if h.empty || at < h.next {
		h.empty, h.next = false, at
		t.groups.fix(h.place)
	}
}

// Pop removes the timers up to a time, the earliest first, at most so many, and gives each to fire.
// Timers of one time come in order of group, and those of a key in order of namespace. The timer is valid until fire
// returns; fire must not use the timers or the store. more says that there may be more.
func (t *Timers) Pop(upTo int64, most int, fire func(*Timer) error) (more bool, err error) {
	var timer Timer
	for count := 0; ; count++ {
		h, err := t.earliest(upTo)
		if h == nil || err != nil {
			return false, err
		}
		if count == most {
			return true, nil
		}
		stored := h.keys.At(h.at)
		timer.Group, timer.Time = h.group, h.next
		key, namespace, ok := state.CutSized(stored[prefix+8:])
		if !ok {
			return false, fmt.Errorf("state: %x is stored as a timer and is none", stored)
		}
		timer.Key, timer.Namespace = append(timer.Key[:0], key...), append(timer.Namespace[:0], namespace...)
		if err := t.store.Delete(stored); err != nil {
			return false, fmt.Errorf("state: removing a due timer: %w", err)
		}
		h.at++
		if err := t.settle(h); err != nil {
			return false, err
		}
		if err := fire(&timer); err != nil {
			return false, err
		}
	}
}

// Next returns the earliest timer up to a time, nil where there is none. It is valid until the timers are
// used again.
func (t *Timers) Next(upTo int64) (*Timer, error) {
	h, err := t.earliest(upTo)
	if h == nil || err != nil {
		return nil, err
	}
	stored := h.keys.At(h.at)
	key, namespace, ok := state.CutSized(stored[prefix+8:])
	if !ok {
		return nil, fmt.Errorf("state: %x is stored as a timer and is none", stored)
	}
	t.due = Timer{Group: h.group, Time: h.next, Key: key, Namespace: namespace}
	return &t.due, nil
}

// Take removes the timer that Next has just returned.
func (t *Timers) Take() error {
	h := t.groups[0]
	if err := t.store.Delete(h.keys.At(h.at)); err != nil {
		return fmt.Errorf("state: removing a due timer: %w", err)
	}
	h.at++
	return t.settle(h)
}

// earliest returns the group with the earliest timer up to a time, nil where there is none.
func (t *Timers) earliest(upTo int64) (*head, error) {
	for len(t.groups) > 0 {
		h := t.groups[0]
		if h.empty || h.next > upTo {
			return nil, nil
		}
		if h.filled {
			return h, nil
		}
		if err := t.settle(h); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// settle reads a group's next timers where none are at hand, and puts the group into its place.
func (t *Timers) settle(h *head) error {
	if !h.filled || h.at == h.keys.Len() {
		if err := t.read(h); err != nil {
			return fmt.Errorf("state: reading timers: %w", err)
		}
	}
	if h.empty = h.at == h.keys.Len(); !h.empty {
		h.next = state.Time(h.keys.At(h.at)[prefix:])
	}
	t.groups.fix(h.place)
	return nil
}

func (t *Timers) read(h *head) error {
	begin := state.AppendKey(t.key[:0], h.group, t.id, nil, nil)
	from := begin
	switch {
	case h.filled && len(h.from) > 0:
		from = h.from
	case !h.filled && h.next > -1<<63:
		from = state.AppendTime(begin, h.next)
	}
	if h.ahead = min(2*h.ahead, mostPrefetch); !h.filled || h.ahead == 0 {
		h.ahead = firstPrefetch
	}
	t.end = state.AppendEnd(t.end[:0], begin[:prefix])
	_, err := t.store.Scan(from, t.end, state.Limit{Entries: h.ahead, Bytes: prefetchBytes}, &h.keys, &t.values)
	h.at, h.filled, t.key = 0, err == nil, begin
	if last := h.keys.Len() - 1; last >= 0 {
		h.from = state.AppendNext(h.from[:0], h.keys.At(last))
	}
	return err
}

// queue is a binary heap of groups, the earliest first.
type queue []*head

func (q queue) less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case a.empty != b.empty:
		return b.empty
	case a.next != b.next:
		return a.next < b.next
	}
	return a.group < b.group
}

func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// fix brings the group at a place, whose time has changed, to where it belongs.
func (q queue) fix(i int) {
	for up := (i - 1) / 2; i > 0 && q.less(i, up); up = (i - 1) / 2 {
		q.swap(i, up)
		i = up
	}
	for {
		least := i
		for down := 2*i + 1; down <= 2*i+2 && down < len(q); down++ {
			if q.less(down, least) {
				least = down
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}
