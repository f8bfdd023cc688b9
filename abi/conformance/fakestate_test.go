// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// place is where rows of a state lie: under a key, "" for a scope without keys.
type place struct {
	key   string
	state int
}

// kept is a row of a state: of a map with its key before its fields.
type kept struct {
	row   rows.Row
	stamp int64
}

// alert is a timer of a key.
type alert struct {
	event bool
	at    int64
	key   string
	space string
}

// fakeRun is an operator with state and its host in one, in Go.
type fakeRun struct {
	f         *fake
	op        *describe.Operator
	states    map[place][]kept
	alerts    map[alert]bool
	keys      map[string]rows.Row
	watermark int64
	first     int64 // the first watermark
	now       int64
	undo      []func()
	outs      []emission
	failed    []FailedRow

	key  string // of the row or the timer at hand
	time int64
	at   int // of the row in its batch
	kind batch.RowKind
}

func (f *fake) Run(_ context.Context, operator int, _ []byte) (Running, error) {
	if f.has("does not run") {
		return nil, &Failed{Message: "no state"}
	}
	return &fakeRun{f: f, op: &f.module.Operators[operator], states: map[place][]kept{}, alerts: map[alert]bool{},
		keys: map[string]rows.Row{}, watermark: math.MinInt64, first: math.MinInt64}, nil
}

func (r *fakeRun) Close(context.Context) error { return nil }

func (r *fakeRun) Recycle(context.Context) error {
	if r.f.has("state lies in the instance") {
		r.states = map[place][]kept{}
	}
	return nil
}

func (r *fakeRun) Restore(context.Context) error {
	if r.f.has("timers are not in snapshots") {
		r.alerts = map[alert]bool{}
	}
	return nil
}

func (r *fakeRun) Process(_ context.Context, port int, in *batch.Batch) (Outcome, error) {
	r.outs = make([]emission, len(r.op.Outputs))
	p := &r.op.Inputs[port]
	for n, row := range rows.Of(in) {
		r.key, r.time, r.at, r.kind = "", int64(in.Times[n]), n, kindOf(in.Kinds, n, batch.Insert)
		if !p.Broadcast {
			var key rows.Row
			for i := range r.op.Key {
				key = append(key, row[p.Schema().Index(r.op.Key[i].Name)])
			}
			r.key = rows.RowText(r.op.Key, key)
			r.keys[r.key] = key
		}
		if message := r.row(port, row); message != "" {
			r.takeBack()
			r.failed = append(r.failed, FailedRow{in, n, message})
		}
		r.undo = r.undo[:0]
	}
	r.fire(false)
	return r.outcome(), nil
}

func (r *fakeRun) takeBack() {
	if r.f.has("state is left of a row that fails") {
		return
	}
	for _, undo := range slices.Backward(r.undo) {
		undo()
	}
}

func (r *fakeRun) Watermark(_ context.Context, t abi.EventTime) (Outcome, error) {
	r.outs = make([]emission, len(r.op.Outputs))
	r.watermark = int64(t)
	if r.first == math.MinInt64 {
		r.first = r.watermark
	}
	r.fire(true)
	return r.outcome(), nil
}

func (r *fakeRun) Clock(_ context.Context, now int64) (Outcome, error) {
	r.outs = make([]emission, len(r.op.Outputs))
	r.now = now
	r.fire(false)
	return r.outcome(), nil
}

// fire fires timers of a clock until none is due.
func (r *fakeRun) fire(event bool) {
	for {
		var due []alert
		for a := range r.alerts {
			if a.event == event && (a.event && a.at <= r.watermark || !a.event && a.at <= r.now) {
				due = append(due, a)
			}
		}
		if len(due) == 0 {
			return
		}
		slices.SortFunc(due, func(a, b alert) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key), cmp.Compare(a.space, b.space))
		})
		for _, a := range due {
			if !r.alerts[a] {
				continue
			}
			delete(r.alerts, a)
			r.key, r.time, r.at, r.kind = a.key, a.at, 0, batch.Insert
			if !a.event {
				r.time = r.watermark
			}
			if message := r.ring(a); message != "" {
				r.takeBack()
				f := append(fields("time", "timestamp", "namespace", "bytes"), r.op.Key...)
				b := rows.Build(&r.f.pool, &abi.Schema{Fields: f}, []rows.Row{append(rows.Row{a.at, []byte(a.space)}, r.keys[a.key]...)})
				r.failed = append(r.failed, FailedRow{b, 0, message})
			}
			r.undo = r.undo[:0]
		}
	}
}

func (r *fakeRun) outcome() Outcome {
	o := Outcome{Failed: r.failed}
	r.failed = nil
	for i := range r.outs {
		e := &r.outs[i]
		f := r.op.Outputs[i].Fields
		if r.op.Outputs[i].Forward {
			f = append(slices.Clone(r.op.Inputs[0].Fields), f...)
		}
		b := rows.Build(&r.f.pool, &abi.Schema{Fields: f}, e.rows)
		b.Times, b.Kinds = e.times, e.kinds
		if r.f.has("times are lost") {
			clear(b.Times)
		}
		o.Emitted = append(o.Emitted, Emitted{i, b})
	}
	return o
}

