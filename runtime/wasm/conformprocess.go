// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/conformance"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

var _ conformance.Stateful = (*conformanceGuest)(nil)

// Run makes an operator of kind process over an empty store in memory.
func (c *conformanceGuest) Run(ctx context.Context, number int, config []byte) (conformance.Running, error) {
	op := &c.module.description.Operators[number]
	m, err := c.pool.Decode(config, only(abi.SchemaConfig, &abi.Schema{Fields: op.Config}))
	if err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	r := &conformanceRun{module: c.module, outcome: &outcomes{}}
	r.spec = conformanceSpec(op, number, m.Batch)
	r.ctx = operator.Context{
		Node: "conformance", Parallelism: 1, Pool: c.pool, Seed: 1, Counters: &operator.Counters{}, Log: c.logs.log,
		Now:   func() time.Time { return r.now },
		State: memory.New(state.Groups{To: state.DefaultGroups}), Groups: state.DefaultGroups, Watermark: watermark.Min,
	}
	r.now = time.UnixMicro(0)
	if err := r.open(ctx); err != nil {
		_ = r.Close(ctx) // the error of open says more
		return nil, err
	}
	return r, nil
}

// conformanceSpec places an operator behind streams of exactly its inputs' columns.
func conformanceSpec(op *describe.Operator, number int, config *batch.Batch) operator.ModuleSpec {
	spec := operator.ModuleSpec{Number: number, Config: config}
	for i := range op.Inputs {
		in := operator.ModuleInput{Schema: op.Inputs[i].Schema()}
		for col := range in.Schema.Fields {
			in.Columns = append(in.Columns, col)
		}
		for k := 0; k < len(op.Key) && !op.Inputs[i].Broadcast; k++ {
			in.Key = append(in.Key, in.Schema.Index(op.Key[k].Name))
		}
		spec.Inputs = append(spec.Inputs, in)
	}
	for i := range op.Outputs {
		schema := op.Outputs[i].Schema()
		if op.Outputs[i].Forward {
			schema, _ = operator.Forward(spec.Inputs[0].Schema, schema.Fields)
		}
		spec.Outputs = append(spec.Outputs, schema)
	}
	return spec
}

// conformanceRun is a process as package conformance sees it.
type conformanceRun struct {
	module  *Module
	spec    operator.ModuleSpec
	ctx     operator.Context
	now     time.Time
	op      *process // nil where there is none
	outcome *outcomes
}

var _ conformance.Running = (*conformanceRun)(nil)

func (r *conformanceRun) open(ctx context.Context) error {
	op, err := newProcess(r.module, r.ctx, r.spec)
	if err != nil {
		return err
	}
	r.op = op
	return failed(op.Open(ctx))
}

// ended returns what came of a call, once what is due by the clock is done too.
func (r *conformanceRun) ended(ctx context.Context, err error) (conformance.Outcome, error) {
	for err == nil && r.ctx.Watermark != watermark.Max {
		at := r.op.Next()
		if at.IsZero() || at.After(r.now) {
			break
		}
		err = r.op.Tick(ctx, r.now, r.outcome)
	}
	return r.outcome.take(), failed(err)
}

// Process hands over rows.
func (r *conformanceRun) Process(ctx context.Context, port int, in *batch.Batch) (conformance.Outcome, error) {
	r.outcome.release()
	return r.ended(ctx, r.op.Process(ctx, port, in, r.outcome))
}

// Watermark moves the watermark.
func (r *conformanceRun) Watermark(ctx context.Context, t abi.EventTime) (conformance.Outcome, error) {
	r.outcome.release()
	r.ctx.Watermark = t
	return r.ended(ctx, r.op.Watermark(ctx, t, r.outcome))
}

// Clock moves processing time.
func (r *conformanceRun) Clock(ctx context.Context, now int64) (conformance.Outcome, error) {
	r.outcome.release()
	r.now = time.UnixMicro(now)
	return r.ended(ctx, nil)
}

// Recycle throws the instance away.
func (r *conformanceRun) Recycle(context.Context) error {
	r.op.discard()
	return nil
}

// Restore makes the operator anew over a copy of its store.
func (r *conformanceRun) Restore(ctx context.Context) error {
	err := errors.Join(r.op.Flush(ctx), r.op.Close(ctx))
	old, groups := r.ctx.State, r.ctx.State.Groups()
	r.op, r.ctx.State = nil, memory.New(groups)
	err = errors.Join(err, state.Copy(r.ctx.State, old, groups), state.CopyUnkeyed(r.ctx.State, old), old.Close())
	if err != nil {
		return err
	}
	return r.open(ctx)
}

// Close closes the operator and its store.
func (r *conformanceRun) Close(ctx context.Context) error {
	r.outcome.release()
	var err error
	if r.op != nil {
		err = r.op.Close(ctx)
	}
	return errors.Join(failed(err), r.ctx.State.Close())
}

// outcomes collects what comes of a call.
type outcomes struct {
	conformance.Outcome
	held []*batch.Batch // of failed rows
}

// Emit takes rows.
func (o *outcomes) Emit(_ context.Context, port int, b *batch.Batch) error {
	o.Emitted = append(o.Emitted, conformance.Emitted{Port: port, Batch: b})
	return nil
}

// Fail takes a row that failed.
func (o *outcomes) Fail(_ context.Context, b *batch.Batch, row int, reason error) error {
	o.held = append(o.held, b.Retain())
	o.Failed = append(o.Failed, conformance.FailedRow{Batch: b, Row: row, Message: reason.Error()})
	return nil
}

func (o *outcomes) take() conformance.Outcome {
	out := o.Outcome
	o.Outcome = conformance.Outcome{}
	return out
}

// release lets go of what the last call left.
func (o *outcomes) release() {
	for _, b := range o.held {
		b.Release()
	}
	o.held = nil
}
