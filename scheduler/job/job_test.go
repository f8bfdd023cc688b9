// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// event is a row of the streams of these tests.
type event struct {
	key   string
	value int64
	at    int64 // us
}

func eventSchema() *abi.Schema {
	return &abi.Schema{Fields: []abi.Field{
		{Name: "key", Type: abi.String}, {Name: "value", Type: abi.Int64}, {Name: "at", Type: abi.Timestamp},
	}}
}

// slices of events are a source, one split each.
type eventSource struct {
	splits  [][]event
	failing error // given instead of the end
	endless bool  // waits after the last row
}

func (s *eventSource) Schema() *abi.Schema { return eventSchema() }
func (s *eventSource) Bounded() bool       { return !s.endless }

func (s *eventSource) Splits(context.Context) ([]operator.Split, error) {
	var splits []operator.Split
	for i := range s.splits {
		splits = append(splits, operator.Split{Name: fmt.Sprintf("split-%d", i), Unit: "row"})
	}
	return splits, nil
}

func (s *eventSource) Read(_ context.Context, split operator.Split, opts operator.ReadOptions) (operator.Reader, error) {
	var i int
	if _, err := fmt.Sscanf(split.Name, "split-%d", &i); err != nil {
		return nil, err
	}
	return &eventReader{source: s, rows: s.splits[i], opts: opts, builder: opts.Pool.NewBuilder(s.Schema())}, nil
}

type eventReader struct {
	source  *eventSource
	rows    []event
	opts    operator.ReadOptions
	builder *batch.Builder
	offset  int64
}

