// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// settled waits until a job's goroutines have gone, and says which are left where they don't.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Fatalf("%d goroutines are left of a job, there were %d before it:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

// stubborn is a sink that fails to commit, after or before another one.
type stubborn struct {
	rowSink
	failing error
}

func (s *stubborn) Open(context.Context, int, int) (operator.Writer, error) {
	return &stubbornWriter{rowWriter{sink: &s.rowSink}, s.failing}, nil
}

type stubbornWriter struct {
	rowWriter
	failing error
}

func (w *stubbornWriter) Commit(context.Context) error {
	if w.failing == nil {
		panic("off by one")
	}
	return w.failing
}

func TestSinkThatFailsToCommitAbortsThoseAfterItAndNamesThoseBefore(t *testing.T) {
	full := errors.New("disk full")
	src := sourceNode("events", &eventSource{splits: [][]event{{{"a", 1, 1}}}}, 1)
	first, last := &rowSink{}, &rowSink{}
	middle := &stubborn{failing: full}
	sink := func(name string, s operator.Sink) *graph.Node {
		return &graph.Node{Name: name, Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: src}}, Sink: s}
	}
	g := &graph.Graph{Nodes: []*graph.Node{src, sink("first", first), sink("middle", middle), sink("last", last)},
		Options: graph.Options{BatchRows: 10, Latency: time.Millisecond}}
	j, err := New(t.Context(), g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = j.Run(t.Context())
	if want := "middle: disk full\nfirst had been committed before, in whole or in part"; !errors.Is(err, full) || err.Error() != want {
		t.Errorf("the job ended with %q, should be %q", err, want)
	}
	if len(first.committed) != 1 || first.aborted != 0 || middle.aborted != 0 || len(last.committed) != 0 || last.aborted != 1 {
		t.Errorf("the first sink has %d rows and %d aborts, the second %d aborts, the last %d rows and %d aborts",
			len(first.committed), first.aborted, middle.aborted, len(last.committed), last.aborted)
	}
}

func TestSinkThatPanicsAtItsCommitEndsTheJobAndNotTheProcess(t *testing.T) {
	src := sourceNode("events", &eventSource{splits: [][]event{{{"a", 1, 1}}}}, 1)
	last := &rowSink{}
	g := &graph.Graph{Nodes: []*graph.Node{src,
		{Name: "broken", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: src}}, Sink: &stubborn{}},
		{Name: "last", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: src}}, Sink: last},
	}, Options: graph.Options{BatchRows: 10, Latency: time.Millisecond}}
	j, err := New(t.Context(), g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "broken: this is a bug in wasmill: off by one\n") || last.aborted != 1 {
		t.Errorf("the job ended with %v, and the last sink was aborted %d times", err, last.aborted)
	}
}

func TestSinkThatCannotBeOpenedAbortsThoseThatWere(t *testing.T) {
	taken := errors.New("taken")
	src := sourceNode("events", &eventSource{splits: [][]event{{{"a", 1, 1}}}}, 1)
	opened := &rowSink{}
	g := &graph.Graph{Nodes: []*graph.Node{src,
		{Name: "opened", Parallelism: 2, DeadLetters: -1, Inputs: []graph.Edge{{From: src}}, Sink: opened},
		{Name: "closed", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: src}}, Sink: closedSink{taken}},
	}}
	_, err := New(t.Context(), g, Options{})
	if !errors.Is(err, taken) || err.Error() != "closed: taken" || opened.aborted != 2 {
		t.Errorf("got %v, and %d writers were aborted", err, opened.aborted)
	}
}

func TestDeadLettersNeedAFormat(t *testing.T) {
	p := newPipeline(t, &eventSource{}, 1, 1, window.Spec{Size: time.Second, Aggregates: countAndSum()}, 0)
	if _, err := New(t.Context(), p.graph, Options{}); err == nil || !strings.Contains(err.Error(), "events has dead letters") {
		t.Errorf("got %v", err)
	}
}

type closedSink struct{ why error }

func (s closedSink) Open(context.Context, int, int) (operator.Writer, error) { return nil, s.why }

