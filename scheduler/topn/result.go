// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package topn

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// timeSize is the size of the event time behind a row.
const timeSize = 8

// inserted sends what changes in a top when a row comes to a place of a head, which does not have it
// yet.
func (t *Top) inserted(ctx context.Context, h *head, place int, row []byte, out operator.Output) error {
	n := t.spec.Rows
	if place >= n {
		return nil
	}
	top := min(h.len(), n)
	if t.spec.Rank == "" {
		if top == n {
			if err := t.send(ctx, h.at(n-1), 0, batch.Delete, out); err != nil {
				return err
			}
		}
		return t.send(ctx, row, 0, batch.Insert, out)
	}
	for i := place; i < top; i++ {
		if err := t.replace(ctx, h.at(i), row, i, out); err != nil {
			return err
		}
		row = h.at(i)
	}
	if top == n {
		return nil
	}
	return t.send(ctx, row, top, batch.Insert, out)
}

// removed sends what changes in a top when the row at a place of a head, which has it yet, goes.
func (t *Top) removed(ctx context.Context, h *head, place int, out operator.Output) error {
	n := t.spec.Rows
	if place >= n {
		return nil
	}
	if t.spec.Rank == "" {
		if err := t.send(ctx, h.at(place), 0, batch.Delete, out); err != nil || h.len() <= n {
			return err
		}
		return t.send(ctx, h.at(n), 0, batch.Insert, out)
	}
	for i := place; i < min(h.len(), n); i++ {
		if i+1 == h.len() {
			return t.send(ctx, h.at(i), i, batch.Delete, out)
		}
		if err := t.replace(ctx, h.at(i), h.at(i+1), i, out); err != nil {
			return err
		}
	}
	return nil
}

// replace sends that a place has another row. One that is equal is none.
func (t *Top) replace(ctx context.Context, old, row []byte, place int, out operator.Output) error {
	if bytes.Equal(old, row) {
		return nil
	}
	if err := t.send(ctx, old, place, batch.UpdateBefore, out); err != nil {
		return err
	}
	return t.send(ctx, row, place, batch.UpdateAfter, out)
}

// send sends a row of the key at hand, with its place counted from 0.
func (t *Top) send(ctx context.Context, row []byte, place int, kind batch.RowKind, out operator.Output) error {
	at, err := t.decode(t.key, row)
	if err != nil {
		return err
	}
	t.rank(place)
	t.out.End(at, kind)
	return t.out.SendFull(ctx, out)
}

// decode appends the input's columns of a row, and returns its event time. The caller ends the row.
func (t *Top) decode(key, row []byte) (abi.EventTime, error) {
	var err error
	for _, col := range t.spec.Key {
		if key, err = t.out.Column(col).AppendValue(key); err != nil {
			return 0, err
		}
	}
	rest, err := t.order.Decode(t.out, row)
	if err != nil {
		return 0, err
	}
	if len(rest) != timeSize {
		return 0, rows.ErrEncoding
	}
	return abi.EventTime(state.Time(rest)), nil
}

// rank appends the rank, if there is one.
func (t *Top) rank(place int) {
	if t.spec.Rank != "" {
		t.out.Column(len(t.out.Schema().Fields) - 1).AppendInt64(int64(place) + 1)
	}
}

// Watermark sends the tops of the windows that end by mark.
func (t *Top) Watermark(ctx context.Context, mark abi.EventTime, out operator.Output) error {
	t.mark = mark
	if t.calendar == nil {
		return nil
	}
	before := mark
	if mark != watermark.Max {
		before++
	}
	place := 0
	var last []byte
	var lastEnd abi.EventTime
	var lastGroup state.Group
	err := t.calendar.Take(before, func(g state.Group, end abi.EventTime, rest, value []byte) error {
		key, row, ok := state.CutSized(rest)
		copies, err := parseCopies(value)
		if !ok || err != nil {
			return rows.ErrEncoding
		}
		if last == nil || g != lastGroup || end != lastEnd || !bytes.Equal(key, last) {
			place, lastGroup, lastEnd = 0, g, end
			last = append(append(last[:0], key...), 0)[:len(key)] // not nil
		}
		for range copies {
			if err := t.give(ctx, end, key, row, place, out); err != nil {
				return err
			}
			place++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("top: %w", err)
	}
	if last != nil {
		t.heads.clear() // some have gone
	}
	return t.out.Send(ctx, out)
}

// give sends a row of a window that is over.
func (t *Top) give(ctx context.Context, end abi.EventTime, key, row []byte, place int, out operator.Output) error {
	if _, err := t.decode(key, row); err != nil {
		return err
	}
	if t.spec.tumbling() {
		columns := len(t.spec.Input.Fields)
		t.out.Column(columns).AppendInt64(int64(end - t.size))
		t.out.Column(columns + 1).AppendInt64(int64(end))
	}
	t.rank(place)
	t.out.End(end-1, batch.Insert)
	return t.out.SendFull(ctx, out)
}
