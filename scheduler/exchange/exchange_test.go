// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

func schema() *abi.Schema {
	return &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.String}, {Name: "n", Type: abi.Int64}}}
}

func numbers(pool *batch.Pool, from, to int) *batch.Batch {
	b := pool.NewBuilder(schema())
	for n := from; n < to; n++ {
		b.Column(0).AppendString(fmt.Sprint("key ", n%97))
		b.Column(1).AppendInt64(int64(n))
		b.EndRow()
	}
	return b.Finish()
}

// Producers on their own goroutines, one consumer: each channel arrives whole and in order, and
// never more waits in a channel than it may hold.
func TestInboxKeepsTheOrderOfEachChannelUnderLoad(t *testing.T) {
	const channels, elements = 5, 2000
	in := NewInbox(channels)
	var producers sync.WaitGroup
	for ch := range channels {
		producers.Go(func() {
			for n := range elements {
				if err := in.Put(t.Context(), ch, Element{Kind: Watermark, Mark: abi.EventTime(n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := make([]abi.EventTime, channels)
	for range channels * elements {
		ch, e, ok := in.Get(t.Context(), -1)
		if !ok || e.Mark != next[ch] {
			t.Fatalf("channel %d gave %d (%v), should be %d", ch, e.Mark, ok, next[ch])
		}
		next[ch]++
		in.mu.Lock()
		for i := range in.channels {
			if n := len(in.channels[i].queue); n > channelElements {
				t.Fatalf("%d elements wait in channel %d; %d may", n, i, channelElements)
			}
		}
		in.mu.Unlock()
	}
	producers.Wait()
}

func TestFullChannelHoldsItsSenderBackUntilItIsReadOrCancelled(t *testing.T) {
	in := NewInbox(2)
	pool := &batch.Pool{}
	sent := 0
	ctx, cancel := context.WithCancelCause(t.Context())
	full := errors.New("full for good")
	done := make(chan error)
	go func() {
		for {
			if err := in.Put(ctx, 0, Element{Kind: Rows, Batch: numbers(pool, 0, 30_000)}); err != nil {
				done <- err
				return
			}
			sent++
		}
	}()
	select {
	case err := <-done:
		t.Fatal("the sender ended:", err)
	case <-time.After(20 * time.Millisecond):
	}
	if err := in.Put(t.Context(), 1, Element{Kind: End}); err != nil {
		t.Fatal("a full channel holds back another one")
	}
	cancel(full)
	if err := <-done; !errors.Is(err, full) || sent == 0 || sent > channelElements {
		t.Fatalf("after %d batches: %v", sent, err)
	}
	in.Drain()
}

func TestGetWaitsNoLongerThanItMay(t *testing.T) {
	in := NewInbox(1)
	if _, _, ok := in.Get(t.Context(), time.Millisecond); ok {
		t.Fatal("an empty inbox gave something")
	}
}

// drained reads all that waits in an inbox.
func drained(t *testing.T, in *Inbox) (rows []int64, marks []abi.EventTime, order string) {
	t.Helper()
	for {
		_, e, ok := in.take()
		if !ok {
			return rows, marks, order
		}
		switch e.Kind {
		case Rows:
			rows = append(rows, e.Batch.Columns[1].Int64s()...)
			order += "r"
			e.Batch.Release()
		case Watermark:
			marks = append(marks, e.Mark)
			order += "w"
		case Idle:
			order += "i"
		case End:
			order += "e"
		}
	}
}

func hash(n, rows int) (*Hash, []*Inbox) {
	var inboxes []*Inbox
	var targets []Target
	for range n {
		in := NewInbox(1)
		inboxes = append(inboxes, in)
		targets = append(targets, Target{Inbox: in})
	}
	return NewHash(HashOptions{
		Targets: targets, Groups: state.DefaultGroups, Key: []int{0}, Schema: schema(), Pool: &batch.Pool{}, Rows: rows, Bytes: 1 << 20,
		Latency: time.Second, Now: time.Now,
	}), inboxes
}

func TestHashSendsEachKeyToTheOwnerOfItsGroupInOrder(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7} {
		h, inboxes := hash(n, 64)
		pool := &batch.Pool{}
		for from := 0; from < 1000; from += 250 {
			if err := h.Send(t.Context(), numbers(pool, from, from+250)); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		total := 0
		for subtask, in := range inboxes {
			rows, _, _ := drained(t, in)
			total += len(rows)
			if !slices.IsSorted(rows) {
				t.Fatalf("%d subtasks: rows of %d are out of order", n, subtask)
			}
			for _, row := range rows {
				one := numbers(pool, int(row), int(row)+1)
				group := state.GroupOf(batch.AppendValue(nil, &one.Columns[0], 0), state.DefaultGroups)
				if owned := state.Split(state.DefaultGroups, subtask, n); !owned.Contains(group) {
					t.Fatalf("%d subtasks: row %d of group %d came to %d, which owns %v", n, row, group, subtask, owned)
				}
			}
		}
		if total != 1000 {
			t.Fatalf("%d subtasks: %d rows of 1000 arrived", n, total)
		}
	}
}

func TestWatermarkStaysBehindTheRowsThatAreHeld(t *testing.T) {
	h, inboxes := hash(2, 1000)
	pool := &batch.Pool{}
	for _, step := range []error{
		h.Send(t.Context(), numbers(pool, 0, 10)),
		h.Watermark(t.Context(), 5),
		h.Watermark(t.Context(), 6),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	for i, in := range inboxes {
		if rows, marks, _ := drained(t, in); len(rows)+len(marks) != 0 {
			t.Fatalf("target %d has %v and %v before its batch is full", i, rows, marks)
		}
	}
	if h.Deadline().IsZero() {
		t.Fatal("rows are held and there is no deadline")
	}
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, in := range inboxes {
		if rows, marks, order := drained(t, in); len(rows) == 0 || !slices.Equal(marks, []abi.EventTime{6}) || order != "rw" {
			t.Fatalf("target %d got rows %v, watermarks %v, in the order %q", i, rows, marks, order)
		}
	}
	if !h.Deadline().IsZero() {
		t.Fatal("nothing is held and there is a deadline")
	}
	for _, step := range []error{h.Watermark(t.Context(), 7), h.Idle(t.Context()), h.End(t.Context())} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if _, _, order := drained(t, inboxes[1]); order != "wie" {
		t.Fatalf("the order is %q", order)
	}
}

func BenchmarkHash(b *testing.B) {
	h, inboxes := hash(2, 1024)
	in := numbers(&batch.Pool{}, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Send(b.Context(), in.Retain()); err != nil {
			b.Fatal(err)
		}
		for _, inbox := range inboxes {
			inbox.Drain()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
}

// A node that reads a window and a source together sends on batches with and without positions.
func TestHashKeepsTimesKindsAndPositionsOfBatchesThatDiffer(t *testing.T) {
	pool := &batch.Pool{}
	h, inboxes := hash(2, 1000)
	builder := pool.NewBuilder(schema())
	n := int64(0)
	for shape := range 8 {
		for range 50 {
			builder.Column(0).AppendString(fmt.Sprint("key ", n))
			builder.Column(1).AppendInt64(n)
			if shape&1 != 0 {
				builder.AppendTime(abi.EventTime(n))
			}
			if shape&2 != 0 {
				builder.AppendKind(batch.RowKind(n % 4))
			}
			if shape&4 != 0 {
				builder.AppendPosition(batch.At(1, n))
			}
			builder.EndRow()
			n++
		}
		if err := h.Send(t.Context(), builder.Finish()); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, in := range inboxes {
		for {
			_, e, ok := in.take()
			if !ok {
				break
			}
			if e.Batch == nil {
				continue
			}
			for i, n := range e.Batch.Columns[1].Int64s() {
				shape := n / 50
				rows++
				if has := e.Batch.Times != nil; has != (shape&1 != 0) || has && e.Batch.Times[i] != abi.EventTime(n) {
					t.Fatalf("row %d has the times %v", n, e.Batch.Times)
				}
				if has := e.Batch.Kinds != nil; has != (shape&2 != 0) || has && e.Batch.Kinds[i] != batch.RowKind(n%4) {
					t.Fatalf("row %d has the kinds %v", n, e.Batch.Kinds)
				}
				if has := e.Batch.Positions != nil; has != (shape&4 != 0) || has && e.Batch.Positions[i] != batch.At(1, n) {
					t.Fatalf("row %d has the positions %v", n, e.Batch.Positions)
				}
			}
			e.Batch.Release()
		}
	}
	if rows != 400 {
		t.Fatalf("%d rows of 400 arrived", rows)
	}
}

func TestHashHoldsNoBatchLongerForOneThatWasFull(t *testing.T) {
	now := time.Unix(0, 0)
	h, inboxes := hash(2, 1)
	h.opts.Now = func() time.Time { return now }
	pool := &batch.Pool{}
	if err := h.Send(t.Context(), numbers(pool, 0, 2)); err != nil {
		t.Fatal(err)
	}
	h.opts.Rows = 1000
	now = now.Add(time.Hour)
	if err := h.Send(t.Context(), numbers(pool, 2, 4)); err != nil {
		t.Fatal(err)
	}
	if got, want := h.Deadline(), now.Add(time.Second); !got.Equal(want) {
		t.Fatalf("rows that came at %v are due at %v, not %v", now, got, want)
	}
	for _, in := range inboxes {
		in.Drain()
	}
}

func TestHashRepeatsTheFirstWatermarkBehindIdleness(t *testing.T) {
	h, inboxes := hash(2, 10)
	if err := h.Watermark(t.Context(), watermark.Min); err != nil {
		t.Fatal(err)
	}
	if _, _, order := drained(t, inboxes[0]); order != "w" {
		t.Fatalf("the order is %q", order)
	}
}

// Rows that are held and the watermark behind them go out before a row that is late for it: else
// it would come before that watermark, and whether it is late would depend on the batch.
func TestHashSendsALateRowBehindTheWatermarkThatItIsLateFor(t *testing.T) {
	pool := &batch.Pool{}
	at := func(from, to int, time abi.EventTime) *batch.Batch {
		b := numbers(pool, from, to)
		return pool.WithTimes(b, slices.Repeat([]abi.EventTime{time}, b.Rows()))
	}
	h, inboxes := hash(2, 1000)
	for _, step := range []error{
		h.Send(t.Context(), at(0, 50, 100)),
		h.Watermark(t.Context(), 90),
		h.Send(t.Context(), at(0, 50, 90)),
		h.Watermark(t.Context(), 95),
		h.Send(t.Context(), at(0, 50, 94)),
		h.End(t.Context()),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	for i, in := range inboxes {
		if _, marks, order := drained(t, in); order != "rwre" || !slices.Equal(marks, []abi.EventTime{95}) {
			t.Errorf("target %d got %q with watermarks %v", i, order, marks)
		}
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
}
