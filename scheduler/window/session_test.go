// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
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

const columnGap = 5

// sessionModel keeps all rows of each session of each key.
type sessionModel struct {
	spec    Spec
	mark    abi.EventTime
	now     time.Time
	tick    time.Time
	keys    map[string][]*naiveSession
	results []operatortest.Row
	late    []operatortest.Row
	failed  int
	came    map[*any]int // by a row's first value: when it came
}

// keepOf returns those of some rows, in the order in which they came, that a result is of.
func keepOf(k *Keep, rows []operatortest.Row) []operatortest.Row {
	switch {
	case k == nil:
		return rows
	case k.Rows > 0:
		return rows[max(0, len(rows)-int(k.Rows)):]
	}
	var kept []operatortest.Row
	latest := rows[0].Time
	for _, r := range rows {
		latest = max(latest, r.Time)
	}
	for _, r := range rows {
		if r.Time > latest-abi.EventTime(k.Time.Microseconds()) { // times may be further apart than an int64 holds
			kept = append(kept, r)
		}
	}
	return kept
}

func randomKeep(r *rand.Rand, scale time.Duration) *Keep {
	switch r.IntN(4) {
	case 0:
		return &Keep{Rows: 1 + r.Int64N(5)}
	case 1:
		return &Keep{Time: max(time.Duration(1+r.IntN(30))*scale/10/time.Microsecond*time.Microsecond, time.Microsecond)}
	}
	return nil
}

type naiveSession struct {
	key     []any
	rows    []operatortest.Row
	ends    abi.EventTime // the latest row's end
	begins  abi.EventTime
	since   int64
	changed bool
	told    [][]any // window and values of each result that holds
}

func (m *sessionModel) lateness() abi.EventTime {
	return abi.EventTime(m.spec.Lateness.Microseconds())
}

func (m *sessionModel) gap(r operatortest.Row) (abi.EventTime, bool) {
	if m.spec.Session == nil {
		return 0, true
	}
	if m.spec.Session.Gap > 0 {
		return abi.EventTime(m.spec.Session.Gap.Microseconds()), true
	}
	ms, ok := r.Values[columnGap].(int)
	return abi.EventTime(ms) * 1000, ok && ms > 0
}

func (m *sessionModel) row(r operatortest.Row) {
	gap, ok := m.gap(r)
	if !ok {
		m.failed++
		return
	}
	var key []any
	for _, col := range m.spec.Key {
		key = append(key, r.Values[col])
	}
	name := fmt.Sprintf("%#v", key)
	s := &naiveSession{key: key, begins: r.Time, ends: r.Time + gap}
	if m.spec.Session == nil {
		of := windowsOf(&m.spec, r.Time)[0]
		s.begins, s.ends = of.start, of.end
	}
	begins, ends := s.begins, s.ends
	var apart []*naiveSession
	met := false
	for _, other := range m.keys[name] {
		if other.ends <= begins || other.begins >= ends {
			apart = append(apart, other)
			continue
		}
		met = true
		s.begins, s.ends = min(s.begins, other.begins), max(s.ends, other.ends)
		s.rows, s.told = append(s.rows, other.rows...), append(s.told, other.told...)
		s.since, s.changed = s.since+other.since, s.changed || other.changed
	}
	if !met && s.ends+m.lateness() <= m.mark {
		m.late = append(m.late, r)
		return
	}
	m.came[&r.Values[0]] = len(m.came)
	s.rows = append(s.rows, r)
	m.keys[name] = append(apart, s)
	if s.since++; s.ends <= m.mark || m.spec.EarlyRows > 0 && s.since >= m.spec.EarlyRows {
		m.emit(s)
		return
	}
	s.changed = true
	if m.spec.Early > 0 && m.tick.IsZero() {
		m.tick = m.now.Truncate(m.spec.Early).Add(m.spec.Early)
	}
}

func (m *sessionModel) emit(s *naiveSession) {
	s.since, s.changed = 0, false
	if len(s.rows) == 0 {
		return
	}
	slices.SortStableFunc(s.rows, func(a, b operatortest.Row) int { return cmp.Compare(m.came[&a.Values[0]], m.came[&b.Values[0]]) })
	row := append([]any{int64(s.begins), int64(s.ends)}, compute(keepOf(m.spec.Keep, s.rows))...)
	if m.spec.Purge {
		s.rows = nil
	}
	give := func(kind batch.RowKind, row []any) {
		m.results = append(m.results, operatortest.Of(kind, abi.EventTime(row[1].(int64))-1, slices.Concat(s.key, row)...))
	}
	kind := batch.Insert
	if m.spec.Updates != Append {
		if len(s.told) == 1 && slices.Equal(s.told[0], row) {
			return
		}
		same := len(s.told) == 1 && slices.Equal(s.told[0][:2], row[:2])
		switch {
		case same && m.spec.Updates == Retract:
			give(batch.UpdateBefore, s.told[0])
		case !same:
			for _, told := range s.told {
				give(batch.Delete, told)
			}
		}
		if same {
			kind = batch.UpdateAfter
		}
		s.told = [][]any{row}
	}
	give(kind, row)
}

