// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"fmt"
	"math"

	"github.com/wasmill/wasmill/state"
)

// Began is the state in which a clock of event time keeps when it began.
const Began = state.FirstReserved + 3

// Clock is the time by which rows are over. It never goes back, and stands still between two calls of
// Advance. It belongs to the goroutine of the states that use it.
//
// Before the first watermark there is no event time. A row that is written then counts as written at
// the first one; when that was, the clock keeps in the store for each key group, so that it goes
// where the group goes. The end of all input is no time either: by it nothing is over.
type Clock struct {
	now     int64
	store   state.Store // nil for a clock of processing time
	groups  state.Groups
	began   []int64 // of each group
	unkeyed int64
}

// never is the time of a clock that has not begun, as the watermark is before the first.
const never = math.MinInt64

// ProcessingTime returns a clock that goes by processing time. It begins at 0; Advance says what
// time it is before the first row comes.
func ProcessingTime() *Clock { return &Clock{} }

// EventTime returns a clock that goes by the watermark of the operator whose store it is.
func EventTime(store state.Store) (*Clock, error) {
	c := &Clock{now: never, store: store, groups: store.Groups(), unkeyed: never}
	var keys, values state.Strings
	for g := c.groups.From; g < c.groups.To; g++ {
		keys.AppendKey(g, Began, nil, nil)
	}
	keys.AppendKey(state.Unkeyed, Began, nil, nil)
	if err := store.Get(&keys, &values); err != nil {
		return nil, fmt.Errorf("state: reading when a clock began: %w", err)
	}
	c.began = make([]int64, values.Len()-1)
	for i := range values.Len() {
		at := &c.unkeyed
		if i < len(c.began) {
			at = &c.began[i]
		}
		*at = never
		if v := values.At(i); len(v) == stampSize {
			*at = state.Time(v)
		}
	}
	return c, nil
}

// Now returns the time in microseconds, the least int64 before the first.
func (c *Clock) Now() int64 { return c.now }

// Advance says that it is now that time. One that is earlier changes nothing, nor does the greatest
// int64, the watermark at the end of all input.
func (c *Clock) Advance(now int64) error {
	if now <= c.now || now == math.MaxInt64 {
		return nil
	}
	if c.now == never && c.store != nil {
		if err := c.begin(now); err != nil {
			return fmt.Errorf("state: keeping when a clock began: %w", err)
		}
	}
	c.now = now
	return nil
}

// begin notes the first time, for the groups that have none.
func (c *Clock) begin(now int64) error {
	for i := range c.began {
		if err := c.note(&c.began[i], c.groups.From+state.Group(i), now); err != nil {
			return err
		}
	}
	return c.note(&c.unkeyed, state.Unkeyed, now)
}

func (c *Clock) note(began *int64, g state.Group, now int64) error {
	if *began != never {
		return nil
	}
	*began = now
	return c.store.Put(state.AppendKey(nil, g, Began, nil, nil), state.AppendTime(nil, now))
}

// since returns the time that a stamp stands for.
func (c *Clock) since(g state.Group, stamp int64) int64 {
	switch {
	case stamp != never || c.store == nil:
		return stamp
	case g == state.Unkeyed:
		return c.unkeyed
	}
	return c.began[g-c.groups.From]
}
