// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// aggregate folds rows by a guest. The accumulators lie on the host, encoded; each call hands those
// that it needs over as a column and takes them back. One goroutine makes all calls.
type aggregate struct {
	*subtask
	accumulator *abi.Schema // one column
	result      *abi.Schema
	store       accumulators
	// See mapper.emits.
	takesAccumulators, takesResults func(number uint32) *abi.Schema
	tries                           attempt

	column   *batch.Builder // of accumulators, for the guest
	encoded  []byte
	slotOf   []uint32 // of each row of the batch in hand
	groups   []uint32 // of each row of a part
	slots    []uint32 // of each group
	groupOf  []uint32 // by slot, of this round
	roundOf  []uint32 // by slot: groupOf counts only in the round that it was set in
	round    uint32
	sequence []uint32 // 0, 1, 2, ...
	a, b     batch.Message
}

var _ operator.Sized = (*aggregate)(nil)

func newAggregate(m *Module, c operator.Context, spec operator.ModuleSpec) (*aggregate, error) {
	s, err := newSubtask(m, c, spec, describe.Aggregate)
	if err != nil {
		return nil, err
	}
	o := &aggregate{subtask: s, result: s.op.Outputs[0].Schema()}
	o.accumulator = &abi.Schema{Fields: []abi.Field{*s.op.Accumulator}}
	o.takesAccumulators = only(abi.SchemaAccumulator, o.accumulator)
	o.takesResults = only(0, o.result)
	o.tries = o.try
	o.column = c.Pool.NewBuilder(o.accumulator)
	return o, nil
}

// Open makes the first instance.
func (o *aggregate) Open(ctx context.Context) error { return o.start(ctx) }

// Add folds rows into the accumulators of their slots.
func (o *aggregate) Add(ctx context.Context, b *batch.Batch, slots []uint32, fail func(row int, reason error) error) error {
	if b.Rows() == 0 {
		return nil
	}
	o.begin()
	o.slotOf = slots
	err := o.work(ctx, b, o.complete(b), o.tries)
	o.slotOf = nil
	if err != nil {
		return o.moduleError(err)
	}
	o.recycle()
	return o.report(fail)
}

// try adds the rows of a part in one call.
func (o *aggregate) try(ctx context.Context, part *batch.Batch, rows []uint32) error {
	o.group(part.Rows(), rows, o.slotOf)
	accumulators, err := o.load(o.slots)
	if err != nil {
		return err
	}
	defer accumulators.Release()
	o.a = batch.Message{Batch: part, Columns: o.spec.Inputs[0].Columns, Time: o.op.Inputs[0].Time, Group: o.groups}
	o.b = batch.Message{Number: abi.SchemaAccumulator, Batch: accumulators}
	if err := errors.Join(fits(&o.a), fits(&o.b)); err != nil {
		return err
	}
	return o.step(ctx, abi.StepAdd, o.takesAccumulators, func(m *batch.Message) error {
		for _, f := range m.Failures {
			if f.Row >= part.Rows() {
				return breachf("it says that row %d of a batch of %d failed", f.Row, part.Rows())
			}
			o.fail(rows, f.Row, rowError(f.Message))
		}
		return o.keep(m, o.slots)
	})
}

// group numbers the slots of a part's rows: o.groups has a number for each row, o.slots the slot of
// each number.
func (o *aggregate) group(n int, rows, slots []uint32) {
	o.nextRound()
	o.groups, o.slots = o.groups[:0], o.slots[:0]
	for row := range n {
		slot := slots[original(rows, row)]
		if o.mark(slot) {
			o.groupOf[slot] = uint32(len(o.slots))
			o.slots = append(o.slots, slot)
		}
		o.groups = append(o.groups, o.groupOf[slot])
	}
}

func (o *aggregate) nextRound() {
	if o.round++; o.round == 0 {
		clear(o.roundOf)
		o.round = 1
	}
}

// mark notes a slot, and says whether it is the first time in this round.
func (o *aggregate) mark(slot uint32) bool {
	for int(slot) >= len(o.roundOf) {
		o.roundOf = append(o.roundOf, 0)
		o.groupOf = append(o.groupOf, 0)
	}
	if o.roundOf[slot] == o.round {
		return false
	}
	o.roundOf[slot] = o.round
	return true
}

