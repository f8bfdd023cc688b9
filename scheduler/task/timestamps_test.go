// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// marked returns rows with an event time and, where it is not 0, the watermark after them.
func marked(pool *batch.Pool, rows ...[2]int64) *batch.Batch {
	b := pool.NewBuilder(&abi.Schema{Fields: []abi.Field{
		{Name: "n", Type: abi.Int64}, {Name: "at", Type: abi.Timestamp}, {Name: "mark", Type: abi.Timestamp},
	}})
	for i, r := range rows {
		b.Column(0).AppendInt64(int64(i + 1))
		b.Column(1).AppendInt64(r[0])
		if r[1] == 0 {
			b.Column(2).AppendNull()
		} else {
			b.Column(2).AppendInt64(r[1])
		}
		b.AppendPosition(batch.At(0, int64(i)))
		b.EndRow()
	}
	return b.Finish()
}

func punctuated(pool *batch.Pool) *Timestamps {
	return NewTimestamps(1, 2, 0, pool, &operator.Counters{})
}

func TestWatermarkComesFromAColumnAndOneThatGoesBackwardsIsCounted(t *testing.T) {
	pool := &batch.Pool{}
	s := newSplit(pool, &script{next: once(io.EOF,
		marked(pool, [2]int64{5}, [2]int64{3}),
		marked(pool, [2]int64{10, 4}, [2]int64{4, 9}, [2]int64{8, 7}, [2]int64{11, 9}),
		marked(pool, [2]int64{12}, [2]int64{13, math.MaxInt64}, [2]int64{14, -1 << 62}),
	)}, operator.PolicyDrop)
	s.Time = punctuated(pool)
	if err := s.Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, received(t, s.To.Inbox),
		"rows 0 [1 2] at [5 3]",
		"rows 0 [1 2] at [10 4]", "watermark 9", "rows 0 [3 4] at [8 11]",
		"rows 0 [1 3] at [12 14]",
		"end")
	if back, failed := s.Time.backwards.Load(), s.Failures.Stats.Failed.Load(); back != 2 || failed != 1 || pool.Live() != 0 {
		t.Errorf("%d watermarks went backwards, %d rows failed, %d batches are left", back, failed, pool.Live())
	}
}

func TestSplitWithoutAWatermarkComesBackFromBeingIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		start, given := time.Now(), 0
		s := newSplit(pool, &script{next: func(ctx context.Context) (*batch.Batch, error) {
			if given == 2 {
				return nil, io.EOF
			}
			select {
			case <-time.After(time.Until(start.Add(time.Duration(given) * time.Hour))):
				given++
				return marked(pool, [2]int64{5}), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}, operator.PolicyFail)
		s.Time, s.Idle = punctuated(pool), time.Minute
		if err := s.Run(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, received(t, s.To.Inbox),
			"rows 0 [1] at [5]", "idle", "rows 0 [1] at [5]", fmt.Sprint("watermark ", watermark.Min), "end")
	})
}

// The job's clock says when a split is idle, whatever the timers say.
func TestIdlenessGoesByTheJobsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		start := time.Now()
		s := newSplit(pool, &script{next: func(ctx context.Context) (*batch.Batch, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}, operator.PolicyFail)
		s.Idle = time.Hour
		s.Options.Now = func() time.Time {
			switch since := time.Since(start); {
			case since < 10*time.Second:
				return start
			case since < 20*time.Second: // a day back: no time passes
				return start.Add(-24 * time.Hour)
			case since < 30*time.Second:
				return start.Add(-24*time.Hour + 59*time.Minute)
			}
			return start.Add(-23 * time.Hour)
		}
		stop, end := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(t.Context(), stop) }()
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if !s.Stats.Idle().IsZero() {
			t.Error("the split is idle after 59 minutes")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got, want := s.Stats.Idle(), start.Add(-23*time.Hour); !got.Equal(want) {
			t.Errorf("the split is idle since %v, should be %v", got, want)
		}
		end()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		check(t, received(t, s.To.Inbox), "idle", "end")
	})
}

// retimed is a task of an operator that makes the watermark anew, and of one that sees it.
func retimed(pool *batch.Pool, channels int, time *Timestamps) (*Task, *pass, *exchange.Inbox) {
	after := &pass{}
	first, second := operatorNode("first", &pass{}), operatorNode("second", after)
	first.Time, first.Failures = time, failures(pool, operator.PolicyDrop)
	first.Failures.Stats = first.Stats
	out := exchange.NewInbox(1)
	second.Ports[0] = []Link{{Edge: &exchange.Direct{Targets: []exchange.Target{{Inbox: out}}}}}
	return newTask(channels, first, second), after, out
}

