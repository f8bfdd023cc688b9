// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state/kind"
	"github.com/wasmill/wasmill/state/timer"
)

// process is an operator of kind process. All that it remembers lies in its store after each call of the guest, so
// that there is nothing to flush. One goroutine makes all calls.
type process struct {
	*subtask
	outputs
	keys    keys
	input   int // of the batch in hand
	message batch.Message
	back    *setback // of the call at hand

	event, processing *service
	due               due
	next              time.Time // a timer of processing time is due, zero for none
	sweeps            [2]sweep  // of states with a time to live in processing time, and in event time

	// See mapper.emits.
	emits              func(port uint32) *abi.Schema
	tries, triesTimers attempt
}

var (
	_ operator.Stateful = (*process)(nil)
	_ operator.Clocked  = (*process)(nil)
)

func newProcess(m *Module, c operator.Context, spec operator.ModuleSpec) (*process, error) {
	s, err := newSubtask(m, c, spec, describe.Process)
	if err != nil {
		return nil, err
	}
	if c.State == nil || c.Groups < 1 {
		return nil, fmt.Errorf("operator %q is made without a store", s.op.Name)
	}
	s.op = withTTL(s.op, spec.TTL)
	o := &process{subtask: s}
	if o.outputs, err = newOutputs(s); err != nil {
		return nil, err
	}
	o.emits, o.tries, o.triesTimers = o.schema, o.try, o.tryTimers
	o.keys.groups, o.due.keys.groups = c.Groups, c.Groups
	fields := append([]abi.Field(nil), timerSchema.Fields...)
	o.due.builder = c.Pool.NewBuilder(&abi.Schema{Fields: append(fields, s.op.Key...)})
	return o, nil
}

// withTTL returns the operator with the times to live that a pipeline gives its states.
func withTTL(op *describe.Operator, ttl map[string]time.Duration) *describe.Operator {
	if len(ttl) == 0 {
		return op
	}
	own := *op
	own.States = slices.Clone(op.States)
	for i := range own.States {
		if after, ok := ttl[own.States[i].Name]; ok {
			own.States[i].TTL.After = after
		}
	}
	return &own
}

// keyFields returns the columns of the key, as the first keyed input has them.
func (o *process) keyFields() []abi.Field {
	var fields []abi.Field
	for i := range o.op.Inputs {
		if o.op.Inputs[i].Broadcast {
			continue
		}
		for _, col := range o.spec.Inputs[i].Key {
			fields = append(fields, o.spec.Inputs[i].Schema.Fields[col])
		}
		break
	}
	return fields
}

// Open finds the states in the store and makes the first instance.
func (o *process) Open(ctx context.Context) error {
	ids, err := declare(&o.ctx, o.op, o.keyFields())
	if err != nil {
		return o.moduleError(blameStore(err))
	}
	limits := &o.module.engine.opts.Limits
	if o.states, err = newStates(o.op, &o.ctx, limits, o.keyText, ids); err != nil {
		return o.moduleError(blameStore(err))
	}
	o.sweeps[0].sweeper, o.sweeps[1].sweeper = o.states.sweeper(false), o.states.sweeper(true)
	o.event = &service{Timers: timer.New(o.ctx.State, timer.EventTime), number: abi.SchemaEventTimer}
	o.processing = &service{Timers: timer.New(o.ctx.State, timer.ProcessingTime), number: abi.SchemaProcessingTimer}
	if err := o.advance(); err != nil {
		return o.moduleError(err)
	}
	if err := o.look(); err != nil {
		return o.moduleError(err)
	}
	return o.start(ctx)
}

// blameStore says of an error that is nobody's fault yet that it is the store's.
func blameStore(err error) error {
	if errors.As(err, new(*operator.Error)) {
		return err
	}
	return &storeError{err}
}

// advance tells the clocks of times to live what time it is.
func (o *process) advance() error {
	if c := o.states.clocks[false]; c != nil {
		if err := c.Advance(o.ctx.Now().UnixMicro()); err != nil {
			return &storeError{err}
		}
	}
	if c := o.states.clocks[true]; c != nil {
		if err := c.Advance(int64(o.mark)); err != nil {
			return &storeError{err}
		}
	}
	return nil
}

// Process runs rows of an input through the guest.
func (o *process) Process(ctx context.Context, input int, b *batch.Batch, out operator.Output) error {
	if b.Rows() == 0 {
		return nil
	}
	if err := o.advance(); err != nil {
		return o.moduleError(err)
	}
	o.begin()
	o.input = input
	if err := o.finish(ctx, b, o.completeOf(input, b), o.tries, out); err != nil {
		return o.moduleError(err)
	}
	return o.moduleError(o.look())
}

// finish works some rows of a batch through, and sends what comes of them.
func (o *process) finish(ctx context.Context, b *batch.Batch, rows []uint32, try attempt, out operator.Output) error {
	defer o.dropResults(0)
	if err := o.work(ctx, b, rows, try); err != nil {
		return err
	}
	o.recycle()
	if err := o.report(func(row int, reason error) error { return out.Fail(ctx, b, row, reason) }); err != nil {
		return err
	}
	return o.emit(ctx, out)
}

