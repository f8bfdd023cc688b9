// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

var (
	_ operator.Stateful = (*regularJoin)(nil)
	_ operator.Clocked  = (*regularJoin)(nil)
)

// CounterUnknown counts the deletions of rows that a regular join does not know.
const CounterUnknown = "unknown_deletions"

// regularJoin is the operator of a regular join.
//
// Invariant: of each row that the type tracks, alone is how many of its copies are counted as without
// a partner in what came out. It is 0 or copies, unless rows have expired.
type regularJoin struct {
	base
	ttl     int64 // microseconds; 0: for ever
	timers  *timer.Timers
	clock   func() time.Time
	now     int64 // of clock, in microseconds; never goes back
	failed  error // of Next, for Tick to return
	unknown *atomic.Int64

	stored    []byte // key of the row at hand
	get, got  state.Strings
	namespace []byte // of its timer
}

func newRegularJoin(b base, ctx operator.Context) *regularJoin {
	j := &regularJoin{
		base: b, ttl: b.spec.Regular.TTL.Microseconds(), clock: ctx.Now, now: math.MinInt64,
		unknown: ctx.Counters.Get(CounterUnknown),
	}
	if j.ttl > 0 {
		j.timers = timer.New(b.store, timer.ProcessingTime)
	}
	return j
}

// Process applies changes of an input to its rows and gives what follows from them.
func (j *regularJoin) Process(ctx context.Context, input int, b *batch.Batch, out operator.Output) error {
	if !j.results.changes {
		if err := unchanging(b); err != nil {
			return err
		}
	}
	if j.ttl > 0 {
		j.now = max(j.now, j.clock().UnixMicro())
	}
	for row := range b.Rows() {
		ok, err := j.load(ctx, input, b, row, out)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if b.Kinds == nil || b.Kinds[row] == batch.Insert || b.Kinds[row] == batch.UpdateAfter {
			err = j.insert(ctx, input, out)
		} else {
			err = j.delete(ctx, input, out)
		}
		if err != nil {
			return err
		}
	}
	return j.results.flush(ctx, out)
}

// find returns what the store has of the row at hand, no copies where it has none.
func (j *regularJoin) find(input int) (entry, error) {
	j.stored = append(state.AppendKey(j.stored[:0], j.group, stateOf(input), j.key, nil), j.row...)
	j.get.Reset()
	j.get.Append(j.stored)
	if err := j.store.Get(&j.get, &j.got); err != nil {
		return entry{}, fmt.Errorf("join: reading a row: %w", err)
	}
	none := entry{expires: math.MaxInt64}
	value := j.got.At(0)
	if value == nil {
		return none, nil
	}
	e, err := parseEntry(value)
	if err != nil || e.expires <= j.now {
		return none, err
	}
	return e, nil
}

// partners sets c to the rows of an input that have the key at hand.
func (j *regularJoin) partners(c *cursor, input int) {
	j.under(j.group, input, j.key)
	j.to = state.AppendEnd(j.to[:0], j.prefix)
	c.seek(j.prefix, j.to)
}

// next returns the next row of a cursor that has not expired, and a nil key at the end.
func (j *regularJoin) next(c *cursor) (stored []byte, e entry, err error) {
	for {
		stored, value, err := c.next()
		if stored == nil || err != nil {
			return nil, e, err
		}
		if e, err = parseEntry(value); err != nil || e.expires > j.now {
			return stored, e, err
		}
	}
}

// insert adds a copy of the row at hand.
func (j *regularJoin) insert(ctx context.Context, input int, out operator.Output) error {
	own, err := j.find(input)
	if err != nil {
		return err
	}
	other, met := 1-input, false
	partners, all := &j.rows, j.spec.Type.pairs() || input == InputRight
	if !all {
		partners = &j.one
	}
	j.partners(partners, other)
	for {
		stored, e, err := j.next(partners)
		if err != nil {
			return err
		}
		if stored == nil {
			break
		}
		if met = true; !all {
			break
		}
		if err := j.met(ctx, other, stored, &e, out); err != nil {
			return err
		}
		if err := j.pair(ctx, input, stored, &e, batch.Insert, out); err != nil {
			return err
		}
	}
	if own.copies++; !met && j.spec.Type.tracks(input) {
		own.alone++
	}
	if err := j.single(ctx, input, j.row, 1, met, batch.Insert, out); err != nil {
		return err
	}
	return j.write(input, &own)
}

// write writes the row at hand, which expires anew.
func (j *regularJoin) write(input int, own *entry) error {
	if j.ttl > 0 {
		fresh := own.expires == math.MaxInt64
		if own.expires = j.now + j.ttl; fresh {
			if err := j.expireAt(j.group, j.key, input, j.row, own.expires); err != nil {
				return err
			}
		}
	}
	return j.put(j.stored, own)
}

// expireAt sets a row's timer, up to one part in lazy of the TTL later, so that a row which is
// written again and again sets few.
func (j *regularJoin) expireAt(group state.Group, key []byte, input int, row []byte, at int64) error {
	step := max(1, j.ttl/lazy)
	j.namespace = append(append(j.namespace[:0], byte(input)), row...)
	return j.timers.Set(timer.Timer{Group: group, Time: at + step - at%step, Key: key, Namespace: j.namespace})
}

