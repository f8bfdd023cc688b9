// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"

	"github.com/wasmill/wasmill/abi/batch"
)

// Lookup is a table, wherever it lies, whose rows are asked for by key. One goroutine calls Open first and
// Close last, which it calls exactly once; in between any goroutine may call Get, several at once.
type Lookup interface {
	// Open prepares for the first request.
	Open(ctx context.Context) error
	// Get answers a request: one row a key, none of whose columns is null. The keys are valid until
	// it returns, which it does soon after ctx is done.
	//
	// An error means that no key was answered, and that the same request may be answered later. An
	// *Error with FaultModule or FaultConfig is final: the job fails.
	Get(ctx context.Context, keys *batch.Batch) (*Answer, error)
	// Close frees what the lookup holds.
	Close(ctx context.Context) error
}

// Answer is what a lookup knows of the keys of a request.
type Answer struct {
	Rows *batch.Batch // the caller's, who releases it
	// Origin is for each of Rows the row of its key. It never decreases: rows of one key are together,
	// in the order of the table. A key that no row names is not in the table.
	Origin []uint32
	// Failed are keys that could not be answered and never will be.
	Failed []FailedKey
}

// FailedKey is a key of a request that failed.
type FailedKey struct {
	Row    int
	Reason error
}
