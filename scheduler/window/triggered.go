// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state/inner"
)

var _ operator.Output = (*triggered)(nil)

// triggered runs the trigger of a PerKey, whose output it is.
type triggered struct {
	of     *PerKey
	op     operator.Operator
	reads  *abi.Schema
	key    []int // columns of decisions
	start  int
	fire   int
	purge  int
	astray *atomic.Int64 // decisions for windows that there are not

	bounds  *batch.Builder // of the windows of rows
	rows    []uint32       // of the part in hand that are in windows
	part    *batch.Batch
	given   *batch.Batch // to the trigger
	holding bool         // keys that are in memory stay there until the call ends

	// Scratch.
	turns  turns
	parts  []batch.Part
	places []uint32
	fires  []firing
	purges []firing
	text   []byte
}

func newTriggered(ctx operator.Context, w *PerKey) (*triggered, error) {
	reads, err := w.spec.TriggerInput()
	if err != nil {
		return nil, err
	}
	columns, err := w.spec.decisionColumns()
	if err != nil {
		return nil, err
	}
	n := len(w.spec.Key)
	t := &triggered{
		of: w, reads: reads, key: columns[:n], start: columns[n], fire: columns[n+1], purge: columns[n+2],
		astray: ctx.Counters.Get("unknown_windows"),
		bounds: ctx.Pool.NewBuilder(&abi.Schema{Fields: reads.Fields[len(reads.Fields)-2:]}),
	}
	ctx.State = inner.New(ctx.State)
	if t.op, err = w.spec.Trigger.New(ctx); err != nil {
		return nil, fmt.Errorf("trigger: %w", err)
	}
	return t, nil
}

// process puts the rows of a batch into windows and gives them to the trigger: each before the next one of its key
// comes, so that it does not matter how rows come in batches.
func (t *triggered) process(ctx context.Context, b *batch.Batch) error {
	t.holding = true
	defer func() { t.holding = false }()
	w := t.of
	t.turns.deal(w.places, len(w.keys))
	for n := range t.turns.count() {
		rows, places := t.turns.at(n)
		if err := t.turn(ctx, b, rows, places); err != nil {
			return err
		}
	}
	return nil
}

// turn is process of rows of different keys.
func (t *triggered) turn(ctx context.Context, b *batch.Batch, rows, places []uint32) error {
	if len(rows) < b.Rows() {
		b = t.of.pool.Take(b, rows)
		defer b.Release()
	}
	t.rows = t.rows[:0]
	if err := t.of.addRows(ctx, b, places); err != nil {
		return err
	}
	if len(t.rows) == 0 {
		return nil
	}
	t.part = b
	given := t.withBounds(b)
	t.given = given
	defer func() {
		t.part, t.given = nil, nil
		given.Release()
	}()
	return t.op.Process(ctx, 0, given, t)
}

// saw notes that a row of the part is in a window.
func (t *triggered) saw(row int, of *ofWindow) {
	t.rows = append(t.rows, uint32(row))
	t.of.appendBoundsTo(t.bounds.Column(0), t.bounds.Column(1), span{of.start, of.end})
	t.bounds.EndRow()
}

// withBounds returns the rows of a part that are in windows, with the bounds of these.
func (t *triggered) withBounds(part *batch.Batch) *batch.Batch {
	pool := t.of.pool
	rows := part
	if len(t.rows) < part.Rows() {
		rows = pool.Take(part, t.rows)
		defer rows.Release()
	}
	bounds := t.bounds.Finish()
	defer bounds.Release()
	t.parts = t.parts[:0]
	for i := range rows.Columns {
		t.parts = append(t.parts, batch.Part{From: rows, Column: i})
	}
	t.parts = append(t.parts, batch.Part{From: bounds, Column: 0}, batch.Part{From: bounds, Column: 1})
	return pool.Compose(t.reads, rows, t.parts)
}

// next returns when the trigger's next tick is.
func (t *triggered) next() time.Time {
	if c, ok := t.op.(operator.Clocked); ok {
		return c.Next()
	}
	return time.Time{}
}

// tick tells the trigger the time.
func (t *triggered) tick(ctx context.Context, now time.Time) error {
	if c, ok := t.op.(operator.Clocked); ok {
		return c.Tick(ctx, now, t)
	}
	return nil
}

// flush has the trigger write what it remembers.
func (t *triggered) flush(ctx context.Context) error {
	if s, ok := t.op.(operator.Stateful); ok {
		return s.Flush(ctx)
	}
	return nil
}

// Fail reports a row that the trigger has failed. It is in its window all the same.
func (t *triggered) Fail(ctx context.Context, b *batch.Batch, row int, reason error) error {
	if b == t.given {
		b, row = t.part, int(t.rows[row])
	}
	return t.of.out.Fail(ctx, b, row, fmt.Errorf("the trigger: %w", reason))
}

