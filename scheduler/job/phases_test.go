// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/window"
)

// inTwoPhases puts the first phase of its window into a pipeline.
func inTwoPhases(t *testing.T, p *pipeline, spec window.Spec) {
	t.Helper()
	spec.Input = eventSchema()
	partials, err := spec.Partials(operator.Context{Pool: &batch.Pool{}})
	if err != nil {
		t.Fatal(err)
	}
	source, win := p.graph.Nodes[0], p.graph.Nodes[1]
	local := &graph.Node{
		Name: "counts.local", Parallelism: source.Parallelism, DeadLetters: -1,
		Inputs:  []graph.Edge{{From: source}},
		Outputs: []graph.Port{{Schema: partials}},
		New:     func(ctx operator.Context) (operator.Operator, error) { return window.NewLocal(ctx, spec) },
	}
	win.Inputs = []graph.Edge{{From: local, Side: window.InputPartials, Partition: graph.Hash, Key: spec.Key}}
	p.graph.Nodes = slices.Insert(p.graph.Nodes, 1, local)
}

func TestTwoPhasesGiveWhatGroupingAllEventsGives(t *testing.T) {
	const disorder = int64(time.Second / time.Microsecond)
	spec := window.Spec{Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		events := randomEvents(r, 3, disorder)
		for _, rows := range []int{1, 7, 1000} {
			p := newPipeline(t, &eventSource{splits: events}, 2, rows, spec, time.Duration(disorder)*time.Microsecond)
			inTwoPhases(t, p, spec)
			p.run(t)
			slices.Sort(p.out.committed)
			if want := naive(events, disorder); !slices.Equal(p.out.committed, want) || len(p.late.committed) > 0 {
				t.Fatalf("seed %d, batches of %d: %d late rows, and results\n%s\nshould be\n%s", seed, rows, len(p.late.committed),
					strings.Join(p.out.committed, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// Which rows are late depends on how splits keep pace. None is lost or counted twice.
func TestInTwoPhasesEachRowCountsOrIsLate(t *testing.T) {
	const disorder = int64(10 * time.Second / time.Microsecond)
	spec := window.Spec{Key: []int{0}, Size: time.Second, Aggregates: countAndSum()}
	late := 0
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 8))
		events := randomEvents(r, 2, disorder)
		p := newPipeline(t, &eventSource{splits: events}, 3, 5, spec, time.Second)
		inTwoPhases(t, p, spec)
		p.run(t)
		total := 0
		for _, split := range events {
			total += len(split)
		}
		counted := len(p.late.committed)
		late += counted
		for _, line := range p.out.committed {
			var key string
			var start, end, rows int
			if _, err := fmt.Sscan(line, &key, &start, &end, &rows); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			counted += rows
		}
		if counted != total {
			t.Errorf("seed %d: %d rows count or are late of %d", seed, counted, total)
		}
	}
	if late == 0 {
		t.Error("no row was late")
	}
}
