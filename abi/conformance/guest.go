// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// Guest is one instance of a module, as a host calls it. Calls never overlap; after an error only
// Close follows. Errors are the host's, with what the guest said in them; *Failed where the guest
// called fail.
type Guest interface {
	// Version calls wasmill_version.
	Version(ctx context.Context) (int32, error)
	// Describe calls wasmill_describe and returns a copy of the bytes.
	Describe(ctx context.Context) ([]byte, error)
	// Buffer calls wasmill_buffer. It returns the pointer as it is, and the bytes of the memory.
	Buffer(ctx context.Context, size uint32) (pointer, memory uint32, err error)
	// Open hands a batch of configuration over and calls wasmill_open.
	Open(ctx context.Context, operator int, config []byte) error
	// Process hands a batch over and calls wasmill_process. Batches that the guest emits are decoded
	// by schema, which has nil for a number that it may not emit.
	Process(ctx context.Context, in []byte, schema func(number uint32) *abi.Schema) (Result, error)
	// Aggregate is the same of wasmill_aggregate; b is nil in StepResult.
	Aggregate(ctx context.Context, step abi.AggregateStep, a, b []byte, schema func(number uint32) *abi.Schema) (Result, error)
	// Close calls wasmill_close where there is one and no call has failed, and frees the instance.
	Close(ctx context.Context) error
}

// Result is what a guest did in one call.
type Result struct {
	Emitted []batch.Message // in order; whoever gets them owns the batches
	Logs    []Log
	Counts  []int64 // what was added to each counter, by number; shorter where the last got nothing
}

// Log is a line that the guest logged.
type Log struct {
	Level abi.LogLevel
	Text  string
}

// Failed is the error of a call that the guest ended by fail, or by what a host takes for it: the
// contract's env.abort, or a message on stderr before proc_exit.
type Failed struct {
	Kind    abi.FailKind
	Message string
}

func (f *Failed) Error() string {
	if f.Kind == abi.FailError {
		return "it refused: " + f.Message
	}
	return "it panicked: " + f.Message
}

// Factory makes a fresh instance of the module, its _initialize called.
type Factory func(ctx context.Context) (Guest, error)
