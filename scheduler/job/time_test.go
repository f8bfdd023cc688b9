// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// latecomers is an operator that passes those rows on that are behind the watermark.
type latecomers struct {
	operator.Operator
	ctx  operator.Context
	mark abi.EventTime
}

func (l *latecomers) Open(context.Context) error  { l.mark = l.ctx.Watermark; return nil }
func (l *latecomers) Close(context.Context) error { return nil }

func (l *latecomers) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	var late []uint32
	for row, t := range b.Times {
		if t < l.mark {
			late = append(late, uint32(row))
		}
	}
	return out.Emit(ctx, 0, l.ctx.Pool.Take(b, late))
}

func (l *latecomers) Watermark(_ context.Context, t abi.EventTime, _ operator.Output) error {
	l.mark = t
	return nil
}

// lateRows runs events through a source, an operator that makes event time where that is not the
// source's, and latecomers.
func lateRows(t *testing.T, events []event, bound time.Duration, atSource bool, parallelism, rows int) []string {
	t.Helper()
	at := &graph.Time{Column: 2, OutOfOrder: bound}
	src := sourceNode("events", &eventSource{splits: [][]event{events}}, 1)
	src.Source.Time = nil
	nodes := []*graph.Node{src}
	last := src
	if atSource {
		src.Source.Time = at
	} else {
		last = relayNode("relay", 1, nil, graph.Edge{From: src})
		last.New = func(ctx operator.Context) (operator.Operator, error) { return &forward{}, nil }
		last.Time = at
		nodes = append(nodes, last)
	}
	late := relayNode("late", parallelism, nil, graph.Edge{From: last, Partition: graph.Hash, Key: []int{0}})
	late.New = func(ctx operator.Context) (operator.Operator, error) { return &latecomers{ctx: ctx}, nil }
	sink := &rowSink{}
	out := &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: late}}, Sink: sink}
	pool := &batch.Pool{}
	g := &graph.Graph{Nodes: append(nodes, late, out), Options: graph.Options{BatchRows: rows, Latency: time.Millisecond, Seed: 1}}
	j, err := New(t.Context(), g, Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
	return slices.Sorted(slices.Values(sink.committed))
}

// forward is an operator that passes rows on.
type forward struct{ operator.Operator }

func (forward) Open(context.Context) error  { return nil }
func (forward) Close(context.Context) error { return nil }

func (forward) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	return out.Emit(ctx, 0, b.Retain())
}

func (forward) Watermark(context.Context, abi.EventTime, operator.Output) error { return nil }

func TestWhichRowsAreLateDependsNeitherOnTheBatchNorOnTheParallelism(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 11))
		bound := time.Duration(r.IntN(20)) * time.Microsecond
		var events []event
		var want []string
		latest := watermark.Min
		for i := range 1500 {
			e := event{fmt.Sprint("k", r.IntN(9)), int64(i), int64(100 + i + r.IntN(30) - r.IntN(60))}
			if at := abi.EventTime(e.at); i > 0 && at < latest-abi.EventTime(bound.Microseconds()) {
				want = append(want, fmt.Sprint(e.key, " ", e.value, " ", e.at))
			}
			latest = max(latest, abi.EventTime(e.at))
			events = append(events, e)
		}
		slices.Sort(want)
		for _, rows := range []int{1, 2, 7, 1000} {
			for _, parallelism := range []int{1, 3} {
				for _, atSource := range []bool{true, false} {
					if got := lateRows(t, events, bound, atSource, parallelism, rows); !slices.Equal(got, want) {
						t.Fatalf("seed %d, batches of %d, %d subtasks, time from the source %v: %d rows are late, should be %d",
							seed, rows, parallelism, atSource, len(got), len(want))
					}
				}
			}
		}
	}
}