// load returns the accumulators of slots as a batch, which the caller owns.
func (o *aggregate) load(slots []uint32) (*batch.Batch, error) {
	c := o.column.Column(0)
	for _, slot := range slots {
		value := o.store.get(slot)
		if len(value) == 0 {
			c.AppendNull()
			continue
		}
		if _, err := c.AppendValue(value); err != nil {
			return nil, fmt.Errorf("accumulator in slot %d: %w", slot, err) // a fault of ours
		}
	}
	o.column.EndRows(len(slots))
	return o.column.Finish(), nil
}

// keep stores the accumulators that the guest emitted.
func (o *aggregate) keep(m *batch.Message, slots []uint32) error {
	if m.Batch.Rows() != len(slots) || m.Origin != nil {
		return breachf("it emitted %d accumulators for %d, or says of them where they came from: "+
			"accumulators come back in the order in which they went out", m.Batch.Rows(), len(slots))
	}
	c := &m.Batch.Columns[0]
	for i, slot := range slots {
		if c.Null(i) {
			o.store.clear(slot)
			continue
		}
		o.encoded = batch.AppendValue(o.encoded[:0], c, i)
		o.store.set(slot, o.encoded)
	}
	return nil
}

// step makes one call with the messages o.a and, where it has a batch, o.b. accept is given the one
// batch that the guest emitted.
func (o *aggregate) step(ctx context.Context, step abi.AggregateStep, schema func(uint32) *abi.Schema, accept func(*batch.Message) error) error {
	defer func() { o.a, o.b = batch.Message{}, batch.Message{} }()
	return o.call(ctx, func(g *guest) error {
		second := &o.b
		if second.Batch == nil {
			second = nil
		}
		at, bt, err := g.input(ctx, &o.a, second)
		if err != nil {
			return err
		}
		return g.run(ctx, g.aggregate, abi.ExportAggregate, schema,
			uint64(step), uint64(at.ptr), uint64(at.size), uint64(bt.ptr), uint64(bt.size))
	}, func(emitted []batch.Message) error {
		if len(emitted) != 1 {
			return breachf("it emitted %d batches in a step of an aggregate, which emits exactly one", len(emitted))
		}
		return accept(&emitted[0])
	})
}

// only returns a lookup that knows one schema.
func only(number uint32, schema *abi.Schema) func(uint32) *abi.Schema {
	return func(n uint32) *abi.Schema {
		if n == number {
			return schema
		}
		return nil
	}
}

// Merge folds from[i] into into[i].
func (o *aggregate) Merge(ctx context.Context, into, from []uint32) error {
	o.begin()
	for len(into) > 0 {
		n := o.independent(into, from)
		if err := o.merge(ctx, into[:n], from[:n]); err != nil {
			return o.moduleError(err)
		}
		into, from = into[n:], from[n:]
	}
	o.recycle()
	return nil
}

// independent returns how many of the first merges have no slot in common, so that one call can
// make them all.
func (o *aggregate) independent(into, from []uint32) int {
	o.nextRound()
	for i := range into {
		if !o.mark(into[i]) || !o.mark(from[i]) || i == abi.MaxRows {
			return max(i, 1)
		}
	}
	return len(into)
}

func (o *aggregate) merge(ctx context.Context, into, from []uint32) error {
	a, err := o.load(into)
	if err != nil {
		return err
	}
	defer a.Release()
	b, err := o.load(from)
	if err != nil {
		return err
	}
	defer b.Release()
	o.a = batch.Message{Number: abi.SchemaAccumulator, Batch: a}
	o.b = batch.Message{Number: abi.SchemaAccumulator, Batch: b}
	if half := len(into) / 2; half > 0 && errors.Join(fits(&o.a), fits(&o.b)) != nil {
		if err := o.merge(ctx, into[:half], from[:half]); err != nil {
			return err
		}
		return o.merge(ctx, into[half:], from[half:])
	}
	return o.step(ctx, abi.StepMerge, o.takesAccumulators, func(m *batch.Message) error {
		if len(m.Failures) > 0 {
			return breachf("it can't merge two accumulators: %s", m.Failures[0].Message)
		}
		if err := o.keep(m, into); err != nil {
			return err
		}
		o.Clear(from)
		return nil
	})
}

