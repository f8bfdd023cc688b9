// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/wasmill/wasmill/abi"
)

// Session is windows of a key that end when it has had no rows for some time: a row at t makes the window
// [t, t + gap), and windows that overlap are one.
type Session struct {
	Gap time.Duration
	// Column, where Gap is 0, is an int32 or int64 column of the input with the row's own gap, in milliseconds. A
	// row in which it is null, less than 1 or more than MaxSize fails.
	Column int
}

// maxGap is the longest gap of a row, in milliseconds.
const maxGap = int64(MaxSize / time.Millisecond)

// gap returns the gap of a row, in microseconds.
func (w *PerKey) gap(row int) (abi.EventTime, error) {
	s := w.spec.Session
	if s.Gap > 0 {
		return abi.EventTime(s.Gap.Microseconds()), nil
	}
	c := &w.batch.Columns[s.Column]
	name := w.spec.Input.Fields[s.Column].Name
	if c.Null(row) {
		return 0, fmt.Errorf("the session gap %q is null", name)
	}
	var ms int64
	if c.Type == abi.Int32 {
		ms = int64(c.Int32s()[row])
	} else {
		ms = c.Int64s()[row]
	}
	if ms < 1 || ms > maxGap {
		return 0, fmt.Errorf("the session gap %q is %d milliseconds; it can be 1 to %d", name, ms, maxGap)
	}
	return abi.EventTime(ms * 1000), nil
}

// session puts a row into the session of its key that it belongs to, which may become one with others.
func (w *PerKey) session(ctx context.Context, row int, place uint32) error {
	gap, err := w.gap(row)
	if err != nil {
		return w.out.Fail(ctx, w.batch, row, err)
	}
	t := w.batch.Times[row]
	k := &w.keys[place]
	from, to := k.overlapping(t, t+gap)
	if from == to {
		if w.over(t + gap) {
			w.lateRow = append(w.lateRow, uint32(row))
			return nil
		}
		return w.put(ctx, row, place, w.open(place, from, t, t+gap))
	}
	for _, of := range k.windows[from:to] {
		// A result shows a window before it grows; and floats are added and merged in one order
		// however rows come in batches.
		if w.groups.marks[of.slot]&pending != 0 || to-from > 1 && w.staged(of.slot) {
			if err := w.cut(ctx); err != nil {
				return err
			}
		}
	}
	if to-from > 1 {
		if err := w.unite(ctx, k, from, to); err != nil {
			return err
		}
	}
	of := &k.windows[from]
	of.start, of.end = min(of.start, t), max(of.end, t+gap)
	return w.put(ctx, row, place, of)
}

// overlapping returns which windows of a key overlap [start, end): those from, and before, places of the list.
func (k *ofKey) overlapping(start, end abi.EventTime) (from, to int) {
	n := len(k.windows)
	if n == 0 {
		return 0, 0
	}
	if last := &k.windows[n-1]; n == 1 || last.start <= start { // as most rows do
		switch {
		case last.end <= start:
			return n, n
		case last.start <= start || last.start < end:
			return n - 1, n
		}
		return 0, 0
	}
	from = sort.Search(n, func(i int) bool { return k.windows[i].end > start })
	for to = from; to < n && k.windows[to].start < end; to++ {
	}
	return from, to
}

// unite makes windows of a key one.
func (w *PerKey) unite(ctx context.Context, k *ofKey, from, to int) error {
	into := &k.windows[from]
	for i := from + 1; i < to; i++ {
		other := &k.windows[i]
		if err := w.groups.absorb(ctx, []uint32{into.slot}, []uint32{other.slot}); err != nil {
			return err
		}
		if w.spec.Keep != nil {
			w.kept -= into.kept.size() + other.kept.size()
			w.spec.Keep.unite(&into.kept, &other.kept)
			w.kept += into.kept.size()
		}
		into.end = other.end
		into.since += other.since
		into.changed = into.changed || other.changed
		into.told = append(into.told, other.told...)
	}
	k.windows = slices.Delete(k.windows, from+1, to)
	return nil
}
