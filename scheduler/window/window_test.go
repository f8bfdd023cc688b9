// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

func input() *abi.Schema {
	return &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.Int64}, {Name: "value", Type: abi.Int64}}}
}

type row struct {
	key, value int64
	at         abi.EventTime
}

func rows(pool *batch.Pool, rows ...row) *batch.Batch {
	b := pool.NewBuilder(input())
	for _, r := range rows {
		b.Column(0).AppendInt64(r.key)
		b.Column(1).AppendInt64(r.value)
		b.AppendTime(r.at)
		b.EndRow()
	}
	return b.Finish()
}

// recorder is an Output that keeps what it is given as text.
type recorder struct{ lines []string }

func (r *recorder) Emit(_ context.Context, port int, b *batch.Batch) error {
	defer b.Release()
	for n := range b.Rows() {
		line := fmt.Sprintf("%d:", port)
		for i := range b.Columns {
			if c := &b.Columns[i]; c.Type == abi.Struct {
				line += fmt.Sprintf(" {%d %d}", c.Children[0].Int64s()[n], c.Children[1].Int64s()[n])
			} else {
				line += fmt.Sprintf(" %d", c.Int64s()[n])
			}
		}
		r.lines = append(r.lines, fmt.Sprintf("%s @%d", line, b.Times[n]))
	}
	return nil
}

func (r *recorder) Fail(_ context.Context, b *batch.Batch, n int, reason error) error {
	r.lines = append(r.lines, fmt.Sprintf("failed: %d %d: %v", b.Columns[0].Int64s()[n], b.Columns[1].Int64s()[n], reason))
	return nil
}

func (r *recorder) want(t *testing.T, lines ...string) {
	t.Helper()
	if !slices.Equal(r.lines, lines) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(r.lines, "\n"), strings.Join(lines, "\n"))
	}
	r.lines = nil
}

