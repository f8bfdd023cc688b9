// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// Stateful is a Guest whose host runs operators of kind process.
type Stateful interface {
	Guest
	// Run opens an operator of kind process in an instance of its own, with all that a host has around it: state
	// and timers that are empty at first, one subtask, the watermark before the first, and processing time 0.
	// Where the description has no key, all rows have one. An error is as of Open. Of the guest itself only Close
	// follows.
	Run(ctx context.Context, operator int, config []byte) (Running, error)
}

// Running is an operator of kind process that a host runs. Calls never overlap; after an error only
// Close follows. Timers of processing time that are due when a call is over fire before it returns.
type Running interface {
	// Process hands over rows of an input port, with an event time each and the columns of the
	// port. The batch stays the caller's and is valid until Process returns.
	Process(ctx context.Context, port int, in *batch.Batch) (Outcome, error)
	// Watermark says that the watermark is t from now on, and what is due is to be done.
	Watermark(ctx context.Context, t abi.EventTime) (Outcome, error)
	// Clock says that processing time is now, microseconds since 1970 UTC, and what is due is to be done.
	Clock(ctx context.Context, now int64) (Outcome, error)
	// Recycle has a fresh instance take the next call.
	Recycle(ctx context.Context) error
	// Restore goes on as a job does that was stopped after the last call: nothing is left but a
	// snapshot of the state, the watermark and the time.
	Restore(ctx context.Context) error
	// Close frees all.
	Close(ctx context.Context) error
}

// Outcome is what came of a call once the host has done its part: rows that failed left nothing.
type Outcome struct {
	Emitted []Emitted // in order of each port; whoever gets them owns the batches
	Failed  []FailedRow
}

// Emitted is rows of an output port, forwarded columns included, with an event time each.
type Emitted struct {
	Port  int
	Batch *batch.Batch
}

// FailedRow is a row of the input that failed, or a timer: then the batch has its columns time and
// namespace, and the key.
type FailedRow struct {
	Batch   *batch.Batch // not the receiver's: valid until the next call
	Row     int
	Message string // what the guest said
}
