// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// Keep says which rows of a window its results are of, where not of all: of the last Rows in the order in which
// they came, or of those that are less than Time before the latest one in event time. A window with
// a Keep keeps its rows, and aggregates them for each result.
type Keep struct {
	Rows int64
	Time time.Duration
}

// What a window keeps at most.
const (
	MaxKeepRows  = abi.MaxRows
	MaxKeepBytes = 16 << 20
)

func (s *Spec) checkKeep() error {
	k := s.Keep
	switch {
	case k == nil:
		return nil
	case (k.Rows == 0) == (k.Time == 0):
		return fmt.Errorf("a window keeps so many rows, or rows for some time")
	case k.Rows < 0 || k.Rows > MaxKeepRows:
		return fmt.Errorf("a window keeps 1 to %d rows, not %d", MaxKeepRows, k.Rows)
	case k.Time < 0 || k.Time > MaxSize || k.Time%time.Microsecond != 0:
		return fmt.Errorf("a window keeps rows for 1us to %v in whole microseconds, not %v", MaxSize, k.Time)
	case s.Count != nil:
		return fmt.Errorf("a window by count has so many rows, and keeps all of them")
	}
	for _, a := range s.Aggregates {
		if a.Module != nil {
			return fmt.Errorf("aggregate %q: a module's aggregate may fail rows, and rows that are kept are aggregated more than once", a.Name)
		}
	}
	return nil
}

// keptRows are rows of a window in the order in which they came: of each
//
//	| number 8 | event time 8 | size 4 | encoded columns |
//
// little endian. The number is that of the row within its key.
type keptRows struct {
	data   []byte
	from   int // what lies before is gone
	rows   int
	swept  int // rows there were after the last sweep
	latest abi.EventTime
}

const (
	keptHead  = 8 + 8 + 4
	keptSweep = 16   // rows that may be gone and be there yet
	keptGone  = 4096 // bytes likewise
)

// size returns how many bytes the rows take.
func (r *keptRows) size() int64 { return int64(len(r.data)) }

// keptRow returns the length of a row that data begins with, its number and its time.
func keptRow(data []byte) (size int, number uint64, at abi.EventTime) {
	return keptHead + int(binary.LittleEndian.Uint32(data[16:])), binary.LittleEndian.Uint64(data), abi.EventTime(binary.LittleEndian.Uint64(data[8:]))
}

// evict drops rows that no result is of any more, not all of them where there are few.
func (k *Keep) evict(r *keptRows) {
	if k.Time > 0 {
		if r.rows > 2*r.swept+keptSweep {
			k.sweep(r)
		}
		return
	}
	for int64(r.rows) > k.Rows {
		size, _, _ := keptRow(r.data[r.from:])
		r.from += size
		r.rows--
	}
	if r.from > keptGone && 2*r.from > len(r.data) {
		r.data, r.from = r.data[:copy(r.data, r.data[r.from:])], 0
	}
}

// sweep drops all rows that no result is of any more.
func (k *Keep) sweep(r *keptRows) {
	if k.Time == 0 {
		k.evict(r)
		return
	}
	oldest := r.latest - abi.EventTime(k.Time.Microseconds())
	to := 0
	r.rows = 0
	for rest := r.data[r.from:]; len(rest) > 0; {
		size, _, at := keptRow(rest)
		if at > oldest {
			to += copy(r.data[to:], rest[:size])
			r.rows++
		}
		rest = rest[size:]
	}
	r.data, r.from, r.swept = r.data[:to], 0, r.rows
}

// unite takes the rows of another window in, in the order in which all came.
func (k *Keep) unite(r, other *keptRows) {
	a, b := r.data[r.from:], other.data[other.from:]
	all := make([]byte, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		next := &a
		if len(a) == 0 {
			next = &b
		} else if len(b) > 0 {
			_, numberA, _ := keptRow(a)
			if _, numberB, _ := keptRow(b); numberB < numberA {
				next = &b
			}
		}
		size, _, _ := keptRow(*next)
		all = append(all, (*next)[:size]...)
		*next = (*next)[size:]
	}
	*r = keptRows{data: all, rows: r.rows + other.rows, latest: max(r.latest, other.latest)}
	k.sweep(r)
}

// keptColumns returns the columns that the aggregates of a spec read.
func (s *Spec) keptColumns() []int {
	need := make([]bool, len(s.Input.Fields))
	for _, a := range s.Aggregates {
		if a.Call != nil {
			for _, col := range a.Call.Columns {
				need[col] = true
			}
		}
	}
	var columns []int
	for col, needed := range need {
		if needed {
			columns = append(columns, col)
		}
	}
	return columns
}

