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

// The inputs of an Aligned: rows as they came, or what a Local makes of them.
const (
	InputRows     = 0
	InputPartials = 1
)

// Partials returns the schema of what a Local of the spec sends: the columns of the input, then those
// of accumulators, then whether the row is a group. Of a group those columns are null that are
// not its key, of a row as it came the accumulators.
func (s *Spec) Partials(ctx operator.Context) (*abi.Schema, error) {
	a, err := newAccumulators(ctx, s, false)
	if err != nil {
		return nil, err
	}
	out := &abi.Schema{Fields: slices.Clone(s.Input.Fields)}
	for _, f := range append(a.schema.Fields, abi.Field{Name: "group", Type: abi.Bool}) {
		for out.Index(f.Name) >= 0 {
			f.Name += "_"
		}
		out.Fields = append(out.Fields, f)
	}
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
// not idle. Rows and groups go one way, so that no watermark overtakes either. Where few rows share
// a group, all pass.
type Local struct {
	grid   grid
	key    *keyColumns
	groups *accumulators
	out    *batch.Builder
	pool   *batch.Pool
	mark   abi.EventTime
	skip   int // batches to pass before the next one is looked at

	slices  []*localSlice
	spare   []*localSlice
	slots   []uint32
	fresh   []uint32 // rows that are aggregated
	pass    []uint32
	nothing *batch.Batch // the columns after the input's, of rows that pass; nil before there are any
	tail    *batch.Builder
	parts   []batch.Part
	others  []int // columns that are not the key's
}

type localSlice struct {
	number     int64
	start, end abi.EventTime
	keys       index
}

// Of a group worth their while there are so many rows; after a batch with fewer so many pass.
const (
	worthwhile = 4
	skipped    = 31
)

// NewLocal returns the first phase of a spec that Output accepted and OnePhase says nothing against.
func NewLocal(ctx operator.Context, spec Spec) (*Local, error) {
	schema, err := spec.Partials(ctx)
	if err != nil {
		return nil, err
	}
	l := &Local{
		grid: newGrid(&spec), key: newKeyColumns(spec.Input, spec.Key), out: ctx.Pool.NewBuilder(schema),
		tail: ctx.Pool.NewBuilder(&abi.Schema{Fields: schema.Fields[len(spec.Input.Fields):]}),
		pool: ctx.Pool, mark: watermark.Min,
	}
	for i := range spec.Input.Fields {
		if !slices.Contains(spec.Key, i) {
			l.others = append(l.others, i)
		}
	}
	l.groups, err = newAccumulators(ctx, &spec, false)
	return l, err
}

// Open opens the aggregates.
func (l *Local) Open(ctx context.Context) error { return l.groups.open(ctx) }

// Close closes the aggregates.
func (l *Local) Close(ctx context.Context) error {
	if l.nothing != nil {
		l.nothing.Release()
		l.nothing = nil
	}
	return l.groups.close(ctx)
}

// Watermark notes which windows may have fired.
func (l *Local) Watermark(_ context.Context, t abi.EventTime, _ operator.Output) error {
	l.mark = t
	return nil
}

// Process sends the groups of a batch, and the rows that pass.
func (l *Local) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if b.Times == nil {
		return fmt.Errorf("window: a batch of %d rows without event time", b.Rows())
	}
	if l.skip > 0 {
		l.skip--
		return l.send(ctx, b, out)
	}
	l.split(b.Times)
	if len(l.pass) == 0 {
		return l.aggregate(ctx, b, out)
	}
	if len(l.fresh) > 0 {
		part := l.pool.Take(b, l.fresh)
		defer part.Release()
		if err := l.aggregate(ctx, part, out); err != nil {
			return err
		}
	}
	part := l.pool.Take(b, l.pass)
	defer part.Release()
	return l.send(ctx, part, out)
}

// send sends rows as they came.
func (l *Local) send(ctx context.Context, b *batch.Batch, out operator.Output) error {
	columns := len(b.Columns)
	if l.nothing == nil || l.nothing.Rows() != b.Rows() {
		if l.nothing != nil {
			l.nothing.Release()
		}
		for range b.Rows() {
			l.tail.Column(len(l.groups.members)).AppendBool(false)
			l.tail.EndRow()
		}
		l.nothing = l.tail.Finish()
	}
	l.parts = l.parts[:0]
	for i := range columns {
		l.parts = append(l.parts, batch.Part{From: b, Column: i})
	}
	for i := range l.nothing.Columns {
		l.parts = append(l.parts, batch.Part{From: l.nothing, Column: i})
	}
	return out.Emit(ctx, PortResults, l.pool.Compose(l.out.Schema(), b, l.parts))
}

