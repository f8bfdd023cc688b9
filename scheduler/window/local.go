// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

var _ operator.Operator = (*Local)(nil)

// The outputs of a Local, and the inputs of an Aligned that takes them.
const (
	Rows    = 0 // rows as they came
	Partial = 1 // groups
)

// Partials returns the schema of the groups that a Local of the spec sends: the key, then the
// accumulators.
func (s *Spec) Partials(ctx operator.Context) (*abi.Schema, error) {
	a, err := newAccumulators(ctx, s, false)
	if err != nil {
		return nil, err
	}
	out := &abi.Schema{}
	for _, col := range s.Key {
		out.Fields = append(out.Fields, s.Input.Fields[col])
	}
	out.Fields = append(out.Fields, a.schema.Fields...)
	return out, nil
}

// OnePhase says why windows can't be aggregated in two phases with the same results, "" where they
// can.
func (s *Spec) OnePhase() string {
	switch {
	case len(s.Key) == 0:
		return "there is no key"
	case s.Changes:
		return "the input takes rows back"
	case s.EarlyRows > 0:
		return "early_rows counts each row"
	}
	for _, a := range s.Aggregates {
		if a.Module != nil {
			return fmt.Sprintf("aggregate %q is a module's, which may fail rows", a.Name)
		}
		if !a.Call.Exact(s.Input) {
			return fmt.Sprintf("the result of %s depends on the order in which rows come", a.Call.Function)
		}
	}
	return ""
}

// Local is the first of two phases of windows, before rows are sent to the subtask of their key: it
// aggregates the rows of each batch, so that of a key that many rows have few are sent. It holds
// nothing from batch to batch. An Aligned of the same spec, behind it, merges the groups.
//
// Rows whose windows may have fired pass as they are, since they may be late, or make a result at
// once. That is known: the watermark of an Aligned is never ahead of those of its inputs that are
// not idle. So are batches in which few rows share a group.
type Local struct {
	grid   grid
	key    *keyColumns
	groups *accumulators
	out    *batch.Builder
	pool   *batch.Pool
	mark   abi.EventTime
	skip   int // batches to pass before the next one is looked at

	slices []*localSlice
	spare  []*localSlice
	slots  []uint32
	rows   [2][]uint32 // by output
}

type localSlice struct {
	number     int64
	start, end abi.EventTime
	keys       index
}

// skipped is how many batches pass after one in which aggregation was not worth its while.
const skipped = 31

// NewLocal returns the first phase of a spec that Output accepted and OnePhase says nothing against.
func NewLocal(ctx operator.Context, spec Spec) (*Local, error) {
	schema, err := spec.Partials(ctx)
	if err != nil {
		return nil, err
	}
	l := &Local{
		grid: newGrid(&spec), key: newKeyColumns(spec.Input, spec.Key), out: ctx.Pool.NewBuilder(schema),
		pool: ctx.Pool, mark: watermark.Min,
	}
	l.groups, err = newAccumulators(ctx, &spec, false)
	return l, err
}

// Open opens the aggregates.
func (l *Local) Open(ctx context.Context) error { return l.groups.open(ctx) }

// Close closes the aggregates.
func (l *Local) Close(ctx context.Context) error { return l.groups.close(ctx) }

// Watermark notes which windows may have fired.
func (l *Local) Watermark(_ context.Context, t abi.EventTime, _ operator.Output) error {
	l.mark = t
	return nil
}

// Process sends the groups of a batch, or its rows.
func (l *Local) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if b.Times == nil {
		return fmt.Errorf("window: a batch of %d rows without event time", b.Rows())
	}
	if l.skip > 0 {
		l.skip--
		return out.Emit(ctx, Rows, b.Retain())
	}
	l.split(b.Times)
	if len(l.rows[Rows]) == 0 {
		return l.aggregate(ctx, b, out)
	}
	if err := out.Emit(ctx, Rows, l.pool.Take(b, l.rows[Rows])); err != nil {
		return err
	}
	if len(l.rows[Partial]) == 0 {
		return nil
	}
	part := l.pool.Take(b, l.rows[Partial])
	defer part.Release()
	return l.aggregate(ctx, part, out)
}

