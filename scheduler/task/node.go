// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// Node is one operator, source or sink of a chain, and where its outputs go. One of Operator and
// Writer is set, for a source neither.
type Node struct {
	Name     string
	Operator operator.Operator
	Writer   operator.Writer
	Ports    [][]Link // by output port
	Failures Failures
	Stats    *Stats
	State    state.Store // the operator's; nil where it has none
	Time     *Timestamps // what makes event time and the watermark of the main output anew; nil: those of the inputs hold

	now     func() time.Time // the task's
	written time.Time        // when the first row that Writer has not flushed came
	clocked operator.Clocked // Operator, where it acts by processing time and its input has not ended
}

// Link is where an output goes: to a node of the same chain, or to another task.
type Link struct {
	Next  *Node
	Input int // of Next
	Edge  exchange.Writer
}

var _ operator.Output = (*Node)(nil)

func (n *Node) open(ctx context.Context) error {
	if n.Operator == nil {
		return nil
	}
	n.clocked, _ = n.Operator.(operator.Clocked)
	if n.Time != nil {
		n.Time.active = n.now()
	}
	return n.named(ctx, n.Operator.Open(ctx))
}

func (n *Node) close(ctx context.Context) error {
	if n.Operator == nil {
		return nil
	}
	return n.named(ctx, n.Operator.Close(ctx))
}

// blamed is an error of the engine's that says which node it is of.
type blamed struct {
	node string
	err  error
}

func (b *blamed) Error() string { return b.node + ": " + b.err.Error() }
func (b *blamed) Unwrap() error { return b.err }

func (n *Node) named(ctx context.Context, err error) error { return named(ctx, n.Name, err) }

// named says in an error which node it is of: the one in which it came up, not those before it in
// the chain, through whose calls it returns. What is only the job's end is nobody's.
func named(ctx context.Context, node string, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, cause) || errors.Is(err, ctx.Err())) {
		return cause
	}
	var known *blamed
	var user *operator.Error
	switch {
	case errors.As(err, &known):
		return err
	case !errors.As(err, &user):
		return &blamed{node, err}
	case user.Node != "":
		return err
	}
	whole := about(err, user)
	whole.Node = node
	return whole
}

// about returns a copy of an error, or an error that says all that it says, to add to. Others may
// have the same one at the same time. user is what errors.As finds in err.
func about(err error, user *operator.Error) *operator.Error {
	if err == error(user) {
		whole := *user
		return &whole
	}
	return &operator.Error{Fault: user.Fault, Err: err}
}

// process takes over a reference to b.
func (n *Node) process(ctx context.Context, input int, b *batch.Batch) error {
	if n.Operator == nil && n.Writer == nil {
		return n.Emit(ctx, input, b)
	}
	defer b.Release()
	n.Stats.RowsIn.Add(int64(b.Rows()))
	if n.Operator != nil {
		return n.named(ctx, n.Operator.Process(ctx, input, b, n))
	}
	if n.written.IsZero() {
		n.written = n.now()
	}
	return n.named(ctx, n.Writer.Write(ctx, b))
}

// Emit sends b to all that read the port.
func (n *Node) Emit(ctx context.Context, port int, b *batch.Batch) error {
	if n.Time != nil && port == 0 {
		if b.Rows() > 0 {
			n.Time.active = n.now()
		}
		return n.Time.Put(ctx, b, (*timedNode)(n))
	}
	return n.emit(ctx, port, b)
}

// emit sends b to all that read the port, and counts it.
func (n *Node) emit(ctx context.Context, port int, b *batch.Batch) error {
	n.Stats.out(port).Add(int64(b.Rows()))
	links := n.Ports[port]
	if len(links) == 0 || b.Rows() == 0 {
		b.Release()
		return nil
	}
	for range links[1:] {
		b.Retain()
	}
	for i, l := range links {
		var err error
		if l.Next != nil {
			err = l.Next.process(ctx, l.Input, b)
		} else {
			err = l.Edge.Send(ctx, b)
		}
		if err != nil {
			for range links[i+1:] {
				b.Release()
			}
			return err
		}
	}
	return nil
}

// Fail applies the node's policy to a row.
func (n *Node) Fail(ctx context.Context, b *batch.Batch, row int, reason error) error {
	letter, err := n.Failures.Row(b, row, reason)
	if err != nil || letter == nil {
		return n.named(ctx, err)
	}
	return n.Emit(ctx, n.Failures.Port, letter)
}