// keep keeps the row for the results of a window of a key.
func (w *PerKey) keep(row int, k *ofKey, of *ofWindow) error {
	r := &of.kept
	w.kept -= r.size()
	t := w.batch.Times[row]
	if r.rows == 0 {
		r.latest = t
	}
	r.latest = max(r.latest, t)
	at := len(r.data)
	k.rows++
	r.data = binary.LittleEndian.AppendUint64(r.data, uint64(k.rows))
	r.data = append(binary.LittleEndian.AppendUint64(r.data, uint64(t)), 0, 0, 0, 0)
	for _, col := range w.keeps {
		r.data = batch.AppendValue(r.data, &w.batch.Columns[col], row)
	}
	binary.LittleEndian.PutUint32(r.data[at+16:], uint32(len(r.data)-at-keptHead))
	r.rows++
	w.spec.Keep.evict(r)
	w.kept += r.size()
	return w.tooMuch(of)
}

// tooMuch returns an error where a window keeps more than it may.
func (w *PerKey) tooMuch(of *ofWindow) error {
	r := &of.kept
	if len(r.data)-r.from <= MaxKeepBytes && r.rows <= MaxKeepRows {
		return nil
	}
	w.kept -= r.size()
	w.spec.Keep.sweep(r)
	w.kept += r.size()
	if n := len(r.data) - r.from; n > MaxKeepBytes || r.rows > MaxKeepRows {
		return &operator.Error{Fault: operator.FaultConfig, Err: fmt.Errorf(
			"a window%s keeps %d rows of %d bytes; %d rows and %d bytes are possible: keep fewer, or aggregate fewer columns",
			w.keyOf(of.slot), r.rows, n, MaxKeepRows, MaxKeepBytes)}
	}
	return nil
}

// foldKept adds the kept rows of windows to their slots.
func (w *PerKey) foldKept(ctx context.Context, some []firing) error {
	for _, f := range some {
		r := &w.window(f).kept
		w.kept -= r.size()
		w.spec.Keep.sweep(r)
		w.kept += r.size()
		for rest := r.data[r.from:]; len(rest) > 0; {
			size, _, at := keptRow(rest)
			values := rest[keptHead:size]
			rest = rest[size:]
			if err := w.appendKept(values, at); err != nil {
				return err
			}
			w.slots = append(w.slots, f.slot)
			if w.rebuilt.Rows() >= resultRows || w.rebuilt.Bytes() >= resultBytes {
				if err := w.addKept(ctx); err != nil {
					return err
				}
			}
		}
	}
	return w.addKept(ctx)
}

func (w *PerKey) appendKept(values []byte, at abi.EventTime) error {
	next := 0
	for col := range w.spec.Input.Fields {
		if next == len(w.keeps) || w.keeps[next] != col {
			w.rebuilt.Column(col).AppendNull()
			continue
		}
		next++
		var err error
		if values, err = w.rebuilt.Column(col).AppendValue(values); err != nil {
			return fmt.Errorf("window: a row that was kept: %w", err)
		}
	}
	w.rebuilt.AppendTime(at)
	w.rebuilt.EndRow()
	return nil
}

func (w *PerKey) addKept(ctx context.Context) error {
	if len(w.slots) == 0 {
		return nil
	}
	b := w.rebuilt.Finish()
	defer b.Release()
	_, err := w.groups.add(ctx, b, w.slots, nil)
	w.slots = w.slots[:0]
	return err
}

// empty takes all rows out of a slot.
func (w *PerKey) empty(slot uint32) {
	for i := range w.groups.members {
		w.groups.members[i].Clear([]uint32{slot})
	}
	w.groups.rows[slot] = 0
}

// appendKeptRows appends the rows that a window keeps as they are stored.
func (w *PerKey) appendKeptRows(dst []byte, of *ofWindow) []byte {
	if w.spec.Keep == nil {
		return dst
	}
	r := &of.kept
	w.kept -= r.size()
	w.spec.Keep.sweep(r)
	w.kept += r.size()
	return state.AppendSized(dst, r.data[r.from:])
}

func (w *PerKey) parseKept(of *ofWindow, p *parser) {
	if w.spec.Keep == nil {
		return
	}
	r := &of.kept
	r.latest = watermark.Min
	r.data = append(r.data, p.sized()...)
	for rest := r.data; len(rest) > 0 && p.err == nil; r.rows++ {
		if len(rest) < keptHead {
			p.err = errShort
			return
		}
		size, _, at := keptRow(rest)
		if size > len(rest) {
			p.err = errShort
			return
		}
		r.latest = max(r.latest, at)
		rest = rest[size:]
	}
	r.swept = r.rows
	w.kept += r.size()
}
