// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// mapper is an operator of kind map. One goroutine makes all calls.
type mapper struct {
	*subtask
	ports   []*port
	message batch.Message
	results []result // of the batch in hand

	// o.schema and o.try: making them anew for each call would allocate.
	emits func(port uint32) *abi.Schema
	tries attempt
}

var _ operator.Operator = (*mapper)(nil)

// result is a batch for an output port.
type result struct {
	port int
	rows *batch.Batch
}

func newMapper(m *Module, c operator.Context, spec operator.ModuleSpec) (*mapper, error) {
	s, err := newSubtask(m, c, spec, describe.Map)
	if err != nil {
		return nil, err
	}
	if len(spec.Outputs) != len(s.op.Outputs) {
		return nil, fmt.Errorf("operator %q has %d outputs, its place in the pipeline %d", s.op.Name, len(s.op.Outputs), len(spec.Outputs))
	}
	o := &mapper{subtask: s}
	o.emits, o.tries = o.schema, o.try
	for i := range s.op.Outputs {
		p, err := newPort(c.Pool, &s.op.Outputs[i], spec.Inputs[0].Schema, spec.Outputs[i])
		if err != nil {
			return nil, err
		}
		o.ports = append(o.ports, p)
	}
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
	for i, r := range o.results {
		o.results[i].rows = nil
		if err := out.Emit(ctx, r.port, r.rows); err != nil {
			return err
		}
	}
	return nil
}

// dropResults releases the results from one on.
func (o *mapper) dropResults(from int) {
	for i := from; i < len(o.results); i++ {
		if b := o.results[i].rows; b != nil {
			b.Release()
		}
		o.results[i] = result{}
	}
	o.results = o.results[:from]
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

// schema is what the guest may emit.
func (o *mapper) schema(number uint32) *abi.Schema {
	if uint64(number) >= uint64(len(o.ports)) {
		return nil
	}
	return o.ports[number].written
}

// accept makes results of what a call emitted.
func (o *mapper) accept(part *batch.Batch, rows []uint32, emitted []batch.Message) error {
	first := len(o.failed)
	for i := range emitted {
		for _, f := range emitted[i].Failures {
			if f.Row >= part.Rows() {
				return breachf("it says that row %d of a batch of %d failed", f.Row, part.Rows())
			}
			o.fail(rows, f.Row, rowError(f.Message))
		}
	}
	bad := failedSet(part.Rows(), rows, o.failed[first:])
	spent := &o.guest.output
	for i := range emitted {
		m := &emitted[i]
		b, err := o.ports[m.Number].resolve(part, m, bad, spent)
		if err != nil {
			return err
		}
		if b != nil {
			o.results = append(o.results, result{int(m.Number), b})
		}
	}
	return nil
}

// failedSet returns which rows of a part failed; nil where none did.
func failedSet(n int, rows []uint32, failed []failedRow) []bool {
	if len(failed) == 0 {
		return nil
	}
	set := make([]bool, n)
	for _, f := range failed {
		at := f.row
		if rows != nil {
			at, _ = slices.BinarySearch(rows, uint32(f.row))
		}
		set[at] = true
	}
	return set
}

// Watermark does nothing: a map has no state.
func (o *mapper) Watermark(context.Context, abi.EventTime, operator.Output) error { return nil }

// Close ends the guest.
func (o *mapper) Close(ctx context.Context) error { return o.close(ctx) }