// However a job ends, none of its goroutines is left; one that ends well has given back all batches.
func TestJobLeavesNothingBehind(t *testing.T) {
	broken := errors.New("broken")
	interrupted := errors.New("interrupted")
	r := rand.New(rand.NewPCG(7, 7))
	events := randomEvents(r, 5, 50_000)
	events[0] = append(events[0], event{"bad", 0, 1}, event{"timeless", 0, 0})
	for _, c := range []struct {
		name    string
		endless bool
		source  error
		sink    error
		end     func(*Job, context.CancelCauseFunc)
		want    error
	}{
		{name: "at the end of its input"},
		{name: "when stopped", endless: true, end: func(j *Job, _ context.CancelCauseFunc) { j.Stop() }},
		{name: "when cancelled", endless: true, end: func(_ *Job, cancel context.CancelCauseFunc) { cancel(interrupted) }, want: interrupted},
		{name: "when its source fails", source: broken, want: broken},
		{name: "when its sink fails", sink: broken, want: broken},
	} {
		for _, parallelism := range []int{1, 3, 8} { // 8 is more than there are splits
			t.Run(fmt.Sprint(c.name, " ", parallelism), func(t *testing.T) {
				before := runtime.NumGoroutine()
				pool := &batch.Pool{}
				src := &eventSource{splits: events, endless: c.endless, failing: c.source}
				spec := window.Spec{Key: []int{0}, Size: time.Second, Lateness: time.Second, Aggregates: countAndSum()}
				p := newPipeline(t, src, parallelism, 20, spec, 10*time.Millisecond)
				p.out.failing = c.sink
				j, err := New(t.Context(), p.graph, Options{Rows: textFormat{}, Pool: pool})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if c.end != nil {
					time.AfterFunc(5*time.Millisecond, func() { c.end(j, cancel) })
				}
				if err := j.Run(ctx); err != c.want && !(c.want == broken && errors.Is(err, broken)) {
					t.Fatalf("the job ended with %v", err)
				}
				settled(t, before)
				if n := pool.Live(); c.want == nil && n != 0 {
					t.Errorf("%d batches were never released", n)
				}
			})
		}
	}
}

// What reaches the sinks does not depend on which nodes share a task, nor on how long rows wait.
func TestChainingLatencyAndBatchSizeDoNotChangeTheResult(t *testing.T) {
	for seed := range uint64(2) {
		r := rand.New(rand.NewPCG(seed, 11))
		events := randomEvents(r, 1+r.IntN(4), 10_000)
		want := naive(events, 1_000_000)
		for _, step := range []graph.Partition{graph.Forward, graph.Rebalance, graph.Hash} { // Forward is chained
			for _, latency := range []time.Duration{0, time.Millisecond, time.Hour} {
				for _, rows := range []int{1, 64, 65_536} {
					for _, parallelism := range []int{1, 3} {
						pool := &batch.Pool{}
						got := throughRelays(t, pool, events, step, parallelism, graph.Options{BatchRows: rows, Latency: latency, Seed: 1})
						if !slices.Equal(got, want) {
							t.Fatalf("seed %d, partition %d, latency %v, batches of %d, %d subtasks: %d results, should be %d",
								seed, step, latency, rows, parallelism, len(got), len(want))
						}
						if n := pool.Live(); n != 0 {
							t.Fatalf("%d batches were never released", n)
						}
					}
				}
			}
		}
	}
}

// throughRelays counts events by window behind two relays.
func throughRelays(t *testing.T, pool *batch.Pool, events [][]event, step graph.Partition, parallelism int, opts graph.Options) []string {
	t.Helper()
	closed := &atomic.Int64{}
	src := sourceNode("events", &eventSource{splits: events}, parallelism)
	one := relayNode("one", parallelism, closed, graph.Edge{From: src, Partition: step, Key: []int{1}})
	two := relayNode("two", parallelism, closed, graph.Edge{From: one, Partition: step, Key: []int{2}})
	spec := window.Spec{Input: eventSchema(), Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}
	win := windowNode(t, spec, parallelism, graph.Edge{From: two, Partition: graph.Hash, Key: []int{0}})
	sink := &rowSink{}
	out := &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: win}}, Sink: sink}
	j, err := New(t.Context(), &graph.Graph{Nodes: []*graph.Node{src, one, two, win, out}, Options: opts}, Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(sink.committed))
}

func windowNode(t testing.TB, spec window.Spec, parallelism int, inputs ...graph.Edge) *graph.Node {
	t.Helper()
	schema, err := spec.Output()
	if err != nil {
		t.Fatal(err)
	}
	return &graph.Node{
		Name: "counts", Parallelism: parallelism, DeadLetters: -1, Inputs: inputs,
		Outputs: []graph.Port{{Schema: schema}, {Name: portLate, Schema: spec.Input}},
		New:     func(ctx operator.Context) (operator.Operator, error) { return window.New(ctx, spec) },
	}
}

