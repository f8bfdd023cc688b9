// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package testrun runs a graph for a test: on the caller's goroutine, one subtask a node, under a clock that
// moves when it is told to. Rows and watermarks are put into sources, which are never opened, and flow at
// once to where they end: there is nothing to wait for, and one script gives one result.
//
// It owns no part of an engine's work but the calls: operators, the merging of watermarks and what becomes of rows
// that fail are those of a job.
package testrun

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/task"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// Start is the processing time at which each run begins.
var Start = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// maxTicks is how often in a row an operator may ask for a call that is due already.
const maxTicks = 100_000

// Options are what a run needs besides its graph.
type Options struct {
	Rows operator.Format // in which a row is written into a dead letter
	Log  *slog.Logger    // what operators log; nil: nothing
}

// Run is a run of a graph. It belongs to one goroutine. After an error only Close follows.
type Run struct {
	opts     Options
	graph    *graph.Graph
	pool     *batch.Pool
	now      time.Time
	vertices []*vertex // in the order of the graph's nodes
	byNode   map[*graph.Node]*vertex
	failures []graph.Failure
}

// vertex is a node of a run.
type vertex struct {
	run      *Run
	node     *graph.Node
	op       operator.Operator // nil of sources and sinks
	store    state.Store       // nil where the node is not stateful
	counters *operator.Counters
	marks    *watermark.Merger
	links    [][]link // by output port
	failures task.Failures
	time     *task.Timestamps // of a node that makes the watermark anew, else nil
	taken    []*batch.Batch   // of a sink
}

// link is where an output goes.
type link struct {
	to      *vertex
	side    int // the input of its operator
	channel int // of its merger
}

var _ operator.Output = (*vertex)(nil)

// New makes and opens the operators of a graph.
func New(ctx context.Context, g *graph.Graph, opts Options) (*Run, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	r := &Run{opts: opts, graph: g, pool: &batch.Pool{}, now: Start, byNode: map[*graph.Node]*vertex{}}
	for _, n := range g.Nodes {
		v := &vertex{
			run: r, node: n, counters: &operator.Counters{}, marks: watermark.NewMerger(max(len(n.Inputs), 1)),
			links: make([][]link, len(n.Outputs)),
			failures: task.Failures{
				Node: n.Name, Policy: n.OnError, Port: n.DeadLetters, Rows: opts.Rows, Pool: r.pool,
				Stats: task.NewStats(len(n.Outputs)), Locate: func(batch.Position) string { return "" },
			},
		}
		if n.Stateful {
			v.store = memory.New(everything)
		}
		if n.Time != nil {
			v.time = task.NewTimestamps(n.Time.Column, n.Time.MarkColumn(), n.Time.OutOfOrder, r.pool, v.counters)
		}
		r.vertices = append(r.vertices, v)
		r.byNode[n] = v
		for channel, in := range n.Inputs {
			from := r.byNode[in.From]
			from.links[in.Port] = append(from.links[in.Port], link{v, in.Side, channel})
		}
	}
	for _, v := range r.vertices {
		if err := v.open(ctx); err != nil {
			return nil, errors.Join(err, r.Close(ctx))
		}
	}
	for _, v := range r.vertices {
		if v.node.Source != nil && v.node.Source.Time == nil {
			v.idle()
		}
	}
	return r, nil
}

// idle says to those who read a source without event time that there is no watermark to wait for. Nothing
// has come from any other yet, so that none can advance by it.
func (v *vertex) idle() {
	for _, port := range v.links {
		for _, l := range port {
			if _, change := l.to.marks.Idle(l.channel); change == watermark.Idled {
				l.to.idle()
			}
		}
	}
}

// everything is the range of all key groups.
var everything = state.Groups{From: 0, To: state.DefaultGroups}

func (v *vertex) open(ctx context.Context) error {
	if v.node.New == nil {
		return nil
	}
	op, err := v.node.New(operator.Context{
		Node: v.node.Name, Parallelism: 1, Pool: v.run.pool, Now: func() time.Time { return v.run.now },
		Seed: v.run.graph.Options.Seed, Log: v.run.opts.Log.With("node", v.node.Name), Counters: v.counters,
		State: v.store, Groups: state.DefaultGroups, Watermark: v.marks.Current(),
	})
	if err != nil {
		return v.named(err)
	}
	v.op = op
	return v.named(op.Open(ctx))
}

// named says in an error which node it is of.
func (v *vertex) named(err error) error {
	if err == nil {
		return nil
	}
	return operator.Of(v.node.Name, operator.FaultModule, err)
}

// Rows puts rows into a source. Their event time is in the column that the source says. The caller keeps its
// reference to b.
func (r *Run) Rows(ctx context.Context, source *graph.Node, b *batch.Batch) error {
	v := r.byNode[source]
	t := source.Source.Time
	if t == nil {
		return v.Emit(ctx, 0, b.Retain())
	}
	column := &b.Columns[t.Column]
	var rows []uint32
	for row := range b.Rows() {
		if !column.Null(row) {
			rows = append(rows, uint32(row))
		} else if err := v.Fail(ctx, b, row, fmt.Errorf("column %q, the event time, is null", b.Schema.Fields[t.Column].Name)); err != nil {
			return err
		}
	}
	kept := r.pool.Take(b, rows)
	return v.Emit(ctx, 0, r.pool.WithTimes(kept, kept.Columns[t.Column].EventTimes()))
}

// Watermark says that a source has no earlier row any more.
func (r *Run) Watermark(ctx context.Context, source *graph.Node, t abi.EventTime) error {
	return r.byNode[source].advance(ctx, 0, t)
}

// End ends all sources.
func (r *Run) End(ctx context.Context) error {
	for _, v := range r.vertices {
		if v.node.Source != nil {
			if err := v.advance(ctx, 0, watermark.Max); err != nil {
				return err
			}
		}
	}
	return nil
}