// split says which rows pass and which are aggregated.
func (l *Local) split(times []abi.EventTime) {
	l.rows[Rows], l.rows[Partial] = l.rows[Rows][:0], l.rows[Partial][:0]
	var start, end abi.EventTime
	port := Rows
	for row, t := range times {
		if t < start || t >= end {
			n := l.grid.slice(t)
			start, end = l.grid.start(n), l.grid.start(n+1)
			if port = Partial; l.grid.start(l.grid.firstEnd(n)) <= l.mark {
				port = Rows
			}
		}
		l.rows[port] = append(l.rows[port], uint32(row))
	}
}

// aggregate sends the groups of a batch.
func (l *Local) aggregate(ctx context.Context, b *batch.Batch, out operator.Output) error {
	l.slots = l.slots[:0]
	for row := 0; row < b.Rows(); {
		s := l.slice(b.Times[row])
		from := row
		for row++; row < b.Rows() && b.Times[row] >= s.start && b.Times[row] < s.end; row++ {
		}
		l.slots = s.keys.assign(l.key, b, from, row, l.slots, l.groups.slot)
	}
	if _, err := l.groups.add(ctx, b, l.slots, out); err != nil {
		return err
	}
	if 2*l.groups.live > b.Rows() {
		l.skip = skipped
	}
	for _, s := range l.slices {
		if err := l.send(ctx, s); err != nil {
			return err
		}
	}
	l.spare = append(l.spare, l.slices...)
	l.slices = l.slices[:0]
	return out.Emit(ctx, Partial, l.out.Finish())
}

// slice returns the slice of a time.
func (l *Local) slice(t abi.EventTime) *localSlice {
	at := slices.IndexFunc(l.slices, func(s *localSlice) bool { return s.start <= t && t < s.end })
	if at >= 0 {
		return l.slices[at]
	}
	var s *localSlice
	if last := len(l.spare) - 1; last >= 0 {
		s, l.spare = l.spare[last], l.spare[:last]
	} else {
		s = &localSlice{keys: index{key: l.key}}
	}
	s.number = l.grid.slice(t)
	s.start, s.end = l.grid.start(s.number), l.grid.start(s.number+1)
	l.slices = append(l.slices, s)
	return s
}

// send appends the groups of a slice to the batch that is sent, and forgets them.
func (l *Local) send(ctx context.Context, s *localSlice) error {
	for place := range s.keys.slots {
		if err := s.keys.appendValue(l.out, place); err != nil {
			return err
		}
		l.out.AppendTime(s.start)
	}
	keys := len(l.key.columns)
	for i := range l.groups.members {
		if err := l.groups.members[i].Save(ctx, s.keys.slots, l.out.Column(keys+i)); err != nil {
			return err
		}
	}
	l.out.EndRows(s.keys.len())
	l.groups.release(s.keys.slots)
	s.keys.reset()
	return nil
}

// merge folds groups that a Local sent into those of the same slice and key.
func (w *Aligned) merge(ctx context.Context, b *batch.Batch) error {
	if !w.cut(b.Times) {
		return fmt.Errorf("window: groups came of windows that have fired at %v", moment(w.mark))
	}
	if err := w.assign(ctx, w.partial, b); err != nil {
		return err
	}
	from := w.groups.spare[:0]
	for range b.Rows() {
		from = append(from, w.groups.slot())
	}
	w.groups.spare = from
	for i := range w.groups.members {
		if err := w.groups.members[i].Load(ctx, from, &b.Columns[len(w.spec.Key)+i]); err != nil {
			return err
		}
	}
	w.groups.touch(w.slots, 0)
	return w.groups.absorb(ctx, w.slots, from)
}
