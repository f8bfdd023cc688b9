// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package watermark

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// marks returns a column of watermarks, of which the zero ones are null.
func marks(values []abi.EventTime) *batch.Batch {
	b := (&batch.Pool{}).NewBuilder(&abi.Schema{Fields: []abi.Field{{Name: "mark", Type: abi.Timestamp}}})
	for _, v := range values {
		if v == 0 {
			b.Column(0).AppendNull()
		} else {
			b.Column(0).AppendInt64(int64(v))
		}
		b.EndRow()
	}
	return b.Finish()
}

// late returns the rows that are behind the watermark which is sent before them, where rows come in
// batches of so many.
func late(g *Generator, times, values []abi.EventTime, size int) (late []int, sent abi.EventTime) {
	sent, row := Min, 0
	for from := 0; from < len(times); from += size {
		some := times[from:min(from+size, len(times))]
		column := marks(values[from : from+len(some)])
		for i := 0; i < len(some); {
			end := g.Observe(some, &column.Columns[0], i, sent)
			for ; i < end; i++ {
				if some[i] < sent {
					late = append(late, row)
				}
				row++
			}
			sent = max(sent, g.Current())
		}
	}
	return late, sent
}

func TestWhichRowsAreLateDoesNotDependOnTheBatch(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		bound := abi.EventTime(r.IntN(30))
		var times, values []abi.EventTime
		var bounded, punctuated []int // by hand
		latest, told, backwards := Min, Min, int64(0)
		for i := range 300 {
			t, v := abi.EventTime(i+r.IntN(40)-r.IntN(60)), abi.EventTime(0)
			if r.IntN(5) == 0 {
				v = abi.EventTime(1 + i + r.IntN(10) - r.IntN(5)*r.IntN(2))
			}
			if i > 0 && t < latest-bound {
				bounded = append(bounded, i)
			}
			if t < told {
				punctuated = append(punctuated, i)
			}
			if v != 0 && v < told {
				backwards++
			} else if v != 0 {
				told = v
			}
			latest = max(latest, t)
			times, values = append(times, t), append(values, v)
		}
		for _, size := range []int{1, 2, 7, 1000} {
			got, last := late(BoundedOutOfOrderness(time.Duration(bound)*time.Microsecond), times, values, size)
			if !slices.Equal(got, bounded) || last != latest-bound {
				t.Fatalf("seed %d, batches of %d: rows %v are late, should be %v; the watermark is %d", seed, size, got, bounded, last)
			}
			g := Punctuated()
			got, last = late(g, times, values, size)
			if !slices.Equal(got, punctuated) || last != told || g.Backwards() != backwards {
				t.Fatalf("seed %d, batches of %d: rows %v are late, should be %v; %d went backwards, not %d", seed, size, got, punctuated, g.Backwards(), backwards)
			}
		}
	}
}

func TestWatermarkOfExtremeTimesDoesNotWrap(t *testing.T) {
	g := BoundedOutOfOrderness(290 * 365 * 24 * time.Hour)
	if g.Current() != Min {
		t.Fatalf("before the first row it is %d", g.Current())
	}
	last := Min
	for _, at := range []abi.EventTime{-MaxEventTime, -1, 0, MaxEventTime, -MaxEventTime} {
		for from := 0; from < 1; {
			from = g.Observe([]abi.EventTime{at}, nil, from, last)
			if now := g.Current(); now < last || now > MaxEventTime || now == Min {
				t.Fatalf("after %d it is %d, before it was %d", at, now, last)
			}
			last = g.Current()
		}
	}
}

func TestRowsOfOneTimeAreNeverLate(t *testing.T) {
	g := BoundedOutOfOrderness(0)
	same := slices.Repeat([]abi.EventTime{-7}, 100)
	if end := g.Observe(same, nil, 0, Min); end != 100 || g.Current() != -7 {
		t.Errorf("stopped at row %d, the watermark is %d", end, g.Current())
	}
}

func BenchmarkObserve(b *testing.B) {
	times := make([]abi.EventTime, 1024)
	for i := range times {
		times[i] = abi.EventTime(i)
	}
	for _, bound := range []time.Duration{0, time.Second} {
		b.Run(fmt.Sprint("bound=", bound), func(b *testing.B) {
			for b.Loop() {
				BoundedOutOfOrderness(bound).Observe(times, nil, 0, Min)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
		})
	}
}
