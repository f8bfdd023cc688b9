// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

var _ operator.Stateful = (*temporalJoin)(nil)

// temporalJoin is the operator of a temporal join.
//
// Left rows lie in the store by time until the watermark has passed them. The versions of a key lie
// there by time, the latest first: a byte, 1 for a row and 0 for none any more, then the row.
// Invariant: of the versions that the watermark has passed all but the latest are gone, and that one too
// where it is a deletion.
type temporalJoin struct {
	base
	timers  *timer.Timers // a microsecond after a row's time, by key and input
	kept    keeper
	version []byte
}

var errVersion = errors.New("join: a value in the store is not one of a version")

func newTemporalJoin(b base) *temporalJoin {
	return &temporalJoin{base: b, timers: timer.New(b.store, timer.EventTime)}
}

// Process keeps left rows until the watermark passes them, and right ones as versions.
func (j *temporalJoin) Process(ctx context.Context, input int, b *batch.Batch, out operator.Output) error {
	check := insertsOnly
	if input == InputRight {
		check = timed
	}
	if err := check(b); err != nil {
		return err
	}
	for row, at := range b.Times {
		switch {
		case input == InputLeft && at < j.mark:
			j.late = append(j.late, uint32(row))
			continue
		case input == InputRight && b.Kinds != nil && b.Kinds[row] == batch.UpdateBefore:
			continue
		}
		ok, err := j.load(ctx, input, b, row, out)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if input == InputLeft {
			j.kept.add(&j.base, InputLeft, at, false)
			err = j.set(InputLeft, at)
		} else {
			err = j.takeVersion(at, row, b.Kinds != nil && b.Kinds[row] == batch.Delete)
		}
		if err != nil {
			return err
		}
	}
	if err := j.kept.write(j.store); err != nil {
		return err
	}
	return j.giveLate(ctx, input, b, out)
}

func (j *temporalJoin) set(input int, at abi.EventTime) error {
	return j.timers.Set(timer.Timer{Group: j.group, Time: int64(at) + 1, Key: j.key, Namespace: inputNames[input]})
}

// takeVersion makes the row at hand, which is one of a batch, a version, unless it is late.
func (j *temporalJoin) takeVersion(at abi.EventTime, row int, deletes bool) error {
	j.under(j.group, InputRight, j.key)
	if at < j.mark {
		stored, _, err := j.asOf(j.mark)
		if err != nil {
			return err
		}
		if stored != nil && j.timeOfVersion(stored) > at {
			j.late = append(j.late, uint32(row))
			return nil
		}
	}
	j.value = append(j.value[:0], 0)
	if !deletes {
		j.value[0] = 1
		j.value = append(j.value, j.row...)
	}
	j.from = state.AppendTime(append(j.from[:0], j.prefix...), ^int64(at))
	if err := j.store.Put(j.from, j.value); err != nil {
		return fmt.Errorf("join: keeping a version: %w", err)
	}
	return j.set(InputRight, at)
}

// asOf returns the latest version under prefix that is not later than a time, a nil key where there
// is none.
func (j *temporalJoin) asOf(t abi.EventTime) (stored, value []byte, err error) {
	j.versions(&j.one, t)
	return j.one.next()
}

// versions sets c to the versions under prefix that are not later than a time, the latest first.
func (j *temporalJoin) versions(c *cursor, t abi.EventTime) {
	j.from = state.AppendTime(append(j.from[:0], j.prefix...), ^int64(t))
	j.to = state.AppendEnd(j.to[:0], j.prefix)
	c.seek(j.from, j.to)
}

func (j *temporalJoin) timeOfVersion(stored []byte) abi.EventTime {
	return abi.EventTime(^state.Time(stored[len(j.prefix):]))
}

// Watermark gives the left rows that it has passed, and forgets versions that none can see any more.
func (j *temporalJoin) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	j.mark = t
	err := j.fire(ctx, j.timers, int64(t), func(due *timer.Timer) error {
		input, err := inputOf(due)
		switch {
		case err != nil:
			return err
		case input == InputLeft:
			return j.give(ctx, due, out)
		}
		return j.forget(due)
	})
	if err != nil {
		return err
	}
	return j.results.flush(ctx, out)
}

// give gives the left rows of a key and time, and forgets them.
func (j *temporalJoin) give(ctx context.Context, due *timer.Timer, out operator.Output) error {
	r := result{at: abi.EventTime(due.Time - 1)}
	j.under(due.Group, InputRight, due.Key)
	_, value, err := j.asOf(r.at)
	if err != nil {
		return err
	}
	if value != nil {
		if len(value) == 0 || value[0] > 1 {
			return errVersion
		}
		if value[0] == 1 {
			j.version = append(j.version[:0], value[1:]...)
			r.rows[InputRight] = j.version
		}
	}
	j.under(due.Group, InputLeft, due.Key)
	j.between(&j.rows, r.at, r.at)
	for {
		stored, value, err := j.rows.next()
		if stored == nil || err != nil {
			return err
		}
		e, err := parseEntry(value)
		if err != nil {
			return err
		}
		if r.rows[InputRight] != nil || j.spec.Type == Left {
			_, r.rows[InputLeft] = j.timeOf(stored)
			r.copies = e.copies
			if err := j.results.add(ctx, out, &r); err != nil {
				return err
			}
		}
		if err := j.remove(stored); err != nil {
			return err
		}
	}
}

// forget removes the versions of a key before the one that a timer stands for, and that one too
// where it is a deletion.
func (j *temporalJoin) forget(due *timer.Timer) error {
	j.under(due.Group, InputRight, due.Key)
	j.versions(&j.rows, abi.EventTime(due.Time-1))
	for latest := true; ; latest = false {
		stored, value, err := j.rows.next()
		if stored == nil || err != nil {
			return err
		}
		if len(value) == 0 {
			return errVersion
		}
		if latest && value[0] == 1 {
			continue
		}
		if err := j.remove(stored); err != nil {
			return err
		}
	}
}
