// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// arrivalModel keeps the rows of each key in the order in which they came.
type arrivalModel struct {
	spec    Spec
	keys    map[string]*arrivals
	now     time.Time
	tick    time.Time
	results []operatortest.Row
}

type arrivals struct {
	key     []any
	rows    []operatortest.Row
	since   int64
	changed bool
	told    []any
	// toldRows is how many rows there were then.
	toldRows int
}

func (m *arrivalModel) row(r operatortest.Row) {
	var key []any
	for _, col := range m.spec.Key {
		key = append(key, r.Values[col])
	}
	name := fmt.Sprintf("%#v", key)
	a := m.keys[name]
	if a == nil {
		a = &arrivals{key: key}
		m.keys[name] = a
	}
	a.rows, a.since, a.changed = append(a.rows, r), a.since+1, true
	if c := m.spec.Count; c != nil {
		every := c.Every
		if every == 0 {
			every = c.Rows
		}
		if n := int64(len(a.rows)); n%every == 0 {
			m.give(a, a.rows[max(n-c.Rows, 0):], batch.Insert, nil)
		}
		return
	}
	if m.spec.EarlyRows > 0 && a.since >= m.spec.EarlyRows {
		m.emit(a)
	}
	if a.changed && m.spec.Early > 0 && m.tick.IsZero() {
		m.tick = m.now.Truncate(m.spec.Early).Add(m.spec.Early)
	}
}

// give gives a result of rows, or, where values is not nil, these.
func (m *arrivalModel) give(a *arrivals, rows []operatortest.Row, kind batch.RowKind, values []any) {
	if values == nil {
		values = compute(rows)
	}
	first, last := rows[0].Time, rows[0].Time
	for _, r := range rows {
		first, last = min(first, r.Time), max(last, r.Time)
	}
	bounds := []any{int64(first), int64(last) + 1}
	if m.spec.Global {
		bounds = []any{nil, nil}
	}
	m.results = append(m.results, operatortest.Of(kind, last, slices.Concat(a.key, bounds, values)...))
}

func (m *arrivalModel) emit(a *arrivals) {
	a.since, a.changed = 0, false
	if len(a.rows) == 0 {
		return
	}
	values := compute(keepOf(m.spec.Keep, a.rows))
	switch {
	case m.spec.Updates == Append || a.told == nil:
		m.give(a, a.rows, batch.Insert, values)
	case !slices.Equal(a.told, values):
		if m.spec.Updates == Retract {
			m.give(a, a.rows[:a.toldRows], batch.UpdateBefore, a.told)
		}
		m.give(a, a.rows, batch.UpdateAfter, values)
	}
	if a.told == nil || !slices.Equal(a.told, values) {
		a.toldRows = len(a.rows)
	}
	if a.told = values; m.spec.Purge {
		a.rows = nil
	}
}

func (m *arrivalModel) each(do func(*arrivals)) {
	for _, a := range m.keys {
		do(a)
	}
}

func (m *arrivalModel) run(events []operatortest.Event) {
	for i, e := range events {
		switch {
		case e.Rows != nil:
			for _, row := range e.Rows {
				m.row(row)
			}
		case i == len(events)-1 && m.spec.Global:
			m.each(m.emit)
		case e.Clock.IsZero():
		default:
			m.now = e.Clock
			if m.tick.IsZero() || m.tick.After(m.now) {
				continue
			}
			m.tick = time.Time{}
			m.each(func(a *arrivals) {
				if a.changed {
					m.emit(a)
				}
			})
		}
	}
}

func randomArrivals(r *rand.Rand) Spec {
	spec := Spec{Input: streamSchema(), Aggregates: oracleAggregates()}
	spec.Key = [][]int{{0}, {1}, {2}, {2, 0}, nil}[r.IntN(5)]
	spec.Memory = []int64{0, 1, 3000}[r.IntN(3)]
	if r.IntN(4) == 0 {
		sum := spec.Aggregates[1].Call
		spec.Aggregates[1] = Aggregate{Name: "sum", Module: &ModuleAggregate{
			Fields: []abi.Field{{Name: "sum", Type: abi.Int64}},
			New:    func(operator.Context) (operator.Aggregate, error) { return aggregate.New(*sum, spec.Input), nil },
		}}
	}
	if r.IntN(2) == 0 {
		spec.Count = &Count{Rows: 1 + r.Int64N(12)}
		if r.IntN(2) == 0 {
			spec.Count.Every = 1 + r.Int64N(spec.Count.Rows)
		}
		return spec
	}
	spec.Global = true
	switch r.IntN(4) {
	case 0, 1:
		spec.Early = 10 * time.Second
	case 2:
		spec.EarlyRows = 1 + r.Int64N(4)
	}
	if spec.Early > 0 || spec.EarlyRows > 0 {
		spec.Updates = Updates(r.IntN(3))
	}
	spec.Purge = spec.Updates == Append && r.IntN(2) == 0
	if spec.Aggregates[1].Module == nil {
		spec.Keep = randomKeep(r, 10*time.Microsecond)
	}
	return spec
}

