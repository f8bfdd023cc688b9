// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// relay passes rows on, and counts how it was called.
type relay struct {
	ctx    operator.Context
	panics bool
	opened bool
	closed *atomic.Int64
	marks  []abi.EventTime
}

func (r *relay) Open(context.Context) error { r.opened = true; return nil }

func (r *relay) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if !r.opened {
		return fmt.Errorf("rows before Open")
	}
	if r.panics {
		panic("off by one")
	}
	r.ctx.Counters.Get("rows").Add(int64(b.Rows()))
	return out.Emit(ctx, 0, b.Retain())
}

func (r *relay) Watermark(_ context.Context, t abi.EventTime, _ operator.Output) error {
	if n := len(r.marks); n > 0 && r.marks[n-1] >= t {
		return fmt.Errorf("watermark %d after %d", t, r.marks[n-1])
	}
	r.marks = append(r.marks, t)
	return nil
}

func (r *relay) Close(context.Context) error { r.closed.Add(1); return nil }

func relayNode(name string, parallelism int, closed *atomic.Int64, inputs ...graph.Edge) *graph.Node {
	return &graph.Node{
		Name: name, Parallelism: parallelism, DeadLetters: -1, Inputs: inputs, Outputs: []graph.Port{{Schema: eventSchema()}},
		New: func(ctx operator.Context) (operator.Operator, error) { return &relay{ctx: ctx, closed: closed}, nil },
	}
}

func sourceNode(name string, src *eventSource, parallelism int) *graph.Node {
	return &graph.Node{
		Name: name, Parallelism: parallelism, DeadLetters: -1, Outputs: []graph.Port{{Schema: eventSchema()}},
		Source: &graph.SourceNode{Source: src, Time: &graph.Time{Column: 2, OutOfOrder: time.Second}},
	}
}

func texts(events [][]event) []string {
	var rows []string
	for _, split := range events {
		for _, e := range split {
			rows = append(rows, fmt.Sprint(e.key, " ", e.value, " ", e.at))
		}
	}
	return slices.Sorted(slices.Values(rows))
}

func runGraph(t *testing.T, nodes ...*graph.Node) *Job {
	t.Helper()
	g := &graph.Graph{Name: "shapes", Nodes: nodes, Options: graph.Options{BatchRows: 50, Latency: 5 * time.Millisecond, Seed: 1}}
	j, err := New(t.Context(), g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestRowsArriveOnceThroughEveryPartitioning(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 3))
		events := randomEvents(r, 1+r.IntN(4), 10_000)
		kinds := []graph.Partition{graph.Forward, graph.Hash, graph.Rebalance}
		closed := &atomic.Int64{}
		src := sourceNode("events", &eventSource{splits: events}, 1+r.IntN(3))
		nodes := []*graph.Node{src}
		at, subtasks := src, 0
		for i := range 1 + r.IntN(4) {
			in := graph.Edge{From: at, Partition: kinds[r.IntN(3)], Key: []int{0}}
			at = relayNode(fmt.Sprint("relay", i), 1+r.IntN(3), closed, in)
			subtasks += at.Parallelism
			nodes = append(nodes, at)
		}
		sink := &rowSink{}
		nodes = append(nodes, &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: at}}, Sink: sink})
		j := runGraph(t, nodes...)
		want := texts(events)
		if got := slices.Sorted(slices.Values(sink.committed)); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d rows arrived of %d", seed, len(got), len(want))
		}
		if closed.Load() != int64(subtasks) {
			t.Fatalf("seed %d: %d operators were closed of %d", seed, closed.Load(), subtasks)
		}
		for _, n := range j.Progress().Nodes {
			if strings.HasPrefix(n.Name, "relay") && n.Counters["rows"] != int64(len(want)) {
				t.Fatalf("seed %d: %s counted %d rows of %d", seed, n.Name, n.Counters["rows"], len(want))
			}
		}
	}
}

