// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"errors"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// accumulators are the aggregates of a window operator, and the slots under which they keep what
// belongs to a group. Whoever drives them knows which group has which slot.
type accumulators struct {
	pool    *batch.Pool
	members []member
	order   []int // of members: a module's comes first when rows are added
	schema  *abi.Schema
	column  *batch.Builder // of schema: a column of accumulators a member

	// counted says that a group may be left without rows: rows fail, or are taken back. Then rows
	// has how many there are, by slot.
	counted bool
	rows    []int64
	marks   []mark // by slot
	touched mark   // of a group that rows were added to
	unused  []uint32
	live    int

	keyOf func(slot uint32) string // nil, or names the key of a slot in an error

	adding folding
	reject func(row int, reason error) error // adding.reject: making it anew for each batch would allocate
	parts  [2][]uint32
	signs  [2][]uint32
	spare  []uint32
}

// mark is what is known of a slot.
type mark uint8

const (
	dirty   mark = 1 << iota // differs from what the store has
	stored                   // the store has something
	changed                  // since the last early result
	pending                  // a result of it is to follow before another row is added
	hot                      // rows were added when it was dirty already, since memory was last short
)

// hotter shifts dirty to hot.
const hotter = 4

// member is an aggregate.
type member struct {
	operator.Aggregate
	module  bool
	columns int // of its result: fields of a struct, or 1 for the column itself
}

// folding is a batch that a module's aggregate is adding, and the rows of it that have failed.
type folding struct {
	ctx    context.Context
	batch  *batch.Batch
	out    operator.Output
	failed []uint32
}

func (f *folding) reject(row int, reason error) error {
	f.failed = append(f.failed, uint32(row))
	return f.out.Fail(f.ctx, f.batch, row, reason)
}

// newAccumulators makes the aggregates of a spec. count says that rows are to be counted in any case.
func newAccumulators(ctx operator.Context, spec *Spec, count bool) (*accumulators, error) {
	a := &accumulators{pool: ctx.Pool, schema: &abi.Schema{}, counted: count || spec.Changes, touched: dirty}
	a.reject = a.adding.reject
	for i, of := range spec.Aggregates {
		m := member{columns: 1}
		switch {
		case of.Module != nil:
			made, err := of.Module.New(ctx)
			if err != nil {
				return nil, err
			}
			m.Aggregate, m.module, m.columns = made, true, len(of.Module.Fields)
			a.order = slices.Insert(a.order, 0, i)
			a.counted = true
		case spec.Changes:
			m.Aggregate = aggregate.NewRetractor(*of.Call, spec.Input)
			a.order = append(a.order, i)
		default:
			m.Aggregate = aggregate.New(*of.Call, spec.Input)
			a.order = append(a.order, i)
		}
		a.members = append(a.members, m)
		f := m.Accumulator()
		f.Name = of.Name
		a.schema.Fields = append(a.schema.Fields, f)
	}
	a.column = ctx.Pool.NewBuilder(a.schema)
	return a, nil
}

