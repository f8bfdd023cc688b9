// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// script is a source whose one reader does what it is told.
type script struct {
	operator.Source
	next   func(ctx context.Context) (*batch.Batch, error)
	closed int
}

func (s *script) Read(context.Context, operator.Split, operator.ReadOptions) (operator.Reader, error) {
	return s, nil
}

func (s *script) Next(ctx context.Context) (*batch.Batch, error) { return s.next(ctx) }
func (s *script) Close() error                                   { s.closed++; return nil }

func newSplit(pool *batch.Pool, src *script, policy operator.Policy) *Split {
	return &Split{
		Source: src, Options: operator.ReadOptions{Pool: pool, Rows: 10, Now: time.Now}, Failures: failures(pool, policy),
		Stats: NewSplitStats(), Time: bounded(pool, 0), To: exchange.Target{Inbox: exchange.NewInbox(1)},
	}
}

// bounded returns what makes event time of the column "at".
func bounded(pool *batch.Pool, bound time.Duration) *Timestamps {
	return NewTimestamps(1, -1, bound, pool, nil)
}

// received returns all that waits in an inbox of one channel, as text.
func received(t *testing.T, in *exchange.Inbox) []string {
	t.Helper()
	var all []string
	for {
		_, e, ok := in.Get(t.Context(), 0)
		if !ok {
			return all
		}
		switch e.Kind {
		case exchange.Rows:
			text := fmt.Sprint("rows ", e.Port)
			if e.Port == 0 {
				text += fmt.Sprint(" ", e.Batch.Columns[0].Int64s(), " at ", e.Batch.Times)
			} else {
				text += " " + letterText(e.Batch)
			}
			all = append(all, text)
			e.Batch.Release()
		case exchange.Watermark:
			all = append(all, fmt.Sprint("watermark ", e.Mark))
		case exchange.Idle:
			all = append(all, "idle")
		case exchange.End:
			all = append(all, "end")
		}
	}
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n %s\nshould be\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

// once returns a reader's Next that gives each batch, then err.
func once(err error, batches ...*batch.Batch) func(context.Context) (*batch.Batch, error) {
	return func(context.Context) (*batch.Batch, error) {
		if len(batches) == 0 {
			return nil, err
		}
		b := batches[0]
		batches = batches[1:]
		return b, nil
	}
}

func TestSplitSendsRowsTheirWatermarkAndItsEnd(t *testing.T) {
	const most = int64(watermark.MaxEventTime)
	pool := &batch.Pool{}
	src := &script{next: once(io.EOF,
		rows(pool, row{n: 1, at: 50}, row{n: 2, at: 40}),
		rows(pool),
		rows(pool, row{n: 3, at: 60}, row{n: 4, null: true}, row{n: 5, at: -most}),
		rows(pool, row{n: 6, at: most + 1}, row{n: 7, at: -most - 1}), // nothing is left of it
		rows(pool, row{n: 8, at: most}),
	)}
	s := newSplit(pool, src, operator.PolicyDeadLetter)
	s.Time = bounded(pool, 5*time.Microsecond)
	if err := s.Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, received(t, s.To.Inbox),
		"rows 0 [1] at [50]", "watermark 45", "rows 0 [2] at [40]",
		`rows 1 node|line 2|column "at", the event time, is null|n=4|`,
		"rows 0 [3] at [60]", "watermark 55", fmt.Sprintf("rows 0 [5] at [%d]", -most),
		fmt.Sprintf(`rows 1 node|line 1|column "at", the event time, is %d us, more than 146,000 years from 1970|n=6|`, most+1),
		fmt.Sprintf(`rows 1 node|line 2|column "at", the event time, is %d us, more than 146,000 years from 1970|n=7|`, -most-1),
		fmt.Sprintf("rows 0 [8] at [%d]", most), fmt.Sprint("watermark ", most-5),
		"end")
	if src.closed != 1 {
		t.Errorf("the reader was closed %d times", src.closed)
	}
}

func TestSplitFailsOnARowWithoutEventTimeUnlessItMayDropIt(t *testing.T) {
	pool := &batch.Pool{}
	for policy, want := range map[operator.Policy]string{
		operator.PolicyFail: `node: line 2: column "at", the event time, is null`,
		operator.PolicyDrop: "",
	} {
		s := newSplit(pool, &script{next: once(io.EOF, rows(pool, row{n: 1, at: 1}, row{n: 2, null: true}))}, policy)
		err := s.Run(t.Context(), t.Context())
		if want == "" {
			if err != nil || s.Failures.Stats.Failed.Load() != 1 {
				t.Errorf("got %v, and %d failed rows", err, s.Failures.Stats.Failed.Load())
			}
			check(t, received(t, s.To.Inbox), "rows 0 [1] at [1]", "watermark 1", "end")
		} else if err == nil || err.Error() != want {
			t.Errorf("got %v, should be %s", err, want)
		}
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
}

// slow returns a reader's Next that gives a batch after each wait, then io.EOF.
func slow(pool *batch.Pool, waits ...time.Duration) func(context.Context) (*batch.Batch, error) {
	start, at := time.Now(), time.Duration(0)
	n := int64(0)
	return func(ctx context.Context) (*batch.Batch, error) {
		if int(n) == len(waits) {
			return nil, io.EOF
		}
		timer := time.NewTimer(at + waits[n] - time.Since(start))
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
		}
		at += waits[n]
		n++
		return rows(pool, row{n: n, at: n}), nil
	}
}