// More splits than are open at once: those that wait hold up nobody who must end before they begin.
func TestAlignedSourcesOfManySplitsEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	many, few := randomEvents(r, 2*openSplits+3, 5000), randomEvents(r, 2, 500)
	var nodes []*graph.Node
	var ends []graph.Edge
	for name, events := range map[string][][]event{"many": many, "few": few} {
		src := sourceNode(name, &eventSource{splits: events}, 2)
		src.Source.Time.Align = &graph.Align{Group: "all", Drift: time.Microsecond}
		nodes, ends = append(nodes, src), append(ends, graph.Edge{From: src})
	}
	sink := &rowSink{}
	j := runGraph(t, append(nodes, &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: ends, Sink: sink})...)
	if want := slices.Sorted(slices.Values(append(texts(many), texts(few)...))); !slices.Equal(slices.Sorted(slices.Values(sink.committed)), want) {
		t.Errorf("%d rows arrived of %d", len(sink.committed), len(want))
	}
	for _, n := range j.Progress().Nodes {
		for _, s := range n.Splits {
			if !s.Ended || s.Paused {
				t.Errorf("%s: %+v", n.Name, s)
			}
		}
	}
}

func TestProgressTellsTheWatermarkOfSplitsAndWhichInputBringsNone(t *testing.T) {
	busy := sourceNode("busy", &eventSource{splits: [][]event{{{"a", 1, 5_000_000}}, {{"a", 2, 9_000_000}}}, endless: true}, 1)
	quiet := sourceNode("quiet", &eventSource{splits: [][]event{{}}, endless: true}, 1)
	joined := relayNode("joined", 1, nil, graph.Edge{From: busy}, graph.Edge{From: quiet, Side: 1})
	joined.Inputs[1].Partition = graph.Rebalance
	joined.New = func(operator.Context) (operator.Operator, error) { return forward{}, nil }
	out := &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: joined}}, Sink: &rowSink{}}
	g := &graph.Graph{Nodes: []*graph.Node{busy, quiet, joined, out}, Options: graph.Options{BatchRows: 1, Latency: time.Millisecond, Seed: 1}}
	now := time.UnixMicro(10_000_000)
	j, err := New(t.Context(), g, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- j.Run(t.Context()) }()
	told := func(p Progress) bool {
		s := p.Nodes[0].Splits
		return s[0].Watermark != nil && s[1].Watermark != nil && len(p.Nodes[2].WaitingFor) > 0
	}
	p := j.Progress()
	for ; !told(p); p = j.Progress() {
		time.Sleep(time.Millisecond) // until the test's own end where it is never told
	}
	if got := p.Nodes[2]; !slices.Equal(got.WaitingFor, []string{"quiet"}) || got.Watermark != nil || got.Lag != nil {
		t.Errorf("the operator: %+v", got)
	}
	text := func(s SplitProgress) string {
		return fmt.Sprint(s.Name, " ", s.Rows, " ", *s.Watermark, " ", *s.Lag, " ", s.IdleSince, s.Paused, s.Ended)
	}
	splits := p.Nodes[0].Splits
	if got, want := text(splits[0])+", "+text(splits[1]), "split-0 1 4000000 6s <nil> false false, split-1 1 8000000 2s <nil> false false"; got != want {
		t.Errorf("splits %s, should be %s", got, want)
	}
	if mark := p.Nodes[0].Watermark; mark == nil || *mark != 4_000_000 || *p.Nodes[0].Lag != 6*time.Second || *p.Watermark != 4_000_000 {
		t.Errorf("the source: %+v", p.Nodes[0])
	}
	j.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if p := j.Progress(); len(p.Nodes[2].WaitingFor) != 0 || p.Nodes[2].Watermark != nil {
		t.Errorf("at the end: %+v", p.Nodes[2])
	}
}

func TestLagOfExtremeWatermarksDoesNotWrap(t *testing.T) {
	for _, mark := range []abi.EventTime{-watermark.MaxEventTime - 1<<55, watermark.MaxEventTime} {
		got, lag := shown(mark, time.Unix(1_700_000_000, 0))
		if *got != mark || (*lag > 0) != (mark < 0) {
			t.Errorf("watermark %d: lag %v", mark, *lag)
		}
	}
}

