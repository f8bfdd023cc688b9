// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"fmt"
	"slices"
)

// Count is windows of so many rows of a key, in the order in which they come. One ends at each Every-th row of
// the key, at each Rows-th where Every is 0, and has the Rows rows up to it, or fewer where so many have not
// come. Rows that no window has had when the input ends are in none.
type Count struct{ Rows, Every int64 }

// MaxCount is how many rows a window by count has at most.
const MaxCount = 1 << 40

// counting is Count as it is computed. The rows of a key are cut into slices of so many rows that each window is
// made of whole ones.
type counting struct {
	every  int64
	slice  int64 // rows
	length int   // slices of a window
	keep   int   // slices that the next window has too
}

// ended is a window by count that has its last row: it ends before a place in the list of slices of a key.
type ended struct {
	place uint32
	to    int
}

func (c *Count) counting() counting {
	every := c.Every
	if every == 0 {
		every = c.Rows
	}
	g := gcd(c.Rows, every)
	return counting{every: every, slice: g, length: int(c.Rows / g), keep: int((c.Rows - every) / g)}
}

func (c *Count) check() error {
	switch {
	case c.Rows < 1 || c.Rows > MaxCount:
		return fmt.Errorf("a window has 1 to %d rows, not %d", int64(MaxCount), c.Rows)
	case c.Every < 0 || c.Every > c.Rows:
		return fmt.Errorf("windows of %d rows end every 1 to %d rows, not %d", c.Rows, c.Rows, c.Every)
	case c.counting().length > MaxWindows:
		return fmt.Errorf("windows of %d rows, one every %d, have too little in common; make the rows a multiple of every, %d times at most", c.Rows, c.Every, MaxWindows)
	}
	return nil
}

// count puts a row into the last slice of its key.
func (w *PerKey) count(ctx context.Context, row int, place uint32) error {
	t := w.batch.Times[row]
	if w.modules {
		if err := w.cut(ctx); err != nil {
			return err
		}
	}
	k := &w.keys[place]
	last := len(k.windows) - 1
	if last < 0 || k.windows[last].since == w.counting.slice {
		last++
		w.open(place, last, t, t+1)
	}
	of := &k.windows[last]
	w.stage(row, of.slot)
	w.write(place)
	if w.modules {
		had := w.groups.rows[of.slot]
		if err := w.cut(ctx); err != nil || w.groups.rows[of.slot] == had {
			return err
		}
	}
	if of.since == 0 {
		of.start, of.end = t, t+1
	}
	of.start, of.end, of.since = min(of.start, t), max(of.end, t+1), of.since+1
	if k.rows++; k.rows%w.counting.every == 0 {
		w.ended = append(w.ended, ended{place, len(k.windows)})
	}
	return nil
}

// giveEnded gives the results of the windows by count that have ended, and drops the slices that no other one has.
func (w *PerKey) giveEnded(ctx context.Context) error {
	for some := range slices.Chunk(w.ended, resultChunk) {
		if err := w.giveSlices(ctx, some); err != nil {
			return err
		}
	}
	for _, e := range w.ended {
		k := &w.keys[e.place]
		n := e.to - w.counting.keep - k.dropped
		if n <= 0 {
			continue
		}
		for i := range n {
			w.drop(&k.windows[i])
		}
		k.windows = slices.Delete(k.windows, 0, n)
		k.dropped += n
		if len(k.windows) == 0 {
			if err := w.emptied(e.place); err != nil {
				return err
			}
		}
	}
	for _, e := range w.ended {
		w.keys[e.place].dropped = 0
	}
	w.ended = w.ended[:0]
	return nil
}

// giveSlices merges the slices of windows and gives their results.
func (w *PerKey) giveSlices(ctx context.Context, some []ended) error {
	var all []firing
	var into, from []uint32
	for _, e := range some {
		first := max(e.to-w.counting.length, 0)
		parts := w.keys[e.place].windows[first:e.to]
		f := firing{place: e.place, slot: parts[0].slot, of: span{parts[0].start, parts[0].end}}
		for _, p := range parts[1:] {
			f.of.start, f.of.end = min(f.of.start, p.start), max(f.of.end, p.end)
		}
		if w.counting.length > 1 {
			f.slot = w.slot()
			into, from = append(into, f.slot), append(from, parts[0].slot)
		}
		all = append(all, f)
	}
	w.groups.copy(into, from)
	for i := 1; i < w.counting.length; i++ {
		into, from = into[:0], from[:0]
		for n, e := range some {
			if at := max(e.to-w.counting.length, 0) + i; at < e.to {
				into, from = append(into, all[n].slot), append(from, w.keys[e.place].windows[at].slot)
			}
		}
		if err := w.groups.merge(ctx, into, from); err != nil {
			return err
		}
	}
	err := w.give(ctx, all, w.out)
	if w.counting.length > 1 {
		for _, f := range all {
			w.groups.release([]uint32{f.slot})
		}
	}
	return err
}

// global puts a row into the only window of its key.
func (w *PerKey) global(ctx context.Context, row int, place uint32) error {
	t := w.batch.Times[row]
	if k := &w.keys[place]; len(k.windows) > 0 && w.groups.marks[k.windows[0].slot]&pending != 0 {
		if err := w.cut(ctx); err != nil {
			return err
		}
	}
	k := &w.keys[place]
	if len(k.windows) == 0 {
		w.open(place, 0, t, t+1)
	}
	of := &k.windows[0]
	of.start, of.end = min(of.start, t), max(of.end, t+1)
	return w.put(ctx, row, place, of)
}

// purged forgets the global windows of keys, of whose rows nothing is left.
func (w *PerKey) purged(all []firing) error {
	for _, f := range all {
		k := &w.keys[f.place]
		if len(k.windows) == 0 {
			continue
		}
		w.drop(&k.windows[0])
		k.windows = k.windows[:0]
		if err := w.disarm(f.place); err != nil {
			return err
		}
		if err := w.emptied(f.place); err != nil {
			return err
		}
	}
	return nil
}
