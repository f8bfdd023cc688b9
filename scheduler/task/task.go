// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package task runs one chain of operators on one goroutine: it reads an inbox, calls the
// operators, and hands what they produce to the next of the chain or to other tasks. It owns no
// goroutine, opens no connection and decides nothing about the job: job builds tasks and runs
// them.
package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// Task is one subtask of a chain.
type Task struct {
	Name  string
	Inbox *exchange.Inbox
	// Inputs is, for each channel of the inbox, the input of Head that its rows belong to; -1 for
	// the split of a source, whose elements name the source's output.
	Inputs []int
	// Edges is, for each channel of the inbox, the number of the edge that it is of; nil of a source.
	// Those that bring no watermark are told apart by it.
	Edges []int
	// Chain has the nodes in topological order; the first is the one that the inbox feeds.
	Chain []*Node
	// Latency is how long a sink may hold rows back.
	Latency time.Duration
	Now     func() time.Time

	clock time.Time // the latest that Now has said
}

// Run processes the inbox until all its channels have ended, then ends the task's outputs. Writers
// of sinks are flushed, but neither committed nor aborted: that is the whole job's decision.
// Operators are closed in any case.
func (t *Task) Run(ctx context.Context) (err error) {
	defer t.Inbox.Drain()
	defer func() {
		for _, n := range t.Chain {
			if failed := n.close(ctx); failed != nil && !errors.Is(err, failed) {
				err = errors.Join(err, failed)
			}
		}
	}()
	for i := len(t.Chain) - 1; i >= 0; i-- {
		t.Chain[i].now = t.now
		if err := t.Chain[i].open(ctx); err != nil {
			return err
		}
	}
	if err := t.loop(ctx); err != nil {
		return err
	}
	for _, n := range t.Chain {
		if err := n.end(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *Task) loop(ctx context.Context) error {
	marks := watermark.NewMerger(len(t.Inputs))
	if len(t.Inputs) == 0 { // a subtask for which there is no split
		return t.Chain[0].watermark(ctx, watermark.Max)
	}
	for live := len(t.Inputs); live > 0; {
		wait, err := t.due(ctx)
		if err != nil {
			return err
		}
		ch, e, ok := t.Inbox.Get(ctx, wait)
		if ctx.Err() != nil {
			if e.Batch != nil {
				e.Batch.Release()
			}
			return context.Cause(ctx)
		}
		if !ok {
			continue
		}
		if e.Kind == exchange.End {
			live--
		}
		if err := t.step(ctx, marks, ch, e); err != nil {
			return err
		}
		for _, n := range t.Chain {
			n.Stats.size(n.State)
		}
	}
	return nil
}

// step processes one element.
func (t *Task) step(ctx context.Context, marks *watermark.Merger, ch int, e exchange.Element) error {
	head := t.Chain[0]
	var mark abi.EventTime
	var change watermark.Change
	switch e.Kind {
	case exchange.Rows:
		input := t.Inputs[ch]
		if input < 0 {
			input = e.Port
		}
		return head.process(ctx, input, e.Batch)
	case exchange.Watermark:
		mark, change = marks.Advance(ch, e.Mark)
	case exchange.End:
		mark, change = marks.Advance(ch, watermark.Max)
	case exchange.Idle:
		mark, change = marks.Idle(ch)
	}
	if t.Edges != nil {
		head.Stats.waits(t.waiting(marks))
	}
	switch change {
	case watermark.Advanced:
		return head.watermark(ctx, mark)
	case watermark.Resumed:
		return head.resume(ctx, mark)
	case watermark.Idled:
		return head.idle(ctx)
	}
	return nil
}

// waiting returns the edges, a bit each, that have brought no watermark yet while others have.
func (t *Task) waiting(marks *watermark.Merger) uint64 {
	if marks.Current() != watermark.Min {
		return 0
	}
	var without, with uint64
	for ch, edge := range t.Edges {
		if marks.Waiting(ch) {
			without |= 1 << min(edge, 63)
		} else {
			with |= 1 << min(edge, 63)
		}
	}
	if with &^= without; with == 0 {
		return 0
	}
	return without
}

// glance is the longest that a task with an operator that acts by processing time waits without a
// look at the clock, which may jump.
const glance = time.Second

// due does what is to be done by now, and returns how long the rest can wait; -1 where there is
// nothing. An operator is called once: one that always has more to do must not keep the inbox waiting.
func (t *Task) due(ctx context.Context) (time.Duration, error) {
	first := t.deadline()
	if first.IsZero() {
		return -1, nil
	}
	now := t.now()
	if !first.After(now) {
		for _, n := range t.Chain {
			if err := n.due(ctx, now, t.Latency); err != nil {
				return 0, err
			}
		}
		if first = t.deadline(); first.IsZero() {
			return -1, nil
		}
		now = t.now()
	}
	return min(max(0, first.Sub(now)), glance), nil
}

// now returns the processing time, which does not go back.
func (t *Task) now() time.Time {
	if now := t.Now(); now.After(t.clock) {
		t.clock = now
	}
	return t.clock
}

// deadline returns when due has something to do, the zero time for never.
func (t *Task) deadline() time.Time {
	var first time.Time
	for _, n := range t.Chain {
		first = earlier(first, n.deadline(t.Latency))
	}
	return first
}

// Recovered turns a panic of the engine into an error, so that one job's bug is not the end of
// another job: defer it with the error to return.
func Recovered(name string, stack func() []byte, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: this is a bug in wasmill: %v\n%s", name, p, stack())
	}
}