// Clock moves processing time on, and calls operators at each time that they ask for on the way.
func (r *Run) Clock(ctx context.Context, by time.Duration) error {
	to := r.now.Add(by)
	for ticks := 0; ; ticks++ {
		next, due := to, (*vertex)(nil)
		for _, v := range r.vertices {
			if c, ok := v.op.(operator.Clocked); ok && v.marks.Current() != watermark.Max {
				if at := c.Next(); !at.IsZero() && !at.After(next) {
					next, due = at, v
				}
			}
		}
		if next.After(r.now) {
			r.now, ticks = next, 0
		}
		if due == nil {
			return nil
		}
		if ticks == maxTicks {
			return fmt.Errorf("%s: processing time stands at %v: it sets timers that are due for ever", due.node.Name, r.now)
		}
		if err := due.named(due.op.(operator.Clocked).Tick(ctx, r.now, due)); err != nil {
			return err
		}
	}
}

// Restore makes all operators anew, over what their state holds after a flush and nothing else.
func (r *Run) Restore(ctx context.Context) error {
	for _, v := range r.vertices {
		if v.op == nil {
			continue
		}
		if s, ok := v.op.(operator.Stateful); ok {
			if err := v.named(s.Flush(ctx)); err != nil {
				return err
			}
		}
		op := v.op
		v.op = nil
		if err := v.named(op.Close(ctx)); err != nil {
			return err
		}
		if err := v.copyState(); err != nil {
			return err
		}
		if err := v.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// copyState puts the state into a store of its own.
func (v *vertex) copyState() error {
	if v.store == nil {
		return nil
	}
	snapshot, err := v.store.Snapshot()
	if err != nil {
		return err
	}
	fresh := memory.New(everything)
	err = errors.Join(state.Copy(fresh, snapshot, everything), state.CopyUnkeyed(fresh, snapshot), snapshot.Close(), v.store.Close())
	v.store = fresh
	return err
}

// Take returns the rows that a sink was given since the last Take. The caller owns the batches.
func (r *Run) Take(sink *graph.Node) []*batch.Batch {
	v := r.byNode[sink]
	taken := v.taken
	v.taken = nil
	return taken
}

// Failures returns the rows that failed and were dropped since it was last called.
func (r *Run) Failures() []graph.Failure {
	failures := r.failures
	r.failures = nil
	return failures
}

// Close closes the operators, and drops what nobody has taken.
func (r *Run) Close(ctx context.Context) error {
	var errs []error
	for _, v := range r.vertices {
		if v.op != nil {
			errs = append(errs, v.named(v.op.Close(ctx)))
		}
		if v.store != nil {
			errs = append(errs, v.store.Close())
		}
		for _, b := range v.taken {
			b.Release()
		}
	}
	return errors.Join(errs...)
}

// Emit sends rows on.
func (v *vertex) Emit(ctx context.Context, port int, b *batch.Batch) error {
	if v.time != nil && port == 0 {
		return v.time.Put(ctx, b, (*timedVertex)(v))
	}
	return v.emit(ctx, port, b)
}

// timedVertex is a vertex as its Timestamps see it.
type timedVertex vertex

var _ task.Timed = (*timedVertex)(nil)

func (v *timedVertex) Rows(ctx context.Context, b *batch.Batch) error {
	return (*vertex)(v).emit(ctx, 0, b)
}

func (v *timedVertex) Watermark(ctx context.Context, t abi.EventTime) error {
	return (*vertex)(v).forward(ctx, t)
}

// Resume does nothing: here nothing is ever idle.
func (v *timedVertex) Resume(context.Context, abi.EventTime) error { return nil }

func (v *timedVertex) Fail(ctx context.Context, b *batch.Batch, row int, reason error) error {
	return (*vertex)(v).Fail(ctx, b, row, reason)
}

func (v *vertex) emit(ctx context.Context, port int, b *batch.Batch) error {
	defer b.Release()
	if b.Rows() == 0 {
		return nil
	}
	for _, l := range v.links[port] {
		if err := l.to.take(ctx, l.side, b); err != nil {
			return err
		}
	}
	return nil
}

// take gives rows to the operator, or keeps them.
func (v *vertex) take(ctx context.Context, side int, b *batch.Batch) error {
	if v.node.Sink != nil {
		v.taken = append(v.taken, b.Retain())
		return nil
	}
	return v.named(v.op.Process(ctx, side, b, v))
}

// Fail applies the node's policy to a row.
func (v *vertex) Fail(ctx context.Context, b *batch.Batch, row int, reason error) error {
	letter, err := v.failures.Row(b, row, reason)
	switch {
	case err != nil:
		return err
	case letter != nil:
		return v.Emit(ctx, v.failures.Port, letter)
	}
	v.run.failures = append(v.run.failures, graph.Failure{Operator: v.node.Name, Reason: reason.Error()})
	return nil
}

// advance merges a watermark with those of the other channels, and passes it on.
func (v *vertex) advance(ctx context.Context, channel int, t abi.EventTime) error {
	t, change := v.marks.Advance(channel, t)
	if change != watermark.Advanced {
		return nil
	}
	if v.op != nil {
		if err := v.named(v.op.Watermark(ctx, t, v)); err != nil {
			return err
		}
	}
	if v.time != nil && t != watermark.Max {
		return nil // it goes by its own rows
	}
	return v.forward(ctx, t)
}

// forward passes a watermark on.
func (v *vertex) forward(ctx context.Context, t abi.EventTime) error {
	for _, port := range v.links {
		for _, l := range port {
			if err := l.to.advance(ctx, l.channel, t); err != nil {
				return err
			}
		}
	}
	return nil
}