func (a *accumulators) open(ctx context.Context) error {
	for i := range a.members {
		if err := a.members[i].Open(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *accumulators) close(ctx context.Context) error {
	var errs []error
	for i := range a.members {
		errs = append(errs, a.members[i].Close(ctx))
	}
	return errors.Join(errs...)
}

// slot returns an empty slot.
func (a *accumulators) slot() uint32 {
	a.live++
	if last := len(a.unused) - 1; last >= 0 {
		s := a.unused[last]
		a.unused = a.unused[:last]
		return s
	}
	a.marks = append(a.marks, 0)
	if a.counted {
		a.rows = append(a.rows, 0)
	}
	return uint32(len(a.marks) - 1)
}

// release empties slots and takes them back.
func (a *accumulators) release(slots []uint32) {
	for i := range a.members {
		a.members[i].Clear(slots)
	}
	for _, s := range slots {
		a.marks[s] = 0
		if a.counted {
			a.rows[s] = 0
		}
	}
	a.unused = append(a.unused, slots...)
	a.live -= len(slots)
}

// memory returns about how many bytes the groups in all slots take, without their keys.
func (a *accumulators) memory() int64 {
	n := int64(a.live) * int64(12+32*len(a.members))
	for i := range a.members {
		if s, ok := a.members[i].Aggregate.(operator.Sized); ok {
			n += s.Memory()
		}
	}
	return n
}

// hasRows says whether the group in a slot has a result.
func (a *accumulators) hasRows(slot uint32) bool { return !a.counted || a.rows[slot] > 0 }

// add folds each row of b into the group in its slot, and returns the slots of those that did
// not fail, which use the memory of slots. Each is dirty then.
func (a *accumulators) add(ctx context.Context, b *batch.Batch, slots []uint32, out operator.Output) ([]uint32, error) {
	if b.Kinds != nil {
		return slots, a.follow(ctx, b, slots)
	}
	kept := b.Retain()
	defer func() { kept.Release() }()
	for _, i := range a.order {
		m := &a.members[i]
		if !m.module {
			if err := m.Add(ctx, kept, slots, nil); err != nil {
				return nil, a.full(err, nil, nil)
			}
			continue
		}
		rest, left, err := a.addModule(ctx, m, kept, slots, out)
		if err != nil {
			return nil, err
		}
		kept.Release()
		kept, slots = rest, left
	}
	a.touch(slots, 1)
	return slots, nil
}

func (a *accumulators) touch(slots []uint32, rows int64) {
	marks := a.marks
	for _, s := range slots {
		m := marks[s]
		marks[s] = m | a.touched | m&dirty<<hotter
	}
	if a.counted {
		for _, s := range slots {
			a.rows[s] += rows
		}
	}
}

// addModule adds rows to a module's aggregate and returns those that it did not fail, with a
// reference of their own.
func (a *accumulators) addModule(ctx context.Context, m *member, b *batch.Batch, slots []uint32, out operator.Output) (*batch.Batch, []uint32, error) {
	a.adding = folding{ctx: ctx, batch: b, out: out, failed: a.adding.failed[:0]}
	err := m.Add(ctx, b, slots, a.reject)
	failed := a.adding.failed
	a.adding = folding{failed: failed}
	if err != nil {
		return nil, nil, err
	}
	if len(failed) == 0 {
		return b.Retain(), slots, nil
	}
	slices.Sort(failed)
	rows, left := a.parts[0][:0], slots[:0]
	for row := range uint32(b.Rows()) {
		if _, bad := slices.BinarySearch(failed, row); !bad {
			rows, left = append(rows, row), append(left, slots[row])
		}
	}
	a.parts[0] = rows
	return a.pool.Take(b, rows), left, nil
}

// follow adds the rows of a changelog that come and takes back those that go. None of them can fail.
func (a *accumulators) follow(ctx context.Context, b *batch.Batch, slots []uint32) error {
	for i := range a.parts {
		a.parts[i], a.signs[i] = a.parts[i][:0], a.signs[i][:0]
	}
	for row, kind := range b.Kinds {
		i := 0
		if kind == batch.UpdateBefore || kind == batch.Delete {
			i = 1
		}
		a.parts[i], a.signs[i] = append(a.parts[i], uint32(row)), append(a.signs[i], slots[row])
	}
	for i, rows := range a.parts {
		if len(rows) == 0 {
			continue
		}
		if err := a.apply(ctx, b, rows, a.signs[i], i == 1); err != nil {
			return err
		}
	}
	return nil
}

func (a *accumulators) apply(ctx context.Context, b *batch.Batch, rows, slots []uint32, retract bool) error {
	part := a.pool.Take(b, rows)
	defer part.Release()
	for i := range a.members {
		m := &a.members[i]
		var err error
		if retract {
			err = m.Aggregate.(operator.Retractor).Retract(ctx, part, slots)
		} else {
			err = m.Add(ctx, part, slots, nil)
		}
		if err != nil {
			return err
		}
	}
	if retract {
		a.touch(slots, -1)
	} else {
		a.touch(slots, 1)
	}
	return nil
}

// copy replaces groups by copies of others.
func (a *accumulators) copy(into, from []uint32) {
	for i := range a.members {
		a.members[i].Copy(into, from)
	}
	if a.counted {
		for i, s := range into {
			a.rows[s] = a.rows[from[i]]
		}
	}
}

// merge folds groups into others, and leaves them as they were. No slot may be twice in into.
func (a *accumulators) merge(ctx context.Context, into, from []uint32) error {
	a.spare = a.spare[:0]
	for range from {
		a.spare = append(a.spare, a.slot())
	}
	for i := range a.members {
		m := &a.members[i]
		m.Copy(a.spare, from)
		if err := m.Merge(ctx, into, a.spare); err != nil {
			return a.full(err, into, from)
		}
	}
	if a.counted {
		for i, s := range into {
			a.rows[s] += a.rows[from[i]]
		}
	}
	a.release(a.spare)
	return nil
}

// absorb folds groups into others and releases their slots.
func (a *accumulators) absorb(ctx context.Context, into, from []uint32) error {
	for i := range a.members {
		if err := a.members[i].Merge(ctx, into, from); err != nil {
			return a.full(err, into, from)
		}
	}
	if a.counted {
		for i, s := range into {
			a.rows[s] += a.rows[from[i]]
		}
	}
	a.release(from)
	return nil
}
