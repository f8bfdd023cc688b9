// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/state"
)

// Target is a channel of an inbox.
type Target struct {
	Inbox   *Inbox
	Channel int
}

func (t Target) put(ctx context.Context, e Element) error { return t.Inbox.Put(ctx, t.Channel, e) }

// Writer sends one task's output to the subtasks of another. One goroutine makes all calls. A
// writer may hold rows, and the watermarks behind them, until Deadline; Flush sends them.
type Writer interface {
	// Send takes over the caller's reference to b.
	Send(ctx context.Context, b *batch.Batch) error
	Watermark(ctx context.Context, t abi.EventTime) error
	Idle(ctx context.Context) error
	End(ctx context.Context) error
	// Deadline returns when what is held must go, the zero time where nothing is held.
	Deadline() time.Time
	Flush(ctx context.Context) error
}

var (
	_ Writer = (*Direct)(nil)
	_ Writer = (*Hash)(nil)
)

// Direct sends each batch whole: to all targets, or to each in turn. It holds nothing.
type Direct struct {
	Targets   []Target
	Broadcast bool
	next      int
}

// Send sends b.
func (d *Direct) Send(ctx context.Context, b *batch.Batch) error {
	if !d.Broadcast {
		to := d.Targets[d.next]
		d.next = (d.next + 1) % len(d.Targets)
		return to.put(ctx, Element{Kind: Rows, Batch: b})
	}
	defer b.Release()
	for _, to := range d.Targets {
		if err := to.put(ctx, Element{Kind: Rows, Batch: b.Retain()}); err != nil {
			return err
		}
	}
	return nil
}