// Rows of a window have no position, those of a source do: one node may read both.
func TestNodeMixesRowsOfASourceAndOfAWindow(t *testing.T) {
	var rows []event
	for i := range int64(3000) {
		rows = append(rows, event{fmt.Sprint("k", i%40), 1, 1 + i*1000})
	}
	src := sourceNode("events", &eventSource{splits: [][]event{rows}}, 1)
	closed := &atomic.Int64{}
	bare := relayNode("bare", 1, closed, graph.Edge{From: src})
	bare.New = func(ctx operator.Context) (operator.Operator, error) {
		return &forgetful{relay{ctx: ctx, closed: closed}}, nil
	}
	both := relayNode("both", 2, closed, graph.Edge{From: src, Partition: graph.Rebalance}, graph.Edge{From: bare, Partition: graph.Rebalance})
	last := relayNode("last", 2, closed, graph.Edge{From: both, Partition: graph.Hash, Key: []int{0}})
	sink := &rowSink{}
	runGraph(t, src, bare, both, last, &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: last}}, Sink: sink})
	if want := slices.Sorted(slices.Values(append(texts([][]event{rows}), texts([][]event{rows})...))); !slices.Equal(slices.Sorted(slices.Values(sink.committed)), want) {
		t.Errorf("%d rows arrived of %d", len(sink.committed), len(want))
	}
}

// forgetful passes rows on without their positions, as an aggregation does.
type forgetful struct{ relay }

func (f *forgetful) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	builder := f.ctx.Pool.NewBuilder(eventSchema())
	for row := range b.Rows() {
		for i := range b.Columns {
			builder.Column(i).AppendRow(&b.Columns[i], row)
		}
		builder.AppendTime(b.Times[row])
		builder.EndRow()
	}
	return out.Emit(ctx, 0, builder.Finish())
}

func TestDeadLettersOfSeveralNodesMeetInOneSink(t *testing.T) {
	rows := []event{{"a", 1, 1}, {"bad", 0, 1}, {"c", 3, 0}, {"d", 4, 4}}
	src := sourceNode("events", &eventSource{splits: [][]event{rows}}, 1)
	letters := graph.Port{Name: operator.PortDeadLetters, Schema: operator.DeadLetterSchema()}
	closed := &atomic.Int64{}
	picky := relayNode("picky", 2, closed, graph.Edge{From: src, Partition: graph.Hash, Key: []int{0}})
	picky.New = func(ctx operator.Context) (operator.Operator, error) {
		return &choosy{relay{ctx: ctx, closed: closed}}, nil
	}
	for _, n := range []*graph.Node{src, picky} {
		n.OnError, n.DeadLetters, n.Outputs = operator.PolicyDeadLetter, 1, append(n.Outputs, letters)
	}
	out, bad := &rowSink{}, &rowSink{}
	nodes := []*graph.Node{src, picky,
		{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: picky}}, Sink: out},
		{Name: "bad", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: src, Port: 1}, {From: picky, Port: 1}}, Sink: bad},
	}
	pool := &batch.Pool{}
	j, err := New(t.Context(), &graph.Graph{Nodes: nodes, Options: graph.Options{BatchRows: 10, Latency: time.Millisecond}}, Options{Rows: textFormat{}, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`events split-0 row 2 it is bad bad record`,
		`events split-0 row 3 column "at", the event time, is null c 3 null`,
		`picky split-0 row 4 I do not like it d 4 4`,
	}
	if got := slices.Sorted(slices.Values(bad.committed)); !slices.Equal(got, want) {
		t.Errorf("the dead letters are\n%s", strings.Join(got, "\n"))
	}
	if !slices.Equal(out.committed, []string{"a 1 1"}) || pool.Live() != 0 {
		t.Errorf("the rows are %q, and %d batches are left", out.committed, pool.Live())
	}
}

// choosy fails rows of more than 3.
type choosy struct{ relay }

func (c *choosy) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	var good []uint32
	for row, v := range b.Columns[1].Int64s() {
		if v <= 3 {
			good = append(good, uint32(row))
		} else if err := out.Fail(ctx, b, row, errors.New("I do not like it")); err != nil {
			return err
		}
	}
	return out.Emit(ctx, 0, c.ctx.Pool.Take(b, good))
}