// split says which rows pass and which are aggregated.
func (l *Local) split(times []abi.EventTime) {
	l.fresh, l.pass = l.fresh[:0], l.pass[:0]
	var start, end abi.EventTime
	passes := false
	for row, t := range times {
		if t < start || t >= end {
			n := l.grid.slice(t)
			start, end = l.grid.start(n), l.grid.start(n+1)
			passes = l.grid.start(l.grid.firstEnd(n)) <= l.mark
		}
		if passes {
			l.pass = append(l.pass, uint32(row))
		} else {
			l.fresh = append(l.fresh, uint32(row))
		}
	}
}

// aggregate sends the groups of rows.
func (l *Local) aggregate(ctx context.Context, b *batch.Batch, out operator.Output) error {
	l.slots = l.slots[:0]
	for row := 0; row < b.Rows(); {
		s := l.slice(b.Times[row])
		from := row
		for row++; row < b.Rows() && b.Times[row] >= s.start && b.Times[row] < s.end; row++ {
		}
		l.slots = s.keys.assign(b, from, row, l.slots, l.groups.slot)
	}
	if _, err := l.groups.add(ctx, b, l.slots, out); err != nil {
		return err
	}
	if worthwhile*l.groups.live > b.Rows() {
		l.skip = skipped
	}
	for _, s := range l.slices {
		if err := l.appendGroups(ctx, s, b.Positions != nil); err != nil {
			return err
		}
	}
	l.spare = append(l.spare, l.slices...)
	l.slices = l.slices[:0]
	return out.Emit(ctx, PortResults, l.out.Finish())
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

// appendGroups appends the groups of a slice to the batch that is sent, and forgets them. Batches that
// differ in whether they have positions can't be sent together.
func (l *Local) appendGroups(ctx context.Context, s *localSlice, positions bool) error {
	slots := s.keys.slots
	for place := range slots {
		if err := s.keys.appendValue(l.out, l.key.columns, place); err != nil {
			return err
		}
		for _, column := range l.others {
			l.out.Column(column).AppendNull()
		}
		l.out.AppendTime(s.start)
		if positions {
			l.out.AppendPosition(0)
		}
	}
	at := len(l.key.columns) + len(l.others)
	for i := range l.groups.members {
		if err := l.groups.members[i].Save(ctx, slots, l.out.Column(at+i)); err != nil {
			return err
		}
	}
	isGroup := l.out.Column(at + len(l.groups.members))
	for range slots {
		isGroup.AppendBool(true)
	}
	l.out.EndRows(len(slots))
	l.groups.release(slots)
	s.keys.reset()
	return nil
}

// merge folds what a Local sent: groups and rows.
func (w *Aligned) merge(ctx context.Context, b *batch.Batch, out operator.Output) error {
	isGroup := &b.Columns[len(b.Columns)-1]
	groups, rows := w.rows[0][:0], w.rows[1][:0]
	for row := range b.Rows() {
		if isGroup.Bool(row) {
			groups = append(groups, uint32(row))
		} else {
			rows = append(rows, uint32(row))
		}
	}
	w.rows[0], w.rows[1] = groups, rows
	if len(rows) == 0 {
		return w.mergeGroups(ctx, b)
	}
	if len(groups) == 0 {
		return w.passed(ctx, b, out)
	}
	part := w.pool.Take(b, groups)
	defer part.Release()
	if err := w.mergeGroups(ctx, part); err != nil {
		return err
	}
	rest := w.pool.Take(b, rows)
	defer rest.Release()
	return w.passed(ctx, rest, out)
}

// passed folds rows that passed a Local as they came.
func (w *Aligned) passed(ctx context.Context, b *batch.Batch, out operator.Output) error {
	w.parts = w.parts[:0]
	for i := range w.spec.Input.Fields {
		w.parts = append(w.parts, batch.Part{From: b, Column: i})
	}
	rows := w.pool.Compose(w.spec.Input, b, w.parts)
	defer rows.Release()
	return w.process(ctx, rows, out)
}

// mergeGroups folds groups into those of the same slice and key.
func (w *Aligned) mergeGroups(ctx context.Context, b *batch.Batch) error {
	if !w.cut(b.Times) {
		return fmt.Errorf("window: groups came of windows that have fired at %v", moment(w.mark))
	}
	if err := w.assign(ctx, b); err != nil {
		return err
	}
	from := w.groups.spare[:0]
	for range b.Rows() {
		from = append(from, w.groups.slot())
	}
	w.groups.spare = from
	for i := range w.groups.members {
		if err := w.groups.members[i].Load(ctx, from, &b.Columns[len(w.spec.Input.Fields)+i]); err != nil {
			return err
		}
	}
	w.groups.touch(w.slots, 0)
	return w.groups.absorb(ctx, w.slots, from)
}
