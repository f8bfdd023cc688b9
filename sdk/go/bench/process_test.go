// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// compiler starts this test binary again to compile modules.
var compiler wasm.Compiler

func TestMain(m *testing.M) {
	compiler = wasm.MaybeCompileChild()
	os.Exit(m.Run())
}

const rowsPerBatch = 1024

// BenchmarkCountProcess reads, adds to and writes a value of each row's key, in a module, over
// state in memory, beside a plain Go map.
func BenchmarkCountProcess(b *testing.B) {
	for _, keys := range []int64{10_000, 1_000_000} {
		name := map[int64]string{10_000: "10k", 1_000_000: "1M"}[keys]
		b.Run("map/"+name, func(b *testing.B) { countInMap(b, keys) })
		for _, op := range []string{"count_process", "count_process_rows"} {
			b.Run(op+"/"+name, func(b *testing.B) { countInModule(b, op, keys) })
		}
	}
}

// measure calls step for one batch after the other and reports the median of what a row takes,
// which other programs on the machine disturb the least.
func measure(b *testing.B, step func(n int)) {
	b.Helper()
	spans := make([]time.Duration, 0, 1<<20)
	for n := 0; b.Loop(); n++ {
		start := time.Now()
		if step(n); len(spans) < cap(spans) {
			spans = append(spans, time.Since(start))
		}
	}
	slices.Sort(spans)
	b.ReportMetric(float64(spans[len(spans)/2].Nanoseconds())/rowsPerBatch, "ns/row")
	b.ReportMetric(0, "ns/op")
}

// random returns batches of rows with random keys.
func random(pool *batch.Pool, keys int64) []*batch.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	var batches []*batch.Batch
	for range 256 {
		builder := pool.NewBuilder(&abi.Schema{Fields: []abi.Field{{Name: "k", Type: abi.Int64}}})
		for row := range rowsPerBatch {
			builder.Column(0).AppendInt64(r.Int64N(keys))
			builder.AppendTime(abi.EventTime(row))
			builder.AppendPosition(batch.At(0, int64(row)))
			builder.EndRow()
		}
		batches = append(batches, builder.Finish())
	}
	return batches
}

func countInMap(b *testing.B, keys int64) {
	batches, counts, sum := random(&batch.Pool{}, keys), map[int64]int64{}, int64(0)
	measure(b, func(n int) {
		for _, key := range batches[n%len(batches)].Columns[0].Int64s() {
			counts[key]++
			sum += counts[key]
		}
	})
	if sum == 0 {
		b.Fatal("nothing was counted")
	}
}

func countInModule(b *testing.B, name string, keys int64) {
	e, err := wasm.NewEngine(wasm.Options{CacheDir: filepath.Join("..", "..", "..", ".cache", "compiled"), Compiler: compiler})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	m, err := e.LoadFile(b.Context(), guesttest.Build(b, "go", "."))
	if err != nil {
		b.Fatal(err)
	}
	number, op := m.Description().Operator(name)
	pool := &batch.Pool{}
	in := op.Inputs[0].Schema()
	out, _ := operator.Forward(in, op.Outputs[0].Fields)
	config := pool.NewBuilder(&abi.Schema{})
	config.EndRow()
	counters := &operator.Counters{}
	fuel := counters.Get("fuel")
	o, err := m.Operator(operator.Context{
		Node: "bench", Parallelism: 1, Pool: pool, Seed: 1, Counters: counters,
		Now: func() time.Time { return time.Unix(1000, 0) }, Log: slog.New(slog.DiscardHandler),
		State: memory.New(state.Groups{To: state.DefaultGroups}), Groups: state.DefaultGroups, Watermark: watermark.Min,
	}, operator.ModuleSpec{
		Number: number, Config: config.Finish(), Outputs: []*abi.Schema{out},
		Inputs: []operator.ModuleInput{{Schema: in, Columns: []int{0}, Key: []int{0}}},
	})
	if err == nil {
		err = o.Open(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	batches := random(pool, keys)
	for n := range 2 * len(batches) {
		if err := o.Process(b.Context(), 0, batches[n%len(batches)], discard{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	before := fuel.Load()
	measure(b, func(n int) {
		if err := o.Process(b.Context(), 0, batches[n%len(batches)], discard{}); err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(float64(fuel.Load()-before)/float64(b.N)/rowsPerBatch, "fuel/row")
	if err := o.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// discard is an output of which nothing is wanted.
type discard struct{}

func (discard) Emit(_ context.Context, _ int, b *batch.Batch) error {
	b.Release()
	return nil
}

func (discard) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error { return reason }
