// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"cmp"
	"context"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state/timer"
)

var _ operator.Stateful = (*windowJoin)(nil)

// windowJoin is the operator of a window join.
//
// A row lies in the store once, by time, whatever the number of its windows. Invariants: of each key
// the earliest window that has rows and has not been given has a timer, at its end, and so has the
// one after a window that has been given where they share rows; rows that lie in no window to come
// are not in the store.
type windowJoin struct {
	base
	size, slide, offset abi.EventTime
	timers              *timer.Timers
	kept                keeper
	outer               cursor // the left rows, of which rows are read through for each page
}

func newWindowJoin(b base) *windowJoin {
	w := b.spec.Window
	return &windowJoin{
		base: b, timers: timer.New(b.store, timer.EventTime),
		size:   abi.EventTime(w.Size.Microseconds()),
		slide:  abi.EventTime(cmp.Or(w.Slide, w.Size).Microseconds()),
		offset: abi.EventTime(w.Offset.Microseconds()),
		outer:  cursor{store: b.store, limit: page},
	}
}

// endAfter returns the end of the first window that ends after t.
func (j *windowJoin) endAfter(t abi.EventTime) abi.EventTime {
	into := (t - j.offset - j.size) % j.slide
	if into < 0 {
		into += j.slide
	}
	return t - into + j.slide
}

// Process keeps rows until their windows end.
func (j *windowJoin) Process(ctx context.Context, input int, b *batch.Batch, out operator.Output) error {
	if err := insertsOnly(b); err != nil {
		return err
	}
	for row, at := range b.Times {
		// The first window that has not been given, unless it begins after the row.
		end := at + j.size
		if end > j.mark {
			end = j.endAfter(max(at, j.mark))
		}
		if end <= j.mark || end-j.size > at {
			j.late = append(j.late, uint32(row))
			continue
		}
		ok, err := j.load(ctx, input, b, row, out)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		j.kept.add(&j.base, input, at, false)
		if err := j.timers.Set(timer.Timer{Group: j.group, Time: int64(end), Key: j.key}); err != nil {
			return err
		}
	}
	if err := j.kept.write(j.store); err != nil {
		return err
	}
	return j.giveLate(ctx, input, b, out)
}

// Watermark gives the windows that end by t, in order of time.
func (j *windowJoin) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	j.mark = t
	// One by one, for a window sets the timer of the next one, which may be among those that follow.
	err := j.fire(j.timers, int64(t), 1, func(due *timer.Timer) error {
		if err := j.give(ctx, due, out); err != nil {
			return err
		}
		return j.forget(due)
	})
	if err != nil {
		return err
	}
	return j.results.flush(ctx, out)
}

// window sets c to the rows of an input in the window that a timer stands for.
func (j *windowJoin) window(c *cursor, input int, due *timer.Timer) {
	j.under(due.Group, input, due.Key)
	end := abi.EventTime(due.Time)
	j.between(c, end-j.size, end-1)
}

// has says whether an input has rows in a window.
func (j *windowJoin) has(input int, due *timer.Timer) (bool, error) {
	j.window(&j.one, input, due)
	return j.one.turn()
}

// give gives the results of a key in a window.
func (j *windowJoin) give(ctx context.Context, due *timer.Timer, out operator.Output) error {
	left, err := j.has(InputLeft, due)
	if err != nil {
		return err
	}
	right, err := j.has(InputRight, due)
	if err != nil {
		return err
	}
	switch typ := j.spec.Type; {
	case left && right && typ.pairs():
		return j.product(ctx, due, out)
	case left && right && typ == Semi, left && !right && typ.outer(InputLeft):
		return j.alone(ctx, InputLeft, due, out)
	case right && !left && typ.outer(InputRight):
		return j.alone(ctx, InputRight, due, out)
	}
	return nil
}

func (j *windowJoin) result(due *timer.Timer) result {
	end := abi.EventTime(due.Time)
	return result{at: end - 1, window: [2]abi.EventTime{end - j.size, end}}
}

// alone gives the rows of one input in a window.
func (j *windowJoin) alone(ctx context.Context, input int, due *timer.Timer, out operator.Output) error {
	r := j.result(due)
	j.window(&j.rows, input, due)
	for {
		stored, value, err := j.rows.next()
		if stored == nil || err != nil {
			return err
		}
		e, err := parseEntry(value)
		if err != nil {
			return err
		}
		_, r.rows[input] = j.timeOf(stored)
		r.copies = e.copies
		if err := j.results.add(ctx, out, &r); err != nil {
			return err
		}
	}
}

// product gives all pairs of a window: each page of left rows with all right ones.
func (j *windowJoin) product(ctx context.Context, due *timer.Timer, out operator.Output) error {
	j.window(&j.outer, InputLeft, due)
	for {
		if ok, err := j.outer.turn(); !ok || err != nil {
			return err
		}
		left := len(j.prefix) + 8
		j.window(&j.rows, InputRight, due)
		for {
			stored, value, err := j.rows.next()
			if err != nil {
				return err
			}
			if stored == nil {
				break
			}
			if err := j.pairs(ctx, due, left, stored, value, out); err != nil {
				return err
			}
		}
	}
}

// pairs gives a right row with each left one of the page at hand, which begin after so many bytes of
// their stored keys.
func (j *windowJoin) pairs(ctx context.Context, due *timer.Timer, left int, stored, value []byte, out operator.Output) error {
	right, err := parseEntry(value)
	if err != nil {
		return err
	}
	r := j.result(due)
	_, r.rows[InputRight] = j.timeOf(stored)
	for i := range j.outer.keys.Len() {
		e, err := parseEntry(j.outer.values.At(i))
		if err != nil {
			return err
		}
		r.rows[InputLeft], r.copies = j.outer.keys.At(i)[left:], e.copies*right.copies
		if err := j.results.add(ctx, out, &r); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the rows of a key that lie in no window after the one given, and sets the timer of
// the next window where it has rows of this one.
func (j *windowJoin) forget(due *timer.Timer) error {
	end := abi.EventTime(due.Time)
	next := end + j.slide - j.size // where the next window begins
	for input := range 2 {
		j.under(due.Group, input, due.Key)
		j.between(&j.rows, watermark.Min, next-1)
		for {
			stored, _, err := j.rows.next()
			if err != nil {
				return err
			}
			if stored == nil {
				break
			}
			if err := j.remove(stored); err != nil {
				return err
			}
		}
	}
	for input := range 2 {
		j.under(due.Group, input, due.Key)
		j.between(&j.one, next, end-1)
		ok, err := j.one.turn()
		if err != nil {
			return err
		}
		if ok {
			return j.timers.Set(timer.Timer{Group: due.Group, Time: int64(end + j.slide), Key: due.Key})
		}
	}
	return nil
}