// delete takes a copy of the row at hand away.
func (j *regularJoin) delete(ctx context.Context, input int, out operator.Output) error {
	own, err := j.find(input)
	if err != nil {
		return err
	}
	if own.copies == 0 {
		j.unknown.Add(1)
		return nil
	}
	other := 1 - input
	met := own.alone < own.copies
	switch own.copies--; {
	case own.copies == 0:
		err = j.remove(j.stored)
	default:
		own.alone = min(own.alone, own.copies)
		err = j.write(input, &own)
	}
	if err != nil {
		return err
	}
	if err := j.single(ctx, input, j.row, 1, met, batch.Delete, out); err != nil {
		return err
	}
	last, err := j.last(input, &own)
	if err != nil {
		return err
	}
	if !j.spec.Type.pairs() && !last {
		return nil
	}
	j.partners(&j.rows, other)
	for {
		stored, e, err := j.next(&j.rows)
		if stored == nil || err != nil {
			return err
		}
		if err := j.pair(ctx, input, stored, &e, batch.Delete, out); err != nil {
			return err
		}
		if last {
			if err := j.parted(ctx, other, stored, &e, out); err != nil {
				return err
			}
		}
	}
}

// last says whether rows of the other input, as far as they are tracked, have lost their last partner
// with a copy of the row at hand.
func (j *regularJoin) last(input int, own *entry) (bool, error) {
	if own.copies > 0 || !j.spec.Type.tracks(1-input) {
		return false, nil
	}
	j.partners(&j.one, input)
	stored, _, err := j.next(&j.one)
	return stored == nil, err
}

// pair gives, or takes back, the row at hand with one of the other input.
func (j *regularJoin) pair(ctx context.Context, input int, stored []byte, e *entry, kind batch.RowKind, out operator.Output) error {
	if !j.spec.Type.pairs() {
		return nil
	}
	r := result{kind: kind, copies: e.copies}
	r.rows[input], r.rows[1-input] = j.row, stored[len(j.prefix):]
	return j.results.add(ctx, out, &r)
}

// single gives, or takes back, copies of a row that comes out alone, as it does when it has met a
// partner or when it has not.
func (j *regularJoin) single(ctx context.Context, input int, row []byte, copies uint64, met bool, kind batch.RowKind, out operator.Output) error {
	typ := j.spec.Type
	if met && (typ != Semi || input != InputLeft) || !met && !typ.outer(input) {
		return nil
	}
	r := result{kind: kind, copies: copies}
	r.rows[input] = row
	return j.results.add(ctx, out, &r)
}

// met turns the copies of a stored row that were alone into ones that have met a partner.
func (j *regularJoin) met(ctx context.Context, input int, stored []byte, e *entry, out operator.Output) error {
	return j.turn(ctx, input, stored, e, e.alone, true, out)
}

// parted turns the copies of a stored row that had met a partner into ones that are alone.
func (j *regularJoin) parted(ctx context.Context, input int, stored []byte, e *entry, out operator.Output) error {
	return j.turn(ctx, input, stored, e, e.copies-e.alone, false, out)
}

func (j *regularJoin) turn(ctx context.Context, input int, stored []byte, e *entry, copies uint64, met bool, out operator.Output) error {
	if copies == 0 {
		return nil
	}
	row := stored[len(j.prefix):]
	if err := j.single(ctx, input, row, copies, !met, batch.Delete, out); err != nil {
		return err
	}
	if err := j.single(ctx, input, row, copies, met, batch.Insert, out); err != nil {
		return err
	}
	if e.alone = e.copies; met {
		e.alone = 0
	}
	return j.put(stored, e)
}

// Watermark does nothing: a regular join knows no event time.
func (j *regularJoin) Watermark(context.Context, abi.EventTime, operator.Output) error { return nil }

// Next returns when rows expire next.
func (j *regularJoin) Next() time.Time {
	if j.ttl == 0 {
		return time.Time{}
	}
	due, err := j.timers.Next(math.MaxInt64)
	switch {
	case err != nil:
		j.failed = err
		return j.clock()
	case due == nil:
		return time.Time{}
	}
	return time.UnixMicro(due.Time)
}

// Tick forgets rows that have expired.
func (j *regularJoin) Tick(ctx context.Context, now time.Time, _ operator.Output) error {
	if j.failed != nil {
		return j.failed
	}
	j.now = max(j.now, now.UnixMicro())
	return j.fire(ctx, j.timers, j.now, j.expire)
}

// expire forgets a row, or sees to it later where it has been written since.
func (j *regularJoin) expire(due *timer.Timer) error {
	input, err := inputOf(due)
	if err != nil {
		return err
	}
	j.group, j.key, j.row = due.Group, append(j.key[:0], due.Key...), append(j.row[:0], due.Namespace[1:]...)
	e, err := j.find(input)
	switch {
	case err != nil:
		return err
	case e.copies == 0:
		return j.remove(j.stored)
	}
	return j.expireAt(j.group, j.key, input, j.row, e.expires)
}