// ledger makes stores and notes what becomes of them.
type ledger struct {
	mu      sync.Mutex
	opened  []string
	open    int
	failing error
}

type noted struct {
	state.Store
	ledger *ledger
}

func (l *ledger) state(node string, subtask int, groups state.Groups) (state.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing != nil && subtask == 1 {
		return nil, l.failing
	}
	l.opened = append(l.opened, fmt.Sprint(node, " ", subtask, " ", groups.From, "-", groups.To))
	l.open++
	return noted{memory.New(groups), l}, nil
}

func (n noted) Close() error {
	n.ledger.mu.Lock()
	defer n.ledger.mu.Unlock()
	n.ledger.open--
	return errors.Join(n.ledger.failing, n.Store.Close())
}

// keeper is an operator that keeps the last value of each key.
type keeper struct {
	forward
	ctx operator.Context
	key []byte
}

func (k *keeper) Flush(context.Context) error { return nil }

func (k *keeper) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	for row := range b.Rows() {
		k.key = batch.AppendValue(k.key[:0], &b.Columns[0], row)
		stored := state.AppendKey(nil, state.GroupOf(k.key, k.ctx.Groups), 0, k.key, nil)
		if err := k.ctx.State.Put(stored, batch.AppendValue(nil, &b.Columns[1], row)); err != nil {
			return err
		}
	}
	return out.Emit(ctx, 0, b.Retain())
}

func keeperGraph(events [][]event) (*graph.Graph, *rowSink) {
	src := sourceNode("events", &eventSource{splits: events}, 1)
	keep := relayNode("keep", 3, nil, graph.Edge{From: src, Partition: graph.Hash, Key: []int{0}})
	keep.Stateful = true
	keep.New = func(ctx operator.Context) (operator.Operator, error) { return &keeper{ctx: ctx}, nil }
	sink := &rowSink{}
	out := &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: keep}}, Sink: sink}
	return &graph.Graph{Nodes: []*graph.Node{src, keep, out}, Options: graph.Options{BatchRows: 7, Latency: time.Millisecond, Seed: 1}}, sink
}

// A row of a key group that its subtask does not own would panic in the store.
func TestSubtasksOfAStatefulNodeHaveStoresOfTheirKeyGroups(t *testing.T) {
	events := randomEvents(rand.New(rand.NewPCG(1, 1)), 2, 1000)
	g, sink := keeperGraph(events)
	l := &ledger{}
	j, err := New(t.Context(), g, Options{State: l.state})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"keep 0 0-43", "keep 1 43-86", "keep 2 86-128"}; !slices.Equal(l.opened, want) || l.open != 0 {
		t.Errorf("stores %q, of which %d are open; should be %q", l.opened, l.open, want)
	}
	if n := j.Progress().Nodes[1]; len(sink.committed) != len(texts(events)) || n.StateEntries == 0 || n.StateBytes == 0 {
		t.Errorf("%d rows, %d entries in %d bytes", len(sink.committed), n.StateEntries, n.StateBytes)
	}
}

func TestStoreThatFailsFailsTheJobAndLeavesNoneOpen(t *testing.T) {
	g, _ := keeperGraph(nil)
	l := &ledger{failing: errors.New("disk full")}
	if _, err := New(t.Context(), g, Options{State: l.state}); !errors.Is(err, l.failing) || !strings.HasPrefix(err.Error(), "keep: disk full") || l.open != 0 {
		t.Errorf("the job was made with %v, %d stores are open", err, l.open)
	}
	l.failing = nil
	g, sink := keeperGraph(randomEvents(rand.New(rand.NewPCG(1, 1)), 2, 1000))
	j, err := New(t.Context(), g, Options{State: l.state})
	if err != nil {
		t.Fatal(err)
	}
	l.failing = errors.New("disk full")
	if err := j.Run(t.Context()); !errors.Is(err, l.failing) || len(sink.committed) != 0 || sink.aborted != 1 || l.open != 0 {
		t.Errorf("the job ended with %v, %d rows were committed, %d stores are open", err, len(sink.committed), l.open)
	}
}