func (r *fakeRun) emit(port int, row rows.Row) {
	e := &r.outs[port]
	before := len(e.rows)
	r.undo = append(r.undo, func() { e.rows, e.times, e.kinds = e.rows[:before], e.times[:before], e.kinds[:before] })
	e.rows = append(e.rows, row)
	e.times = append(e.times, abi.EventTime(r.time))
	e.kinds = append(e.kinds, r.kind)
}

// at returns where a state has its rows.
func (r *fakeRun) place(state string) (place, *describe.State) {
	i := slices.IndexFunc(r.op.States, func(s describe.State) bool { return s.Name == state })
	if s := &r.op.States[i]; s.Scope != describe.ScopeKey {
		return place{"", i}, s
	}
	return place{r.key, i}, &r.op.States[i]
}

func (r *fakeRun) clockOf(s *describe.State) int64 {
	if s.TTL.EventTime {
		return r.watermark
	}
	return r.now
}

func (r *fakeRun) over(s *describe.State, k kept) bool {
	now, from, after := r.clockOf(s), k.stamp, s.TTL.After.Microseconds()
	if r.f.has("nothing is ever over") || after == 0 || now == math.MinInt64 || now == math.MaxInt64 {
		return false
	}
	if from == math.MinInt64 {
		from = r.first
	}
	return now-from >= after
}

// read returns the rows of a state, and renews them where reading does.
func (r *fakeRun) read(state string) []rows.Row {
	p, s := r.place(state)
	if s.TTL.After > 0 {
		r.write(p, slices.DeleteFunc(slices.Clone(r.states[p]), func(k kept) bool { return r.over(s, k) }))
	}
	out := []rows.Row{}
	for i := range r.states[p] {
		if s.TTL.Renew == describe.RenewReadAndWrite && !r.f.has("reading renews nothing") {
			r.states[p][i].stamp = r.clockOf(s)
		}
		out = append(out, r.states[p][i].row)
	}
	return out
}

func (r *fakeRun) write(p place, rows []kept) {
	before := r.states[p]
	r.undo = append(r.undo, func() { r.states[p] = before })
	r.states[p] = rows
}

func (r *fakeRun) clear(state string) {
	p, _ := r.place(state)
	r.write(p, nil)
}

// put puts a row as the kind of the state does.
func (r *fakeRun) put(state string, row ...any) {
	p, s := r.place(state)
	if s.TTL.After > 0 {
		r.read(state)
	}
	all := r.states[p]
	n := len(s.Key)
	at, found := len(all), false
	if s.Kind != describe.List { // to a list rows are added behind those that undo knows
		all = slices.Clone(all)
		at, found = slices.BinarySearchFunc(all, rows.Row(row), func(k kept, row rows.Row) int { return compareKeys(k.row[:n], row[:n]) })
	}
	k := kept{row, r.clockOf(s)}
	switch {
	case !found:
		all = slices.Insert(all, at, k)
	case s.Kind == describe.Reducing:
		all[at] = kept{r.merged(s, all[at].row, row), k.stamp}
	default:
		if s.TTL.Renew == describe.RenewCreate {
			k.stamp = all[at].stamp
		}
		all[at] = k
	}
	if r.f.has("lists are the wrong way round") && s.Kind == describe.List {
		all = slices.Clone(all)
		slices.Reverse(all)
	}
	r.write(p, all)
}

// remove removes the row of a map key, or the value.
func (r *fakeRun) remove(state string, key ...any) {
	r.read(state)
	p, s := r.place(state)
	r.write(p, slices.DeleteFunc(slices.Clone(r.states[p]), func(k kept) bool { return compareKeys(k.row[:len(s.Key)], key) == 0 }))
}

func (r *fakeRun) merged(s *describe.State, old, row rows.Row) rows.Row {
	out := slices.Clone(old)
	for i, v := range row {
		switch {
		case v == nil:
		case old[i] == nil:
			out[i] = v
		case s.Merge[i] == describe.MergeAdd:
			out[i] = old[i].(int64) + v.(int64)
		case s.Merge[i] == describe.MergeAppend:
			out[i] = old[i].(string) + v.(string)
		case (compareKeys(rows.Row{v}, rows.Row{old[i]}) < 0) == (s.Merge[i] == describe.MergeMin) || r.f.has("the last is the least"):
			out[i] = v
		}
	}
	return out
}

// compareKeys compares map keys column by column, nulls first.
func compareKeys(a, b rows.Row) int {
	for i := range a {
		aThere, bThere := truth(a[i] != nil), truth(b[i] != nil)
		c := cmp.Compare(aThere, bThere)
		switch {
		case c != 0 || aThere == 0:
		default:
			if s, ok := a[i].(string); ok {
				c = cmp.Compare(s, b[i].(string))
			} else {
				c = cmp.Compare(a[i].(int64), b[i].(int64))
			}
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func (r *fakeRun) setAlert(a alert, set bool) {
	before := r.alerts[a]
	r.undo = append(r.undo, func() {
		if delete(r.alerts, a); before {
			r.alerts[a] = true
		}
	})
	if delete(r.alerts, a); set {
		r.alerts[a] = true
	}
}
