// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/scheduler/window"
)

// windowed is a benchmark of windows that count rows by key, a row a microsecond.
type windowed struct {
	name string
	keys int64
	spec window.Spec
	// mapped is what plain Go does for a row, nil where another benchmark does the same.
	mapped func(count func(key, window int64), key, at int64)
	// run is how many rows a session has; 0 for keys at random.
	run int64
}

const micros = time.Microsecond

func windows() []windowed {
	var all []windowed
	for _, keys := range []int64{1000, 1_000_000} {
		size := 2 * max(keys, 32*rowsPerBatch) // rows of a window
		all = append(all, windowed{
			name: fmt.Sprintf("tumbling/keys=%d", keys), keys: keys,
			spec:   window.Spec{Size: time.Duration(size) * micros},
			mapped: func(count func(key, window int64), key, at int64) { count(key, at/size) },
		})
	}
	for _, ratio := range []int64{1, 10, 100, 1000} {
		w := windowed{
			name: fmt.Sprintf("sliding/size=%dx-slide", ratio), keys: 100,
			spec: window.Spec{Size: time.Duration(ratio*rowsPerBatch) * micros, Slide: rowsPerBatch * micros},
		}
		if ratio <= 10 { // each row into each of its windows
			w.mapped = func(count func(key, window int64), key, at int64) {
				for i := range ratio {
					count(key, at/rowsPerBatch+i)
				}
			}
		}
		all = append(all, w)
	}
	for _, keys := range []int64{1000, 100_000} { // of which half have a session at a time
		all = append(all, windowed{
			name: fmt.Sprintf("session/keys=%d", keys), keys: keys, run: 16,
			spec: window.Spec{Session: &window.Session{Gap: time.Duration(8*keys) * micros}},
		})
	}
	return all
}

// BenchmarkWindow is rows counted by key in windows, the firing of windows included, with a watermark after each batch.
func BenchmarkWindow(b *testing.B) {
	for _, w := range windows() {
		if w.mapped != nil {
			b.Run(w.name+"/"+goMap, func(b *testing.B) { benchmarkWindowMap(b, w) })
		}
		b.Run(w.name+"/"+native, func(b *testing.B) { benchmarkWindow(b, w) })
	}
}

func benchmarkWindow(b *testing.B, w windowed) {
	c, out := keyedSurroundings(b), &sink{}
	w.spec.Input, w.spec.Key = numbers("k"), []int{0}
	w.spec.Aggregates = []window.Aggregate{{Name: "rows", Call: &aggregate.Call{Function: "count"}}}
	op, err := newWindow(c, w.spec)
	if err == nil {
		err = op.Open(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	in, at := w.batches(c.Pool), 0
	times := make([]abi.EventTime, rowsPerBatch)
	step := func() error {
		start := abi.EventTime(at * rowsPerBatch)
		for row := range times {
			times[row] = start + abi.EventTime(row)
		}
		timed := c.Pool.WithTimes(in[at%len(in)].Retain(), times)
		at++
		err := op.Process(b.Context(), 0, timed, out)
		timed.Release()
		return errors.Join(err, op.Watermark(b.Context(), start+rowsPerBatch, out))
	}
	for at < w.warm() {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	measureAll(b, rowsPerBatch, step)
	if err := op.Watermark(b.Context(), watermark.Max, out); err != nil {
		b.Fatal(err)
	}
	if out.rows == 0 {
		b.Fatal("no window fired")
	}
	if err := op.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func newWindow(c operator.Context, spec window.Spec) (operator.Operator, error) {
	if spec.Session != nil {
		return window.NewPerKey(c, spec)
	}
	return window.New(c, spec)
}

// warm is after how many batches as much leaves as comes.
func (w *windowed) warm() int {
	span := w.spec.Size
	if w.spec.Session != nil {
		span = 2 * w.spec.Session.Gap
	}
	return int(span/micros)/rowsPerBatch + 1
}

// batches returns batches of keys, about as many as there are keys.
func (w *windowed) batches(pool *batch.Pool) []*batch.Batch {
	r, all := rand.New(rand.NewPCG(1, 2)), make([]*batch.Batch, max(64, max(4, w.run)*w.keys/rowsPerBatch))
	for i := range all {
		all[i] = keyed(pool, func(row int64) int64 {
			if w.run == 0 {
				return r.Int64N(w.keys)
			}
			// 256 keys in turn, until each has had run rows.
			n := int64(i)*rowsPerBatch + row
			return (n/(256*w.run)*256 + n%256) * 7919 % w.keys
		})
	}
	return all
}

// benchmarkWindowMap counts with a map, of which the windows that are over are removed.
func benchmarkWindowMap(b *testing.B, w windowed) {
	in := w.batches(&batch.Pool{})
	open, sum := map[int64]map[int64]int64{}, int64(0)
	last, counts := int64(-1), map[int64]int64(nil)
	count := func(key, window int64) {
		if window != last {
			if counts = open[window]; counts == nil {
				counts = map[int64]int64{}
				open[window] = counts
			}
			last = window
		}
		counts[key]++
	}
	at, closed := 0, int64(0)
	step := func() error {
		start := int64(at * rowsPerBatch)
		for row, key := range in[at%len(in)].Columns[0].Int64s() {
			w.mapped(count, key, start+int64(row))
		}
		at++
		for over := w.over(start + rowsPerBatch); closed < over; closed++ {
			for _, n := range open[closed] {
				sum += n
			}
			delete(open, closed)
			last = -1
		}
		return nil
	}
	for at < w.warm() {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	measureAll(b, rowsPerBatch, step)
	if sum == 0 {
		b.Fatal("nothing was counted")
	}
}

// over returns the first window that has not ended at a time: those of a map are numbered by their end, in slides.
func (w *windowed) over(at int64) int64 {
	if w.spec.Slide > 0 {
		return at / int64(w.spec.Slide/micros)
	}
	return at / int64(w.spec.Size/micros)
}
