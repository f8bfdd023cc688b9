// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

var _ operator.Stateful = (*intervalJoin)(nil)

// intervalJoin is the operator of an interval join.
//
// Invariants: a row is in the store as long as a row that is not late may meet it, but a left one of
// a semi or anti join only until it has met one; it has a timer, under its key and input, that is
// due when the watermark has passed its last possible partner. That timer is exact where rows that
// have met none come out; elsewhere it may be due later by one part in lazy of the interval, so that
// few timers are set.
type intervalJoin struct {
	base
	first, last [2]abi.EventTime // by input: where the partners of a row lie, as seen from it
	step        abi.EventTime    // of timers that need not be exact
	timers      *timer.Timers
	kept        keeper
}

func newIntervalJoin(b base) *intervalJoin {
	from, to := abi.EventTime(b.spec.Interval.From.Microseconds()), abi.EventTime(b.spec.Interval.To.Microseconds())
	return &intervalJoin{
		base: b, first: [2]abi.EventTime{from, -to}, last: [2]abi.EventTime{to, -from},
		step: max(1, (to-from)/lazy), timers: timer.New(b.store, timer.EventTime),
	}
}

// Process lets rows of an input meet what the store has of the other, and keeps them.
func (j *intervalJoin) Process(ctx context.Context, input int, b *batch.Batch, out operator.Output) error {
	if err := insertsOnly(b); err != nil {
		return err
	}
	for row, at := range b.Times {
		if at < j.mark {
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
		if err := j.take(ctx, input, at, out); err != nil {
			return err
		}
	}
	if err := j.kept.write(j.store); err != nil {
		return err
	}
	if err := j.results.flush(ctx, out); err != nil {
		return err
	}
	return j.giveLate(ctx, input, b, out)
}

// take processes the row at hand.
func (j *intervalJoin) take(ctx context.Context, input int, at abi.EventTime, out operator.Output) error {
	met, err := j.meet(ctx, input, at, out)
	if err != nil {
		return err
	}
	if met && input == InputLeft && !j.spec.Type.pairs() {
		if j.spec.Type == Anti {
			return nil
		}
		return j.alone(ctx, input, j.row, at, 1, out)
	}
	if at+j.last[input] < j.mark {
		if met || !j.spec.Type.outer(input) {
			return nil
		}
		return j.alone(ctx, input, j.row, at, 1, out)
	}
	j.kept.add(&j.base, input, at, !met && j.spec.Type.tracks(input))
	due := timer.Timer{Group: j.group, Time: j.due(input, at), Key: j.key, Namespace: inputNames[input]}
	return j.timers.Set(due)
}

// inputNames are the namespaces of timers, by input.
var inputNames = [2][]byte{{InputLeft}, {InputRight}}

// due returns when a row is forgotten: from the watermark that this is on, nothing can meet it.
func (j *intervalJoin) due(input int, at abi.EventTime) int64 {
	t := at + j.last[input] + 1
	if !j.spec.Type.tracks(input) {
		if over := t % j.step; over > 0 {
			t += j.step - over
		} else {
			t -= over
		}
	}
	return int64(t)
}

// meet gives what the row at hand and the rows of the other input give, and says whether it has met
// one. One is enough for a left row of which at most itself comes out.
func (j *intervalJoin) meet(ctx context.Context, input int, at abi.EventTime, out operator.Output) (bool, error) {
	other, typ := 1-input, j.spec.Type
	partners := &j.rows
	if input == InputLeft && !typ.pairs() {
		partners = &j.one
	}
	j.under(j.group, other, j.key)
	j.between(partners, at+j.first[input], at+j.last[input])
	for met := false; ; met = true {
		stored, value, err := partners.next()
		if stored == nil || err != nil {
			return met, err
		}
		e, err := parseEntry(value)
		if err != nil {
			return false, err
		}
		otherAt, row := j.timeOf(stored)
		switch {
		case typ.pairs():
			err = j.pair(ctx, input, at, otherAt, row, &e, out)
		case input == InputLeft:
			return true, nil
		case typ == Semi:
			err = j.alone(ctx, other, row, otherAt, e.copies, out)
		}
		if err == nil {
			err = j.metBy(other, stored, &e)
		}
		if err != nil {
			return false, err
		}
	}
}

// pair gives the row at hand with one of the other input.
func (j *intervalJoin) pair(ctx context.Context, input int, at, otherAt abi.EventTime, row []byte, e *entry, out operator.Output) error {
	r := result{at: max(at, otherAt), copies: e.copies}
	r.rows[input], r.rows[1-input] = j.row, row
	return j.results.add(ctx, out, &r)
}

// metBy notes that a stored row has met a partner.
func (j *intervalJoin) metBy(input int, stored []byte, e *entry) error {
	switch {
	case e.alone == 0:
		return nil
	case !j.spec.Type.pairs():
		return j.remove(stored)
	}
	e.alone = 0
	return j.put(stored, e)
}

// alone gives a row without a partner.
func (j *intervalJoin) alone(ctx context.Context, input int, row []byte, at abi.EventTime, copies uint64, out operator.Output) error {
	r := result{at: at + max(0, j.last[input]), copies: copies}
	r.rows[input] = row
	return j.results.add(ctx, out, &r)
}

// Watermark forgets the rows that nothing can meet any more, and gives those that nothing has met.
func (j *intervalJoin) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	j.mark = t
	err := j.fire(ctx, j.timers, int64(t), func(due *timer.Timer) error { return j.expire(ctx, due, out) })
	if err != nil {
		return err
	}
	return j.results.flush(ctx, out)
}

// expire forgets the rows of a key and an input up to the time that a timer stands for.
func (j *intervalJoin) expire(ctx context.Context, due *timer.Timer, out operator.Output) error {
	input, err := inputOf(due)
	if err != nil {
		return err
	}
	j.under(due.Group, input, due.Key)
	j.from = state.AppendTime(append(j.from[:0], j.prefix...), int64(watermark.Min))
	j.to = state.AppendTime(append(j.to[:0], j.prefix...), due.Time-int64(j.last[input]))
	j.rows.seek(j.from, j.to)
	for {
		stored, value, err := j.rows.next()
		if stored == nil || err != nil {
			return err
		}
		e, err := parseEntry(value)
		if err != nil {
			return fmt.Errorf("%w, at key %x", err, stored[:min(len(stored), room)])
		}
		if e.alone > 0 && j.spec.Type.outer(input) {
			at, row := j.timeOf(stored)
			if err := j.alone(ctx, input, row, at, e.alone, out); err != nil {
				return err
			}
		}
		if err := j.remove(stored); err != nil {
			return err
		}
	}
}
