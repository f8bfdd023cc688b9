// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"errors"
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

// streamSchema has columns for keys of each sort and for values.
func streamSchema() *abi.Schema {
	return &abi.Schema{Fields: []abi.Field{
		{Name: "number", Type: abi.Int64}, {Name: "small", Type: abi.Int32}, {Name: "text", Type: abi.String},
		{Name: "value", Type: abi.Int64}, {Name: "float", Type: abi.Float64},
	}}
}

const (
	columnValue = 3
	columnFloat = 4
)

// oracle computes what windows give, row by row, with all rows of each window at hand.
type oracle struct {
	spec    Spec
	mark    abi.EventTime
	now     time.Time
	tick    time.Time
	windows map[naiveWindow]map[string]*naiveGroup
	results []operatortest.Row
	late    []operatortest.Row
}

type naiveWindow struct{ start, end abi.EventTime }

type naiveGroup struct {
	key     []any
	rows    []operatortest.Row
	changed bool
	told    []any
}

// windowsOf lists the windows of a time by trying them one by one.
func windowsOf(s *Spec, t abi.EventTime) []naiveWindow {
	var all []naiveWindow
	micros := func(d time.Duration) abi.EventTime { return abi.EventTime(d.Microseconds()) }
	if s.Zone != nil {
		return zonedWindowsOf(s, t)
	}
	period := s.Size
	if s.Slide > 0 {
		period = s.Slide
	}
	start := micros(s.Offset) + (t-micros(s.Offset))/micros(period)*micros(period)
	for start > t {
		start -= micros(period)
	}
	for ; start+micros(s.Size) > t; start -= micros(period) {
		if s.Step == 0 {
			all = append(all, naiveWindow{start, start + micros(s.Size)})
			continue
		}
		for end := start + micros(s.Step); end <= start+micros(s.Size); end += micros(s.Step) {
			if end > t {
				all = append(all, naiveWindow{start, end})
			}
		}
	}
	return all
}

// zonedWindowsOf walks over the days of a zone. It takes times of a few days around 1970 to 2100.
func zonedWindowsOf(s *Spec, t abi.EventTime) []naiveWindow {
	var all []naiveWindow
	days := func(d time.Duration) int { return int(d / day) }
	begin := func(n int) abi.EventTime { return dayBegins(s.Zone, s.Offset, n) }
	period := days(s.Size)
	if s.Slide > 0 {
		period = days(s.Slide)
	}
	about := int(int64(t) / dayLen)
	for n := about - days(s.Size) - 2*period - 2; n < about+2*period+2; n++ {
		if n%period != 0 || n > about+2 || begin(n) > t || begin(n+days(s.Size)) <= t {
			continue
		}
		last := begin(n + days(s.Size))
		if s.Step == 0 {
			all = append(all, naiveWindow{begin(n), last})
			continue
		}
		for i := 1; ; i++ {
			end := min(begin(n)+abi.EventTime(i)*abi.EventTime(s.Step.Microseconds()), last)
			if s.Step%day == 0 {
				end = begin(n + i*days(s.Step))
			}
			if end > t {
				all = append(all, naiveWindow{begin(n), end})
			}
			if end >= last {
				break
			}
		}
	}
	return all
}

// dayBegins tries each half hour until the clocks of a zone show the offset of a day, or more.
func dayBegins(zone *time.Location, offset time.Duration, n int) abi.EventTime {
	want := time.Date(1970, 1, 1+n, 0, 0, 0, int(offset), time.UTC)
	for at := want.Add(-15 * time.Hour); ; at = at.Add(30 * time.Minute) {
		l := at.In(zone)
		if shown := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC); !shown.Before(want) {
			return abi.EventTime(at.UnixMicro())
		}
	}
}

func (o *oracle) lateness() abi.EventTime { return abi.EventTime(o.spec.Lateness.Microseconds()) }

func (o *oracle) over(w naiveWindow) bool {
	return o.mark != watermark.Min && w.end+o.lateness() <= o.mark
}

func (o *oracle) row(r operatortest.Row) {
	windows := windowsOf(&o.spec, r.Time)
	if !slices.ContainsFunc(windows, func(w naiveWindow) bool { return !o.over(w) }) {
		o.late = append(o.late, r)
		return
	}
	for _, w := range windows {
		if o.over(w) {
			continue
		}
		g := o.group(w, r)
		if r.Kind == batch.Delete || r.Kind == batch.UpdateBefore {
			i := slices.IndexFunc(g.rows, func(had operatortest.Row) bool { return slices.Equal(had.Values, r.Values) })
			g.rows = slices.Delete(g.rows, i, i+1)
		} else {
			g.rows = append(g.rows, r)
		}
		if w.end <= o.mark || o.spec.EarlyRows > 0 && int64(len(g.rows))%o.spec.EarlyRows == 0 {
			o.emit(w, g)
		}
		g.changed = true
	}
	if o.spec.Early > 0 && o.tick.IsZero() {
		o.tick = o.now.Truncate(o.spec.Early).Add(o.spec.Early)
	}
}

