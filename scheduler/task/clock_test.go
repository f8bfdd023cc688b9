// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// alarm is an operator that is called every so often, and notes when, in time since start.
type alarm struct {
	pass
	start time.Time
	every time.Duration // 0: its time has always come
	next  time.Time
	ticks []string
}

var _ operator.Clocked = (*alarm)(nil)

func (a *alarm) Next() time.Time { return a.next }

func (a *alarm) Tick(_ context.Context, now time.Time, _ operator.Output) error {
	if now.Before(a.next) {
		return fmt.Errorf("tick at %v, which is before %v", now, a.next)
	}
	a.ticks = append(a.ticks, fmt.Sprint(now.Sub(a.start)))
	a.next = a.next.Add(a.every)
	return nil
}

func TestOperatorTicksWhenItsTimeHasComeUntilTheLastWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &alarm{start: time.Now(), every: 2 * time.Second}
		a.next = a.start.Add(a.every)
		task := newTask(1, operatorNode("alarm", a))
		go func() {
			time.Sleep(5 * time.Second)
			feed(t, task, 0, mark(1))
			time.Sleep(2 * time.Second)
			feed(t, task, 0, mark(watermark.Max))
			time.Sleep(time.Minute)
			feed(t, task, 0, end)
		}()
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, a.ticks, "2s", "4s", "6s")
	})
}

func TestClockThatJumpsIsSeenSoonAndNeverTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &alarm{start: time.Now(), every: time.Hour}
		a.next = a.start.Add(a.every)
		task := newTask(1, operatorNode("alarm", a))
		jump := time.Duration(0)
		task.Now = func() time.Time {
			switch since := time.Since(a.start); {
			case since < 10*time.Second:
				jump = 0
			case since < 20*time.Second:
				jump = 3 * time.Hour
			default:
				jump = -24 * time.Hour
			}
			return time.Now().Add(jump)
		}
		go func() {
			time.Sleep(48 * time.Hour)
			feed(t, task, 0, end)
		}()
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		const forward = "3h0m10s"
		if len(a.ticks) < 4 || a.ticks[0] != forward || a.ticks[2] != forward || a.ticks[3] == forward {
			t.Errorf("ticks at %v", a.ticks)
		}
		for i, tick := range a.ticks[1:] {
			was, _ := time.ParseDuration(a.ticks[i])
			if now, err := time.ParseDuration(tick); err != nil || now < was {
				t.Fatalf("tick at %v after %v", tick, was)
			}
		}
	})
}

func TestOperatorWhoseTimeHasAlwaysComeHoldsUpNoRows(t *testing.T) {
	pool := &batch.Pool{}
	a := &alarm{start: time.Now(), next: time.Now()}
	task := newTask(1, operatorNode("alarm", a))
	go func() {
		for n := range int64(100) {
			feed(t, task, 0, exchange.Element{Batch: rows(pool, row{n: n})})
		}
		feed(t, task, 0, end)
	}()
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := task.Chain[0].Stats.RowsIn.Load(); got != 100 || len(a.ticks) == 0 || pool.Live() != 0 {
		t.Errorf("%d rows, %d ticks, %d batches are left", got, len(a.ticks), pool.Live())
	}
}
