// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
	"github.com/wasmill/wasmill/state/pebble"
)

// counter counts rows that come out.
type counter struct{ rows int }

func (c *counter) Emit(_ context.Context, _ int, b *batch.Batch) error {
	c.rows += b.Rows()
	b.Release()
	return nil
}

func (c *counter) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error { return reason }

var benchSchema = &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.Int64}, {Name: "value", Type: abi.Int64}}}

// benchmark feeds a join with batches of 1,000 rows of each input in turn, a row a microsecond and
// input, with keys that come round, and a watermark after each.
func benchmark(b *testing.B, s Spec, keys int, store state.Store) {
	const rows = 1000
	pool, out := &batch.Pool{}, &counter{}
	s.Inputs = [2]Input{{Schema: benchSchema, Key: []int{0}}, {Schema: benchSchema, Key: []int{0}}}
	op, err := New(operator.Context{
		Pool: pool, State: store, Groups: state.DefaultGroups,
		Watermark: watermark.Min, Counters: &operator.Counters{}, Now: time.Now,
	}, s)
	if err != nil {
		b.Fatal(err)
	}
	builder := pool.NewBuilder(benchSchema)
	at, n := 0, 0
	batchOf := func() *batch.Batch {
		for i := range rows {
			builder.Column(0).AppendInt64(int64((at + i) * 7919 % keys))
			builder.Column(1).AppendInt64(int64(at + i))
			builder.AppendTime(abi.EventTime(at + i))
			builder.EndRow()
		}
		return builder.Finish()
	}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		for input := range 2 {
			in := batchOf()
			if err := op.Process(ctx, input, in, out); err != nil {
				b.Fatal(err)
			}
			in.Release()
			n += rows
		}
		at += rows
		if err := op.Watermark(ctx, abi.EventTime(at), out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
	b.ReportMetric(float64(out.rows)/float64(n), "results/row")
}

func inMemory() state.Store { return memory.New(state.Groups{To: state.DefaultGroups}) }

func BenchmarkIntervalJoin(b *testing.B) {
	for _, keys := range []int{1000, 100_000} {
		for _, typ := range []Type{Inner, Full} {
			s := Spec{Type: typ, Interval: &Interval{From: 0, To: micros(keys - 1)}}
			b.Run(fmt.Sprintf("keys=%d/type=%v/state=memory", keys, typ), func(b *testing.B) { benchmark(b, s, keys, inMemory()) })
			b.Run(fmt.Sprintf("keys=%d/type=%v/state=pebble", keys, typ), func(b *testing.B) { onDisk(b, s, keys) })
		}
	}
}

// onDisk is benchmark with a store that keeps 16 MiB in memory.
func onDisk(b *testing.B, s Spec, keys int) {
	db, err := pebble.Open(pebble.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	store, err := db.Store(1, state.Groups{To: state.DefaultGroups}, 16<<20)
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, s, keys, store)
	if err := errors.Join(store.Close(), db.Close()); err != nil {
		b.Error(err)
	}
}

func BenchmarkWindowJoin(b *testing.B) {
	for _, slides := range []int{1, 10} {
		b.Run(fmt.Sprintf("keys=10000/slides=%d", slides), func(b *testing.B) {
			benchmark(b, Spec{Window: &Window{Size: micros(10_000), Slide: micros(10_000 / slides)}}, 10_000, inMemory())
		})
	}
}

func BenchmarkTemporalJoin(b *testing.B) { benchmark(b, Spec{Temporal: true}, 10_000, inMemory()) }

func BenchmarkRegularJoin(b *testing.B) {
	benchmark(b, Spec{Regular: &Regular{TTL: time.Millisecond}}, 100_000, inMemory())
}