func (r *eventReader) Next(ctx context.Context) (*batch.Batch, error) {
	for r.builder.Rows() < r.opts.Rows && len(r.rows) > 0 {
		e := r.rows[0]
		r.rows, r.offset = r.rows[1:], r.offset+1
		if e.key == "bad" {
			if err := r.opts.Reject([]byte("bad record"), batch.At(r.opts.Number, r.offset), errors.New("it is bad")); err != nil {
				return nil, err
			}
			continue
		}
		r.builder.Column(0).AppendString(e.key)
		r.builder.Column(1).AppendInt64(e.value)
		if e.at == 0 {
			r.builder.Column(2).AppendNull()
		} else {
			r.builder.Column(2).AppendInt64(e.at)
		}
		r.builder.AppendPosition(batch.At(r.opts.Number, r.offset))
		r.builder.EndRow()
	}
	switch {
	case r.builder.Rows() > 0:
		return r.builder.Finish(), nil
	case r.source.failing != nil:
		return nil, r.source.failing
	case r.source.endless:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, io.EOF
}

func (r *eventReader) Close() error { return nil }

// rowSink keeps what was written, as text, once it is committed.
type rowSink struct {
	mu        sync.Mutex
	pending   []string
	committed []string
	aborted   int
	failing   error
}

func (s *rowSink) Open(context.Context, int, int) (operator.Writer, error) {
	return &rowWriter{sink: s}, nil
}

type rowWriter struct {
	sink *rowSink
	rows []string
}

func (w *rowWriter) Write(_ context.Context, b *batch.Batch) error {
	if w.sink.failing != nil {
		return w.sink.failing
	}
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	for row := range b.Rows() {
		w.rows = append(w.rows, rowText(b, row))
		w.sink.pending = append(w.sink.pending, rowText(b, row))
	}
	return nil
}

func (w *rowWriter) Flush(context.Context) error { return nil }

func (w *rowWriter) Commit(context.Context) error {
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	w.sink.committed = append(w.sink.committed, w.rows...)
	return nil
}

func (w *rowWriter) Abort() error {
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	w.sink.aborted++
	return nil
}

func rowText(b *batch.Batch, row int) string {
	var parts []string
	for i := range b.Columns {
		c := &b.Columns[i]
		switch {
		case c.Null(row):
			parts = append(parts, "null")
		case c.Type.Variable():
			parts = append(parts, c.String(row))
		default:
			parts = append(parts, fmt.Sprint(c.Int64s()[row]))
		}
	}
	return strings.Join(parts, " ")
}

// textFormat writes rows as rowText does.
type textFormat struct{ operator.Format }

func (textFormat) NewEncoder(*abi.Schema) (operator.Encoder, error) { return textEncoder{}, nil }

type textEncoder struct{ operator.Encoder }

func (textEncoder) Append(dst []byte, b *batch.Batch) ([]byte, error) {
	return append(append(dst, rowText(b, 0)...), '\n'), nil
}

// pipeline is source -> window -> sinks of results and of late rows.
type pipeline struct {
	graph                  *graph.Graph
	out, late, deadLetters *rowSink
}

func newPipeline(t *testing.T, src *eventSource, parallelism, rows int, spec window.Spec, bound time.Duration) *pipeline {
	t.Helper()
	p := &pipeline{out: &rowSink{}, late: &rowSink{}, deadLetters: &rowSink{}}
	spec.Input = eventSchema()
	schema, err := spec.Output()
	if err != nil {
		t.Fatal(err)
	}
	source := &graph.Node{
		Name: "events", Parallelism: parallelism, OnError: operator.PolicyDeadLetter, DeadLetters: 1,
		Outputs: []graph.Port{{Schema: eventSchema()}, {Name: operator.PortDeadLetters, Schema: operator.DeadLetterSchema()}},
		Source:  &graph.SourceNode{Source: src, Time: &graph.Time{Column: 2, OutOfOrder: bound}},
	}
	win := &graph.Node{
		Name: "counts", Parallelism: parallelism, DeadLetters: -1,
		Inputs:  []graph.Edge{{From: source, Partition: graph.Hash, Key: spec.Key}},
		Outputs: []graph.Port{{Schema: schema}, {Name: "late", Schema: eventSchema()}},
		New:     func(ctx operator.Context) (operator.Operator, error) { return window.New(ctx, spec) },
	}
	sink := func(name string, from *graph.Node, port int, s *rowSink) *graph.Node {
		return &graph.Node{Name: name, Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: from, Port: port}}, Sink: s}
	}
	p.graph = &graph.Graph{
		Name:    "test",
		Nodes:   []*graph.Node{source, win, sink("out", win, 0, p.out), sink("late", win, 1, p.late), sink("bad", source, 1, p.deadLetters)},
		Options: graph.Options{Parallelism: parallelism, BatchRows: rows, Latency: 10 * time.Millisecond, Seed: 1},
	}
	return p
}