func TestSplitWithoutRowsForSoLongIsIdleUntilTheNextRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		src := &script{next: slow(pool, 9*time.Second, 9*time.Second, time.Minute, time.Second, time.Minute)}
		s := newSplit(pool, src, operator.PolicyFail)
		s.Idle = 10 * time.Second
		if err := s.Run(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, received(t, s.To.Inbox),
			"rows 0 [1] at [1]", "watermark 1",
			"rows 0 [2] at [2]", "watermark 2",
			"idle", "rows 0 [3] at [3]", "watermark 3",
			"rows 0 [4] at [4]", "watermark 4",
			"idle", "rows 0 [5] at [5]", "watermark 5",
			"end")
	})
}

// The time that a full inbox takes is not the split's.
func TestSplitThatIsHeldBackIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		var many []time.Duration
		for range 40 {
			many = append(many, time.Millisecond)
		}
		s := newSplit(pool, &script{next: slow(pool, many...)}, operator.PolicyFail)
		s.Idle = time.Second
		done := make(chan error)
		go func() { done <- s.Run(t.Context(), t.Context()) }()
		seen := 0
		for {
			time.Sleep(time.Minute)
			_, e, ok := s.To.Inbox.Get(t.Context(), 0)
			if !ok || e.Kind == exchange.Idle {
				t.Fatalf("after %d elements: %v, %v", seen, e, ok)
			}
			if e.Kind == exchange.End {
				break
			}
			seen++
		}
		if err := <-done; err != nil || seen != 80 {
			t.Fatalf("%d elements came, %v", seen, err)
		}
	})
}

func TestSplitThatIsStoppedEndsWithTheRowsThatWereRead(t *testing.T) {
	for name, next := range map[string]func(pool *batch.Pool, stop func()) func(context.Context) (*batch.Batch, error){
		"a reader that waits": func(pool *batch.Pool, stop func()) func(context.Context) (*batch.Batch, error) {
			first := true
			return func(ctx context.Context) (*batch.Batch, error) {
				if first {
					first = false
					return rows(pool, row{n: 1, at: 1}), nil
				}
				stop()
				<-ctx.Done()
				return nil, fmt.Errorf("the read was given up: %w", ctx.Err())
			}
		},
		"a reader that always has rows": func(pool *batch.Pool, stop func()) func(context.Context) (*batch.Batch, error) {
			return func(context.Context) (*batch.Batch, error) {
				stop()
				return rows(pool, row{n: 1, at: 1}), nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			pool := &batch.Pool{}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			stop, drain := context.WithCancel(t.Context())
			s := newSplit(pool, &script{next: next(pool, drain)}, operator.PolicyFail)
			if err := s.Run(ctx, stop); err != nil {
				t.Fatal(err)
			}
			check(t, received(t, s.To.Inbox), "rows 0 [1] at [1]", "watermark 1", "end")
		})
	}
}

func TestSplitsOwnErrorCountsWhateverComesAtTheSameTime(t *testing.T) {
	broken := errors.New("bad sector")
	reset := &operator.Error{Fault: operator.FaultRow, Err: broken}
	for _, c := range []struct {
		name string
		err  error
		idle time.Duration
		want string
	}{
		{"alone", broken, 0, "node: bad sector"},
		{"with the stop", broken, 0, "node: bad sector"},
		{"with idleness", broken, time.Nanosecond, "node: bad sector"},
		{"without a name", reset, 0, "node: bad sector"},
		{"an end of something inside", fmt.Errorf("reading the header: %w", io.EOF), 0, "node: reading the header: EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stop, drain := context.WithCancel(t.Context())
			defer drain()
			src := &script{next: func(ctx context.Context) (*batch.Batch, error) {
				if c.name == "with the stop" {
					drain()
				}
				if c.idle > 0 {
					<-ctx.Done()
				}
				return nil, c.err
			}}
			s := newSplit(&batch.Pool{}, src, operator.PolicyFail)
			s.Idle = c.idle
			err := s.Run(t.Context(), stop)
			var user *operator.Error
			if !errors.As(err, &user) || user.Fault == 0 || err.Error() != c.want {
				t.Fatalf("got %v, should be %s", err, c.want)
			}
			if src.closed != 1 {
				t.Errorf("the reader was closed %d times", src.closed)
			}
		})
	}
}

func TestSplitOfACancelledJobEndsWithTheCause(t *testing.T) {
	cause := errors.New("somebody else has failed")
	ctx, cancel := context.WithCancelCause(t.Context())
	pool := &batch.Pool{}
	s := newSplit(pool, &script{next: func(context.Context) (*batch.Batch, error) {
		return rows(pool, row{n: 1, at: 1}), nil // until the inbox is full
	}}, operator.PolicyFail)
	done := make(chan error)
	go func() { done <- s.Run(ctx, t.Context()) }()
	time.Sleep(time.Millisecond)
	cancel(cause)
	if err := <-done; err != cause {
		t.Fatalf("got %v", err)
	}
	s.To.Inbox.Drain()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
}

func TestSplitWithoutEventTimeIsNotWaitedFor(t *testing.T) {
	pool := &batch.Pool{}
	s := newSplit(pool, &script{next: once(io.EOF, rows(pool, row{n: 1, null: true}))}, operator.PolicyFail)
	s.Time = nil
	if err := s.Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, received(t, s.To.Inbox), "idle", fmt.Sprint("rows 0 [1] at ", []abi.EventTime(nil)), "end")
}