// links calls f for each link of each port.
func (n *Node) links(f func(Link) error) error {
	for _, port := range n.Ports {
		for _, l := range port {
			if err := f(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *Node) watermark(ctx context.Context, t abi.EventTime) error {
	if n.Operator != nil {
		if t == watermark.Max {
			n.clocked = nil
		}
		if err := n.named(ctx, n.Operator.Watermark(ctx, t, n)); err != nil {
			return err
		}
	}
	switch {
	case n.Time == nil || t == watermark.Max:
		return n.forward(ctx, t)
	case n.Time.quiet:
		return n.resume(ctx, t)
	}
	return nil // it goes by its own rows
}

// forward passes a watermark on.
func (n *Node) forward(ctx context.Context, t abi.EventTime) error {
	n.Stats.advance(t)
	return n.links(func(l Link) error {
		if l.Next != nil {
			return l.Next.watermark(ctx, t)
		}
		return l.Edge.Watermark(ctx, t)
	})
}

// resume says that there are rows to wait for again: each edge repeats the watermark.
func (n *Node) resume(ctx context.Context, t abi.EventTime) error {
	if n.Time != nil {
		if n.Time.alone {
			return nil
		}
		t, n.Time.quiet = n.Time.sent, false
	}
	return n.links(func(l Link) error {
		if l.Next != nil {
			return l.Next.resume(ctx, t)
		}
		return l.Edge.Watermark(ctx, t)
	})
}

func (n *Node) idle(ctx context.Context) error {
	if n.Time != nil {
		if n.Time.quiet {
			return nil
		}
		n.Time.quiet = true
	}
	return n.links(func(l Link) error {
		if l.Next != nil {
			return l.Next.idle(ctx)
		}
		return l.Edge.Idle(ctx)
	})
}

// timedNode is a node as its Timestamps see it.
type timedNode Node

var _ Timed = (*timedNode)(nil)

func (n *timedNode) Rows(ctx context.Context, b *batch.Batch) error {
	return (*Node)(n).emit(ctx, 0, b)
}

func (n *timedNode) Watermark(ctx context.Context, t abi.EventTime) error {
	return (*Node)(n).forward(ctx, t)
}

func (n *timedNode) Resume(ctx context.Context, t abi.EventTime) error {
	return (*Node)(n).resume(ctx, t)
}

func (n *timedNode) Fail(ctx context.Context, b *batch.Batch, row int, reason error) error {
	return (*Node)(n).Fail(ctx, b, row, reason)
}

// end ends the node's edges to other tasks. What a sink has been given is shown: the others may go
// on for long.
func (n *Node) end(ctx context.Context) error {
	if err := n.show(ctx); err != nil {
		return err
	}
	return n.links(func(l Link) error {
		if l.Edge == nil {
			return nil
		}
		return l.Edge.End(ctx)
	})
}

// deadline returns when due has something to do, the zero time for never.
func (n *Node) deadline(latency time.Duration) time.Time {
	first := n.held(latency)
	if n.clocked != nil {
		first = earlier(first, n.clocked.Next())
	}
	if n.Time != nil {
		first = earlier(first, n.Time.idleAt())
	}
	return first
}

// held returns when what the node holds must go, the zero time where it holds nothing.
func (n *Node) held(latency time.Duration) time.Time {
	var first time.Time
	if !n.written.IsZero() {
		first = n.written.Add(latency)
	}
	for _, port := range n.Ports {
		for _, l := range port {
			if l.Edge != nil {
				first = earlier(first, l.Edge.Deadline())
			}
		}
	}
	return first
}

// earlier returns the earlier of two times, of which the zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// due calls an operator whose time has come, once, and sends what has been held for long enough.
func (n *Node) due(ctx context.Context, now time.Time, latency time.Duration) error {
	if n.clocked != nil {
		if next := n.clocked.Next(); !next.IsZero() && !next.After(now) {
			if err := n.named(ctx, n.clocked.Tick(ctx, now, n)); err != nil {
				return err
			}
		}
	}
	if n.Time != nil {
		if at := n.Time.idleAt(); !at.IsZero() && !at.After(now) {
			if err := n.idle(ctx); err != nil {
				return err
			}
			n.Time.alone = true
		}
	}
	if d := n.held(latency); !d.IsZero() && !d.After(now) {
		return n.flush(ctx)
	}
	return nil
}

func (n *Node) flush(ctx context.Context) error {
	if err := n.show(ctx); err != nil {
		return err
	}
	return n.links(func(l Link) error {
		if l.Edge == nil {
			return nil
		}
		return l.Edge.Flush(ctx)
	})
}

// show flushes the writer.
func (n *Node) show(ctx context.Context) error {
	if n.written.IsZero() {
		return nil
	}
	n.written = time.Time{}
	return n.named(ctx, n.Writer.Flush(ctx))
}
