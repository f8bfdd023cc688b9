// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Module is a lookup that a map operator of a module answers: it is given keys as rows, and the rows that it
// makes of one are the table's. Each request in flight has an instance of its own, so that which of
// them answers a key must not matter.
type Module struct {
	ctx    operator.Context
	module operator.Module
	spec   operator.ModuleSpec

	mu   sync.Mutex
	idle []operator.Operator
}

var _ operator.Lookup = (*Module)(nil)

// NewModule returns the lookup of an operator with one output, whose input's schema is that of the keys.
func NewModule(ctx operator.Context, module operator.Module, spec operator.ModuleSpec) *Module {
	return &Module{ctx: ctx, module: module, spec: spec}
}

// Open makes the first instance, so that one which can't be made is found at once.
func (m *Module) Open(ctx context.Context) error {
	op, err := m.take(ctx)
	if err == nil {
		m.put(op)
	}
	return err
}

// Close closes all instances.
func (m *Module) Close(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, op := range m.idle {
		errs = append(errs, op.Close(ctx))
	}
	m.idle = nil
	return errors.Join(errs...)
}

// take returns an instance that nobody uses.
func (m *Module) take(ctx context.Context) (operator.Operator, error) {
	m.mu.Lock()
	if last := len(m.idle) - 1; last >= 0 {
		op := m.idle[last]
		m.idle = m.idle[:last]
		m.mu.Unlock()
		return op, nil
	}
	m.mu.Unlock()
	op, err := m.module.Operator(m.ctx, m.spec)
	if err != nil {
		return nil, err
	}
	if err := op.Open(ctx); err != nil {
		return nil, errors.Join(err, op.Close(ctx))
	}
	return op, nil
}

func (m *Module) put(op operator.Operator) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = append(m.idle, op)
}

// Get calls an instance. One that fails is closed, and another one takes its place.
func (m *Module) Get(ctx context.Context, keys *batch.Batch) (*operator.Answer, error) {
	op, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	numbered := m.number(keys)
	defer numbered.Release()
	c := collector{answer: &operator.Answer{}}
	defer c.release()
	if err := op.Process(ctx, 0, numbered, &c); err != nil {
		return nil, errors.Join(err, op.Close(context.WithoutCancel(ctx)))
	}
	m.put(op)
	c.finish(m.ctx.Pool, m.spec.Outputs[0])
	return c.answer, nil
}

// number returns the keys with their numbers as positions, which the rows that come of them have too.
func (m *Module) number(keys *batch.Batch) *batch.Batch {
	parts := make([]batch.Part, len(keys.Columns))
	for i := range parts {
		parts[i] = batch.Part{From: keys, Column: i}
	}
	numbered := m.ctx.Pool.Compose(keys.Schema, keys, parts)
	numbered.Times, numbered.Kinds = nil, nil
	numbered.Positions = make([]batch.Position, keys.Rows())
	for i := range numbered.Positions {
		numbered.Positions[i] = batch.At(0, int64(i))
	}
	return numbered
}

// collector takes what an instance makes of the keys of a request.
type collector struct {
	answer  *operator.Answer
	batches []*batch.Batch
}

var _ operator.Output = (*collector)(nil)

func (c *collector) Emit(_ context.Context, _ int, b *batch.Batch) error {
	c.batches = append(c.batches, b)
	return nil
}

func (c *collector) Fail(_ context.Context, b *batch.Batch, row int, reason error) error {
	c.answer.Failed = append(c.answer.Failed, operator.FailedKey{Row: int(b.Positions[row].Offset()), Reason: reason})
	return nil
}

func (c *collector) release() {
	for _, b := range c.batches {
		b.Release()
	}
}

// finish makes one batch of all, the rows of a key together.
func (c *collector) finish(pool *batch.Pool, schema *abi.Schema) {
	builder := pool.NewBuilder(schema)
	var all []uint32
	for _, b := range c.batches {
		all = all[:0]
		for row := range b.Rows() {
			all = append(all, uint32(row))
			c.answer.Origin = append(c.answer.Origin, uint32(b.Positions[row].Offset()))
		}
		for i := range b.Columns {
			builder.Column(i).AppendRows(&b.Columns[i], all)
		}
		builder.EndRows(len(all))
	}
	c.answer.Rows = builder.Finish()
	if slices.IsSorted(c.answer.Origin) {
		return
	}
	order := make([]uint32, len(c.answer.Origin))
	for i := range order {
		order[i] = uint32(i)
	}
	origin := c.answer.Origin
	slices.SortStableFunc(order, func(a, b uint32) int { return cmp.Compare(origin[a], origin[b]) })
	sorted := pool.Take(c.answer.Rows, order)
	c.answer.Rows.Release()
	c.answer.Rows = sorted
	slices.Sort(origin)
}