func compareArrivals(t *testing.T, seed uint64, cases []operatortest.Case) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 14))
	spec := randomArrivals(r)
	events := script(r, &Spec{Size: 10 * time.Microsecond}, r.IntN(4) == 0)
	m := &arrivalModel{spec: spec, now: operatortest.Start, keys: map[string]*arrivals{}}
	m.run(events)
	want := operatortest.Lines(m.results)
	subject := operatortest.Subject{
		New:    func(c operator.Context) (operator.Operator, error) { return NewPerKey(c, spec) },
		Inputs: []operatortest.Input{{Schema: spec.Input, Key: spec.Key}},
	}
	for _, c := range cases {
		if len(spec.Key) == 0 && c.Parallelism > 1 {
			continue
		}
		got := operatortest.Run(t, subject, c, events)
		operatortest.Same(t, arrivalCase{spec, c}, operatortest.Lines(got.Port(PortResults)), want)
		if n := len(got.Port(PortLate)); n != 0 {
			t.Fatalf("%v: %d rows are late", arrivalCase{spec, c}, n)
		}
	}
}

type arrivalCase struct {
	spec Spec
	c    operatortest.Case
}

func (a arrivalCase) String() string {
	return fmt.Sprintf("%v; key %v, count %v, early %v, %d rows, updates %d, purge %v, keep %v, memory %d",
		a.c, a.spec.Key, a.spec.Count, a.spec.Early, a.spec.EarlyRows, a.spec.Updates, a.spec.Purge, a.spec.Keep, a.spec.Memory)
}

func TestWindowsByArrivalGiveWhatANaiveModelGives(t *testing.T) {
	streams := uint64(15)
	if testing.Short() {
		streams = 4
	}
	for seed := range streams {
		compareArrivals(t, seed, operatortest.Cases(seed))
	}
	var some []operatortest.Case
	for i, c := range operatortest.Cases(3000, operatortest.Pebble(t)) {
		if i%5 == 1 {
			some = append(some, c)
		}
	}
	compareArrivals(t, 3000, some)
}

func FuzzWindowsByArrivalGiveWhatANaiveModelGives(f *testing.F) {
	f.Add(uint64(204)) // rows as far apart as times can be
	f.Fuzz(func(t *testing.T, seed uint64) { compareArrivals(t, seed, operatortest.Cases(seed)) })
}

func TestRowThatTheModuleFailsDoesNotCount(t *testing.T) {
	pool, out := &batch.Pool{}, &recorder{}
	w := made(t, pool, Spec{Input: input(), Key: []int{0}, Count: &Count{Rows: 2}, Aggregates: []Aggregate{{Name: "module", Module: &ModuleAggregate{
		Fields: []abi.Field{{Name: "sum", Type: abi.Int64}},
		New: func(operator.Context) (operator.Aggregate, error) {
			return refusing{aggregate.New(aggregate.Call{Function: "sum", Columns: []int{1}}, input()), 13}, nil
		},
	}}}})
	process(t, w, out, rows(pool, row{7, 13, 1}, row{7, 1, 5}, row{7, 13, 9}, row{7, 2, 3}, row{7, 4, 3}))
	out.want(t, "failed: 7 13: refused", "failed: 7 13: refused", "0: 7 3 6 3 @5")
	advance(t, w, out, watermark.Max)
	out.want(t) // the third row that counts is in no window
}

func TestWindowsByCountThatAreNotPossible(t *testing.T) {
	for _, c := range []Count{{}, {Rows: -1}, {Rows: MaxCount + 1}, {Rows: 5, Every: 6}, {Rows: 5, Every: -1}, {Rows: 1_000_003, Every: 2}} {
		spec := Spec{Input: input(), Count: &c, Aggregates: sumOf(1)}
		if _, err := spec.Output(); err == nil {
			t.Errorf("%+v is possible", c)
		}
	}
}