// Result appends a row for each slot.
func (o *aggregate) Result(ctx context.Context, slots []uint32, columns []*batch.ColumnBuilder) error {
	o.begin()
	for len(slots) > 0 {
		n := min(len(slots), abi.MaxRows)
		if err := o.results(ctx, slots[:n], columns); err != nil {
			return o.moduleError(err)
		}
		slots = slots[n:]
	}
	o.recycle()
	return nil
}

func (o *aggregate) results(ctx context.Context, slots []uint32, columns []*batch.ColumnBuilder) error {
	a, err := o.load(slots)
	if err != nil {
		return err
	}
	defer a.Release()
	o.a = batch.Message{Number: abi.SchemaAccumulator, Batch: a}
	if half := len(slots) / 2; half > 0 && fits(&o.a) != nil {
		if err := o.results(ctx, slots[:half], columns); err != nil {
			return err
		}
		return o.results(ctx, slots[half:], columns)
	}
	return o.step(ctx, abi.StepResult, o.takesResults, func(m *batch.Message) error {
		if len(m.Failures) > 0 {
			return breachf("it has no result for an accumulator: %s", m.Failures[0].Message)
		}
		rows, err := o.order(m, len(slots))
		if err != nil {
			return err
		}
		for i := range columns {
			columns[i].AppendRows(&m.Batch.Columns[i], rows)
		}
		return nil
	})
}

// order returns for each of n accumulators the row of its result.
func (o *aggregate) order(m *batch.Message, n int) ([]uint32, error) {
	if m.Batch.Rows() != n {
		return nil, breachf("it emitted %d results for %d accumulators", m.Batch.Rows(), n)
	}
	for i := len(o.sequence); i < n; i++ {
		o.sequence = append(o.sequence, uint32(i))
	}
	if m.Origin == nil {
		return o.sequence[:n], nil
	}
	rows := make([]uint32, n)
	seen := make([]bool, n)
	for row, of := range m.Origin {
		if uint64(of) >= uint64(n) || seen[of] {
			return nil, breachf("it emitted a result of accumulator %d of %d twice, or there is none", of, n)
		}
		rows[of], seen[of] = uint32(row), true
	}
	return rows, nil
}

// Copy replaces accumulators by others.
func (o *aggregate) Copy(into, from []uint32) {
	for i, slot := range into {
		// A copy of its own: set may move what get returned.
		o.encoded = append(o.encoded[:0], o.store.get(from[i])...)
		o.store.clear(slot)
		if len(o.encoded) > 0 {
			o.store.set(slot, o.encoded)
		}
	}
}

// Accumulator is the type that the module declares.
func (o *aggregate) Accumulator() abi.Field {
	f := o.accumulator.Fields[0]
	return abi.Field{Type: f.Type, Scale: f.Scale, Children: f.Children}
}

// Save appends accumulators to a column, without asking the guest.
func (o *aggregate) Save(_ context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	for _, slot := range slots {
		value := o.store.get(slot)
		if len(value) == 0 {
			to.AppendNull()
		} else if _, err := to.AppendValue(value); err != nil {
			return fmt.Errorf("accumulator in slot %d: %w", slot, err) // a fault of ours
		}
	}
	return nil
}

// Load replaces accumulators by those of a column.
func (o *aggregate) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	for i, slot := range slots {
		o.store.clear(slot)
		if !from.Null(i) {
			o.encoded = batch.AppendValue(o.encoded[:0], from, i)
			o.store.set(slot, o.encoded)
		}
	}
	return nil
}

// Memory returns about how many bytes the accumulators take.
func (o *aggregate) Memory() int64 { return int64(len(o.store.data) - o.store.holes) }

// Clear empties slots.
func (o *aggregate) Clear(slots []uint32) {
	for _, slot := range slots {
		o.store.clear(slot)
	}
}

// Close ends the guest.
func (o *aggregate) Close(ctx context.Context) error { return o.close(ctx) }
