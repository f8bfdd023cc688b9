// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// outputs are the output ports of a map or a process, and what its guest has emitted for the batch in
// hand.
type outputs struct {
	ports   []*port
	results []result
}

// result is a batch for an output port.
type result struct {
	port int
	rows *batch.Batch
}

func newOutputs(s *subtask) (outputs, error) {
	o := outputs{}
	if len(s.spec.Outputs) != len(s.op.Outputs) {
		return o, fmt.Errorf("operator %q has %d outputs, its place in the pipeline %d", s.op.Name, len(s.op.Outputs), len(s.spec.Outputs))
	}
	for i := range s.op.Outputs {
		p, err := newPort(s.ctx.Pool, &s.op.Outputs[i], s.spec.Inputs[0].Schema, s.spec.Outputs[i])
		if err != nil {
			return o, err
		}
		o.ports = append(o.ports, p)
	}
	return o, nil
}

// schema is what the guest may emit.
func (o *outputs) schema(number uint32) *abi.Schema {
	if uint64(number) >= uint64(len(o.ports)) {
		return nil
	}
	return o.ports[number].written
}

// resolve makes results of what a call with the rows of a part emitted, without those of rows that failed.
// forwards says that the part has the columns that outputs forward.
func (o *outputs) resolve(part *batch.Batch, emitted []batch.Message, failed []bool, forwards bool, spent *allowance) error {
	for i := range emitted {
		m := &emitted[i]
		p := o.ports[m.Number]
		if p.forward && !forwards && m.Batch.Rows() > 0 {
			return breachf("it emitted rows for output %q, which forwards the columns of the first input, and they came from others or from timers", p.name)
		}
		b, err := p.resolve(part, m, failed, spent)
		if err != nil {
			return err
		}
		if b != nil {
			o.results = append(o.results, result{int(m.Number), b})
		}
	}
	return nil
}

// emit sends the results on.
func (o *outputs) emit(ctx context.Context, out operator.Output) error {
	for i, r := range o.results {
		o.results[i].rows = nil
		if err := out.Emit(ctx, r.port, r.rows); err != nil {
			return err
		}
	}
	return nil
}

// dropResults releases the results from one on.
func (o *outputs) dropResults(from int) {
	for i := from; i < len(o.results); i++ {
		if b := o.results[i].rows; b != nil {
			b.Release()
		}
		o.results[i] = result{}
	}
	o.results = o.results[:from]
}

// checkFailures returns an error where a guest says of rows that failed which are not there.
func checkFailures(part *batch.Batch, emitted []batch.Message) (some bool, err error) {
	for i := range emitted {
		for _, f := range emitted[i].Failures {
			if some = true; f.Row >= part.Rows() {
				return true, breachf("it says that row %d of a batch of %d failed", f.Row, part.Rows())
			}
		}
	}
	return some, nil
}

// failRows notes the rows that a guest says of that they failed, and returns which of the part those
// are; nil where none is.
func (s *subtask) failRows(part *batch.Batch, rows []uint32, emitted []batch.Message) []bool {
	first := len(s.failed)
	for i := range emitted {
		for _, f := range emitted[i].Failures {
			s.fail(rows, f.Row, rowError(f.Message))
		}
	}
	return failedSet(part.Rows(), rows, s.failed[first:])
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