func (p *pipeline) run(t *testing.T) *Job {
	t.Helper()
	j, err := New(t.Context(), p.graph, Options{Rows: textFormat{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return j
}

func countAndSum() []window.Aggregate {
	return []window.Aggregate{
		{Name: "rows", Call: &aggregate.Call{Function: "count"}},
		{Name: "sum", Call: &aggregate.Call{Function: "sum", Columns: []int{1}}},
	}
}

// naive computes what a window over all events gives, by grouping them.
func naive(events [][]event, size int64) []string {
	type group struct {
		key   string
		start int64
	}
	type result struct{ rows, sum int64 }
	groups := map[group]result{}
	for _, split := range events {
		for _, e := range split {
			start := e.at - ((e.at%size)+size)%size
			r := groups[group{e.key, start}]
			groups[group{e.key, start}] = result{r.rows + 1, r.sum + e.value}
		}
	}
	var rows []string
	for g, r := range groups {
		rows = append(rows, fmt.Sprint(g.key, " ", g.start, " ", g.start+size, " ", r.rows, " ", r.sum))
	}
	return slices.Sorted(slices.Values(rows))
}

func randomEvents(r *rand.Rand, splits int, disorder int64) [][]event {
	all := make([][]event, splits)
	for i := range all {
		now := -r.Int64N(100_000_000)
		for range r.IntN(700) {
			now += r.Int64N(20_000)
			all[i] = append(all[i], event{fmt.Sprint("k", r.IntN(1+r.IntN(50))), r.Int64N(100), now - r.Int64N(disorder) + 1})
		}
		all[i] = slices.DeleteFunc(all[i], func(e event) bool { return e.at == 0 })
	}
	return all
}

func TestWindowsOverAnyParallelismAndBatchSizeAgreeWithTheOracle(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 0))
		events := randomEvents(r, 1+r.IntN(5), 50_000)
		want := naive(events, 1_000_000)
		for _, parallelism := range []int{1, 2, 3, 7} {
			for _, rows := range []int{1, 2, 1000} {
				spec := window.Spec{Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}
				p := newPipeline(t, &eventSource{splits: events}, parallelism, rows, spec, 50*time.Millisecond)
				p.run(t)
				if got := slices.Sorted(slices.Values(p.out.committed)); !slices.Equal(got, want) {
					t.Fatalf("seed %d, parallelism %d, batches of %d: %d results, should be %d\n got %v\nwant %v",
						seed, parallelism, rows, len(got), len(want), got, want)
				}
				if len(p.late.committed) != 0 {
					t.Fatalf("seed %d: %d rows were late, none is", seed, len(p.late.committed))
				}
			}
		}
	}
}

func TestLateRowsUpdateWithinTheAllowedLatenessAndGoToTheLateOutputAfterIt(t *testing.T) {
	const s = 1_000_000
	src := &eventSource{splits: [][]event{{
		{"a", 1, 1 * s}, {"a", 1, 12 * s}, // the watermark is now 12 s: [0, 10) has fired
		{"a", 5, 2 * s},  // allowed: an update
		{"a", 1, 21 * s}, // 21 s: the lateness of [0, 10) is over
		{"a", 7, 3 * s},  // late
	}}}
	spec := window.Spec{Key: []int{0}, Size: 10 * time.Second, Lateness: 10 * time.Second, Aggregates: countAndSum()}
	p := newPipeline(t, src, 1, 1, spec, 0)
	p.run(t)
	want := []string{"a 0 10000000 1 1", "a 0 10000000 2 6", "a 10000000 20000000 1 1", "a 20000000 30000000 1 1"}
	if !slices.Equal(p.out.committed, want) {
		t.Errorf("results are %q, should be %q", p.out.committed, want)
	}
	if want := []string{"a 7 3000000"}; !slices.Equal(p.late.committed, want) {
		t.Errorf("late rows are %q, should be %q", p.late.committed, want)
	}
}

func TestRowsWithoutEventTimeAndBadRecordsAreDeadLetters(t *testing.T) {
	src := &eventSource{splits: [][]event{{{"a", 1, 1}, {"a", 2, 0}, {"bad", 0, 0}, {"a", 3, 2}}}}
	spec := window.Spec{Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}
	p := newPipeline(t, src, 2, 1000, spec, 0)
	j := p.run(t)
	want := []string{
		`events split-0 row 2 column "at", the event time, is null a 2 null`,
		`events split-0 row 3 it is bad bad record`,
	}
	slices.Sort(p.deadLetters.committed)
	if !slices.Equal(p.deadLetters.committed, want) {
		t.Errorf("dead letters are %q, should be %q", p.deadLetters.committed, want)
	}
	if got := j.Progress(); got.RowsRead != 4 || got.Failed != 2 || got.RowsOut != 3 {
		t.Errorf("progress says %d read, %d failed, %d written", got.RowsRead, got.Failed, got.RowsOut)
	}
}

