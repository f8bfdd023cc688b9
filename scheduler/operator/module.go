// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
)

// Modules loads modules of users' operators.
type Modules interface {
	// Load checks and compiles the module in a file. Loading one twice costs little.
	Load(ctx context.Context, path string) (Module, error)
}

// Module is a checked module. Its methods may be called from any goroutine.
type Module interface {
	Digest() string // sha256 of the file, in hex
	Description() *describe.Module
	// Operator makes the operator of a subtask, of a kind that the scheduler drives as an Operator.
	Operator(Context, ModuleSpec) (Operator, error)
	// Aggregate makes the aggregate of a subtask.
	Aggregate(Context, ModuleSpec) (Aggregate, error)
}

// ModuleSpec says which operator of a module, and how it sits in the pipeline.
type ModuleSpec struct {
	Number int // of the operator in the description
	// Config is the configuration: one row of the operator's Config fields.
	Config  *batch.Batch
	Inputs  []ModuleInput // one for each of the operator's inputs
	Outputs []*abi.Schema // of the output ports, forwarded columns included
	// TTL is the time to live of states of a process by name, where it is another than the description's; 0
	// is for ever. What it counts from stays.
	TTL map[string]time.Duration
}

// ModuleInput is what an input of a module's operator reads.
type ModuleInput struct {
	Schema  *abi.Schema // of the stream
	Columns []int       // for each field of the input, the column of the stream
	// Key has the columns of the stream by which a keyed input of a process is partitioned, in the
	// order of the description's key where it has one. Empty of other inputs.
	Key []int
}

// Aggregate folds rows into accumulators that it keeps by slot: a small number that its caller
// hands out and takes back. One goroutine makes all calls: Open first, Close last.
type Aggregate interface {
	Open(ctx context.Context) error
	// Add folds each row of b into the accumulator of its slot, in order. fail is told of rows
	// that can't be folded; those leave no trace.
	Add(ctx context.Context, b *batch.Batch, slots []uint32, fail func(row int, reason error) error) error
	// Merge folds the accumulator from[i] into into[i] and empties from[i].
	Merge(ctx context.Context, into, from []uint32) error
	// Copy replaces the accumulator into[i] by that of from[i]. No slot is in both.
	Copy(into, from []uint32)
	// Accumulator is the type of a column of accumulators. It has no name.
	Accumulator() abi.Field
	// Save appends the accumulator of each slot to a column.
	Save(ctx context.Context, slots []uint32, to *batch.ColumnBuilder) error
	// Load replaces the accumulator of slots[i] by row i of a column that Save wrote.
	Load(ctx context.Context, slots []uint32, from *batch.Column) error
	// Result appends a row for each slot to the columns, one a field of the aggregate's output.
	Result(ctx context.Context, slots []uint32, columns []*batch.ColumnBuilder) error
	// Clear empties slots, so that they may be handed out again.
	Clear(slots []uint32)
	Close(ctx context.Context) error
}

// Retractor is an Aggregate that takes back what it added, so that it can follow a changelog.
type Retractor interface {
	Aggregate
	// Retract takes each row of b, which was or will be added, out of the accumulator of its slot.
	Retract(ctx context.Context, b *batch.Batch, slots []uint32) error
}

// Sized is an Aggregate whose accumulators are of any size.
type Sized interface {
	Aggregate
	// Memory returns about how many bytes the accumulators take.
	Memory() int64
}

// Forward returns the schema of an output whose operator writes fields and forwards the columns
// of in, and where each column comes from: forwarded columns are numbered from 0, written ones
// are -1 minus their number.
func Forward(in *abi.Schema, fields []abi.Field) (schema *abi.Schema, from []int) {
	written := abi.Schema{Fields: fields}
	schema = &abi.Schema{}
	for i := range in.Fields {
		if w := written.Index(in.Fields[i].Name); w >= 0 {
			schema.Fields = append(schema.Fields, fields[w])
			from = append(from, -1-w)
			continue
		}
		schema.Fields = append(schema.Fields, in.Fields[i])
		from = append(from, i)
	}
	for w := range fields {
		if in.Index(fields[w].Name) < 0 {
			schema.Fields = append(schema.Fields, fields[w])
			from = append(from, -1-w)
		}
	}
	return schema, from
}
