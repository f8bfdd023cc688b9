// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"encoding/binary"
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

// Partials returns the schema of what a Local of the spec sends: the key, then the accumulators of a
// group, or null and in the last column a row as it came.
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
	row := "row"
	for out.Index(row) >= 0 {
		row += "_"
	}
	out.Fields = append(out.Fields, abi.Field{Name: row, Type: abi.Bytes})
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
// not idle. Rows and groups go one way, so that no watermark passes either. Where few rows share a
// group, each is a group, and none is looked for.
type Local struct {
	grid   grid
	input  *abi.Schema
	key    *keyColumns
	groups *accumulators
	out    *batch.Builder
	pool   *batch.Pool
	mark   abi.EventTime
	single int // batches whose rows are a group each, before the next one is looked at

	slices []*localSlice
	spare  []*localSlice
	slots  []uint32
	fresh  []uint32 // rows that are aggregated
	pass   []uint32
	row    []byte
}

type localSlice struct {
	number     int64
	start, end abi.EventTime
	keys       index
}

// singles is for how many batches rows are a group each, after one in which few shared one.
const singles = 31

// NewLocal returns the first phase of a spec that Output accepted and OnePhase says nothing against.
func NewLocal(ctx operator.Context, spec Spec) (*Local, error) {
	schema, err := spec.Partials(ctx)
	if err != nil {
		return nil, err
	}
	l := &Local{
		grid: newGrid(&spec), input: spec.Input, key: newKeyColumns(spec.Input, spec.Key), out: ctx.Pool.NewBuilder(schema),
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

// Process sends the groups of a batch, and the rows that pass.
func (l *Local) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if b.Times == nil {
		return fmt.Errorf("window: a batch of %d rows without event time", b.Rows())
	}
	l.split(b.Times)
	if err := l.aggregate(ctx, b, out); err != nil {
		return err
	}
	for _, row := range l.pass {
		for i, col := range l.key.columns {
			l.out.Column(i).AppendRow(&b.Columns[col], int(row))
		}
		l.row = appendRow(l.row[:0], b, int(row))
		l.out.Column(len(l.out.Schema().Fields) - 1).AppendBytes(l.row)
		l.out.AppendTime(b.Times[row])
		l.out.EndRow()
	}
	return out.Emit(ctx, PortResults, l.out.Finish())
}

// appendRow appends a row: its position, 0 where it has none, and its columns.
func appendRow(dst []byte, b *batch.Batch, row int) []byte {
	var at batch.Position
	if b.Positions != nil {
		at = b.Positions[row]
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at))
	for i := range b.Columns {
		dst = batch.AppendValue(dst, &b.Columns[i], row)
	}
	return dst
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

// aggregate appends the groups of l.fresh to the batch that is sent.
func (l *Local) aggregate(ctx context.Context, b *batch.Batch, out operator.Output) error {
	if len(l.fresh) == 0 {
		return nil
	}
	part := b.Retain()
	defer func() { part.Release() }()
	if len(l.fresh) < b.Rows() {
		part.Release()
		part = l.pool.Take(b, l.fresh)
	}
	if l.single > 0 {
		l.single--
		return l.each(ctx, part, out)
	}
	l.slots = l.slots[:0]
	for row := 0; row < part.Rows(); {
		s := l.slice(part.Times[row])
		from := row
		for row++; row < part.Rows() && part.Times[row] >= s.start && part.Times[row] < s.end; row++ {
		}
		l.slots = s.keys.assign(l.key, part, from, row, l.slots, l.groups.slot)
	}
	if _, err := l.groups.add(ctx, part, l.slots, out); err != nil {
		return err
	}
	if 2*l.groups.live > part.Rows() {
		l.single = singles
	}
	for _, s := range l.slices {
		if err := l.send(ctx, s); err != nil {
			return err
		}
	}
	l.spare = append(l.spare, l.slices...)
	l.slices = l.slices[:0]
	return nil
}

// each appends a group for each row.
func (l *Local) each(ctx context.Context, b *batch.Batch, out operator.Output) error {
	l.slots, l.fresh = l.slots[:0], l.fresh[:0]
	for row := range b.Rows() {
		l.slots, l.fresh = append(l.slots, l.groups.slot()), append(l.fresh, uint32(row))
		l.out.AppendTime(b.Times[row])
	}
	if _, err := l.groups.add(ctx, b, l.slots, out); err != nil {
		return err
	}
	for i, col := range l.key.columns {
		l.out.Column(i).AppendRows(&b.Columns[col], l.fresh)
	}
	return l.end(ctx, l.slots)
}

// end appends the groups in slots, whose keys have been appended, and releases them.
func (l *Local) end(ctx context.Context, slots []uint32) error {
	keys := len(l.key.columns)
	for i := range l.groups.members {
		if err := l.groups.members[i].Save(ctx, slots, l.out.Column(keys+i)); err != nil {
			return err
		}
	}
	row := l.out.Column(keys + len(l.groups.members))
	for range slots {
		row.AppendNull()
	}
	l.out.EndRows(len(slots))
	l.groups.release(slots)
	return nil
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
	err := l.end(ctx, s.keys.slots)
	s.keys.reset()
	return err
}

// merge folds what a Local sent.
func (w *Aligned) merge(ctx context.Context, b *batch.Batch, out operator.Output) error {
	last := &b.Columns[len(b.Columns)-1]
	if last.Nulls == b.Rows() {
		return w.mergeGroups(ctx, b)
	}
	groups, rows := w.rows[0][:0], w.rows[1][:0]
	for row := range uint32(b.Rows()) {
		if last.Null(int(row)) {
			groups = append(groups, row)
		} else {
			rows = append(rows, row)
		}
	}
	w.rows[0], w.rows[1] = groups, rows
	passed, err := w.passed(b, rows)
	if err != nil {
		return err
	}
	defer passed.Release()
	if len(groups) > 0 {
		part := w.pool.Take(b, groups)
		defer part.Release()
		if err := w.mergeGroups(ctx, part); err != nil {
			return err
		}
	}
	return w.process(ctx, passed, out)
}

// passed returns those rows that passed a Local as they are, as they were.
func (w *Aligned) passed(b *batch.Batch, rows []uint32) (*batch.Batch, error) {
	to := w.pool.NewBuilder(w.spec.Input)
	last := &b.Columns[len(b.Columns)-1]
	for _, row := range rows {
		rest := last.Bytes(int(row))
		if len(rest) < 8 {
			return nil, fmt.Errorf("window: a row has %d bytes", len(rest))
		}
		to.AppendPosition(batch.Position(binary.LittleEndian.Uint64(rest)))
		rest = rest[8:]
		for i := range w.spec.Input.Fields {
			var err error
			if rest, err = to.Column(i).AppendValue(rest); err != nil {
				return nil, err
			}
		}
		to.AppendTime(b.Times[row])
		to.EndRow()
	}
	return to.Finish(), nil
}

// mergeGroups folds groups into those of the same slice and key.
func (w *Aligned) mergeGroups(ctx context.Context, b *batch.Batch) error {
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