func (o *oracle) group(w naiveWindow, r operatortest.Row) *naiveGroup {
	if o.windows[w] == nil {
		o.windows[w] = map[string]*naiveGroup{}
	}
	var key []any
	for _, col := range o.spec.Key {
		key = append(key, r.Values[col])
	}
	name := fmt.Sprintf("%#v", key)
	if o.windows[w][name] == nil {
		o.windows[w][name] = &naiveGroup{key: key}
	}
	return o.windows[w][name]
}

// emit gives the result of a group.
func (o *oracle) emit(w naiveWindow, g *naiveGroup) {
	kind := batch.Insert
	give := func(kind batch.RowKind, values []any) {
		row := slices.Concat(g.key, []any{int64(w.start), int64(w.end)}, values)
		o.results = append(o.results, operatortest.Of(kind, w.end-1, row...))
	}
	if len(g.rows) == 0 {
		if g.told != nil && o.spec.Updates != Append {
			give(batch.Delete, g.told)
			g.told = nil
		}
		return
	}
	values := compute(g.rows)
	if o.spec.Updates != Append && g.told != nil {
		if slices.Equal(g.told, values) {
			return
		}
		if o.spec.Updates == Retract {
			give(batch.UpdateBefore, g.told)
		}
		kind = batch.UpdateAfter
	}
	give(kind, values)
	g.told = values
}

// compute returns count(), sum(value), min(value), count_distinct(value) and avg(float).
func compute(rows []operatortest.Row) []any {
	var sum, least, total any
	distinct := map[any]bool{}
	floats := 0
	for _, r := range rows {
		if v, ok := r.Values[columnValue].(int); ok {
			distinct[v] = true
			if sum == nil {
				sum, least = int64(0), int64(v)
			}
			sum, least = sum.(int64)+int64(v), min(least.(int64), int64(v))
		}
		if f, ok := r.Values[columnFloat].(float64); ok {
			if total == nil {
				total = 0.0
			}
			total = total.(float64) + f
			floats++
		}
	}
	if total != nil {
		total = total.(float64) / float64(floats)
	}
	return []any{int64(len(rows)), sum, least, int64(len(distinct)), total}
}

func oracleAggregates() []Aggregate {
	call := func(name, function string, columns ...int) Aggregate {
		return Aggregate{Name: name, Call: &aggregate.Call{Function: function, Columns: columns}}
	}
	return []Aggregate{
		call("rows", "count"), call("sum", "sum", columnValue), call("least", "min", columnValue),
		call("distinct", "count_distinct", columnValue), call("mean", "avg", columnFloat),
	}
}

func (o *oracle) watermark(t abi.EventTime) {
	before := o.mark
	o.mark = max(o.mark, t)
	for w, groups := range o.windows {
		for _, g := range groups {
			if w.end > before && w.end <= o.mark {
				o.emit(w, g)
			}
		}
	}
}

func (o *oracle) clock(t time.Time) {
	o.now = t
	if o.tick.IsZero() || o.tick.After(t) || o.mark == watermark.Max {
		return
	}
	o.tick = time.Time{}
	for w, groups := range o.windows {
		for _, g := range groups {
			if w.end > o.mark && g.changed {
				o.emit(w, g)
			}
			g.changed = false
		}
	}
}

