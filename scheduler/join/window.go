// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"cmp"
	"context"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
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
	left, right         cursor  // rows of the window at hand, by page
	whole               [2]bool // an input's first page has all its rows
}

func newWindowJoin(b base) *windowJoin {
	w := b.spec.Window
	return &windowJoin{
		base: b, timers: timer.New(b.store, timer.EventTime),
		size:   abi.EventTime(w.Size.Microseconds()),
		slide:  abi.EventTime(cmp.Or(w.Slide, w.Size).Microseconds()),
		offset: abi.EventTime(w.Offset.Microseconds()),
		left:   cursor{store: b.store, limit: page},
		right:  cursor{store: b.store, limit: page},
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
	err := j.fire(ctx, j.timers, int64(t), func(due *timer.Timer) error {
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

// window sets c to the rows of an input in the window that a timer stands for, and reads the first
// page. It says whether there are any.
func (j *windowJoin) window(c *cursor, input int, due *timer.Timer) (bool, error) {
	j.under(due.Group, input, due.Key)
	end := abi.EventTime(due.Time)
	j.between(c, end-j.size, end-1)
	return c.turn()
}

// give gives the results of a key in a window, and leaves in left and right what it has of them.
func (j *windowJoin) give(ctx context.Context, due *timer.Timer, out operator.Output) error {
	left, err := j.window(&j.left, InputLeft, due)
	if err != nil {
		return err
	}
	right, err := j.window(&j.right, InputRight, due)
	if err != nil {
		return err
	}
	j.whole = [2]bool{!j.left.more, !j.right.more}
	switch typ := j.spec.Type; {
	case left && right && typ.pairs():
		return j.product(ctx, due, out)
	case left && right && typ == Semi, left && !right && typ.outer(InputLeft):
		return j.alone(ctx, &j.left, InputLeft, due, out)
	case right && !left && typ.outer(InputRight):
		return j.alone(ctx, &j.right, InputRight, due, out)
	}
	return nil
}

func (j *windowJoin) result(due *timer.Timer) result {
	end := abi.EventTime(due.Time)
	return result{at: end - 1, window: [2]abi.EventTime{end - j.size, end}}
}

// alone gives the rows of one input in a window.
func (j *windowJoin) alone(ctx context.Context, c *cursor, input int, due *timer.Timer, out operator.Output) error {
	r := j.result(due)
	for {
		stored, value, err := c.next()
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
	for {
		for {
			stored, value, err := j.right.next()
			if err != nil {
				return err
			}
			if stored == nil {
				break
			}
			if err := j.pairs(ctx, due, stored, value, out); err != nil {
				return err
			}
		}
		if ok, err := j.left.turn(); !ok || err != nil {
			return err
		}
		if j.whole[InputRight] {
			j.right.at = 0
		} else if _, err := j.window(&j.right, InputRight, due); err != nil {
			return err
		}
	}
}

// pairs gives a right row with each left one of the page at hand.
func (j *windowJoin) pairs(ctx context.Context, due *timer.Timer, stored, value []byte, out operator.Output) error {
	right, err := parseEntry(value)
	if err != nil {
		return err
	}
	r := j.result(due)
	_, r.rows[InputRight] = j.timeOf(stored)
	for i := range j.left.keys.Len() {
		left, err := parseEntry(j.left.values.At(i))
		if err != nil {
			return err
		}
		_, r.rows[InputLeft] = j.timeOf(j.left.keys.At(i))
		r.copies = left.copies * right.copies
		if err := j.results.add(ctx, out, &r); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the rows of a window that lie in no later one, and sets the timer of the next
// window where it has rows of this one.
func (j *windowJoin) forget(due *timer.Timer) error {
	more := false
	for input, c := range [2]*cursor{&j.left, &j.right} {
		if c.at = 0; !j.whole[input] {
			if _, err := j.window(c, input, due); err != nil {
				return err
			}
		}
		stays, err := j.pass(c, abi.EventTime(due.Time)+j.slide-j.size)
		if err != nil {
			return err
		}
		more = more || stays
	}
	if !more {
		return nil
	}
	return j.timers.Set(timer.Timer{Group: due.Group, Time: due.Time + int64(j.slide), Key: due.Key})
}

// pass removes the rows of c before a time, and says whether there are others.
func (j *windowJoin) pass(c *cursor, before abi.EventTime) (bool, error) {
	for {
		stored, _, err := c.next()
		if stored == nil || err != nil {
			return false, err
		}
		if at, _ := j.timeOf(stored); at >= before {
			return true, nil
		}
		if err := j.remove(stored); err != nil {
			return false, err
		}
	}
}
