// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

// Watermark gives the rows that are final, and forgets keys by event time.
func (d *Dedup) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	d.mark = t
	if d.timers == nil || d.spec.By == Arrival {
		return nil
	}
	for more := true; more; {
		var err error
		if more, err = d.take(ctx, int64(t), out); err != nil {
			return err
		}
	}
	return nil
}

// Next returns when keys are to be forgotten by processing time. They are forgotten in time as far as
// rows can tell, and cleaned up together, a while later.
func (d *Dedup) Next() time.Time {
	if d.timers == nil || d.spec.By == Time {
		return time.Time{}
	}
	t, err := d.timers.Next(math.MaxInt64)
	switch {
	case err != nil:
		return d.clock() // Tick meets the error again
	case t == nil:
		return time.Time{}
	}
	at := t.Time
	if !d.behind {
		at += min(d.ttl/64+time.Millisecond.Microseconds(), time.Minute.Microseconds())
	}
	return time.UnixMicro(at)
}

// Tick forgets keys by processing time, some of them at a time.
func (d *Dedup) Tick(ctx context.Context, now time.Time, out operator.Output) (err error) {
	d.behind, err = d.take(ctx, now.UnixMicro(), out)
	return err
}

// take does what is due by now, or part of it, and says whether there may be more.
func (d *Dedup) take(ctx context.Context, now int64, out operator.Output) (more bool, err error) {
	d.now = now
	d.keys.Reset()
	d.stored.Reset()
	d.due = d.due[:0]
	more, err = d.timers.Pop(now, chunk, func(t *timer.Timer) error {
		namespace := give
		if string(t.Namespace) != string(give) {
			namespace = forget
		}
		d.due = append(d.due, timer.Timer{Time: t.Time, Namespace: namespace})
		d.keys.Append(t.Key)
		d.stored.AppendKey(t.Group, kept, t.Key, nil)
		return nil
	})
	if err == nil {
		err = d.update(d.fires)
	}
	if err != nil {
		return false, fmt.Errorf("dedup: %w", err)
	}
	return more, d.out.Send(ctx, out)
}

// fire is what the i-th timer that is due makes of what is known of its key.
func (d *Dedup) fire(i int, old []byte, found bool) ([]byte, bool) {
	if !found {
		return nil, false
	}
	if len(old) < stampSize {
		d.wrong = rows.ErrEncoding
		return old, true
	}
	stamp, t := state.Time(old), &d.due[i]
	if string(t.Namespace) == string(give) {
		if stamp+1 != t.Time || len(old) == stampSize {
			return old, true // an earlier row has taken its place
		}
		d.decode(old, batch.Insert)
		return old[:stampSize], true
	}
	waits := d.spec.Final && len(old) > stampSize // for its own timer, which is due yet
	if d.over(stamp) && !waits {
		return nil, false
	}
	if end := stamp + d.ttl; end > t.Time {
		d.schedule(i, end, forget)
	}
	return old, true
}