// try runs the rows of a part in one call.
func (o *process) try(ctx context.Context, part *batch.Batch, rows []uint32) error {
	in, port := &o.spec.Inputs[o.input], &o.op.Inputs[o.input]
	o.message = batch.Message{Number: uint32(o.input), Batch: part, Columns: in.Columns, Time: port.Time}
	if port.Broadcast {
		o.keys.none()
	} else {
		o.keys.rows(part, in.Key)
		o.message.Group = o.keys.numbers
	}
	return o.step(ctx, part, rows, abi.ExportProcess)
}

// step makes one call with o.message. Where it fails, or rows fail in it after the guest has written state, it
// leaves nothing behind.
func (o *process) step(ctx context.Context, part *batch.Batch, rows []uint32, name string) error {
	defer func() { o.message = batch.Message{} }()
	if err := fits(&o.message); err != nil {
		return err
	}
	results := len(o.results)
	o.back = nil
	o.states.begin(&o.keys, o.due.clock == nil && o.op.Inputs[o.input].Broadcast)
	err := o.call(ctx, func(g *guest) error {
		at, _, err := g.input(ctx, &o.message, nil)
		if err != nil {
			return err
		}
		f := g.process
		if name == abi.ExportTimer {
			if f = g.timer; f == nil {
				return breachf("timers are due that an earlier version of the module has set, and this one does not export %s", abi.ExportTimer)
			}
		}
		return g.run(ctx, f, name, o.emits, uint64(at.ptr), uint64(at.size))
	}, func(emitted []batch.Message) error {
		return o.accept(part, rows, emitted)
	})
	if err == nil && o.back == nil {
		o.states.keep()
		return o.setTimers()
	}
	o.dropResults(results)
	if undo := o.states.takeBack(); undo != nil {
		return undo
	}
	if err == nil {
		err = o.back
	}
	return err
}

// accept makes results of what a call emitted.
func (o *process) accept(part *batch.Batch, rows []uint32, emitted []batch.Message) error {
	some, err := checkFailures(part, emitted)
	if err != nil {
		return err
	}
	if err := o.checkChains(); err != nil {
		return err
	}
	if some && o.states.wrote {
		o.back = firstFailure(emitted)
		clear(o.guest.counts)
		return nil
	}
	failed := o.failRows(part, rows, emitted)
	forwards := o.due.clock == nil && o.input == 0
	return o.resolve(part, emitted, failed, forwards, &o.guest.output)
}

// firstFailure returns the setback of the first row that failed.
func firstFailure(emitted []batch.Message) *setback {
	var first *batch.Failure
	for i := range emitted {
		for j := range emitted[i].Failures {
			if f := &emitted[i].Failures[j]; first == nil || f.Row < first.Row {
				first = f
			}
		}
	}
	return &setback{row: first.Row, reason: rowError(first.Message)}
}

// Watermark fires the timers of event time up to t.
func (o *process) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	o.mark = t
	if err := o.advance(); err != nil {
		return o.moduleError(err)
	}
	if err := o.fire(ctx, o.event, int64(t), out); err != nil {
		return o.moduleError(err)
	}
	if _, err := o.sweeps[1].run(); err != nil {
		return o.moduleError(err)
	}
	return o.moduleError(o.look())
}

// Next returns when a timer of processing time is due, or state is to be swept.
func (o *process) Next() time.Time {
	at := o.sweeps[0].at
	if at.IsZero() || !o.next.IsZero() && o.next.Before(at) {
		at = o.next
	}
	return at
}

// Tick fires timers of processing time up to now. It may leave some, which are due for the next Tick: rows come in between.
func (o *process) Tick(ctx context.Context, now time.Time, out operator.Output) error {
	if err := o.advance(); err != nil {
		return o.moduleError(err)
	}
	if err := o.fire(ctx, o.processing, now.UnixMicro(), out); err != nil {
		return o.moduleError(err)
	}
	if at := o.sweeps[0].at; !at.IsZero() && !now.Before(at) {
		ended, err := o.sweeps[0].run()
		if err != nil {
			return o.moduleError(err)
		}
		o.sweeps[0].at = now.Add(sweepPause)
		if ended {
			o.sweeps[0].at = now.Add(roundPause)
		}
	}
	return o.moduleError(o.look())
}

// look finds out when the next timer of processing time is due, and when state is swept first.
func (o *process) look() error {
	t, err := o.processing.Next(1<<63 - 1)
	if err != nil {
		return &storeError{err}
	}
	o.next = time.Time{}
	if t != nil {
		o.next = time.UnixMicro(t.Time)
	}
	if s := &o.sweeps[0]; s.sweeper != nil && s.at.IsZero() {
		s.at = o.ctx.Now().Add(sweepPause)
	}
	return nil
}

// sweep removes what is over of states with a time to live by one clock.
type sweep struct {
	sweeper *kind.Sweeper // nil where there is no such state
	at      time.Time     // next, of processing time
}

// How fast state is swept: so many entries at a time, a time after each watermark or pause, and with a rest
// after each round.
const (
	sweepEntries = 4096
	sweepPause   = 100 * time.Millisecond
	roundPause   = time.Minute
)

// run sweeps some entries, and says whether that ended a round.
func (s *sweep) run() (ended bool, err error) {
	if s.sweeper == nil {
		return true, nil
	}
	if ended, err = s.sweeper.Sweep(sweepEntries); err != nil {
		return false, &storeError{err}
	}
	return ended, nil
}

// Flush does nothing: what a call has done is in the store when it ends.
func (o *process) Flush(context.Context) error { return nil }

// Close ends the guest.
func (o *process) Close(ctx context.Context) error { return o.close(ctx) }
