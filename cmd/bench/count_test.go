// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

const (
	keys = 1000
	// batchesPerWindow is so many that a window's end is not what is measured.
	batchesPerWindow = 64
	windowSize       = time.Minute
)

// BenchmarkKeyedCount is rows counted by key in tumbling windows, the firing of windows included.
func BenchmarkKeyedCount(b *testing.B) {
	for _, contender := range contenders() {
		b.Run(contender, func(b *testing.B) {
			c := surroundings(b)
			w, out, total := newCounting(b, c, contender), &sink{}, int64(0)
			const rows = batchesPerWindow * rowsPerBatch
			measure(b, rows, func() error {
				total += rows
				return w.window(b.Context(), out)
			})
			if got, want := out.rows, total/rows*keys; got != want {
				b.Fatalf("%d results of %d windows of %d keys", got, total/rows, keys)
			}
			reportFuel(b, c, contender, &total)
		})
	}
}

func TestAllContendersCountTheSame(t *testing.T) {
	count := func(t *testing.T, contender string) []string {
		w, out := newCounting(t, surroundings(t), contender), &lines{}
		if err := w.window(t.Context(), out); err != nil {
			t.Fatal(err)
		}
		return out.text
	}
	want := count(t, native)
	for _, contender := range contenders()[1:] {
		t.Run(contender, func(t *testing.T) {
			if diff := cmp.Diff(want, count(t, contender)); diff != "" {
				t.Errorf("against the native one (-want +got):\n%s", diff)
			}
		})
	}
}

// counting is a window and the rows that go through it, the same in each window.
type counting struct {
	pool    *batch.Pool
	windows *window.Aligned
	batches []*batch.Batch
	times   []abi.EventTime
	start   abi.EventTime // of the window in hand
}

func newCounting(t testing.TB, c operator.Context, contender string) *counting {
	t.Helper()
	schema := numbers("k")
	count := window.Aggregate{Name: "rows", Call: &aggregate.Call{Function: "count"}}
	if contender != native {
		m := guest(t, contender)
		s := spec(t, m, c.Pool, "count", schema)
		count = window.Aggregate{Name: "rows", Module: &window.ModuleAggregate{
			Fields: s.Outputs[0].Fields,
			New:    func(c operator.Context) (operator.Aggregate, error) { return m.Aggregate(c, s) },
		}}
	}
	windows, err := window.New(c, window.Spec{
		Input: schema, Key: []int{0}, Size: windowSize, Aggregates: []window.Aggregate{count},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := windows.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := windows.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w := &counting{pool: c.Pool, windows: windows, times: make([]abi.EventTime, rowsPerBatch)}
	r := rand.New(rand.NewPCG(1, 2))
	for range batchesPerWindow {
		b := c.Pool.NewBuilder(schema)
		for range rowsPerBatch {
			b.Column(0).AppendInt64(int64(r.IntN(keys)))
			b.EndRow()
		}
		w.batches = append(w.batches, b.Finish())
	}
	return w
}

// window sends one window's rows and fires it.
func (w *counting) window(ctx context.Context, out operator.Output) error {
	for i, b := range w.batches {
		for row := range w.times {
			w.times[row] = w.start + abi.EventTime(i*rowsPerBatch+row)
		}
		timed := w.pool.WithTimes(b.Retain(), w.times)
		err := w.windows.Process(ctx, 0, timed, out)
		timed.Release()
		if err != nil {
			return err
		}
	}
	w.start += abi.EventTime(windowSize.Microseconds())
	return w.windows.Watermark(ctx, w.start, out)
}
