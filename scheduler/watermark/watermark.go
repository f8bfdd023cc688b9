// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package watermark decides how far event time has come. A watermark t promises that no row with an
// event time before t follows. Everything here is pure: times come in, watermarks come out; task
// and job carry them about.
package watermark

import (
	"math"

	"github.com/wasmill/wasmill/abi"
)

// The least and the greatest watermark: nothing is known yet; nothing follows.
const (
	Min abi.EventTime = math.MinInt64
	Max abi.EventTime = math.MaxInt64
)

// MaxEventTime bounds the event time of a row on both sides of 1970, so that adding a window's
// size to it can't wrap: about 146,000 years.
const MaxEventTime abi.EventTime = 1 << 62

// Change is what a step of a Merger has changed for those who follow.
type Change uint8

// The changes.
const (
	None     Change = iota
	Advanced        // the watermark, which says too that there is an input to wait for
	Idled           // there is no input left to wait for: each is idle or at its end, and one is idle
	Resumed         // there is one again, and the watermark stands
)

// Merger is the watermark over several inputs: the least of those that are neither idle nor at
// their end. Invariants: Current never decreases; an input that comes back from being idle does
// not take it back; Idled and Resumed, or Advanced, take turns.
type Merger struct {
	inputs  []input
	current abi.EventTime
	idle    bool
}

type input struct {
	mark abi.EventTime
	idle bool
}

// NewMerger returns a merger of n inputs, each at Min.
func NewMerger(n int) *Merger {
	m := &Merger{inputs: make([]input, n), current: Min}
	for i := range m.inputs {
		m.inputs[i].mark = Min
	}
	return m
}

// Advance sets the watermark of an input, which is then not idle; an earlier one than before is
// ignored. It returns the watermark over all, and what has changed. An input at its end advances
// to Max.
func (m *Merger) Advance(i int, t abi.EventTime) (abi.EventTime, Change) {
	in := &m.inputs[i]
	in.mark, in.idle = max(in.mark, t), false
	return m.merge()
}

// Idle leaves an input out until it advances again. While all are idle the watermark stands.
func (m *Merger) Idle(i int) (abi.EventTime, Change) {
	m.inputs[i].idle = true
	return m.merge()
}

// Waiting says whether an input, which is not idle, has had no watermark yet: while there is one, there
// is none over all.
func (m *Merger) Waiting(i int) bool { return m.inputs[i].mark == Min && !m.inputs[i].idle }

// Current returns the watermark over all inputs.
func (m *Merger) Current() abi.EventTime { return m.current }

func (m *Merger) merge() (abi.EventTime, Change) {
	least, idle, live := Max, false, false
	for _, in := range m.inputs {
		if in.idle {
			idle = true
			continue
		}
		least = min(least, in.mark)
		live = live || in.mark != Max
	}
	was := m.idle
	m.idle = idle && !live
	switch {
	case m.idle && !was:
		return m.current, Idled
	case !m.idle && least > m.current:
		m.current = least
		return least, Advanced
	case !m.idle && was:
		return m.current, Resumed
	}
	return m.current, None
}
