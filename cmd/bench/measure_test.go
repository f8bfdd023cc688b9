// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// measure runs step, which works on so many rows, until the benchmark has enough, and reports the
// median of what a row takes, and what is allocated for 1,000 rows. A median of many short spans
// is what other programs on the machine disturb the least.
func measure(b *testing.B, rows int, step func() error) {
	b.Helper()
	for range 32 { // pools fill up, and the guest's memory
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	spans := make([]time.Duration, 0, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		start := time.Now()
		if err := step(); err != nil {
			b.Fatal(err)
		}
		if len(spans) < cap(spans) {
			spans = append(spans, time.Since(start))
		}
	}
	runtime.ReadMemStats(&after)
	slices.Sort(spans)
	perRow := float64(spans[len(spans)/2].Nanoseconds()) / float64(rows)
	b.ReportMetric(perRow, "ns/row")
	b.ReportMetric(1e9/perRow/1e6, "Mrows/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N)/float64(rows)*1000, "allocs/1000rows")
	b.ReportMetric(0, "ns/op")
}

// measureAll is measure where some steps do the work of others, as when a window fires: it reports the mean.
func measureAll(b *testing.B, rows int, step func() error) {
	b.Helper()
	for b.Loop() {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	perRow := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(rows)
	b.ReportMetric(perRow, "ns/row")
	b.ReportMetric(1e9/perRow/1e6, "Mrows/s")
	b.ReportMetric(0, "ns/op")
}

// reportFuel reports what a row has cost of the guest's fuel.
func reportFuel(b *testing.B, c operator.Context, contender string, rows *int64) {
	if contender != native {
		b.ReportMetric(float64(c.Counters.Get("fuel").Load())/float64(*rows), "fuel/row")
	}
}

// sink is an output that counts what it is given.
type sink struct{ rows int64 }

func (s *sink) Emit(_ context.Context, _ int, b *batch.Batch) error {
	s.rows += int64(b.Rows())
	b.Release()
	return nil
}

func (s *sink) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error { return reason }
