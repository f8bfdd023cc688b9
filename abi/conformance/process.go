// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// processCase is what happens to an operator of kind process from its start, and what must come of it.
type processCase struct {
	name  string
	steps []step
}

// step is rows of an input, or a move of a clock, and what must come of it: of each output its rows
// in order, then failed rows. A row has its time in microseconds, where it is not 0.
type step struct {
	kind  stepKind
	port  int
	input input
	to    int64
	want  output
}

type stepKind uint8

const (
	rowsCome stepKind = iota
	watermarkMoves
	clockMoves
)

// A way is how a case is run. Every way gives the same.
type way struct {
	name    string
	rows    int  // of a batch, at most; 0 for all
	recycle bool // a fresh instance for each call
	restore bool // from a snapshot after each call
}

func ways() []way {
	return []way{
		{name: "in whole batches"},
		{name: "row by row", rows: 1},
		{name: "with a fresh instance for each call", rows: 3, recycle: true},
		{name: "restored after each call", rows: 100, restore: true},
	}
}

// run is a run of one operator.
type run struct {
	way
	pool    *batch.Pool
	op      *describe.Operator
	guest   Guest
	running Running
	ports   []output // what came of the step at hand, by output
	failed  output
}

// start runs an operator of kind process.
func (m *module) start(ctx context.Context, number int, w way, config rows.Row) (*run, error) {
	g, err := m.factory(ctx)
	if err != nil {
		return nil, fmt.Errorf("a fresh instance: %w", err)
	}
	host, ok := g.(Stateful)
	if !ok {
		return nil, errors.Join(errors.New("this host runs no operators of kind process"), g.Close(ctx))
	}
	op := &m.description.Operators[number]
	running, err := host.Run(ctx, number, configMessage(&m.pool, op.Config, config))
	if err != nil {
		_ = g.Close(ctx) // after an error there is nothing more to learn
		return nil, err
	}
	return &run{way: w, pool: &m.pool, op: op, guest: g, running: running}, nil
}

func (r *run) close(ctx context.Context) error {
	return errors.Join(r.running.Close(ctx), r.guest.Close(ctx))
}

