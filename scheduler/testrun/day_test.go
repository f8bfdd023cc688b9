// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package testrun

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// day has an operator of each kind that remembers something. Users are of a minute, so that what stays of any
// of them is too much. Pages are few: of each, a temporal join keeps the last version for ever.
const day = `
name: day
sources:
  visits: { nothing: , schema: { user: int64, page: int64, at: timestamp }, time: { column: at } }
operators:
  hourly:   { from: visits, key: user, window: { tumble: 10m, lateness: 5m }, aggregate: { n: count() } }
  hopping:  { from: visits, key: user, window: { slide: 1m, size: 10m }, aggregate: { n: count(), pages: count_distinct(page) } }
  growing:  { from: visits, key: user, window: { cumulate: 1m, size: 10m }, aggregate: { last: last(page) } }
  once:     { from: visits, key: user, dedup: { keep: first, by: time, emit: final, ttl: 10m } }
  latest:   { from: visits, key: user, dedup: { keep: last, ttl: 10m } }
  ordered:  { from: visits, sort: {} }
  busiest:  { from: hourly, top: { rows: 3, by: [n desc, user], window: { end: window_end } } }
  pairs:    { join: { left: visits, right: once, on: { user: user }, within: { from: 0s, to: 5m } } }
  together: { join: { left: visits, right: once, on: { user: user }, window: { tumble: 10m }, type: full } }
  as_of:    { join: { left: visits, right: once, on: { page: page }, as_of: left, type: left } }
  either:   { join: { left: visits, right: once, on: { user: user }, ttl: 10m } }
sinks:
  out: { from: [hourly], nothing: }
  out2: { from: [hopping], nothing: }
  out3: { from: [growing], nothing: }
  out4: { from: [once, ordered], nothing: }
  out5: { from: [busiest], nothing: }
  out6: { from: latest, nothing: , kinds: kind }
  out7: { from: pairs, nothing: }
  out8: { from: together, nothing: }
  out9: { from: as_of, nothing: }
  out10: { from: either, nothing: }
`

// Days go by in minutes of 10 visits each.
func TestMemoryOfLaterDaysIsThatOfTheFirst(t *testing.T) {
	hours := 96
	if testing.Short() {
		hours = 48
	}
	ends := operator.Connector{
		Name: "nothing",
		Source: func(_ operator.Config, spec operator.SourceSpec) (operator.Source, error) {
			return dayEnd{schema: spec.Schema}, nil
		},
		Sink: func(operator.Config, operator.SinkSpec) (operator.Sink, error) { return dayEnd{}, nil },
	}
	g, problems := graph.Load(t.Context(), "day.yaml", []byte(day), graph.Catalog{Connectors: []operator.Connector{ends}})
	if problems != nil {
		t.Fatal(problems)
	}
	r, err := New(t.Context(), g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	source := g.Nodes[0]
	var heap []uint64
	out := 0
	for minute := range hours * 60 {
		out += goMinute(t, r, source, minute)
		if minute%60 == 59 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap = append(heap, m.HeapAlloc)
		}
	}
	t.Logf("heap by the hour, in KiB: %d; %d rows came out", kib(heap), out)
	if out < hours*60*10 {
		t.Errorf("only %d rows came out", out)
	}
	first, second := slices.Max(heap[:hours/2]), slices.Max(heap[hours/2:])
	if second > first+first/10 {
		t.Errorf("in the first half there were %d KiB at most, in the second %d", first>>10, second>>10)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func kib(heap []uint64) []uint64 {
	var in []uint64
	for _, n := range heap {
		in = append(in, n>>10)
	}
	return in
}

type dayEnd struct {
	operator.Source
	operator.Sink
	schema *abi.Schema
}

func (e dayEnd) Schema() *abi.Schema { return e.schema }

// goMinute lets a minute go by, and returns how many rows came out of it.
func goMinute(t *testing.T, r *Run, source *graph.Node, minute int) (out int) {
	t.Helper()
	begin := abi.EventTime(minute) * abi.EventTime(time.Minute/time.Microsecond)
	rows := r.pool.NewBuilder(source.Outputs[0].Schema)
	for n := range int64(10) {
		rows.Column(0).AppendInt64(int64(minute)*4 + n%4)
		rows.Column(1).AppendInt64(n)
		rows.Column(2).AppendInt64(int64(begin) + n*6_000_000)
		rows.EndRow()
	}
	b := rows.Finish()
	err := r.Rows(t.Context(), source, b)
	b.Release()
	if err == nil {
		err = r.Clock(t.Context(), time.Minute)
	}
	if err == nil {
		err = r.Watermark(t.Context(), source, begin+60_000_000)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.graph.Nodes {
		if n.Sink == nil {
			continue
		}
		for _, b := range r.Take(n) {
			out += b.Rows()
			b.Release()
		}
	}
	return out
}