func (m *sessionModel) each(do func(*naiveSession)) {
	for _, all := range m.keys {
		for _, s := range all {
			do(s)
		}
	}
}

func (m *sessionModel) watermark(t abi.EventTime) {
	before := m.mark
	m.mark = max(m.mark, t)
	m.each(func(s *naiveSession) {
		if s.ends > before && s.ends <= m.mark {
			m.emit(s)
		}
	})
	for key := range m.keys {
		m.keys[key] = slices.DeleteFunc(m.keys[key], func(s *naiveSession) bool { return s.ends+m.lateness() <= m.mark })
	}
}

func (m *sessionModel) clock(t time.Time) {
	m.now = t
	if m.tick.IsZero() || m.tick.After(t) || m.mark == watermark.Max {
		return
	}
	m.tick = time.Time{}
	m.each(func(s *naiveSession) {
		if s.changed && s.ends > m.mark {
			m.emit(s)
		}
	})
}

func (m *sessionModel) run(events []operatortest.Event) {
	for _, e := range events {
		switch {
		case e.Rows != nil:
			for _, row := range e.Rows {
				m.row(row)
			}
		case !e.Clock.IsZero():
			m.clock(e.Clock)
		default:
			m.watermark(e.Watermark)
		}
	}
}

// randomSessions returns sessions, or tumbling windows that purge or keep some rows, with settings of each kind, and a
// stream for them.
func randomSessions(r *rand.Rand) (Spec, []operatortest.Event) {
	in := streamSchema()
	in.Fields = append(in.Fields, abi.Field{Name: "gap", Type: []abi.Type{abi.Int32, abi.Int64}[r.IntN(2)]})
	spec := Spec{Input: in, Aggregates: oracleAggregates(), Session: &Session{Column: columnGap}}
	spec.Key = [][]int{{0}, {1}, {2}, {2, 0}, nil}[r.IntN(5)]
	scale := []time.Duration{time.Millisecond, 10 * time.Millisecond}[r.IntN(2)]
	if r.IntN(2) == 0 {
		scale = time.Duration(1+r.IntN(30)) * time.Microsecond
		spec.Session.Gap = scale
	}
	if r.IntN(2) == 0 {
		spec.Lateness = time.Duration(1+r.IntN(3)) * scale
	}
	switch r.IntN(4) {
	case 0, 1:
		spec.Early = 10 * time.Second
	case 2:
		spec.EarlyRows = 1 + r.Int64N(4)
	}
	if spec.Lateness > 0 || spec.Early > 0 || spec.EarlyRows > 0 {
		spec.Updates = Updates(r.IntN(3))
	}
	spec.Purge = spec.Updates == Append && r.IntN(3) == 0
	spec.Memory = []int64{0, 1, 3000}[r.IntN(3)]
	spec.Keep = randomKeep(r, scale)
	if r.IntN(4) == 0 {
		spec.Session, spec.Size, spec.Offset = nil, scale, time.Duration(r.IntN(30)-15)*time.Microsecond
		if !spec.Purge && spec.Keep == nil {
			spec.Keep = &Keep{Rows: 3}
		}
	}
	like := Spec{Size: scale}
	events := script(r, &like, r.IntN(4) == 0)
	for i := range events {
		for j := range events[i].Rows {
			var gap any = 1 + r.IntN(2*int(max(scale/time.Millisecond, 1)))
			if r.IntN(20) == 0 {
				gap = []any{nil, 0, -5}[r.IntN(3)]
			}
			events[i].Rows[j].Values = append(events[i].Rows[j].Values, gap)
		}
	}
	return spec, events
}

func compareSessions(t *testing.T, seed uint64, cases []operatortest.Case) {
	t.Helper()
	spec, events := randomSessions(rand.New(rand.NewPCG(seed, 12)))
	m := &sessionModel{spec: spec, mark: watermark.Min, now: operatortest.Start, keys: map[string][]*naiveSession{}, came: map[*any]int{}}
	m.run(events)
	want, late := operatortest.Lines(m.results), operatortest.Lines(m.late)
	subject := operatortest.Subject{
		New:    func(c operator.Context) (operator.Operator, error) { return NewPerKey(c, spec) },
		Inputs: []operatortest.Input{{Schema: spec.Input, Key: spec.Key}},
	}
	for _, c := range cases {
		if len(spec.Key) == 0 && c.Parallelism > 1 {
			continue
		}
		got := operatortest.Run(t, subject, c, events)
		about := sessionCase{spec, c}
		operatortest.Same(t, about, operatortest.Lines(got.Port(PortResults)), want)
		operatortest.Same(t, about, operatortest.Lines(got.Port(PortLate)), late)
		if n := got.Counters["late"]; n != int64(len(late)) || len(got.Failed) != m.failed {
			t.Fatalf("%v: %d rows are late of %d, %d failed of %d", about, n, len(late), len(got.Failed), m.failed)
		}
		if _, err := operatortest.Table(got.Port(PortResults)); err != nil {
			t.Fatalf("%v: %v", about, err)
		}
	}
}

