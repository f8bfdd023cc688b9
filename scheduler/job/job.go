// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package job runs a checked graph from start to end in this process: it makes the tasks, gives
// each a goroutine, reads the sources, and commits the sinks once every task is done. A job ends
// in one of three ways: all input was processed and every sink committed; a task failed and every
// sink was aborted; or it was cancelled, which is like a failure. Where a sink fails to commit, those
// before it have committed, and the error says which; those after it are aborted.
package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/task"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// Options are what a job needs besides its graph.
type Options struct {
	// Rows is the format in which a row is written into a dead letter. Required where a node has
	// dead letters.
	Rows operator.Format
	// Pool is where batches take their memory. Default: one of the job's own.
	Pool *batch.Pool
	// Log takes what operators log. Default: nothing.
	Log *slog.Logger
	// Now is the job's processing time. Default: time.Now.
	Now func() time.Time
	// State makes the store of a subtask of a stateful node, which owns a range of key groups. The
	// job closes it. Default: one in memory.
	State func(node string, subtask int, groups state.Groups) (state.Store, error)
}

// Job is one run of a graph. Run may be called once; Stop and Progress from any goroutine.
type Job struct {
	graph   *graph.Graph
	opts    Options
	tasks   []*task.Task
	splits  []*splitTask
	writers []writer
	stores  []state.Store
	names   []operator.Split // by number
	nodes   []nodeStats
	started time.Time
	stop    context.Context
	drain   context.CancelFunc
}

type writer struct {
	node string
	operator.Writer
}

type splitTask struct {
	*task.Split
	node    *graph.Node
	subtask int
	// open has a place for each split of its source that may be open at once.
	open chan struct{}
}

type nodeStats struct {
	node     *graph.Node
	counters *operator.Counters
	subtasks []*task.Stats
}

// New makes the job of a graph: it lists the splits of the sources and opens the sinks. Where it
// returns an error it leaves nothing behind.
func New(ctx context.Context, g *graph.Graph, opts Options) (*Job, error) {
	opts.Pool = cmp.Or(opts.Pool, &batch.Pool{})
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.State == nil {
		opts.State = func(_ string, _ int, groups state.Groups) (state.Store, error) { return memory.New(groups), nil }
	}
	j := &Job{graph: g, opts: opts, started: opts.Now()}
	j.stop, j.drain = context.WithCancel(context.Background())
	if err := (&planner{Job: j}).plan(ctx); err != nil {
		return nil, withAbort(err, errors.Join(j.closeStores(), j.abort()))
	}
	return j, nil
}

// Run processes all input. It returns nil where every sink has committed. When ctx is done it
// fails with its cause.
func (j *Job) Run(ctx context.Context) error {
	defer j.drain()
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, j.drain)() // a reader may wait for a row that nobody wants any more
	for _, t := range j.tasks {
		group.Go(func() (err error) {
			defer task.Recovered(t.Name, debug.Stack, &err)
			return t.Run(ctx)
		})
	}
	for _, s := range j.splits {
		group.Go(func() (err error) {
			defer task.Recovered(s.node.Name, debug.Stack, &err)
			select {
			case s.open <- struct{}{}:
				defer func() { <-s.open }()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			return s.Run(ctx, j.stop)
		})
	}
	if err := withAbort(group.Wait(), j.closeStores()); err != nil {
		return withAbort(err, j.abort())
	}
	return j.commit(ctx)
}

func (j *Job) closeStores() error {
	var errs []error
	for _, s := range j.stores {
		errs = append(errs, s.Close())
	}
	j.stores = nil
	return errors.Join(errs...)
}

// Stop ends the job as if its input ended now: what has been read is processed, windows fire,
// sinks commit.
func (j *Job) Stop() { j.drain() }

func (j *Job) commit(ctx context.Context) error {
	var done []string
	for len(j.writers) > 0 {
		w := j.writers[0]
		j.writers = j.writers[1:]
		err := w.end(func() error { return w.Commit(context.WithoutCancel(ctx)) })
		if err == nil {
			if !slices.Contains(done, w.node) {
				done = append(done, w.node)
			}
			continue
		}
		if len(done) > 0 {
			err = fmt.Errorf("%w\n%s had been committed before, in whole or in part", err, strings.Join(done, ", "))
		}
		return withAbort(err, j.abort())
	}
	return nil
}

// end commits or aborts, and names the node in an error. A panic is one: the other sinks must still
// be aborted, and other jobs go on.
func (w writer) end(how func() error) (err error) {
	defer task.Recovered(w.node, debug.Stack, &err)
	if err := how(); err != nil {
		return fmt.Errorf("%s: %w", w.node, err)
	}
	return nil
}

// withAbort adds what went wrong afterwards, too.
func withAbort(err, abort error) error {
	if abort == nil {
		return err
	}
	return errors.Join(err, abort)
}

func (j *Job) abort() error {
	var errs []error
	for _, w := range j.writers {
		errs = append(errs, w.end(w.Abort))
	}
	j.writers = nil
	return errors.Join(errs...)
}

// locate says a position in words: "flights.json line 17".
func (j *Job) locate(p batch.Position) string {
	if p.Split() >= len(j.names) {
		return ""
	}
	s := j.names[p.Split()]
	return fmt.Sprintf("%s %s %d", s.Name, s.Unit, p.Offset())
}
