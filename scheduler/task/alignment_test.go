// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// paced returns a split of a group whose rows, one each step of event time, take so long each.
func paced(pool *batch.Pool, group *Alignment, drift time.Duration, rows_, step int64, each time.Duration, end error) *Split {
	n := int64(0)
	s := newSplit(pool, &script{next: func(ctx context.Context) (*batch.Batch, error) {
		if n == rows_ {
			if end == nil {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, end
		}
		time.Sleep(each)
		n++
		return rows(pool, row{n: n, at: n * step}), nil
	}}, operator.PolicyFail)
	s.Align = group.NewMember(drift)
	s.Align.Join()
	return s
}

// Rows of two splits come at different speeds: the fast one is never ahead by more than its drift and a batch.
func TestSplitThatRunsAheadOfItsGroupPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		group := &Alignment{}
		slow := paced(pool, group, time.Millisecond, 100, 1000, time.Second, io.EOF)
		fast := paced(pool, group, 5*time.Millisecond, 1000, 1000, time.Microsecond, io.EOF)
		go drain(t, slow.To.Inbox)
		go drain(t, fast.To.Inbox)
		var both sync.WaitGroup
		for _, s := range []*Split{slow, fast} {
			both.Go(func() {
				if err := s.Run(t.Context(), t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		for range 99 {
			time.Sleep(time.Second)
			synctest.Wait()
			if ahead := fast.Stats.Watermark() - slow.Stats.Watermark(); ahead > 6000 || ahead < 5000 || !fast.Stats.Paused() {
				t.Fatalf("the fast split is ahead by %d us, paused %v", ahead, fast.Stats.Paused())
			}
		}
		both.Wait() // the slow one ends, and holds nobody up any more
		if fast.Stats.Rows() != 1000 || !fast.Stats.Ended() || fast.Stats.Paused() {
			t.Errorf("the fast split read %d rows, ended %v", fast.Stats.Rows(), fast.Stats.Ended())
		}
	})
}

func TestPausedSplitGoesOnWhenTheOthersAreIdleAndEndsWhenItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		group := &Alignment{}
		stop, drained := context.WithCancel(t.Context())
		silent := paced(pool, group, time.Second, 1, 1, time.Millisecond, nil)
		silent.Idle = time.Minute
		never := paced(pool, group, time.Second, 0, 1, 0, nil)
		never.Idle = 2 * time.Minute
		busy := paced(pool, group, time.Second, 10, 1e6, time.Millisecond, nil)
		var all sync.WaitGroup
		for _, s := range []*Split{silent, never, busy} {
			go drain(t, s.To.Inbox)
			all.Go(func() {
				if err := s.Run(t.Context(), stop); err != nil {
					t.Error(err)
				}
			})
		}
		for _, step := range []struct {
			at   time.Duration
			rows int64
		}{{30 * time.Second, 1}, {90 * time.Second, 1}, {3 * time.Minute, 10}} {
			time.Sleep(step.at)
			synctest.Wait()
			if got := busy.Stats.Rows(); got != step.rows {
				t.Errorf("after %v more, the busy split has read %d rows, should be %d", step.at, got, step.rows)
			}
		}
		drained()
		all.Wait()
	})
}

// Whatever the speeds, drifts, silences and the capacity of the inbox, all splits are read to their ends.
func TestAlignedSplitsNeverLockEachOtherUp(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			pool := &batch.Pool{}
			group := &Alignment{}
			n := 2 + r.IntN(6)
			inbox := exchange.NewInbox(n) // of one slow reader
			var splits []*Split
			for ch := range n {
				s := paced(pool, group, time.Duration(1+r.IntN(50))*time.Microsecond, int64(r.IntN(60)), int64(1+r.IntN(40)),
					time.Duration(r.IntN(3000))*time.Microsecond, io.EOF)
				s.Idle = time.Duration(r.IntN(3)) * time.Millisecond
				s.To = exchange.Target{Inbox: inbox, Channel: ch}
				splits = append(splits, s)
			}
			var all sync.WaitGroup
			for _, s := range splits {
				all.Go(func() {
					if err := s.Run(t.Context(), t.Context()); err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
				})
			}
			for ended := 0; ended < n; {
				time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond)
				_, e, ok := inbox.Get(t.Context(), time.Hour)
				if !ok {
					t.Fatalf("seed %d: nothing comes any more, and %d of %d splits have ended", seed, ended, n)
				}
				if e.Kind == exchange.End {
					ended++
				}
				if e.Batch != nil {
					e.Batch.Release()
				}
			}
			all.Wait()
			if pool.Live() != 0 {
				t.Errorf("seed %d: %d batches are left", seed, pool.Live())
			}
		})
	}
}

// drain reads an inbox of one channel to its end.
func drain(t *testing.T, in *exchange.Inbox) {
	for {
		_, e, ok := in.Get(t.Context(), -1)
		if !ok || e.Kind == exchange.End {
			return
		}
		if e.Batch != nil {
			e.Batch.Release()
		}
	}
}

func TestSplitThatIsAheadIsWokenByTheMarkThatItNeeds(t *testing.T) {
	group := &Alignment{}
	a, b, c := group.NewMember(10*time.Microsecond), group.NewMember(20*time.Microsecond), group.NewMember(0)
	for _, m := range []*Aligned{a, b, c} {
		m.Join()
	}
	a.advance(100)
	b.advance(105)
	first, second := a.ahead(), b.ahead()
	if first == nil || second == nil || c.ahead() != nil {
		t.Fatal("a and b are ahead of c, which has no watermark yet")
	}
	c.advance(84)
	select {
	case <-first:
		t.Fatal("84 is less than what b waits for, which is 85, and a, which is 90")
	default:
	}
	c.advance(85)
	<-second
	again := a.ahead()
	if again == nil || b.ahead() != nil {
		t.Fatal("b may go on, and a may not")
	}
	c.leave()
	if <-again; a.ahead() != nil {
		t.Error("c has left, and a waits for it")
	}
}
