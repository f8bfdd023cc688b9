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
	// Chain has the nodes in topological order; the first is the one that the inbox feeds.
	Chain []*Node
	// Latency is how long a sink may hold rows back.
	Latency time.Duration
	Now     func() time.Time
}

// Run processes the inbox until all its channels have ended, then ends the task's outputs. Writers
// of sinks are neither committed nor aborted: that is the whole job's decision. Operators are closed
// in any case.
func (t *Task) Run(ctx context.Context) (err error) {
	defer t.Inbox.Drain()
	defer func() {
		for _, n := range t.Chain {
			err = errors.Join(err, n.close(ctx))
		}
	}()
	for i := len(t.Chain) - 1; i >= 0; i-- {
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
	head := t.Chain[0]
	marks := watermark.NewMerger(len(t.Inputs))
	for live := len(t.Inputs); live > 0; {
		ch, e, ok := t.Inbox.Get(ctx, t.deadline())
		if ctx.Err() != nil {
			if e.Batch != nil {
				e.Batch.Release()
			}
			return context.Cause(ctx)
		}
		if !ok {
			if err := t.flush(ctx); err != nil {
				return err
			}
			continue
		}
		var err error
		switch e.Kind {
		case exchange.Rows:
			input := t.Inputs[ch]
			if input < 0 {
				input = e.Port
			}
			err = head.process(ctx, input, e.Batch)
		case exchange.Watermark:
			err = t.advance(ctx, marks.Advance, ch, e.Mark)
		case exchange.End:
			live--
			err = t.advance(ctx, marks.Advance, ch, watermark.Max)
		case exchange.Idle:
			err = t.advance(ctx, func(ch int, _ abi.EventTime) (abi.EventTime, bool) { return marks.Idle(ch) }, ch, 0)
			if err == nil && marks.AllIdle() {
				err = head.idle(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Task) advance(ctx context.Context, step func(int, abi.EventTime) (abi.EventTime, bool), ch int, mark abi.EventTime) error {
	now, up := step(ch, mark)
	if !up {
		return nil
	}
	return t.Chain[0].watermark(ctx, now)
}

// deadline returns when something that is held in this task must go, the zero time where nothing is.
func (t *Task) deadline() time.Time {
	var first time.Time
	for _, n := range t.Chain {
		if d := n.deadline(t.Latency); !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	return first
}

func (t *Task) flush(ctx context.Context) error {
	now := t.Now()
	for _, n := range t.Chain {
		if d := n.deadline(t.Latency); !d.IsZero() && !d.After(now) {
			if err := n.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Recovered turns a panic of the engine into an error, so that one job's bug is not the end of
// another job: defer it with the error to return.
func Recovered(name string, stack func() []byte, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: this is a bug in wasmill: %v\n%s", name, p, stack())
	}
}
