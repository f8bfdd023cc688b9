// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/table"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

var _ operator.Operator = (*Tumbling)(nil)

// Tumbling is the operator of a Spec.
//
// A group is a window and a key; its number, from groups, is its slot in every aggregate.
// Invariants: panes are sorted by start and disjoint; a pane holds exactly the groups of its
// window; a pane whose end plus lateness the watermark has reached is gone.
type Tumbling struct {
	spec     Spec
	size     abi.EventTime
	offset   abi.EventTime
	lateness abi.EventTime
	pool     *batch.Pool
	mark     abi.EventTime

	groups     table.Table // keys are the window's start, 8 bytes, and the encoded key columns
	rows       []int64     // by slot: rows folded in
	panes      []*pane
	spare      []*pane // to use again
	aggregates []member
	results    *batch.Builder

	// Scratch of one batch.
	key     []byte
	slots   []uint32
	onTime  []uint32
	tooLate []uint32
	updates []uint32
	given   []uint32 // slots that have a result
	folding folding
	reject  func(row int, reason error) error // folding.reject: making it anew for each batch would allocate
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

// spares is how many panes are kept to use again. One that held many groups keeps its memory.
const spares = 4

// pane is a window that has rows.
type pane struct {
	start abi.EventTime
	slots []uint32 // in the order in which the groups came
	fired bool
}

// member is an aggregate and the columns that it writes.
type member struct {
	aggregate operator.Aggregate
	module    bool
	out       *batch.ColumnBuilder // its column
	columns   []*batch.ColumnBuilder
}

// New returns the operator of a spec that Output accepted.
func New(ctx operator.Context, spec Spec) (*Tumbling, error) {
	schema, err := spec.Output()
	if err != nil {
		return nil, err
	}
	w := &Tumbling{
		spec: spec, pool: ctx.Pool, mark: watermark.Min, results: ctx.Pool.NewBuilder(schema),
		size:     abi.EventTime(spec.Size.Microseconds()),
		offset:   abi.EventTime(spec.Offset.Microseconds()),
		lateness: abi.EventTime(spec.Lateness.Microseconds()),
	}
	w.reject = w.folding.reject
	for i, a := range spec.Aggregates {
		m := member{out: w.results.Column(len(spec.Key) + 2 + i)}
		m.columns = []*batch.ColumnBuilder{m.out}
		if a.Call != nil {
			m.aggregate = aggregate.New(*a.Call, spec.Input)
		} else if m.aggregate, err = a.Module.New(ctx); err != nil {
			return nil, err
		} else {
			m.module = true
			if n := len(a.Module.Fields); n > 1 {
				m.columns = nil
				for child := range n {
					m.columns = append(m.columns, m.out.Child(child))
				}
			}
		}
		w.aggregates = append(w.aggregates, m)
	}
	// A module may fail a row, and then no other aggregate may have it: it goes first.
	slices.SortStableFunc(w.aggregates, func(a, b member) int {
		switch {
		case a.module == b.module:
			return 0
		case a.module:
			return -1
		}
		return 1
	})
	return w, nil
}

// Open opens the aggregates.
func (w *Tumbling) Open(ctx context.Context) error {
	for i := range w.aggregates {
		if err := w.aggregates[i].aggregate.Open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the aggregates.
func (w *Tumbling) Close(ctx context.Context) error {
	var errs []error
	for i := range w.aggregates {
		errs = append(errs, w.aggregates[i].aggregate.Close(ctx))
	}
	return errors.Join(errs...)
}

// start returns the start of the window that t lies in.
func (w *Tumbling) start(t abi.EventTime) abi.EventTime {
	into := (t - w.offset) % w.size
	if into < 0 {
		into += w.size
	}
	return t - into
}

// Process folds rows into their groups.
func (w *Tumbling) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if b.Times == nil {
		return fmt.Errorf("window: a batch of %d rows without event time", b.Rows())
	}
	w.sort(b)
	if len(w.tooLate) > 0 {
		if err := out.Emit(ctx, PortLate, w.pool.Take(b, w.tooLate)); err != nil {
			return err
		}
	}
	if len(w.onTime) == b.Rows() {
		if err := w.fold(ctx, b, out); err != nil {
			return err
		}
	} else if len(w.onTime) > 0 {
		part := w.pool.Take(b, w.onTime)
		defer part.Release()
		if err := w.fold(ctx, part, out); err != nil {
			return err
		}
	}
	for _, row := range w.updates {
		if err := w.update(ctx, b, row, out); err != nil {
			return err
		}
	}
	return nil
}

// sort says which rows come on time, which update a window that has fired, and which are too late.
func (w *Tumbling) sort(b *batch.Batch) {
	w.onTime, w.updates, w.tooLate = w.onTime[:0], w.updates[:0], w.tooLate[:0]
	for row, t := range b.Times {
		switch end := w.start(t) + w.size; {
		case end > w.mark:
			w.onTime = append(w.onTime, uint32(row))
		case end+w.lateness > w.mark:
			w.updates = append(w.updates, uint32(row))
		default:
			w.tooLate = append(w.tooLate, uint32(row))
		}
	}
}

// update folds one row into a window that has fired, and gives its group's new result.
func (w *Tumbling) update(ctx context.Context, b *batch.Batch, row uint32, out operator.Output) error {
	one := w.pool.Take(b, []uint32{row})
	defer one.Release()
	if err := w.fold(ctx, one, out); err != nil {
		return err
	}
	p, _ := w.pane(w.start(one.Times[0]))
	p.fired = true
	if len(w.slots) == 0 {
		return nil // the row failed
	}
	return w.emit(ctx, p, w.slots, out)
}

// fold adds rows to their groups, and leaves the slots of those that did not fail in w.slots.
func (w *Tumbling) fold(ctx context.Context, b *batch.Batch, out operator.Output) error {
	w.assign(b)
	kept := b.Retain()
	defer func() { kept.Release() }()
	for i := range w.aggregates {
		m := &w.aggregates[i]
		if !m.module {
			if err := m.aggregate.Add(ctx, kept, w.slots, nil); err != nil {
				return err
			}
			continue
		}
		rest, err := w.foldModule(ctx, m.aggregate, kept, out)
		if err != nil {
			return err
		}
		kept.Release()
		kept = rest
	}
	for _, s := range w.slots {
		w.rows[s]++
	}
	return nil
}

// foldModule adds rows to a module's aggregate and returns those that it did not fail, with a
// reference of their own.
func (w *Tumbling) foldModule(ctx context.Context, a operator.Aggregate, b *batch.Batch, out operator.Output) (*batch.Batch, error) {
	w.folding = folding{ctx: ctx, batch: b, out: out, failed: w.folding.failed[:0]}
	err := a.Add(ctx, b, w.slots, w.reject)
	failed := w.folding.failed
	w.folding = folding{failed: failed}
	if err != nil {
		return nil, err
	}
	if len(failed) == 0 {
		return b.Retain(), nil
	}
	return w.keep(b, failed), nil
}

// keep returns the rows of b that did not fail, and drops the slots of those that did.
func (w *Tumbling) keep(b *batch.Batch, failed []uint32) *batch.Batch {
	slices.Sort(failed)
	rows := make([]uint32, 0, b.Rows()-len(failed))
	slots := w.slots[:0]
	for row := range uint32(b.Rows()) {
		if _, bad := slices.BinarySearch(failed, row); !bad {
			rows = append(rows, row)
			slots = append(slots, w.slots[row])
		}
	}
	w.slots = slots
	return w.pool.Take(b, rows)
}

// assign finds or makes the group of each row.
func (w *Tumbling) assign(b *batch.Batch) {
	w.slots = w.slots[:0]
	var p *pane
	for row, t := range b.Times {
		start := w.start(t)
		if p == nil || p.start != start {
			p = w.ensure(start)
		}
		w.key = binary.LittleEndian.AppendUint64(w.key[:0], uint64(start))
		for _, col := range w.spec.Key {
			w.key = batch.AppendValue(w.key, &b.Columns[col], row)
		}
		slot, fresh := w.groups.Put(w.key, table.Hash(w.key))
		if fresh {
			p.slots = append(p.slots, slot)
			for len(w.rows) < w.groups.Cap() {
				w.rows = append(w.rows, 0)
			}
			w.rows[slot] = 0
		}
		w.slots = append(w.slots, slot)
	}
}

// pane returns the pane of a window, and where it stands or would stand.
func (w *Tumbling) pane(start abi.EventTime) (*pane, int) {
	at, ok := slices.BinarySearchFunc(w.panes, start, func(p *pane, t abi.EventTime) int {
		switch {
		case p.start < t:
			return -1
		case p.start > t:
			return 1
		}
		return 0
	})
	if !ok {
		return nil, at
	}
	return w.panes[at], at
}

func (w *Tumbling) ensure(start abi.EventTime) *pane {
	p, at := w.pane(start)
	if p == nil {
		if last := len(w.spare) - 1; last >= 0 {
			p, w.spare = w.spare[last], w.spare[:last]
		} else {
			p = &pane{}
		}
		p.start = start
		w.panes = slices.Insert(w.panes, at, p)
	}
	return p
}

// Watermark fires the windows that end by t, and forgets those whose lateness is over.
func (w *Tumbling) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	w.mark = t
	for _, p := range w.panes {
		if p.start+w.size > t {
			break
		}
		if !p.fired {
			p.fired = true
			if err := w.emit(ctx, p, p.slots, out); err != nil {
				return err
			}
		}
	}
	gone := 0
	for _, p := range w.panes {
		if p.start+w.size+w.lateness > t {
			break
		}
		for i := range w.aggregates {
			w.aggregates[i].aggregate.Clear(p.slots)
		}
		for _, slot := range p.slots {
			w.groups.Remove(slot)
		}
		p.slots, p.fired = p.slots[:0], false
		gone++
	}
	w.spare = append(w.spare, w.panes[:min(gone, spares-len(w.spare))]...)
	w.panes = slices.Delete(w.panes, 0, gone)
	return nil
}
