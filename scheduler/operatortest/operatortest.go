// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package operatortest runs an operator through a script of rows, watermarks and clock moves as an engine
// would: by several subtasks, in batches of any size, over any backend of state, flushed, closed and made anew
// over what its stores held between any two calls, by more subtasks or fewer. Whatever the case,
// an operator gives the same rows: a test computes them from the script by other means and compares.
//
// Everything is derived from a seed, which each failure names.
package operatortest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
	"github.com/wasmill/wasmill/state/pebble"
)

// Subject is the operator under test.
type Subject struct {
	New    func(operator.Context) (operator.Operator, error)
	Inputs []Input
	// Fixed says that the operator belongs to one number of subtasks: it is made anew by as many.
	Fixed bool
}

// Input is an input of the operator. Rows go to the subtask that owns their key, all to the first where
// there are no key columns.
type Input struct {
	Schema    *abi.Schema
	Key       []int
	Broadcast bool // each subtask is given all rows
}

// Event is a step of a script: rows of an input, or a watermark, or a move of the clock.
type Event struct {
	Input     int
	Rows      []Row
	Watermark abi.EventTime
	Clock     time.Time // not zero: a move of the clock

	mark bool
}

// Rows returns the event that rows of an input come.
func Rows(input int, rows ...Row) Event { return Event{Input: input, Rows: rows} }

// Watermark returns the event that the watermark over all inputs advances.
func Watermark(t abi.EventTime) Event { return Event{Watermark: t, mark: true} }

// Clock returns the event that processing time comes to t. It begins at Start.
func Clock(t time.Time) Event { return Event{Clock: t} }

// Start is the processing time at which each run begins.
var Start = time.Unix(1_000_000_000, 0).UTC()

// Case says how a script is run.
type Case struct {
	Seed        uint64
	Parallelism int // at the start
	BatchRows   int
	Backend     Backend
	// Restores is the probability with which, after a call, the operator is made anew, and by another number of
	// subtasks where the subject is not fixed.
	Restores float64
}

func (c Case) String() string {
	return fmt.Sprintf("seed %d, parallelism %d, batches of %d, %s, restores %v", c.Seed, c.Parallelism, c.BatchRows, c.Backend.Name, c.Restores)
}

// Backend makes stores.
type Backend struct {
	Name string
	New  func(testing.TB, state.Groups) state.Store
}

// Memory is the backend state/memory.
func Memory() Backend {
	return Backend{"memory", func(_ testing.TB, groups state.Groups) state.Store { return memory.New(groups) }}
}