// processCase runs a case in each way.
func (m *module) processCase(ctx context.Context, number int, c *processCase) error {
	for _, w := range ways() {
		switch {
		case w.rows == 1 && c.large():
			continue
		case w.recycle && c.large():
			w.rows = 1000 // an instance can cost milliseconds
		}
		if err := m.processWay(ctx, number, c, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// large says whether a case has too many rows to hand over one by one.
func (c *processCase) large() bool {
	return slices.ContainsFunc(c.steps, func(s step) bool { return len(s.input.rows) > 500 })
}

func (m *module) processWay(ctx context.Context, number int, c *processCase, w way) error {
	config, err := configuration(m.description.Operators[number].Config)
	if err != nil {
		return err
	}
	r, err := m.start(ctx, number, w, config)
	if err != nil {
		return err
	}
	for i := range c.steps {
		got, err := r.step(ctx, &c.steps[i])
		if err == nil {
			err = got.differs(c.steps[i].want)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("step %d: %w", i+1, err), r.close(ctx))
		}
	}
	return r.close(ctx)
}

// step does a step and returns what came of it.
func (r *run) step(ctx context.Context, s *step) (output, error) {
	r.ports, r.failed = make([]output, len(r.op.Outputs)), nil
	switch s.kind {
	case watermarkMoves:
		return r.done(r.call(ctx, func() (Outcome, error) { return r.running.Watermark(ctx, abi.EventTime(s.to)) }))
	case clockMoves:
		return r.done(r.call(ctx, func() (Outcome, error) { return r.running.Clock(ctx, s.to) }))
	}
	size := r.way.rows
	if size == 0 {
		size = max(1, len(s.input.rows))
	}
	for from := 0; from == 0 || from < len(s.input.rows); from += size {
		b := r.batch(s, from, min(from+size, len(s.input.rows)))
		err := r.call(ctx, func() (Outcome, error) { return r.running.Process(ctx, s.port, b) })
		b.Release()
		if err != nil {
			return nil, err
		}
	}
	return r.done(nil)
}

func (r *run) done(err error) (output, error) {
	return append(slices.Concat(r.ports...), r.failed...), err
}

func (r *run) batch(s *step, from, to int) *batch.Batch {
	b := rows.Build(r.pool, r.op.Inputs[s.port].Schema(), s.input.rows[from:to])
	b.Times = make([]abi.EventTime, to-from)
	if s.input.times != nil {
		copy(b.Times, s.input.times[from:to])
	}
	if s.input.kinds != nil {
		b.Kinds = s.input.kinds[from:to]
	}
	return b
}

// call makes one call, adds what came of it, and does what the way does after each.
func (r *run) call(ctx context.Context, do func() (Outcome, error)) error {
	o, err := do()
	if err != nil {
		return err
	}
	for i := range o.Emitted {
		e := &o.Emitted[i]
		if e.Port < 0 || e.Port >= len(r.ports) {
			return fmt.Errorf("rows came from output %d; its description has %d", e.Port, len(r.ports))
		}
		r.emitted(e)
		e.Batch.Release()
	}
	for _, f := range o.Failed {
		var row rows.Row
		for i := range f.Batch.Columns {
			row = append(row, rows.Value(&f.Batch.Columns[i], f.Row))
		}
		r.failed.addf("failed %s: %s", rows.RowText(f.Batch.Schema.Fields, row), f.Message)
	}
	if r.recycle {
		if err := r.running.Recycle(ctx); err != nil {
			return fmt.Errorf("a fresh instance: %w", err)
		}
	}
	if r.restore {
		if err := r.running.Restore(ctx); err != nil {
			return fmt.Errorf("restored from a snapshot: %w", err)
		}
	}
	return nil
}

func (r *run) emitted(e *Emitted) {
	for n, row := range rows.Of(e.Batch) {
		text := rows.RowText(e.Batch.Schema.Fields, row)
		if name := r.op.Outputs[e.Port].Name; name != "" {
			text = name + " " + text
		}
		if kind := kindOf(e.Batch.Kinds, n, batch.Insert); kind != batch.Insert {
			text += fmt.Sprintf(" kind %d", kind)
		}
		if e.Batch.Times == nil {
			text += " at no time"
		} else if t := e.Batch.Times[n]; t != 0 {
			text += fmt.Sprintf(" at %d", t)
		}
		r.ports[e.Port] = append(r.ports[e.Port], text)
	}
}

// checkProcess checks what holds for any operator of kind process: rows that its schemas allow, then time
// that goes on to the end of all input, give the same in each way.
func (m *module) checkProcess(ctx context.Context, number int, op *describe.Operator) {
	config, err := configuration(op.Config)
	if err != nil {
		m.report.add(op.Name+": opens, or says why not", err)
		return
	}
	var steps []step
	for port := range op.Inputs {
		for _, s := range samples(&op.Inputs[port]) {
			steps = append(steps, step{port: port, input: s.input})
		}
		steps = append(steps, watermark(int64(port)*10_000_000), clock(int64(port)*10_000_000))
	}
	steps = append(steps, watermark(math.MaxInt64))
	first := make([]output, len(steps))
	for _, w := range ways() {
		if w.rows == 1 {
			continue
		}
		w.rows = 0 // where timers are due at once, what rows find depends on how they are cut
		err := m.sampleWay(ctx, number, w, config, steps, first)
		if refused(err) && slices.ContainsFunc(op.Config, func(f abi.Field) bool { return f.Required }) {
			err = nil // it can't work with values that nobody chose
		}
		m.report.add(op.Name+": takes rows "+w.name, err)
		if err != nil {
			return
		}
	}
}

// sampleWay runs steps in a way and compares what comes of them with the first way.
func (m *module) sampleWay(ctx context.Context, number int, w way, config rows.Row, steps []step, first []output) error {
	r, err := m.start(ctx, number, w, config)
	if err != nil {
		return err
	}
	for i := range steps {
		got, err := r.step(ctx, &steps[i])
		if err == nil && first[i] != nil {
			err = got.differs(first[i])
		}
		if err != nil {
			return errors.Join(fmt.Errorf("step %d: %w", i+1, err), r.close(ctx))
		}
		if first[i] == nil {
			first[i] = append(output{}, got...)
		}
	}
	return r.close(ctx)
}

// watermark is the step that the watermark moves.
func watermark(to int64, want ...string) step {
	return step{kind: watermarkMoves, to: to, want: want}
}

// clock is the step that processing time moves.
func clock(to int64, want ...string) step { return step{kind: clockMoves, to: to, want: want} }
