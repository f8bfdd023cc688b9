// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"slices"

	"github.com/wasmill/wasmill/abi"
)

// tumbling puts a row into the window of its key that it lies in, where what rows a result is of differs from
// window to window, so that keys can't share slices.
func (w *PerKey) tumbling(ctx context.Context, row int, place uint32) error {
	t := w.batch.Times[row]
	n := w.grid.slice(t)
	start, end := w.grid.start(n), w.grid.start(n+1)
	if w.over(end) {
		w.lateRow = append(w.lateRow, uint32(row))
		return nil
	}
	at, ok := w.keys[place].starting(start)
	if ok && w.groups.marks[w.keys[place].windows[at].slot]&pending != 0 {
		// A cut opens and drops no window of this kind.
		if err := w.cut(ctx); err != nil {
			return err
		}
	}
	if !ok {
		return w.put(ctx, row, place, w.open(place, at, start, end))
	}
	return w.put(ctx, row, place, &w.keys[place].windows[at])
}

// starting returns where the window is, or would be, that starts at a time.
func (k *ofKey) starting(start abi.EventTime) (int, bool) {
	if n := len(k.windows); n > 0 && k.windows[n-1].start == start { // as most rows have it
		return n - 1, true
	}
	return slices.BinarySearchFunc(k.windows, start, func(of ofWindow, start abi.EventTime) int {
		switch {
		case of.start < start:
			return -1
		case of.start > start:
			return 1
		}
		return 0
	})
}
