// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// counterFuel is the counter that the host keeps of the fuel that a node's guests have used.
const counterFuel = "fuel"

// subtask is what operators of all kinds have in common: one operator of a module, and the instance
// that runs it at the moment. One goroutine uses it.
type subtask struct {
	module *Module
	ctx    operator.Context
	spec   operator.ModuleSpec
	op     *describe.Operator
	logs   *logs

	fuel     *atomic.Int64
	counters []*atomic.Int64 // the guest's, in the order of the description

	guest      *guest // nil until the next call needs one
	generation uint64 // of the guest
	openSize   int    // of its memory
	// required are the columns of each input's stream that may not be null.
	required [][]requiredColumn
	mark     abi.EventTime // the watermark, as the guest is told it
	states   *states       // of a process, nil of others

	// Of the batch in hand.
	batchFuel  int64 // what it may still use
	deaths     int   // instances that it has cost
	setbacks   int   // calls that were taken back
	firstDeath time.Time
	failed     []failedRow
}

type requiredColumn struct {
	column int
	name   string
}

func newSubtask(m *Module, c operator.Context, spec operator.ModuleSpec, kind describe.Kind) (*subtask, error) {
	ops := m.description.Operators
	if spec.Number < 0 || spec.Number >= len(ops) {
		return nil, fmt.Errorf("operator %d of a module of %d", spec.Number, len(ops))
	}
	s := &subtask{module: m, ctx: c, spec: spec, op: &ops[spec.Number], mark: c.Watermark}
	if s.op.Kind != kind {
		return nil, fmt.Errorf("operator %q is a %s, not a %s", s.op.Name, s.op.Kind, kind)
	}
	if len(spec.Inputs) != len(s.op.Inputs) {
		return nil, fmt.Errorf("operator %q has %d inputs, its place in the pipeline %d", s.op.Name, len(s.op.Inputs), len(spec.Inputs))
	}
	s.spec.Inputs = slices.Clone(spec.Inputs)
	for i := range spec.Inputs {
		if err := s.reads(i); err != nil {
			return nil, err
		}
	}
	s.logs = newLogs(c.Log, c.Now, &m.engine.opts.Limits)
	s.fuel = c.Counters.Get(counterFuel)
	for _, name := range s.op.Counters {
		s.counters = append(s.counters, c.Counters.Get(name))
	}
	return s, nil
}

// reads holds what an input's fields are against the columns of the stream.
func (s *subtask) reads(input int) error {
	in, fields := &s.spec.Inputs[input], s.op.Inputs[input].Fields
	if len(in.Columns) != len(fields) {
		return fmt.Errorf("operator %q has %d input columns, its place in the pipeline %d", s.op.Name, len(fields), len(in.Columns))
	}
	var required []requiredColumn
	for i := range fields {
		col := in.Columns[i]
		if col < 0 || col >= len(in.Schema.Fields) || !fields[i].SameType(&in.Schema.Fields[col]) {
			return fmt.Errorf("operator %q reads column %q of type %s; the stream has none there: %s",
				s.op.Name, fields[i].Name, fields[i].TypeString(), in.Schema)
		}
		if fields[i].Required {
			required = append(required, requiredColumn{col, fields[i].Name})
		}
	}
	if in.Columns == nil {
		in.Columns = []int{} // nil would mean all to batch.Message
	}
	s.required = append(s.required, required)
	return nil
}

// start makes sure that there is an open instance.
func (s *subtask) start(ctx context.Context) error {
	if s.guest != nil {
		return nil
	}
	s.generation++
	g, err := s.module.instantiate(ctx, surroundings{
		pool: s.ctx.Pool, now: s.ctx.Now, seed: s.seed(), logs: s.logs, counters: len(s.op.Counters),
		mark: &s.mark, states: s.states,
	})
	if err != nil {
		return s.openError(err)
	}
	err = g.open(ctx, s.spec.Number, s.spec.Config)
	s.fuel.Add(g.bill())
	if err != nil {
		g.close()
		return s.openError(err)
	}
	s.guest, s.openSize = g, g.in.Size()
	return nil
}

// seed differs between instances, so that a recycled one does not draw what the last one drew.
func (s *subtask) seed() [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d %q %d %d", s.ctx.Seed, s.ctx.Node, s.ctx.Subtask, s.generation))
}

// openError is final. That the operator refuses its configuration is the pipeline's to change.
func (s *subtask) openError(err error) error {
	if refused(err) {
		return &operator.Error{Fault: operator.FaultConfig, Err: fmt.Errorf("operator %q refuses to open: %w", s.op.Name, err)}
	}
	return s.moduleError(err)
}

// moduleError says which operator of which module failed. Errors of the context stay as they are,
// and those that say so already.
func (s *subtask) moduleError(err error) error {
	var store *storeError
	if errors.As(err, &store) {
		return &operator.Error{Fault: operator.FaultEnvironment, Err: fmt.Errorf("state of operator %q: %w", s.op.Name, store.err)}
	}
	if errors.As(err, new(*operator.Error)) ||
		!errors.As(err, new(*fault)) && !errors.As(err, new(*breach)) && !errors.As(err, new(*statusError)) && !errors.As(err, new(*limitError)) {
		return err
	}
	return &operator.Error{
		Fault: operator.FaultModule,
		Err:   fmt.Errorf("operator %q of module %.12s: %w", s.op.Name, s.module.digest, err),
		Stack: stackOf(err),
	}
}

// rowError is why a row failed that the guest gave a reason for.
func rowError(reason string) error {
	return &operator.Error{Fault: operator.FaultRow, Err: errors.New(reason)}
}

// call makes a call with rows, by run, and takes what the guest emitted, by accept. Where anything
// is wrong, the instance is thrown away, and nothing of the call is visible. Whatever happened, what
// the guest emitted is released.
func (s *subtask) call(ctx context.Context, run func(g *guest) error, accept func(emitted []batch.Message) error) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	g := s.guest
	err := run(g)
	fuel := g.bill()
	s.fuel.Add(fuel)
	s.batchFuel -= fuel
	if err == nil {
		err = accept(g.emitted)
	}
	if err != nil {
		s.discard()
		return err
	}
	g.dropEmitted()
	for i, delta := range g.counts {
		if delta != 0 {
			s.counters[i].Add(delta)
			g.counts[i] = 0
		}
	}
	return nil
}

// discard throws the instance away.
func (s *subtask) discard() {
	if s.guest != nil {
		s.guest.close()
		s.guest = nil
	}
}

// recycle replaces an instance whose memory has grown too large, between two batches.
func (s *subtask) recycle() {
	if s.guest == nil {
		return
	}
	size := s.guest.in.Size()
	if s.module.engine.opts.RecycleEachBatch ||
		int64(size) > s.module.engine.opts.Limits.RecycleBytes && size > recycleFactor*s.openSize {
		s.discard()
	}
}

// close ends the subtask.
func (s *subtask) close(ctx context.Context) error {
	defer s.logs.report()
	if s.guest == nil {
		return nil
	}
	var err error
	if ctx.Err() == nil {
		err = s.guest.shut(ctx)
		s.fuel.Add(s.guest.bill())
	}
	s.discard()
	if err != nil {
		return s.moduleError(err)
	}
	return nil
}