// Emit carries decisions out.
func (t *triggered) Emit(ctx context.Context, port int, b *batch.Batch) error {
	defer b.Release()
	if port != 0 {
		return fmt.Errorf("window: %d rows from output %d of a trigger, which has one", b.Rows(), port)
	}
	if err := t.find(ctx, b); err != nil {
		return err
	}
	for row, place := range t.places {
		fire, purge := isTrue(&b.Columns[t.fire], row), isTrue(&b.Columns[t.purge], row)
		at := t.of.named(&t.of.keys[place], &b.Columns[t.start], row)
		if at < 0 {
			t.astray.Add(1)
			continue
		}
		f := firing{place: place, slot: t.of.keys[place].windows[at].slot}
		if t.of.groups.marks[f.slot]&pending != 0 {
			// The rows of a window that is purged are gone before its next result.
			if err := t.carryOut(ctx); err != nil {
				return err
			}
			if at = t.of.named(&t.of.keys[place], &b.Columns[t.start], row); at < 0 {
				t.astray.Add(1)
				continue
			}
		}
		if fire {
			t.fires = append(t.fires, f)
		}
		if purge {
			t.purges = append(t.purges, f)
		}
		if fire || purge {
			t.of.groups.marks[f.slot] |= pending
		}
	}
	if err := t.carryOut(ctx); err != nil || t.holding {
		return err
	}
	return t.of.limit(ctx)
}

// find finds the keys of decisions.
func (t *triggered) find(ctx context.Context, b *batch.Batch) error {
	w := t.of
	was := len(w.keys)
	t.places = t.places[:0]
	for row := range b.Rows() {
		t.text = t.text[:0]
		for _, col := range t.key {
			t.text = batch.AppendValue(t.text, &b.Columns[col], row)
		}
		place, err := w.index.put(t.text, w.fresh)
		if err != nil {
			return err
		}
		t.places = append(t.places, place)
	}
	return w.read(ctx, was)
}

// carryOut gives the results that the trigger wants, and then drops the rows of windows, each of which is
// there once.
func (t *triggered) carryOut(ctx context.Context) error {
	w := t.of
	for _, all := range [][]firing{t.fires, t.purges} {
		for _, f := range all {
			w.groups.marks[f.slot] &^= pending
		}
	}
	err := w.give(ctx, t.fires, w.out)
	for _, f := range t.purges {
		if err == nil {
			err = w.purge(f)
		}
	}
	t.fires, t.purges = t.fires[:0], t.purges[:0]
	return err
}

func isTrue(c *batch.Column, row int) bool { return !c.Null(row) && c.Bool(row) }

// named returns which window of a key a row means by its start, -1 for none.
func (w *PerKey) named(k *ofKey, starts *batch.Column, row int) int {
	if w.spec.Global {
		return len(k.windows) - 1
	}
	if starts.Null(row) {
		return -1
	}
	start := abi.EventTime(starts.Int64s()[row])
	for i := len(k.windows) - 1; i >= 0; i-- {
		if of := &k.windows[i]; of.start <= start {
			if start < of.end {
				return i
			}
			break
		}
	}
	return -1
}

// purge drops the rows of a window. A result that it has given is one of its own then: the next one does
// not replace it.
func (w *PerKey) purge(f firing) error {
	if w.spec.Global {
		return w.purged([]firing{f})
	}
	of := w.window(f)
	w.empty(of.slot)
	w.kept -= of.kept.size()
	of.kept = keptRows{}
	for i := range of.told {
		w.told -= int64(len(of.told[i].values))
	}
	of.told = nil
	w.write(f.place)
	return nil
}

// turns are the rows of a batch in such an order that the first rows of all keys come first, then their second
// ones, and so on.
type turns struct {
	had    []uint32 // by place: rows so far; 0 between two calls
	nth    []uint32 // by row: which one of its key it is
	ends   []int    // by turn
	rows   []uint32
	places []uint32
}

// deal takes the places of the keys of a batch's rows, and how many places there are.
func (t *turns) deal(places []uint32, keys int) {
	for len(t.had) < keys {
		t.had = append(t.had, 0)
	}
	t.nth, t.ends = t.nth[:0], t.ends[:0]
	for _, place := range places {
		n := t.had[place]
		t.had[place]++
		t.nth = append(t.nth, n)
		if int(n) == len(t.ends) {
			t.ends = append(t.ends, 0)
		}
		t.ends[n]++
	}
	for _, place := range places {
		t.had[place] = 0
	}
	next := 0
	for n := range t.ends { // where each turn begins; where it ends, once its rows are there
		next, t.ends[n] = next+t.ends[n], next
	}
	t.rows, t.places = append(t.rows[:0], places...), append(t.places[:0], places...)
	for row, n := range t.nth {
		t.rows[t.ends[n]], t.places[t.ends[n]] = uint32(row), places[row]
		t.ends[n]++
	}
}

// count returns how many turns there are.
func (t *turns) count() int { return len(t.ends) }

// at returns the rows of a turn, and the places of their keys.
func (t *turns) at(n int) (rows, places []uint32) {
	from := 0
	if n > 0 {
		from = t.ends[n-1]
	}
	return t.rows[from:t.ends[n]], t.places[from:t.ends[n]]
}