type sessionCase struct {
	spec Spec
	c    operatortest.Case
}

func (s sessionCase) String() string {
	return fmt.Sprintf("%v; key %v, sessions %+v, size %v, lateness %v, early %v, %d rows, updates %d, purge %v, keep %v, memory %d",
		s.c, s.spec.Key, s.spec.Session, s.spec.Size, s.spec.Lateness, s.spec.Early, s.spec.EarlyRows, s.spec.Updates, s.spec.Purge, s.spec.Keep, s.spec.Memory)
}

func TestSessionsGiveWhatANaiveModelGives(t *testing.T) {
	streams := uint64(15)
	if testing.Short() {
		streams = 4
	}
	for seed := range streams {
		compareSessions(t, seed, operatortest.Cases(seed))
	}
}

func TestSessionsGiveTheSameOverStateOnDisk(t *testing.T) {
	streams := uint64(4)
	if testing.Short() {
		streams = 1
	}
	for seed := range streams {
		var some []operatortest.Case
		for i, c := range operatortest.Cases(2000+seed, operatortest.Pebble(t)) {
			if i%5 == int(seed) {
				some = append(some, c)
			}
		}
		compareSessions(t, 2000+seed, some)
	}
}

// Rows that are not late make the sessions that lie apart by a gap where all rows are sorted.
func TestSessionsAreWhereSortedRowsLieApart(t *testing.T) {
	streams := uint64(60)
	if testing.Short() {
		streams = 15
	}
	for seed := range streams {
		r := rand.New(rand.NewPCG(seed, 13))
		const gap, delay = 10, 40
		spec := Spec{
			Input: streamSchema(), Key: []int{0}, Session: &Session{Gap: gap * time.Microsecond},
			Aggregates: []Aggregate{{Name: "rows", Call: &aggregate.Call{Function: "count"}}},
		}
		var events []operatortest.Event
		times := map[int][]abi.EventTime{}
		for at := abi.EventTime(0); at < 600; at += abi.EventTime(r.IntN(12)) {
			key, t := r.IntN(3), at-abi.EventTime(r.IntN(delay))
			times[key] = append(times[key], t)
			events = append(events, operatortest.Rows(0, operatortest.At(t, key, 0, "", 0, 0.0)), operatortest.Watermark(at-delay))
		}
		events = append(events, operatortest.Watermark(watermark.Max))
		var want []string
		for key, of := range times {
			slices.SortFunc(of, cmp.Compare)
			for from := 0; from < len(of); {
				to := from + 1
				for to < len(of) && of[to]-of[to-1] < gap {
					to++
				}
				end := int64(of[to-1]) + gap
				want = append(want, operatortest.At(abi.EventTime(end-1), int64(key), int64(of[from]), end, int64(to-from)).String())
				from = to
			}
		}
		slices.Sort(want)
		subject := operatortest.Subject{
			New:    func(c operator.Context) (operator.Operator, error) { return NewPerKey(c, spec) },
			Inputs: []operatortest.Input{{Schema: spec.Input, Key: spec.Key}},
		}
		c := operatortest.Case{Seed: seed, Parallelism: 2, BatchRows: 3, Backend: operatortest.Memory(), Restores: 0.05}
		operatortest.Same(t, c, operatortest.Lines(operatortest.Run(t, subject, c, events).Port(PortResults)), want)
	}
}

func BenchmarkSessions(b *testing.B) {
	for _, keys := range []int64{1_000, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			ctx, out := operatortest.Bench(b)
			r := rand.New(rand.NewPCG(1, 1))
			in := keyed(ctx.Pool, 200, 0, func() int64 { return r.Int64N(keys) })
			w, err := NewPerKey(ctx, Spec{
				Input: input(), Key: []int{0}, Session: &Session{Gap: time.Duration(4*keys) * time.Microsecond},
				Aggregates: []Aggregate{
					{Name: "rows", Call: &aggregate.Call{Function: "count"}}, {Name: "sum", Call: &aggregate.Call{Function: "sum", Columns: []int{1}}},
				},
			})
			if err != nil {
				b.Fatal(err)
			}
			times := make([]abi.EventTime, 1024)
			var at abi.EventTime
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for row := range times {
					times[row] = at + abi.EventTime(row)
				}
				timed := ctx.Pool.WithTimes(in[i%len(in)].Retain(), times)
				if err := w.Process(b.Context(), 0, timed, out); err != nil {
					b.Fatal(err)
				}
				timed.Release()
				if at += 1024; i%10 == 0 {
					if err := w.Watermark(b.Context(), at, out); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
		})
	}
}

func FuzzSessionsGiveWhatANaiveModelGives(f *testing.F) {
	f.Add(uint64(61)) // a tick of a key none of whose windows has changed, and which is read again then
	f.Fuzz(func(t *testing.T, seed uint64) { compareSessions(t, seed, operatortest.Cases(seed)) })
}