func (d *Direct) all(ctx context.Context, e Element) error {
	for _, to := range d.Targets {
		if err := to.put(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Watermark sends t to all targets.
func (d *Direct) Watermark(ctx context.Context, t abi.EventTime) error {
	return d.all(ctx, Element{Kind: Watermark, Mark: t})
}

// Idle says to all targets that nothing is to be expected for now.
func (d *Direct) Idle(ctx context.Context) error { return d.all(ctx, Element{Kind: Idle}) }

// End ends the channel to each target.
func (d *Direct) End(ctx context.Context) error { return d.all(ctx, Element{Kind: End}) }

// Deadline returns the zero time.
func (d *Direct) Deadline() time.Time { return time.Time{} }

// Flush does nothing.
func (d *Direct) Flush(context.Context) error { return nil }

// HashOptions are the settings of a Hash.
type HashOptions struct {
	Targets []Target // the subtasks, in order
	Groups  int      // how many key groups there are; each target owns those of its state.Split
	Key     []int    // columns
	Schema  *abi.Schema
	Pool    *batch.Pool
	Rows    int           // rows of a batch that is sent
	Bytes   int           // about the bytes of one
	Latency time.Duration // longest that a row is held
	Now     func() time.Time
}

// Hash sends each row to the subtask that owns the key group of its key. It collects rows for each
// until they make a batch.
type Hash struct {
	opts    HashOptions
	targets []hashTarget
	owner   []uint16 // the target of a key group
	key     []byte
	oldest  time.Time // when the first of the rows that are held came, or earlier
	extras  extras    // of the rows that are held
}

// extras says what rows have besides their columns. Batches that differ in it, as those of a
// source and of a window that one node reads, can't lie in one builder.
type extras struct{ times, kinds, positions bool }

type hashTarget struct {
	Target
	held   *batch.Builder
	rows   []uint32      // scratch: rows of the batch at hand
	mark   abi.EventTime // behind the held rows
	unsent bool          // mark waits
}

// NewHash returns a writer that partitions by key.
func NewHash(opts HashOptions) *Hash {
	h := &Hash{opts: opts}
	for i, t := range opts.Targets {
		h.targets = append(h.targets, hashTarget{Target: t, held: opts.Pool.NewBuilder(opts.Schema)})
		owned := state.Split(opts.Groups, i, len(opts.Targets))
		for range owned.To - owned.From {
			h.owner = append(h.owner, uint16(i))
		}
	}
	return h
}

// Send deals out the rows of b.
func (h *Hash) Send(ctx context.Context, b *batch.Batch) error {
	if len(h.targets) == 1 {
		return h.targets[0].put(ctx, Element{Kind: Rows, Batch: b})
	}
	defer b.Release()
	for i := range h.targets {
		h.targets[i].rows = h.targets[i].rows[:0]
	}
	for row := range b.Rows() {
		h.key = h.key[:0]
		for _, col := range h.opts.Key {
			h.key = batch.AppendValue(h.key, &b.Columns[col], row)
		}
		t := &h.targets[h.owner[state.GroupOf(h.key, h.opts.Groups)]]
		t.rows = append(t.rows, uint32(row))
	}
	if err := h.prepare(ctx, b); err != nil {
		return err
	}
	for i := range h.targets {
		t := &h.targets[i]
		if t.overtakes(b.Times) {
			if err := t.flush(ctx); err != nil {
				return err
			}
		}
		for chunk := range slices.Chunk(t.rows, h.opts.Rows) {
			t.held.AppendRows(b, chunk)
			if t.held.Rows() < h.opts.Rows && t.held.Bytes() < h.opts.Bytes {
				continue
			}
			if err := t.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// overtakes says whether a row at hand would arrive before a watermark that it is late for, among the rows
// that are held.
func (t *hashTarget) overtakes(times []abi.EventTime) bool {
	if !t.unsent || times == nil {
		return false
	}
	for _, row := range t.rows {
		if times[row] < t.mark {
			return true
		}
	}
	return false
}

// prepare makes sure that b can be held, and knows since when.
func (h *Hash) prepare(ctx context.Context, b *batch.Batch) error {
	if has := (extras{b.Times != nil, b.Kinds != nil, b.Positions != nil}); has != h.extras {
		if err := h.Flush(ctx); err != nil {
			return err
		}
		h.extras = has
	}
	if h.Deadline().IsZero() {
		h.oldest = h.opts.Now()
	}
	return nil
}

// flush sends what a target holds, then the watermark behind it.
func (t *hashTarget) flush(ctx context.Context) error {
	if t.held.Rows() > 0 {
		if err := t.put(ctx, Element{Kind: Rows, Batch: t.held.Finish()}); err != nil {
			return err
		}
	}
	if !t.unsent {
		return nil
	}
	t.unsent = false
	return t.put(ctx, Element{Kind: Watermark, Mark: t.mark})
}

// Watermark sends t to each target, behind the rows that are held for it.
func (h *Hash) Watermark(ctx context.Context, mark abi.EventTime) error {
	for i := range h.targets {
		t := &h.targets[i]
		t.mark, t.unsent = mark, true
		if t.held.Rows() == 0 {
			if err := t.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Idle sends what is held and says that nothing is to be expected for now.
func (h *Hash) Idle(ctx context.Context) error { return h.last(ctx, Idle) }

// End sends what is held and ends the channel to each target.
func (h *Hash) End(ctx context.Context) error { return h.last(ctx, End) }

func (h *Hash) last(ctx context.Context, kind Kind) error {
	if err := h.Flush(ctx); err != nil {
		return err
	}
	for i := range h.targets {
		if err := h.targets[i].put(ctx, Element{Kind: kind}); err != nil {
			return err
		}
	}
	return nil
}

// Deadline returns when the oldest row that is held must go.
func (h *Hash) Deadline() time.Time {
	for i := range h.targets {
		if h.targets[i].held.Rows() > 0 {
			return h.oldest.Add(h.opts.Latency)
		}
	}
	return time.Time{}
}

// Flush sends all that is held.
func (h *Hash) Flush(ctx context.Context) error {
	for i := range h.targets {
		if err := h.targets[i].flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
