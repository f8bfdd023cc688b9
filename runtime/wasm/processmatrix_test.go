// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// processSubject is an operator of kind process of a conformance module.
func processSubject(t testing.TB, m *wasm.Module, name string) operatortest.Subject {
	s := newStage(t)
	spec := keyedSpec(t, m, s, name)
	subject := operatortest.Subject{New: func(c operator.Context) (operator.Operator, error) { return m.Operator(c, spec) }}
	for i, in := range spec.Inputs {
		subject.Inputs = append(subject.Inputs, operatortest.Input{
			Schema: in.Schema, Key: in.Key, Broadcast: m.Description().Operators[spec.Number].Inputs[i].Broadcast,
		})
	}
	return subject
}

// wanted is what must come of a script.
type wanted struct {
	ports  [2][]operatortest.Row
	failed []string
}

// same holds a run against what must come of it.
func (w *wanted) same(t *testing.T, c operatortest.Case, got *operatortest.Result) {
	t.Helper()
	for port := range w.ports {
		operatortest.Same(t, c, operatortest.Lines(got.Port(port)), operatortest.Lines(w.ports[port]))
	}
	slices.Sort(got.Failed)
	slices.Sort(w.failed)
	operatortest.Same(t, c, got.Failed, w.failed)
}

// ledgerScript is random postings, some of which overdraw their account and fail, and what must come of them.
func ledgerScript(r *rand.Rand) ([]operatortest.Event, *wanted) {
	type account struct{ sum, count int64 }
	accounts, w := map[string]*account{}, &wanted{}
	var script []operatortest.Event
	for range 4 + r.IntN(12) {
		var rows []operatortest.Row
		for range r.IntN(60) {
			name := fmt.Sprint("a", r.IntN(1+r.IntN(12)))
			row := operatortest.At(abi.EventTime(r.IntN(100)), name, int64(r.IntN(20)-8))
			a := accounts[name]
			if a == nil {
				a = &account{}
				accounts[name] = a
			}
			switch amount := row.Values[1].(int64); {
			case r.IntN(10) == 0:
				row.Values[1] = nil
				if a.count > 0 {
					w.ports[1] = append(w.ports[1], operatortest.At(row.Time, name, a.sum))
				}
				delete(accounts, name)
			case a.sum+amount < 0:
				w.failed = append(w.failed, fmt.Sprintf("%v: overdrawn: %d", row, a.sum+amount))
			default:
				a.sum, a.count = a.sum+amount, a.count+1
				w.ports[0] = append(w.ports[0], operatortest.At(row.Time, name, amount, a.sum, a.count))
			}
			rows = append(rows, row)
		}
		script = append(script, operatortest.Rows(0, rows...))
	}
	return script, w
}

// alarms is a model of alarm: the timers of each key, one after the other, whatever becomes of others.
type alarms struct {
	wanted
	timers  map[alarmTimer]bool
	pending map[int64]int64
	mark    int64
}

type alarmTimer struct {
	id, at int64
	space  string
}

func (a *alarms) row(r operatortest.Row) {
	id := r.Values[0].(int64)
	switch op := r.Values[1].(string); op {
	case "event":
		a.timers[alarmTimer{id, r.Values[2].(int64), r.Values[3].(string)}] = true
		a.pending[id]++
	case "cancel_event":
		delete(a.timers, alarmTimer{id, r.Values[2].(int64), r.Values[3].(string)})
	case "count":
		a.ports[0] = append(a.ports[0], operatortest.At(r.Time, id, nil, nil, a.pending[id], a.mark))
	default:
		a.failed = append(a.failed, fmt.Sprintf("%v: unknown op: %s", r, op))
	}
}

// watermark fires what is due, the earliest first, also of what is set on the way.
func (a *alarms) watermark(t int64) {
	for a.mark = t; ; {
		var due []alarmTimer
		for timer := range a.timers {
			if timer.at <= t {
				due = append(due, timer)
			}
		}
		if len(due) == 0 {
			return
		}
		first := slices.MinFunc(due, func(x, y alarmTimer) int {
			return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.id, y.id), cmp.Compare(x.space, y.space))
		})
		delete(a.timers, first)
		a.fire(first)
	}
}

