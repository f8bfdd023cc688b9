// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// Alignment keeps splits together in event time: one that is ahead of the slowest by more than its
// drift reads no further until the slowest has come after it. A split that is idle, has ended or has not
// begun holds nobody up; so the slowest itself never waits, and there is always one that goes on. Only the
// reading of splits pauses, never a task, so that the slowest always gets rid of its rows.
type Alignment struct {
	mu      sync.Mutex
	members []*Aligned
	moved   chan struct{} // closed when one that waits may go on; nil where none waits
	needed  abi.EventTime // the least watermark that one waits for, where one does
}

// Aligned is a split's membership in an alignment. The nil one is of no alignment.
type Aligned struct {
	group *Alignment
	drift abi.EventTime
	mark  abi.EventTime
	live  bool // joined, and neither idle nor gone
}

// NewMember returns the membership of a split that may be ahead by so much.
func (a *Alignment) NewMember(drift time.Duration) *Aligned {
	m := &Aligned{group: a, drift: abi.EventTime(drift.Microseconds()), mark: watermark.Min}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.members = append(a.members, m)
	return m
}

// Join says that the split is about to be read: from now on the others wait for it.
func (m *Aligned) Join() {
	if m != nil {
		m.set(m.mark, true)
	}
}

// advance says how far the split has come.
func (m *Aligned) advance(t abi.EventTime) {
	if m != nil {
		m.set(t, true)
	}
}

// leave says that nobody is to wait for the split, until it advances again.
func (m *Aligned) leave() {
	if m != nil {
		m.set(m.mark, false)
	}
}

func (m *Aligned) set(t abi.EventTime, live bool) {
	a := m.group
	a.mu.Lock()
	defer a.mu.Unlock()
	m.mark, m.live = t, live
	if a.moved != nil && (!live || t >= a.needed) {
		close(a.moved)
		a.moved = nil
	}
}

// ahead returns nil where the split may be read on, else what is closed when that may have changed.
func (m *Aligned) ahead() <-chan struct{} {
	if m == nil {
		return nil
	}
	a := m.group
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.mark == watermark.Min {
		return nil
	}
	least := m.mark - m.drift
	if !slices.ContainsFunc(a.members, func(other *Aligned) bool { return other.live && other.mark < least }) {
		return nil
	}
	if a.moved == nil {
		a.moved, a.needed = make(chan struct{}), least
	}
	a.needed = min(a.needed, least)
	return a.moved
}

// wait returns when the split may be read on, or stop or ctx is done.
func (m *Aligned) wait(ctx, stop context.Context) error {
	for {
		moved := m.ahead()
		if moved == nil {
			return nil
		}
		select {
		case <-moved:
		case <-stop.Done():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
