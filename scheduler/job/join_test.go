// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/join"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// joinNode joins events by key, within 100 ms.
func joinNode(t *testing.T, parallelism int, inputs ...graph.Edge) *graph.Node {
	t.Helper()
	in := join.Input{Schema: eventSchema(), Key: []int{0}}
	spec := join.Spec{Type: join.Left, Inputs: [2]join.Input{in, in}, Interval: &join.Interval{From: -100 * time.Millisecond, To: 100 * time.Millisecond}}
	schema, err := spec.Output()
	if err != nil {
		t.Fatal(err)
	}
	for i := range inputs {
		inputs[i].Partition, inputs[i].Key = graph.Hash, []int{0}
	}
	return &graph.Node{
		Name: "joined", Parallelism: parallelism, DeadLetters: -1, Inputs: inputs, Stateful: true,
		Outputs: []graph.Port{{Schema: schema}, {Name: "late_left", Schema: eventSchema()}, {Name: "late_right", Schema: eventSchema()}},
		New:     func(ctx operator.Context) (operator.Operator, error) { return join.New(ctx, spec) },
	}
}

// joinedTexts is the oracle of joinNode.
func joinedTexts(left, right [][]event) []string {
	var lines []string
	for _, l := range slices.Concat(left...) {
		met := false
		for _, r := range slices.Concat(right...) {
			if apart := r.at - l.at; l.key == r.key && apart >= -100_000 && apart <= 100_000 {
				met = true
				lines = append(lines, fmt.Sprint(l.key, " ", l.value, " ", l.at, " ", r.key, " ", r.value, " ", r.at))
			}
		}
		if !met {
			lines = append(lines, fmt.Sprint(l.key, " ", l.value, " ", l.at, " null null null"))
		}
	}
	return slices.Sorted(slices.Values(lines))
}

func TestJoinReadsEachEdgeAsTheInputThatItNames(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 5))
		left, more, right := randomEvents(r, 2, 50_000), randomEvents(r, 1, 50_000), randomEvents(r, 1, 50_000)
		nodes := []*graph.Node{
			sourceNode("left", &eventSource{splits: left}, 2), sourceNode("more", &eventSource{splits: more}, 1),
			sourceNode("right", &eventSource{splits: right}, 1),
		}
		sink := &rowSink{}
		joined := joinNode(t, 1+r.IntN(3), graph.Edge{From: nodes[0]}, graph.Edge{From: nodes[1]}, graph.Edge{From: nodes[2], Side: join.InputRight})
		out := &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: joined}}, Sink: sink}
		runGraph(t, append(nodes, joined, out)...)
		want := joinedTexts(append(left, more...), right)
		if got := slices.Sorted(slices.Values(sink.committed)); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d rows come out of the join, should be %d", seed, len(got), len(want))
		}
	}
}

func TestStreamJoinsItself(t *testing.T) {
	events := randomEvents(rand.New(rand.NewPCG(1, 5)), 2, 50_000)
	src, sink := sourceNode("events", &eventSource{splits: events}, 2), &rowSink{}
	joined := joinNode(t, 2, graph.Edge{From: src}, graph.Edge{From: src, Side: join.InputRight})
	runGraph(t, src, joined, &graph.Node{Name: "out", Parallelism: 1, DeadLetters: -1, Inputs: []graph.Edge{{From: joined}}, Sink: sink})
	if got, want := slices.Sorted(slices.Values(sink.committed)), joinedTexts(events, events); !slices.Equal(got, want) {
		t.Errorf("%d rows come out of the join, should be %d", len(got), len(want))
	}
}