func open(t testing.TB, pool *batch.Pool, spec Spec) *Aligned {
	t.Helper()
	spec.Input = input()
	w, err := New(operator.Context{Pool: pool}, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func process(t testing.TB, w operator.Operator, out operator.Output, b *batch.Batch) {
	t.Helper()
	defer b.Release()
	if err := w.Process(t.Context(), 0, b, out); err != nil {
		t.Fatal(err)
	}
}

func advance(t testing.TB, w operator.Operator, out operator.Output, mark abi.EventTime) {
	t.Helper()
	if err := w.Watermark(t.Context(), mark, out); err != nil {
		t.Fatal(err)
	}
}

func sumOf(col int) []Aggregate {
	return []Aggregate{{Name: "sum", Call: &aggregate.Call{Function: "sum", Columns: []int{col}}}}
}

func TestWindowFiresWhenTheWatermarkReachesItsEndAndNotBefore(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	w := open(t, pool, Spec{Key: []int{0}, Size: 10 * time.Microsecond, Aggregates: sumOf(1)})
	process(t, w, out, rows(pool, row{7, 1, 25}, row{8, 2, 29}, row{7, 4, 20}, row{7, 8, 30}, row{9, 16, -1}))
	advance(t, w, out, -1)
	out.want(t)
	advance(t, w, out, 29)
	out.want(t, "0: 9 -10 0 16 @-1")
	advance(t, w, out, 30)
	out.want(t, "0: 7 20 30 5 @29", "0: 8 20 30 2 @29")
	advance(t, w, out, watermark.Max)
	out.want(t, "0: 7 30 40 8 @39")
	if w.groups.live != 0 || len(w.slices) != 0 {
		t.Errorf("%d groups and %d slices are left", w.groups.live, len(w.slices))
	}
}

func TestOffsetMovesTheWindows(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	w := open(t, pool, Spec{Size: 10 * time.Microsecond, Offset: 3 * time.Microsecond, Aggregates: sumOf(1)})
	process(t, w, out, rows(pool, row{7, 1, 2}, row{7, 2, 3}, row{7, 4, 12}, row{7, 8, -7}))
	advance(t, w, out, watermark.Max)
	out.want(t, "0: -7 3 9 @2", "0: 3 13 6 @12")
}

func TestWindowTakesTheExtremesOfEventTime(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	w := open(t, pool, Spec{Size: MaxSize, Lateness: MaxSize, Aggregates: sumOf(1)})
	process(t, w, out, rows(pool, row{7, 1, watermark.MaxEventTime}, row{7, 2, -watermark.MaxEventTime}))
	advance(t, w, out, watermark.Max)
	if len(out.lines) != 2 {
		t.Fatalf("got %q, should be two windows", out.lines)
	}
}

func TestResultsOfManyKeysComeInSeveralBatches(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	w := open(t, pool, Spec{Key: []int{0}, Size: time.Second, Aggregates: sumOf(1)})
	var many []row
	for key := range int64(2500) {
		many = append(many, row{key, key, 1})
	}
	process(t, w, out, rows(pool, many...))
	advance(t, w, out, watermark.Max)
	if len(out.lines) != 2500 || out.lines[2499] != "0: 2499 0 1000000 2499 @999999" {
		t.Fatalf("got %d results, the last %q", len(out.lines), out.lines[len(out.lines)-1])
	}
}

// refusing is a module's aggregate that fails rows of one value and sums the others.
type refusing struct {
	operator.Aggregate
	value int64
}

func (a refusing) Add(ctx context.Context, b *batch.Batch, slots []uint32, fail func(int, error) error) error {
	pool := &batch.Pool{}
	var good []uint32
	var goodSlots []uint32
	for n, v := range b.Columns[1].Int64s() {
		if v == a.value {
			if err := fail(n, errors.New("refused")); err != nil {
				return err
			}
			continue
		}
		good, goodSlots = append(good, uint32(n)), append(goodSlots, slots[n])
	}
	return a.Aggregate.Add(ctx, pool.Take(b, good), goodSlots, fail)
}

func TestRowThatTheModuleFailsIsInNoAggregateAndMakesNoGroup(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	module := &ModuleAggregate{
		Fields: []abi.Field{{Name: "sum", Type: abi.Int64}},
		New: func(operator.Context) (operator.Aggregate, error) {
			return refusing{aggregate.New(aggregate.Call{Function: "sum", Columns: []int{1}}, input()), 13}, nil
		},
	}
	w := open(t, pool, Spec{Key: []int{0}, Size: 10 * time.Microsecond, Lateness: 10 * time.Microsecond, Aggregates: []Aggregate{
		{Name: "rows", Call: &aggregate.Call{Function: "count"}}, {Name: "module", Module: module},
	}})
	process(t, w, out, rows(pool, row{7, 1, 5}, row{7, 13, 5}, row{8, 13, 5}, row{7, 2, 6}))
	out.want(t, "failed: 7 13: refused", "failed: 8 13: refused")
	advance(t, w, out, 10)
	out.want(t, "0: 7 0 10 2 3 @9")
	process(t, w, out, rows(pool, row{7, 13, 5}, row{7, 4, 5}))
	out.want(t, "failed: 7 13: refused", "0: 7 0 10 3 7 @9")
}

// slotted is a module's aggregate whose fields are all the group's slot.
type slotted struct{ operator.Aggregate }

func (slotted) Result(_ context.Context, slots []uint32, columns []*batch.ColumnBuilder) error {
	for _, c := range columns {
		for _, slot := range slots {
			c.AppendInt64(int64(slot))
		}
	}
	return nil
}

func TestSeveralFieldsOfAModuleAreAStructForEachGroup(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	module := &ModuleAggregate{
		Fields: []abi.Field{{Name: "low", Type: abi.Int64}, {Name: "high", Type: abi.Int64}},
		New: func(operator.Context) (operator.Aggregate, error) {
			return slotted{aggregate.New(aggregate.Call{Function: "count"}, input())}, nil
		},
	}
	w := open(t, pool, Spec{Key: []int{0}, Size: 10 * time.Microsecond, Aggregates: []Aggregate{{Name: "module", Module: module}}})
	process(t, w, out, rows(pool, row{7, 1, 5}, row{8, 1, 5}, row{9, 1, 5}))
	advance(t, w, out, 10)
	out.want(t, "0: 7 0 10 {0 0} @9", "0: 8 0 10 {1 1} @9", "0: 9 0 10 {2 2} @9")
}

func TestSpecsThatCannotBeAreErrors(t *testing.T) {
	module := Aggregate{Name: "m", Module: &ModuleAggregate{Fields: []abi.Field{{Name: "x", Type: abi.Int64}}}}
	other := module
	other.Name = "n"
	for want, spec := range map[string]Spec{
		"a window has a size of 1us":            {Size: 0, Aggregates: sumOf(1)},
		"in whole microseconds, not 1.5µs":      {Size: 1500, Aggregates: sumOf(1)},
		"the allowed lateness is 0 to":          {Size: time.Second, Lateness: -1, Aggregates: sumOf(1)},
		"a window has at least one aggregate":   {Size: time.Second},
		`column "window_end" is there twice`:    {Size: time.Second, Aggregates: []Aggregate{{Name: ColumnEnd, Call: &aggregate.Call{Function: "count"}}}},
		"at most one aggregate of a module":     {Size: time.Second, Aggregates: []Aggregate{module, other}},
		`aggregate "sum": sum takes one column`: {Size: time.Second, Aggregates: []Aggregate{{Name: "sum", Call: &aggregate.Call{Function: "sum"}}}},
	} {
		spec.Input = input()
		if _, err := spec.Output(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, should have %q", err, want)
		}
	}
}

// discard is an Output for benchmarks.
type discard struct{}

func (discard) Emit(_ context.Context, _ int, b *batch.Batch) error {
	b.Release()
	return nil
}

func (discard) Fail(context.Context, *batch.Batch, int, error) error { return nil }

func BenchmarkCountByKey(b *testing.B) {
	for _, keys := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			const size = 1024
			pool := &batch.Pool{}
			var batches []*batch.Batch
			for at := 0; at < max(keys, 100*size); at += size {
				var in []row
				for i := range size {
					in = append(in, row{int64((at + i) * 7919 % keys), 1, 5})
				}
				batches = append(batches, rows(pool, in...))
			}
			w := open(b, pool, Spec{Key: []int{0}, Size: time.Second, Aggregates: []Aggregate{{Name: "rows", Call: &aggregate.Call{Function: "count"}}}})
			for _, in := range batches {
				if err := w.Process(b.Context(), 0, in, discard{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := w.Process(b.Context(), 0, batches[i%len(batches)], discard{}); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/row")
		})
	}
}

// sizes is an Output that keeps how large what it is given is.
type sizes struct{ rows, bytes []int }

func (s *sizes) Emit(_ context.Context, _ int, b *batch.Batch) error {
	s.rows, s.bytes = append(s.rows, b.Rows()), append(s.bytes, b.Bytes())
	b.Release()
	return nil
}

func (s *sizes) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error { return reason }

func TestLargeResultsComeInSeveralBatches(t *testing.T) {
	pool, out := &batch.Pool{}, &sizes{}
	top := []Aggregate{{Name: "top", Call: &aggregate.Call{Function: "top", N: 1000, Columns: []int{1}}}}
	w := open(t, pool, Spec{Key: []int{0}, Size: time.Hour, Aggregates: top})
	var in []row
	for key := range int64(1000) {
		for value := range int64(100) {
			in = append(in, row{key, value, 0})
		}
	}
	process(t, w, out, rows(pool, in...))
	advance(t, w, out, watermark.Max)
	total := 0
	for i, n := range out.rows {
		if total += n; out.bytes[i] > 2*resultBytes {
			t.Errorf("a batch of %d results has %d bytes", n, out.bytes[i])
		}
	}
	if total != 1000 {
		t.Errorf("%d results came of 1000", total)
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
}

func TestPanesThatAreUsedAgainHoldNothingOfBefore(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	w := open(t, pool, Spec{Key: []int{0}, Size: 10 * time.Microsecond, Aggregates: sumOf(1)})
	for i := range int64(20) {
		at := abi.EventTime(i * 100)
		process(t, w, out, rows(pool, row{i, 1, at}, row{i, 2, at + 1}, row{i + 1, 3, at + 10}))
		advance(t, w, out, at+20)
		out.want(t, fmt.Sprintf("0: %d %d %d 3 @%d", i, at, at+10, at+9), fmt.Sprintf("0: %d %d %d 3 @%d", i+1, at+10, at+20, at+19))
	}
}

// keyed returns batches of 1,024 rows with keys from next, in order of time, step apart.
func keyed(pool *batch.Pool, batches int, step abi.EventTime, next func() int64) []*batch.Batch {
	var all []*batch.Batch
	at := abi.EventTime(0)
	for range batches {
		var in []row
		for range 1024 {
			in = append(in, row{next(), 1, at})
			at += step
		}
		all = append(all, rows(pool, in...))
	}
	return all
}

// Sliding windows: 1,024 rows of 100 keys a slice, windows of so many slices.
func BenchmarkSliding(b *testing.B) {
	for _, ratio := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("size is slides ", ratio), func(b *testing.B) {
			pool, r := &batch.Pool{}, rand.New(rand.NewPCG(1, 1))
			in := keyed(pool, 8, 1, func() int64 { return r.Int64N(100) })
			w := open(b, pool, Spec{
				Key: []int{0}, Size: time.Duration(ratio) * 1024 * time.Microsecond, Slide: 1024 * time.Microsecond,
				Aggregates: []Aggregate{{Name: "rows", Call: &aggregate.Call{Function: "count"}}, {Name: "most", Call: &aggregate.Call{Function: "max", Columns: []int{0}}}},
			})
			times := make([]abi.EventTime, 1024)
			var at abi.EventTime
			next := func() {
				for row := range times {
					times[row] = at + abi.EventTime(row)
				}
				timed := pool.WithTimes(in[int(at)/1024%len(in)].Retain(), times)
				if err := w.Process(b.Context(), 0, timed, discard{}); err != nil {
					b.Fatal(err)
				}
				timed.Release()
				at += 1024
				if err := w.Watermark(b.Context(), at, discard{}); err != nil {
					b.Fatal(err)
				}
			}
			for range ratio { // until as many slices leave as come
				next()
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
		})
	}
}

// Both phases on one core, where most rows have few keys and where each has one of a million.
func BenchmarkPhases(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(r, 1.1, 1, 1_000_000)
	for name, next := range map[string]func() int64{
		"skewed": func() int64 { return int64(zipf.Uint64()) },
		"even":   func() int64 { return r.Int64N(1_000_000) },
	} {
		for _, phases := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s, %d", name, phases), func(b *testing.B) {
				pool := &batch.Pool{}
				in := keyed(pool, 1000, 0, next)
				spec := Spec{Input: input(), Key: []int{0}, Size: time.Second, Aggregates: []Aggregate{
					{Name: "rows", Call: &aggregate.Call{Function: "count"}}, {Name: "sum", Call: &aggregate.Call{Function: "sum", Columns: []int{1}}},
				}}
				var w operator.Operator = open(b, pool, spec)
				if phases == 2 {
					local, err := newPhased(operator.Context{Pool: pool}, spec)
					if err != nil {
						b.Fatal(err)
					}
					w = local
				}
				i := 0
				next := func() {
					if err := w.Process(b.Context(), 0, in[i%len(in)], discard{}); err != nil {
						b.Fatal(err)
					}
					i++
				}
				for range in { // until all keys are there
					next()
				}
				for b.Loop() {
					next()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
			})
		}
	}
}