func TestFailureOfAnyPartAbortsEverySink(t *testing.T) {
	broken := errors.New("the cable is out")
	for name, breakIt := range map[string]func(*pipeline, *eventSource){
		"source": func(_ *pipeline, s *eventSource) { s.failing = broken },
		"sink":   func(p *pipeline, _ *eventSource) { p.out.failing = broken },
	} {
		t.Run(name, func(t *testing.T) {
			src := &eventSource{splits: [][]event{{{"a", 1, 1}}, {{"b", 1, 1}}}}
			p := newPipeline(t, src, 2, 10, window.Spec{Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}, 0)
			breakIt(p, src)
			j, err := New(t.Context(), p.graph, Options{Rows: textFormat{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Run(t.Context()); !errors.Is(err, broken) {
				t.Fatalf("the job ended with %v", err)
			}
			for _, s := range []*rowSink{p.out, p.late, p.deadLetters} {
				if len(s.committed) != 0 || s.aborted != 1 {
					t.Errorf("a sink has %d rows committed and was aborted %d times", len(s.committed), s.aborted)
				}
			}
		})
	}
}

func TestStopProcessesWhatWasReadAndFiresOpenWindows(t *testing.T) {
	src := &eventSource{splits: [][]event{{{"a", 1, 1}, {"a", 2, 2}}}, endless: true}
	p := newPipeline(t, src, 1, 1, window.Spec{Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}, 0)
	j, err := New(t.Context(), p.graph, Options{Rows: textFormat{}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- j.Run(t.Context()) }()
	for j.Progress().RowsRead < 2 {
		time.Sleep(time.Millisecond)
	}
	j.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := []string{"a 0 1000000 2 3"}; !slices.Equal(p.out.committed, want) {
		t.Errorf("results are %q, should be %q", p.out.committed, want)
	}
}

func TestCancelledJobAborts(t *testing.T) {
	src := &eventSource{splits: [][]event{{{"a", 1, 1}}}, endless: true}
	p := newPipeline(t, src, 2, 1, window.Spec{Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}, 0)
	j, err := New(t.Context(), p.graph, Options{Rows: textFormat{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Run(ctx); !errors.Is(err, context.Canceled) || p.out.aborted != 1 {
		t.Fatalf("the job ended with %v, and its sink was aborted %d times", err, p.out.aborted)
	}
}

func TestEveryAggregateAgreesWithTheOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var events []event
	for i := range 2000 {
		events = append(events, event{fmt.Sprint("k", r.IntN(7)), r.Int64N(40), int64(i + 1)})
	}
	calls := []string{"count()", "sum(value)", "min(value)", "max(value)", "first(value)", "last(value)", "count_distinct(value)", "min(key)"}
	schema := eventSchema()
	var aggs []window.Aggregate
	for _, text := range calls {
		call, err := aggregate.ParseCall(text, func(name string) (int, error) { return schema.Index(name), nil })
		if err != nil {
			t.Fatal(err)
		}
		aggs = append(aggs, window.Aggregate{Name: text, Call: &call})
	}
	want := map[string][]int64{}
	for _, e := range events {
		want[e.key] = append(want[e.key], e.value)
	}
	var lines []string
	for key, values := range want {
		sum, distinct := int64(0), map[int64]bool{}
		for _, v := range values {
			sum += v
			distinct[v] = true
		}
		lines = append(lines, fmt.Sprint(key, " 0 1000000 ", len(values), " ", sum, " ", slices.Min(values), " ", slices.Max(values),
			" ", values[0], " ", values[len(values)-1], " ", len(slices.Collect(maps.Keys(distinct))), " ", key))
	}
	slices.Sort(lines)
	for _, rows := range []int{1, 100} {
		p := newPipeline(t, &eventSource{splits: [][]event{events}}, 2, rows, window.Spec{Key: []int{0}, Size: time.Second, Aggregates: aggs}, 0)
		p.run(t)
		if got := slices.Sorted(slices.Values(p.out.committed)); !slices.Equal(got, lines) {
			t.Fatalf("batches of %d:\n got %q\nwant %q", rows, got, lines)
		}
	}
}