// script makes a random stream: out of order, with ties, late rows, null keys, a hot key, extremes.
func script(r *rand.Rand, spec *Spec, extremes bool) []operatortest.Event {
	var events []operatortest.Event
	size := spec.Size.Microseconds()
	at := r.Int64N(10*size) - 5*size
	if spec.Zone != nil {
		at = time.Date(2024, []time.Month{3, 10, 6}[r.IntN(3)], 20+r.IntN(12), 0, 0, 0, 0, spec.Zone).UnixMicro()
	}
	var present []operatortest.Row
	now := operatortest.Start
	keys := []int{6, 6, 500}[r.IntN(3)]
	for range 2 + r.IntN(25) {
		switch r.IntN(10) {
		case 0, 1:
			events = append(events, operatortest.Watermark(abi.EventTime(at-r.Int64N(size))))
		case 2:
			now = now.Add(time.Duration(r.Int64N(int64(25 * time.Second))))
			events = append(events, operatortest.Clock(now))
		default:
			var rows []operatortest.Row
			for range 1 + r.IntN(2*keys)%100 {
				if spec.Changes && len(present) > 0 && r.IntN(3) == 0 {
					i := r.IntN(len(present))
					gone := present[i]
					gone.Kind = []batch.RowKind{batch.Delete, batch.UpdateBefore}[r.IntN(2)]
					rows, present = append(rows, gone), slices.Delete(present, i, i+1)
					continue
				}
				row := randomRow(r, keys, abi.EventTime(at-r.Int64N(2*size)+r.Int64N(size)))
				if extremes && r.IntN(30) == 0 {
					row.Time = []abi.EventTime{watermark.MaxEventTime, -watermark.MaxEventTime}[r.IntN(2)]
				}
				if spec.Changes && r.IntN(4) == 0 {
					row.Kind = batch.UpdateAfter
				}
				rows, present = append(rows, row), append(present, row)
			}
			events = append(events, operatortest.Rows(0, rows...))
		}
		at += r.Int64N(1 + size/[]int64{1, 4, 20}[r.IntN(3)])
	}
	return append(events, operatortest.Watermark(watermark.Max))
}

func randomRow(r *rand.Rand, keys int, at abi.EventTime) operatortest.Row {
	key := r.IntN(keys)
	if r.IntN(3) == 0 {
		key = 0
	}
	values := []any{key, key, fmt.Sprint("key ", key), r.IntN(9) - 4, float64(r.IntN(40)) / 4}
	if key == 5 {
		values[0], values[1], values[2] = nil, nil, nil
	}
	for i := columnValue; i <= columnFloat; i++ {
		if r.IntN(8) == 0 {
			values[i] = nil
		}
	}
	return operatortest.At(at, values...)
}

// randomSpec returns windows of each kind with settings of each kind.
func randomSpec(r *rand.Rand, berlin *time.Location) Spec {
	spec := Spec{Input: streamSchema(), Aggregates: oracleAggregates()}
	spec.Key = [][]int{{0}, {1}, {2}, {2, 0}, nil}[r.IntN(5)]
	unit := time.Microsecond
	if r.IntN(4) == 0 {
		spec.Zone, unit = berlin, day
	}
	n := func(most int) time.Duration { return time.Duration(1 + r.IntN(most)) }
	switch r.IntN(3) {
	case 0:
		spec.Size = n(20) * unit
	case 1:
		spec.Size = n(20) * unit
		spec.Slide = time.Duration(1+r.Int64N(int64(spec.Size/unit))) * unit
	case 2:
		spec.Step = n(5) * unit
		if spec.Zone != nil && r.IntN(2) == 0 {
			spec.Step = []time.Duration{time.Hour, 6 * time.Hour, 8 * time.Hour}[r.IntN(3)]
			spec.Size = n(2) * day
		} else {
			spec.Size = n(6) * spec.Step
		}
	}
	spec.Offset = time.Duration(r.Int64N(int64(spec.Size)*2)-int64(spec.Size)) / time.Microsecond * time.Microsecond
	if spec.Zone != nil {
		spec.Offset = time.Duration(r.IntN(48)-24) * time.Hour
	}
	if r.IntN(2) == 0 {
		spec.Lateness = n(30) * unit
	}
	switch {
	case r.IntN(2) == 0:
		spec.Early = 10 * time.Second
	case r.IntN(2) == 0 && spec.Slide == 0 && spec.Step == 0:
		spec.EarlyRows = 1 + r.Int64N(4)
	}
	spec.Changes = r.IntN(4) == 0 && spec.EarlyRows == 0
	if spec.Lateness > 0 || spec.Early > 0 || spec.EarlyRows > 0 {
		spec.Updates = Updates(r.IntN(3))
	}
	if !spec.Changes && r.IntN(4) == 0 {
		sum := spec.Aggregates[1].Call
		spec.Aggregates[1] = Aggregate{Name: "sum", Module: &ModuleAggregate{
			Fields: []abi.Field{{Name: "sum", Type: abi.Int64}},
			New:    func(operator.Context) (operator.Aggregate, error) { return aggregate.New(*sum, spec.Input), nil },
		}}
	}
	spec.Memory = []int64{0, 1, 3000}[r.IntN(3)]
	return spec
}