func TestOperatorMakesTheWatermarkAnewFromItsRows(t *testing.T) {
	const most = int64(watermark.MaxEventTime)
	pool := &batch.Pool{}
	task, after, out := retimed(pool, 1, bounded(pool, 10*time.Microsecond))
	one := func(rs ...row) exchange.Element { return exchange.Element{Batch: rows(pool, rs...)} }
	feed(t, task, 0,
		one(row{n: 1, at: 100}, row{n: 2, at: 50}), mark(7),
		one(row{n: 3, null: true}, row{n: 4, at: most + 1}), mark(1000),
		one(row{n: 5, at: -most}), idle, one(row{n: 6, at: 95}), mark(2000), idle, mark(2000), idle, one(row{n: 7, at: 200}), end)
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, received(t, out),
		"rows 0 [1] at [100]", "watermark 90", "rows 0 [2] at [50]",
		fmt.Sprintf("rows 0 [5] at [%d]", -most),
		"idle", "rows 0 [6] at [95]", "watermark 90",
		"idle", "watermark 90",
		"idle", "rows 0 [7] at [200]", "watermark 190",
		fmt.Sprint("watermark ", watermark.Max), "end")
	if want := []abi.EventTime{90, 190, watermark.Max}; fmt.Sprint(after.marks) != fmt.Sprint(want) {
		t.Errorf("the next operator saw %v, should be %v", after.marks, want)
	}
	if failed := task.Chain[0].Stats.Failed.Load(); failed != 2 || pool.Live() != 0 {
		t.Errorf("%d rows failed, %d batches are left", failed, pool.Live())
	}
	if got := task.Chain[0].Stats.Watermark(); got != watermark.Max {
		t.Errorf("the operator's watermark is %d", got)
	}
}

func TestOperatorMakesTheWatermarkOfTheTimeThatRowsHave(t *testing.T) {
	pool := &batch.Pool{}
	task, after, out := retimed(pool, 1, NewTimestamps(-1, -1, 0, pool, nil))
	timed := func(rs ...row) exchange.Element {
		b := rows(pool, rs...)
		return exchange.Element{Batch: pool.WithTimes(b, b.Columns[1].EventTimes())}
	}
	feed(t, task, 0, timed(row{n: 1, at: 5}, row{n: 2, at: math.MinInt64}), exchange.Element{Batch: rows(pool, row{n: 3, at: 9})}, timed(row{n: 4, at: 6}), end)
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, received(t, out), "rows 0 [1] at [5]", "watermark 5", "rows 0 [4] at [6]", "watermark 6", fmt.Sprint("watermark ", watermark.Max), "end")
	if len(after.marks) != 3 || task.Chain[0].Stats.Failed.Load() != 2 || pool.Live() != 0 {
		t.Errorf("watermarks %v, %d rows failed, %d batches are left", after.marks, task.Chain[0].Stats.Failed.Load(), pool.Live())
	}
}

// A subtask that no key has come to must not hold up the watermark of all.
func TestOperatorWithoutRowsIsIdleThoughItsInputsAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		task, _, out := retimed(pool, 1, bounded(pool, 0))
		task.Chain[0].Time.Idle = 10 * time.Second
		go func() {
			one := func(at int64) exchange.Element { return exchange.Element{Batch: rows(pool, row{n: at, at: at})} }
			for _, e := range []exchange.Element{mark(1), mark(2), one(5), mark(3), idle, mark(3), mark(4), one(4), idle, mark(9), end} {
				time.Sleep(6 * time.Second)
				feed(t, task, 0, e)
			}
		}()
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, received(t, out),
			"idle",                             // after 10 s
			"rows 0 [5] at [5]", "watermark 5", // at 18 s
			"idle",                             // at 28 s; what the input says from 30 s on changes nothing
			"rows 0 [4] at [4]", "watermark 5", // at 48 s
			"idle", "watermark 5", // with the input at 54 s, and at 60 s
			"idle", // at once: its last row is long ago
			fmt.Sprint("watermark ", watermark.Max), "end")
	})
}

func TestNodeSaysWhichInputBringsNoWatermark(t *testing.T) {
	n := operatorNode("join", &pass{})
	task := newTask(3, n)
	task.Edges = []int{0, 1, 1}
	waits := func() string { return fmt.Sprint(n.Stats.Waiting(0), n.Stats.Waiting(1)) }
	marks := watermark.NewMerger(3)
	for _, step := range []struct {
		ch   int
		e    exchange.Element
		want string
	}{
		{1, mark(5), "false false"}, // the other half of input 1 has none either: nobody is ahead
		{2, mark(5), "true false"},
		{1, mark(9), "true false"},
		{0, idle, "false false"},
		{0, mark(1), "false false"},
	} {
		if err := task.step(t.Context(), marks, step.ch, step.e); err != nil {
			t.Fatal(err)
		}
		if got := waits(); got != step.want {
			t.Errorf("after %v of channel %d: %s, should be %s", step.e, step.ch, got, step.want)
		}
	}
}
