// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// Calendar is the entries of a state in order of time, group by group:
//
//	| group 2 | state 2 | 0x00 | time 8 | what tells entries of one time apart |
//
// (the key of an entry is empty). It remembers when the earliest entry of a group is due, so that a
// watermark reads nothing but what is due.
type Calendar struct {
	store        state.Store
	id           state.ID
	next         []int64 // by group: nothing is due before; math.MaxInt64 where nothing is there
	from, to     []byte
	keys, values state.Strings
}

// calendarHead is the size of what comes before an entry's time.
const calendarHead = 5

// NewCalendar returns the calendar that a store has under a number. Nobody else writes there.
func NewCalendar(store state.Store, id state.ID) *Calendar {
	c := &Calendar{store: store, id: id}
	for range int(store.Groups().To - store.Groups().From) {
		c.next = append(c.next, math.MinInt64)
	}
	return c
}

// AppendKey appends the stored key of an entry, to which the caller appends what tells it apart, and
// notes when it is due.
func (c *Calendar) AppendKey(dst []byte, g state.Group, t abi.EventTime) []byte {
	n := &c.next[g-c.store.Groups().From]
	*n = min(*n, int64(t))
	return c.head(dst, g, int64(t))
}

func (c *Calendar) head(dst []byte, g state.Group, t int64) []byte {
	return state.AppendTime(state.AppendKey(dst, g, c.id, nil, nil), t)
}

// Take removes the entries with a time before t, or all where t is watermark.Max: group by group, in
// order of time, and of the rest of their keys. Each is given to visit, which must not use the
// store; what it is given is valid until it returns.
func (c *Calendar) Take(t abi.EventTime, visit func(g state.Group, at abi.EventTime, rest, value []byte) error) error {
	first := c.store.Groups().From
	for i := range c.next {
		if g := first + state.Group(i); c.next[i] < int64(t) {
			if err := c.takeGroup(g, t, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Calendar) takeGroup(g state.Group, t abi.EventTime, visit func(state.Group, abi.EventTime, []byte, []byte) error) error {
	c.from = c.head(c.from[:0], g, math.MinInt64)
	end := state.AppendEnd(nil, c.from[:calendarHead])
	c.to = c.head(c.to[:0], g, int64(t))
	if t == watermark.Max {
		c.to = append(c.to[:0], end...)
	}
	for more := true; more; {
		var err error
		if more, err = c.store.Scan(c.from, c.to, Page, &c.keys, &c.values); err != nil {
			return fmt.Errorf("reading what is due: %w", err)
		}
		for i := range c.keys.Len() {
			key := c.keys.At(i)
			if len(key) < calendarHead+timeSize {
				return ErrEncoding
			}
			if err := visit(g, abi.EventTime(state.Time(key[calendarHead:])), key[calendarHead+timeSize:], c.values.At(i)); err != nil {
				return err
			}
			if err := c.store.Delete(key); err != nil {
				return fmt.Errorf("removing what was due: %w", err)
			}
		}
		if last := c.keys.Len() - 1; last >= 0 {
			c.from = state.AppendNext(c.from[:0], c.keys.At(last))
		}
	}
	_, err := c.store.Scan(c.to, end, state.Limit{Entries: 1}, &c.keys, &c.values)
	if err != nil {
		return fmt.Errorf("reading what is due next: %w", err)
	}
	next := &c.next[g-c.store.Groups().From]
	*next = math.MaxInt64
	if c.keys.Len() > 0 {
		*next = state.Time(c.keys.At(0)[calendarHead:])
	}
	return nil
}
