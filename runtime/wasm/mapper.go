// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// mapper is an operator of kind map. One goroutine makes all calls.
type mapper struct {
	*subtask
	outputs
	message batch.Message

	// o.schema and o.try: making them anew for each call would allocate.
	emits func(port uint32) *abi.Schema
	tries attempt
}

var _ operator.Operator = (*mapper)(nil)

func newMapper(m *Module, c operator.Context, spec operator.ModuleSpec) (*mapper, error) {
	s, err := newSubtask(m, c, spec, describe.Map)
	if err != nil {
		return nil, err
	}
	o := &mapper{subtask: s}
	if o.outputs, err = newOutputs(s); err != nil {
		return nil, err
	}
	o.emits, o.tries = o.schema, o.try
	return o, nil
}

// Open makes the first instance.
func (o *mapper) Open(ctx context.Context) error { return o.start(ctx) }

// Process runs a batch through the guest.
func (o *mapper) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if b.Rows() == 0 {
		return nil
	}
	o.begin()
	defer o.dropResults(0)
	if err := o.work(ctx, b, o.complete(b), o.tries); err != nil {
		return o.moduleError(err)
	}
	o.recycle()
	if err := o.report(func(row int, reason error) error { return out.Fail(ctx, b, row, reason) }); err != nil {
		return err
	}
	return o.emit(ctx, out)
}

// try runs the rows of a part in one call.
func (o *mapper) try(ctx context.Context, part *batch.Batch, rows []uint32) error {
	o.message = batch.Message{Batch: part, Columns: o.spec.Inputs[0].Columns, Time: o.op.Inputs[0].Time}
	if err := fits(&o.message); err != nil {
		return err
	}
	results := len(o.results)
	err := o.call(ctx, func(g *guest) error {
		at, _, err := g.input(ctx, &o.message, nil)
		if err != nil {
			return err
		}
		return g.run(ctx, g.process, abi.ExportProcess, o.emits, uint64(at.ptr), uint64(at.size))
	}, func(emitted []batch.Message) error {
		return o.accept(part, rows, emitted)
	})
	if err != nil {
		o.dropResults(results)
	}
	return err
}

// accept makes results of what a call emitted.
func (o *mapper) accept(part *batch.Batch, rows []uint32, emitted []batch.Message) error {
	if _, err := checkFailures(part, emitted); err != nil {
		return err
	}
	failed := o.failRows(part, rows, emitted)
	return o.resolve(part, emitted, failed, true, &o.guest.output)
}

// Watermark is for the guest to ask for: a map has no state.
func (o *mapper) Watermark(_ context.Context, t abi.EventTime, _ operator.Output) error {
	o.mark = t
	return nil
}

// Close ends the guest.
func (o *mapper) Close(ctx context.Context) error { return o.close(ctx) }
