// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

// base is what all joins have.
type base struct {
	spec    Spec
	pool    *batch.Pool
	store   state.Store
	groups  int
	mark    abi.EventTime
	results results
	due     timer.Timer // at hand in fire

	// The row at hand, by load.
	group state.Group
	key   []byte // under which the row lies in the store
	row   []byte // encoded

	// Scratch.
	prefix []byte // of the stored keys of one key and input
	from   []byte
	to     []byte
	value  []byte
	late   []uint32
	rows   cursor
	one    cursor // reads one entry at a time
}

func newBase(ctx operator.Context, spec Spec, schema *abi.Schema) base {
	return base{
		spec: spec, pool: ctx.Pool, store: ctx.State, groups: ctx.Groups, mark: ctx.Watermark,
		results: newResults(ctx.Pool, &spec, schema),
		rows:    cursor{store: ctx.State, limit: page},
		one:     cursor{store: ctx.State, limit: state.Limit{Entries: 1}},
	}
}

// Open does nothing: all is in the store.
func (b *base) Open(context.Context) error { return nil }

// Flush does nothing: all is in the store.
func (b *base) Flush(context.Context) error { return nil }

// Close does nothing: the store is the engine's.
func (b *base) Close(context.Context) error { return nil }

// insertsOnly returns an error for rows that lack an event time, or that are not inserts.
func insertsOnly(rows *batch.Batch) error {
	if err := timed(rows); err != nil {
		return err
	}
	return unchanging(rows)
}

func unchanging(rows *batch.Batch) error {
	if i := slices.IndexFunc(rows.Kinds, func(k batch.RowKind) bool { return k != batch.Insert }); i >= 0 {
		return fmt.Errorf("join: row %d of a batch is a change of kind %d, where only inserts can come", i, rows.Kinds[i])
	}
	return nil
}

func timed(rows *batch.Batch) error {
	if rows.Times == nil && rows.Rows() > 0 {
		return fmt.Errorf("join: a batch of %d rows without event time", rows.Rows())
	}
	return nil
}

// room is how many bytes a stored key has at most besides the key and the row.
const room = 64

// load makes a row of a batch the row at hand. It returns false where the row is done with: its key
// has a null and it can't come out, or it is too large, which is a failure of the row.
//
// A key with a null is stored behind its input's number, where no row of the other input looks for
// it: no key's encoding begins with another one's.
func (b *base) load(ctx context.Context, input int, rows *batch.Batch, row int, out operator.Output) (bool, error) {
	null := false
	b.key = b.key[:0]
	for _, col := range b.spec.Inputs[input].Key {
		null = null || rows.Columns[col].Null(row)
		b.key = batch.AppendValue(b.key, &rows.Columns[col], row)
	}
	b.group = state.GroupOf(b.key, b.groups)
	if null {
		if !b.spec.Type.outer(input) {
			return false, nil
		}
		b.key = append(b.key, byte(input))
	}
	b.row = b.row[:0]
	for i := range rows.Columns {
		b.row = batch.AppendValue(b.row, &rows.Columns[i], row)
	}
	if size := len(b.key) + len(b.row) + room; size > state.MaxKey {
		return false, out.Fail(ctx, rows, row, fmt.Errorf("a row of %d bytes can't be kept for a join, which takes %d with its key", len(b.row), state.MaxKey-room))
	}
	return true, nil
}

// under sets prefix to what the stored keys of an input's rows of a key begin with.
func (b *base) under(group state.Group, input int, key []byte) {
	b.prefix = state.AppendKey(b.prefix[:0], group, stateOf(input), key, nil)
}

// between sets c to the entries under prefix with times from first to last.
func (b *base) between(c *cursor, first, last abi.EventTime) {
	b.from = state.AppendTime(append(b.from[:0], b.prefix...), int64(first))
	b.to = state.AppendTime(append(b.to[:0], b.prefix...), int64(last)+1)
	c.seek(b.from, b.to)
}

// timeOf takes a stored key under prefix apart.
func (b *base) timeOf(stored []byte) (abi.EventTime, []byte) {
	rest := stored[len(b.prefix):]
	return abi.EventTime(state.Time(rest)), rest[8:]
}

// put writes an entry at a stored key.
func (b *base) put(stored []byte, e *entry) error {
	b.value = e.append(b.value[:0])
	if err := b.store.Put(stored, b.value); err != nil {
		return fmt.Errorf("join: keeping a row: %w", err)
	}
	return nil
}

// remove deletes a stored key.
func (b *base) remove(stored []byte) error {
	if err := b.store.Delete(stored); err != nil {
		return fmt.Errorf("join: forgetting a row: %w", err)
	}
	return nil
}

// giveLate sends the rows of b.late to the port of late rows of an input.
func (b *base) giveLate(ctx context.Context, input int, rows *batch.Batch, out operator.Output) error {
	if len(b.late) == 0 {
		return nil
	}
	late := b.pool.Take(rows, b.late)
	b.late = b.late[:0]
	return out.Emit(ctx, PortLateLeft+input, late)
}

// lazy says how much later than a row is over its timer may be due, where nobody sees that: one part
// in so many of the time that the row is kept. So a row that comes or is written again and again sets
// few timers.
const lazy = 8

// fire takes the timers up to a time one by one, the earliest first, and handles them, and those that
// handling sets. There may be many that give nothing, so that only it sees that ctx is done.
func (b *base) fire(ctx context.Context, timers *timer.Timers, upTo int64, handle func(*timer.Timer) error) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		next, err := timers.Next(upTo)
		if next == nil || err != nil {
			return err
		}
		due := &b.due
		due.Group, due.Time = next.Group, next.Time
		due.Key, due.Namespace = append(due.Key[:0], next.Key...), append(due.Namespace[:0], next.Namespace...)
		if err := timers.Take(); err != nil {
			return err
		}
		if err := handle(due); err != nil {
			return err
		}
	}
}

// inputOf returns the input that a timer's namespace begins with.
func inputOf(t *timer.Timer) (int, error) {
	if len(t.Namespace) == 0 || t.Namespace[0] > InputRight {
		return 0, fmt.Errorf("join: a timer in the store is of no input: %x", t.Namespace)
	}
	return int(t.Namespace[0]), nil
}
