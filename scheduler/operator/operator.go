// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package operator is the vocabulary of the dataflow engine: what an operator, a source, a sink, a
// format and a module are to the scheduler. The packages above (runtime, plugins) implement it; the
// packages beside it (task, job) drive it.
package operator

import (
	"context"
	"log/slog"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/state"
)

// Operator transforms streams. One goroutine makes all calls to one Operator: Open first, then
// Process and Watermark in any order, then Close, which is called exactly once whatever happened
// before, also after a failed Open. After an error only Close follows.
//
// An error is final for the job. It is an *Error where the user's code or data is at fault.
type Operator interface {
	// Open prepares for the first row.
	Open(ctx context.Context) error
	// Process takes rows of an input. The batch is the caller's and valid until Process returns,
	// unless the operator retains it.
	Process(ctx context.Context, input int, b *batch.Batch, out Output) error
	// Watermark says that no row with an earlier event time follows, over all inputs. It never
	// decreases. The last one, at the end of bounded inputs, is watermark.Max. The caller passes
	// it on after Watermark returns.
	Watermark(ctx context.Context, t abi.EventTime, out Output) error
	// Close frees what the operator holds.
	Close(ctx context.Context) error
}

// Stateful is an operator that remembers something from call to call. Its state lies in Context.State,
// or goes there at Flush: an operator that is made anew over what a store held after Flush, with
// the watermark of then, goes on as if it were the same one. A node whose operator is Stateful is made with a
// store, and its key groups may be another range than those of the subtask that wrote them.
type Stateful interface {
	Operator
	// Flush writes what the operator remembers and has not written yet to Context.State. It is
	// called between any two other calls, and leaves the operator as it was. Whether the store
	// is flushed then is the caller's decision.
	Flush(ctx context.Context) error
}

// Clocked is an operator that acts by processing time.
type Clocked interface {
	Operator
	// Next returns when Tick is to be called, the zero time for never. It is asked after Open and
	// after each other call.
	Next() time.Time
	// Tick says that processing time has come to now, which is not before Next, and never goes
	// back. It is not called once Watermark has been called with watermark.Max.
	Tick(ctx context.Context, now time.Time, out Output) error
}

// Output takes what an operator produces. It belongs to the call that it is given to.
type Output interface {
	// Emit sends rows to an output port, in order. It takes over the caller's reference to b and
	// may block while a consumer is slow.
	Emit(ctx context.Context, port int, b *batch.Batch) error
	// Fail reports that a row of the input batch b failed, and why. An error means that the job
	// does not go on without the row: the operator returns it.
	Fail(ctx context.Context, b *batch.Batch, row int, reason error) error
}

// Context is what an operator is made with, for one subtask.
type Context struct {
	Node        string // name of the node in the pipeline
	Subtask     int    // from 0
	Parallelism int
	Pool        *batch.Pool
	Now         func() time.Time // the job's processing time
	Seed        uint64           // the job's, for all that is random
	Log         *slog.Logger
	Counters    *Counters
	// State holds the key groups of the subtask, and what belongs to the subtask alone. It is set where the
	// node is stateful. Whoever made the context flushes and closes it.
	State state.Store
	// Groups is how many key groups the job has: a key is in the group state.GroupOf(key, Groups),
	// where the key is the values of its columns, one batch.AppendValue after the other.
	Groups int
	// Watermark is the watermark as of which State is; watermark.Min at the start of a job.
	Watermark abi.EventTime
}