// Pebble is the backend state/pebble, in a folder that goes with the test. Each store has the least memory that one can have.
func Pebble(t testing.TB) Backend {
	t.Helper()
	db, err := pebble.Open(pebble.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	var operators uint32 // each store is of one of its own
	return Backend{"pebble", func(t testing.TB, groups state.Groups) state.Store {
		operators++
		store, err := db.Store(operators, groups, pebble.MinMemory)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}}
}

// Cases returns all combinations of parallelism 1, 2, 3 and 7, batches of 1, 2 and 1,000 rows, and no
// restores or many, over each backend.
func Cases(seed uint64, backends ...Backend) []Case {
	if len(backends) == 0 {
		backends = []Backend{Memory()}
	}
	var cases []Case
	for _, b := range backends {
		for _, parallelism := range []int{1, 2, 3, 7} {
			for _, rows := range []int{1, 2, 1000} {
				for _, restores := range []float64{0, 0.2} {
					cases = append(cases, Case{seed, parallelism, rows, b, restores})
				}
			}
		}
	}
	return cases
}

// groups is how many key groups a run has.
const groups = state.DefaultGroups

// run is a run of a script.
type run struct {
	t        testing.TB
	subject  Subject
	c        Case
	rand     *rand.Rand
	pool     *batch.Pool
	now      time.Time
	mark     abi.EventTime
	subtasks []*subtask
	counters *operator.Counters
	result   *Result
}

type subtask struct {
	op    operator.Operator
	store state.Store
	out   *output
}

// Run runs a script to its end and returns what came out. It fails the test where the operator fails, where a
// batch is left, or where something comes out of a port or in a way that the contract does not allow.
func Run(t testing.TB, s Subject, c Case, script []Event) *Result {
	t.Helper()
	r := &run{
		t: t, subject: s, c: c, rand: rand.New(rand.NewPCG(c.Seed, 1)), pool: &batch.Pool{}, now: Start,
		mark: watermark.Min, counters: &operator.Counters{}, result: &Result{},
	}
	var stores []state.Store
	for i := range c.Parallelism {
		stores = append(stores, c.Backend.New(t, state.Split(groups, i, c.Parallelism)))
	}
	r.open(stores)
	for _, e := range script {
		r.event(e)
		r.maybeRestore()
	}
	for _, st := range r.subtasks {
		r.check(st.op.Close(context.WithoutCancel(t.Context())))
		r.check(st.store.Close())
	}
	if n := r.pool.Live(); n != 0 {
		t.Fatalf("%v: %d batches are left", c, n)
	}
	r.result.Counters = r.counters.Values()
	return r.result
}

func (r *run) check(err error) {
	if err != nil {
		r.t.Helper()
		r.t.Fatalf("%v: %v", r.c, err)
	}
}

// open makes the subtasks over stores, one each.
func (r *run) open(stores []state.Store) {
	r.subtasks = nil
	for i, store := range stores {
		op, err := r.subject.New(operator.Context{
			Node: "subject", Subtask: i, Parallelism: len(stores), Pool: r.pool, Now: func() time.Time { return r.now },
			Seed: r.c.Seed, Log: slog.New(slog.DiscardHandler), Counters: r.counters,
			State: store, Groups: groups, Watermark: r.mark,
		})
		r.check(err)
		r.check(op.Open(r.t.Context()))
		r.subtasks = append(r.subtasks, &subtask{op: op, store: store, out: &output{run: r}})
	}
}

func (r *run) event(e Event) {
	switch {
	case e.mark:
		r.mark = max(r.mark, e.Watermark)
		for _, st := range r.subtasks {
			r.check(st.op.Watermark(r.t.Context(), r.mark, st.out))
		}
	case !e.Clock.IsZero():
		r.clock(e.Clock)
	default:
		r.rows(e)
	}
}

// clock moves the clock, and calls each operator at each time that it asks for on the way.
func (r *run) clock(to time.Time) {
	for {
		next := to
		var due *subtask
		for _, st := range r.subtasks {
			if c, ok := st.op.(operator.Clocked); ok && r.mark != watermark.Max {
				if at := c.Next(); !at.IsZero() && !at.After(next) {
					next, due = at, st
				}
			}
		}
		if next.After(r.now) {
			r.now = next
		}
		if due == nil {
			return
		}
		r.check(due.op.(operator.Clocked).Tick(r.t.Context(), r.now, due.out))
		if after := due.op.(operator.Clocked).Next(); after.IsZero() || after.After(r.now) {
			due.out.idle = 0
		} else if due.out.idle++; due.out.idle > maxTicks {
			r.t.Fatalf("%v: at %v the operator still wants to be called at %v", r.c, r.now, after)
		}
	}
}

// maxTicks is how often in a row an operator may ask for a call that is due already.
const maxTicks = 100_000

// rows deals rows out to the subtasks, which are called in turns, batch by batch.
func (r *run) rows(e Event) {
	in := &r.subject.Inputs[e.Input]
	whole := build(r.pool, in.Schema, e.Rows)
	defer whole.Release()
	dealt := make([][]uint32, len(r.subtasks))
	for row := range whole.Rows() {
		for i := range r.subtasks {
			if in.Broadcast || i == r.owner(whole, in.Key, row) {
				dealt[i] = append(dealt[i], uint32(row))
			}
		}
	}
	for more := true; more; {
		more = false
		for i, st := range r.subtasks {
			if len(dealt[i]) == 0 {
				continue
			}
			n := min(len(dealt[i]), r.c.BatchRows)
			b := r.pool.Take(whole, dealt[i][:n])
			dealt[i] = dealt[i][n:]
			err := st.op.Process(r.t.Context(), e.Input, b, st.out)
			b.Release()
			r.check(err)
			more = true
		}
		r.maybeRefresh()
	}
}

func (r *run) owner(b *batch.Batch, key []int, row int) int {
	if len(key) == 0 {
		return 0
	}
	group := state.GroupOf(Key(b, key, row), groups)
	for i := range r.subtasks {
		if state.Split(groups, i, len(r.subtasks)).Contains(group) {
			return i
		}
	}
	panic(fmt.Sprintf("operatortest: nobody owns group %d", group))
}

// Key returns the encoded key of a row.
func Key(b *batch.Batch, columns []int, row int) []byte {
	var key []byte
	for _, col := range columns {
		key = batch.AppendValue(key, &b.Columns[col], row)
	}
	return key
}

// maybeRefresh makes the operators anew by as many subtasks, so that a batch may lie on either side.
func (r *run) maybeRefresh() {
	if r.rand.Float64() < r.c.Restores {
		r.restore(len(r.subtasks))
	}
}

func (r *run) maybeRestore() {
	if r.rand.Float64() >= r.c.Restores {
		return
	}
	parallelism := len(r.subtasks)
	if !r.subject.Fixed && r.keyed() {
		parallelism = []int{1, 2, 3, 7}[r.rand.IntN(4)]
	}
	r.restore(parallelism)
}

func (r *run) keyed() bool {
	for _, in := range r.subject.Inputs {
		if len(in.Key) == 0 && !in.Broadcast {
			return false
		}
	}
	return true
}

// restore flushes and closes the operators, copies what their stores hold into those of other subtasks,
// and makes the operators anew over these.
func (r *run) restore(parallelism int) {
	ctx := r.t.Context()
	for _, st := range r.subtasks {
		if s, ok := st.op.(operator.Stateful); ok {
			r.check(s.Flush(ctx))
		}
		r.check(st.op.Close(ctx))
		r.check(st.store.Flush())
	}
	var stores []state.Store
	for i := range parallelism {
		own := state.Split(groups, i, parallelism)
		store := r.c.Backend.New(r.t, own)
		for _, st := range r.subtasks {
			had := st.store.Groups()
			if both := (state.Groups{From: max(own.From, had.From), To: min(own.To, had.To)}); both.From < both.To {
				r.check(state.Copy(store, st.store, both))
			}
		}
		from := r.subtasks[min(i, len(r.subtasks)-1)]
		r.check(state.CopyUnkeyed(store, from.store))
		stores = append(stores, store)
	}
	for _, st := range r.subtasks {
		r.check(st.store.Close())
	}
	r.open(stores)
}