func TestBroadcastGivesEverySubtaskAllRowsAndUnionMixesStreams(t *testing.T) {
	events := [][]event{{{"a", 1, 1}, {"b", 2, 2}}, {{"c", 3, 3}}}
	closed := &atomic.Int64{}
	left, right := sourceNode("left", &eventSource{splits: events}, 2), sourceNode("right", &eventSource{splits: events[:1]}, 1)
	both := relayNode("both", 3, closed, graph.Edge{From: left, Partition: graph.Broadcast}, graph.Edge{From: right, Partition: graph.Rebalance})
	sink := &rowSink{}
	runGraph(t, left, right, both, &graph.Node{Name: "out", Parallelism: 2, DeadLetters: -1, Inputs: []graph.Edge{{From: both, Partition: graph.Rebalance}}, Sink: sink})
	var want []string
	for range 3 {
		want = append(want, texts(events)...)
	}
	want = append(want, texts(events[:1])...)
	if got := slices.Sorted(slices.Values(sink.committed)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Fatalf("got %q", got)
	}
}

func TestOneOutputFeedsSeveralReaders(t *testing.T) {
	events := [][]event{{{"a", 1, 1}, {"b", 2, 2}}}
	closed := &atomic.Int64{}
	src := sourceNode("events", &eventSource{splits: events}, 1)
	one, two := relayNode("one", 1, closed, graph.Edge{From: src}), relayNode("two", 2, closed, graph.Edge{From: src, Partition: graph.Hash, Key: []int{0}})
	sinks := []*rowSink{{}, {}, {}}
	sink := func(i int, from *graph.Node) *graph.Node {
		return &graph.Node{Name: fmt.Sprint("out", i), Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: from}}, Sink: sinks[i]}
	}
	runGraph(t, src, one, two, sink(0, src), sink(1, one), sink(2, two))
	for i, s := range sinks {
		if got := slices.Sorted(slices.Values(s.committed)); !slices.Equal(got, texts(events)) {
			t.Errorf("sink %d has %q", i, got)
		}
	}
}

func TestIdleSplitDoesNotHoldTheWatermarkBack(t *testing.T) {
	const s = 1_000_000
	busy := sourceNode("busy", &eventSource{splits: [][]event{{{"a", 1, 1 * s}, {"a", 1, 99 * s}}}, endless: true}, 1)
	quiet := sourceNode("quiet", &eventSource{splits: [][]event{{}}, endless: true}, 1)
	quiet.Source.Time.Idle = 5 * time.Millisecond
	spec := window.Spec{Input: eventSchema(), Key: []int{0}, Size: 10 * time.Second, Aggregates: countAndSum()}
	schema, err := spec.Output()
	if err != nil {
		t.Fatal(err)
	}
	hash := func(from *graph.Node) graph.Edge {
		return graph.Edge{From: from, Partition: graph.Hash, Key: []int{0}}
	}
	win := &graph.Node{
		Name: "counts", Parallelism: 2, DeadLetters: -1, Inputs: []graph.Edge{hash(busy), hash(quiet)},
		Outputs: []graph.Port{{Schema: schema}, {Name: "late", Schema: eventSchema()}},
		New:     func(ctx operator.Context) (operator.Operator, error) { return window.New(ctx, spec) },
	}
	sink := &rowSink{}
	out := &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: win}}, Sink: sink}
	g := &graph.Graph{Nodes: []*graph.Node{busy, quiet, win, out}, Options: graph.Options{BatchRows: 1, Latency: time.Millisecond, Seed: 1}}
	j, err := New(t.Context(), g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- j.Run(t.Context()) }()
	written := func() []string {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		return slices.Clone(sink.pending)
	}
	for len(written()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := written(); !slices.Equal(got, []string{"a 0 10000000 1 1"}) {
		t.Errorf("while one split is idle, the window gave %q", got)
	}
	j.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestPanicOfAnOperatorEndsTheJobAsABugAndNotTheProcess(t *testing.T) {
	closed := &atomic.Int64{}
	src := sourceNode("events", &eventSource{splits: [][]event{{{"a", 1, 1}}}}, 1)
	broken := relayNode("broken", 1, closed, graph.Edge{From: src})
	broken.New = func(ctx operator.Context) (operator.Operator, error) {
		return &relay{ctx: ctx, closed: closed, panics: true}, nil
	}
	sink := &rowSink{}
	g := &graph.Graph{Nodes: []*graph.Node{src, broken, {Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: broken}}, Sink: sink}},
		Options: graph.Options{BatchRows: 1, Latency: time.Millisecond}}
	j, err := New(t.Context(), g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "this is a bug in wasmill: off by one") {
		t.Fatalf("the job ended with %v", err)
	}
	if closed.Load() != 1 || sink.aborted != 1 {
		t.Errorf("the operator was closed %d times, the sink aborted %d times", closed.Load(), sink.aborted)
	}
}
