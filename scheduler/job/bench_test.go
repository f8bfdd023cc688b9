// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// flood is a source that makes so many rows a split, one a millisecond of event time.
type flood struct {
	operator.Source
	splits int
	rows   int64
	keys   int64
}

func floodSchema() *abi.Schema {
	return &abi.Schema{Fields: []abi.Field{
		{Name: "key", Type: abi.Int64}, {Name: "value", Type: abi.Int64}, {Name: "at", Type: abi.Timestamp},
	}}
}

func (f *flood) Schema() *abi.Schema { return floodSchema() }
func (f *flood) Bounded() bool       { return true }

func (f *flood) Splits(context.Context) ([]operator.Split, error) {
	var splits []operator.Split
	for i := range f.splits {
		splits = append(splits, operator.Split{Name: fmt.Sprint(i)})
	}
	return splits, nil
}

func (f *flood) Read(_ context.Context, _ operator.Split, opts operator.ReadOptions) (operator.Reader, error) {
	return &floodReader{flood: f, opts: opts, builder: opts.Pool.NewBuilder(floodSchema())}, nil
}

type floodReader struct {
	*flood
	opts    operator.ReadOptions
	builder *batch.Builder
	made    int64
}

func (r *floodReader) Next(context.Context) (*batch.Batch, error) {
	n := min(int64(r.opts.Rows), r.rows-r.made)
	if n == 0 {
		return nil, io.EOF
	}
	for i := r.made; i < r.made+n; i++ {
		r.builder.Column(0).AppendInt64(i * 2654435761 >> 7 % r.keys)
		r.builder.Column(1).AppendInt64(i)
		r.builder.Column(2).AppendInt64(i * 1000)
		r.builder.AppendPosition(batch.At(r.opts.Number, i))
	}
	r.builder.EndRows(int(n))
	r.made += n
	return r.builder.Finish(), nil
}

func (r *floodReader) Close() error { return nil }

// discard is a sink that counts rows.
type discard struct{ rows int64 }

func (d *discard) Open(context.Context, int, int) (operator.Writer, error) { return d, nil }
func (d *discard) Write(_ context.Context, b *batch.Batch) error {
	d.rows += int64(b.Rows())
	return nil
}
func (d *discard) Flush(context.Context) error  { return nil }
func (d *discard) Commit(context.Context) error { return nil }
func (d *discard) Abort() error                 { return nil }

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJob is a whole job of native parts: source, exchange by key, count and sum by key and
// window, a sink that throws the results away. It reports rows by the second and by the second of
// processor time, and what is allocated for each 1,000 rows once the job runs: a job of twice the
// rows less one of as many, so that what a job takes to begin does not count.
func BenchmarkJob(b *testing.B) {
	for _, c := range []struct {
		parallelism int
		idle        time.Duration
		window      time.Duration
		keys        int64
	}{
		{1, 0, 10 * time.Second, 1000},
		{2, 0, 10 * time.Second, 1000},
		{2, time.Minute, 10 * time.Second, 1000},
		{2, 0, 1000 * time.Second, 100_000},
	} {
		b.Run(fmt.Sprintf("parallelism=%d/idle=%v/window=%v/keys=%d", c.parallelism, c.idle, c.window, c.keys), func(b *testing.B) {
			const rows = 2_000_000
			pool := &batch.Pool{}
			run := func(rows int64) {
				src := &flood{splits: c.parallelism, rows: rows / int64(c.parallelism), keys: c.keys}
				source := &graph.Node{
					Name: "events", Parallelism: c.parallelism, DeadLetters: -1, Outputs: []graph.Port{{Schema: floodSchema()}},
					Source: &graph.SourceNode{Source: src, Time: &graph.Time{Column: 2, Idle: c.idle}},
				}
				spec := window.Spec{Input: floodSchema(), Key: []int{0}, Size: c.window, Aggregates: countAndSum()}
				win := windowNode(b, spec, c.parallelism, graph.Edge{From: source, Partition: graph.Hash, Key: []int{0}})
				sink := &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: win}}, Sink: &discard{}}
				g := &graph.Graph{Nodes: []*graph.Node{source, win, sink}, Options: graph.Options{BatchRows: 1024, Latency: 50 * time.Millisecond, Seed: 1}}
				j, err := New(b.Context(), g, Options{Pool: pool})
				if err != nil {
					b.Fatal(err)
				}
				if err := j.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			run(rows)
			allocs := func(rows int64) float64 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				run(rows)
				runtime.ReadMemStats(&after)
				return float64(after.Mallocs - before.Mallocs)
			}
			steady := (allocs(2*rows) - allocs(rows)) / (rows / 1000)
			used := cpu(b)
			for b.Loop() {
				run(rows)
			}
			used = cpu(b) - used
			b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(b.N)*rows/used.Seconds(), "rows/cpu-s")
			b.ReportMetric(steady, "allocs/1000rows")
			b.ReportMetric(0, "ns/op")
		})
	}
}