func TestWindowsGiveWhatANaiveModelGives(t *testing.T) {
	streams := uint64(40)
	if testing.Short() {
		streams = 8
	}
	for seed := range streams {
		compare(t, seed, operatortest.Cases(seed))
	}
}

func FuzzWindowsGiveWhatANaiveModelGives(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, seed, operatortest.Cases(seed)) })
}

func TestWindowsGiveTheSameOverStateOnDisk(t *testing.T) {
	streams := uint64(4)
	if testing.Short() {
		streams = 1
	}
	for seed := range streams {
		var some []operatortest.Case
		for i, c := range operatortest.Cases(1000+seed, operatortest.Pebble(t)) {
			if i%5 == int(seed) {
				some = append(some, c)
			}
		}
		compare(t, 1000+seed, some)
	}
}

// compare runs the windows and the stream of a seed, and compares with the model.
func compare(t *testing.T, seed uint64, cases []operatortest.Case) {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 11))
	spec := randomSpec(r, berlin)
	events := script(r, &spec, spec.Zone == nil && r.IntN(4) == 0)
	o := &oracle{spec: spec, mark: watermark.Min, now: operatortest.Start, windows: map[naiveWindow]map[string]*naiveGroup{}}
	o.run(events)
	want, late := operatortest.Lines(o.results), operatortest.Lines(o.late)
	subject := operatortest.Subject{
		New:    func(c operator.Context) (operator.Operator, error) { return New(c, spec) },
		Inputs: []operatortest.Input{{Schema: spec.Input, Key: spec.Key}},
	}
	both := subject
	both.New = func(c operator.Context) (operator.Operator, error) { return newPhased(c, spec) }
	phases := len(spec.Key) > 0 && !spec.Changes && spec.EarlyRows == 0 && spec.Aggregates[1].Module == nil
	for i, c := range cases {
		if len(spec.Key) == 0 && c.Parallelism > 1 {
			continue
		}
		subject := subject
		if i%2 == 0 && phases {
			subject = both
		}
		got := operatortest.Run(t, subject, c, events)
		about := described{spec, c}
		operatortest.Same(t, about, operatortest.Lines(got.Port(PortResults)), want)
		operatortest.Same(t, about, operatortest.Lines(got.Port(PortLate)), late)
		if n := got.Counters["late"]; n != int64(len(late)) {
			t.Fatalf("%v: %d rows are counted as late of %d", about, n, len(late))
		}
	}
}

func (o *oracle) run(events []operatortest.Event) {
	for _, e := range events {
		switch {
		case e.Rows != nil:
			for _, row := range e.Rows {
				o.row(row)
			}
		case !e.Clock.IsZero():
			o.clock(e.Clock)
		default:
			o.watermark(e.Watermark)
		}
	}
}

// described says in a failure which windows and which case it is of.
type described struct {
	spec Spec
	c    operatortest.Case
}

func (d described) String() string {
	s := d.spec
	return fmt.Sprintf("%v; key %v, size %v, slide %v, step %v, offset %v, zone %v, lateness %v, early %v, %d rows, updates %d, changes %v, memory %d",
		d.c, s.Key, s.Size, s.Slide, s.Step, s.Offset, s.Zone, s.Lateness, s.Early, s.EarlyRows, s.Updates, s.Changes, s.Memory)
}

// phased is both phases of windows as one operator. The sums of floats here are exact.
type phased struct {
	*Aligned
	local *Local
	out   operator.Output
}

func newPhased(c operator.Context, spec Spec) (*phased, error) {
	aligned, err := New(c, spec)
	if err != nil {
		return nil, err
	}
	local, err := NewLocal(c, spec)
	if err != nil {
		return nil, err
	}
	local.mark = c.Watermark
	return &phased{Aligned: aligned, local: local}, nil
}

func (p *phased) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	p.out = out
	return p.local.Process(ctx, 0, b, p)
}

// Watermark lets the first phase be ahead, as one of several is.
func (p *phased) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	ahead := t
	if t%2 == 0 && t < watermark.MaxEventTime {
		ahead += 5
	}
	if err := p.local.Watermark(ctx, max(ahead, p.local.mark), out); err != nil {
		return err
	}
	return p.Aligned.Watermark(ctx, t, out)
}

func (p *phased) Emit(ctx context.Context, _ int, b *batch.Batch) error {
	defer b.Release()
	return p.Aligned.Process(ctx, InputPartials, b, p.out)
}

func (p *phased) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error { return reason }

func (p *phased) Close(ctx context.Context) error {
	return errors.Join(p.local.Close(ctx), p.Aligned.Close(ctx))
}