func (a *alarms) fire(t alarmTimer) {
	if t.space == "fail" {
		row := operatortest.At(abi.EventTime(t.at), t.at, t.space, t.id)
		a.failed = append(a.failed, fmt.Sprintf("%v: timer failed", row))
		return
	}
	a.ports[0] = append(a.ports[0], operatortest.At(abi.EventTime(t.at), t.id, t.at, t.space, a.pending[t.id], a.mark))
	switch t.space {
	case "again":
		a.timers[alarmTimer{t.id, t.at + 1_000_000, ""}] = true
	case "stop":
		delete(a.pending, t.id)
	}
}

// alarmScript is random timers that are set and deleted, late and early, and what must come of them.
func alarmScript(r *rand.Rand) ([]operatortest.Event, *wanted) {
	a := &alarms{timers: map[alarmTimer]bool{}, pending: map[int64]int64{}, mark: math.MinInt64}
	var script []operatortest.Event
	now := int64(0)
	for range 4 + r.IntN(12) {
		var rows []operatortest.Row
		for range r.IntN(50) {
			op := []string{"event", "event", "event", "cancel_event", "count", "dance"}[r.IntN(6)]
			at := now + int64(r.IntN(20)-6)*500_000
			space := []string{"", "again", "stop", "fail", "x"}[r.IntN(5)]
			rows = append(rows, operatortest.At(abi.EventTime(now), int64(r.IntN(1+r.IntN(20))), op, at, space))
		}
		for _, row := range rows {
			a.row(row)
		}
		script = append(script, operatortest.Rows(0, rows...))
		if r.IntN(2) == 0 {
			now += int64(r.IntN(8)) * 700_000
			a.watermark(now)
			script = append(script, operatortest.Watermark(abi.EventTime(now)))
		}
	}
	a.watermark(math.MaxInt64)
	return append(script, operatortest.Watermark(watermark.Max)), &a.wanted
}

// TestWhatComesOfAProcessDoesNotDependOnHowItIsRun holds processes of an SDK's module against models, by any number of
// subtasks, in batches of any size, over either backend, made anew at any point, with instances of their own for each batch or not.
func TestWhatComesOfAProcessDoesNotDependOnHowItIsRun(t *testing.T) {
	path, disk := guests["go"](t), operatortest.Pebble(t)
	seeds, every := uint64(2), 5 // some cases with each seed
	if testing.Short() {
		seeds, every = 1, 13
	}
	for _, recycle := range []bool{false, true} {
		m := load(t, newEngine(t, wasm.Options{RecycleEachBatch: recycle}), path)
		for name, script := range map[string]func(*rand.Rand) ([]operatortest.Event, *wanted){
			"ledger": ledgerScript, "ledger_bulk": ledgerScript, "alarm": alarmScript,
		} {
			subject := processSubject(t, m, name)
			for seed := range seeds {
				events, want := script(rand.New(rand.NewPCG(seed, 7)))
				for i, c := range operatortest.Cases(seed, operatortest.Memory(), disk) {
					if (i/2+i/24+int(seed))%every != 0 || recycle && c.BatchRows < 1000 {
						continue // an instance of Go's takes milliseconds
					}
					if c.Restores = min(c.Restores, 0.02); c.BatchRows == 1000 {
						c.Restores *= 10 // there are fewer calls after which it can be made anew
					}
					want.same(t, c, operatortest.Run(t, subject, c, events))
				}
			}
		}
	}
}

func TestAPipelineMayGiveStateAnotherTimeToLive(t *testing.T) {
	m := load(t, newEngine(t, wasm.Options{}), guests["go"](t))
	script := []operatortest.Event{
		operatortest.Rows(0, operatortest.At(1, "a", 5)), operatortest.Clock(operatortest.Start.Add(2 * time.Hour)),
		operatortest.Rows(0, operatortest.At(2, "a", 3)),
	}
	for ttl, second := range map[time.Duration]operatortest.Row{
		0: operatortest.At(2, "a", 3, 8, 2), time.Hour: operatortest.At(2, "a", 3, 3, 1), 3 * time.Hour: operatortest.At(2, "a", 3, 8, 2),
	} {
		s := newStage(t)
		spec := keyedSpec(t, m, s, "ledger")
		spec.TTL = map[string]time.Duration{"balance": ttl}
		subject := processSubject(t, m, "ledger")
		subject.New = func(c operator.Context) (operator.Operator, error) { return m.Operator(c, spec) }
		c := operatortest.Case{Parallelism: 1, BatchRows: 10, Backend: operatortest.Memory(), Restores: 0.5}
		want := wanted{ports: [2][]operatortest.Row{{operatortest.At(1, "a", 5, 5, 1), second}}}
		want.same(t, c, operatortest.Run(t, subject, c, script))
	}
}
