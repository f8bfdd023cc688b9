// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

// rules are what the trigger of the tests does. By key it counts rows: a window fires with each fire-th row, and is
// purged with each purge-th one. A row sets a timer of event time that fires its window, and purges it where the time is odd, and
// one of processing time that fires it. A row whose value is 3 fails once it is counted.
type rules struct {
	fire, purge int64
	after       abi.EventTime // from the row to the timer, 0 for none
	wait        time.Duration // likewise, of processing time
	elsewhere   bool          // a row fires the window one microsecond before its own too
}

// counter is a trigger that goes by rules. Counts lie in memory until Flush.
type counter struct {
	rules
	ctx       operator.Context
	spec      *Spec
	counts    map[string]int64
	event     *timer.Timers
	clock     *timer.Timers
	decisions *batch.Builder
}

var (
	_ operator.Stateful = (*counter)(nil)
	_ operator.Clocked  = (*counter)(nil)
)

// triggerOf returns the trigger, whose decisions have their columns in another order, and one more.
func triggerOf(spec *Spec, r rules) *Trigger {
	fields := spec.decisionFields()
	slices.Reverse(fields)
	fields = append(fields, abi.Field{Name: "why", Type: abi.String})
	schema := &abi.Schema{Fields: fields}
	return &Trigger{Decisions: schema, New: func(c operator.Context) (operator.Operator, error) {
		return &counter{
			rules: r, ctx: c, spec: spec, counts: map[string]int64{}, event: timer.New(c.State, timer.EventTime),
			clock: timer.New(c.State, timer.ProcessingTime), decisions: c.Pool.NewBuilder(schema),
		}, nil
	}}
}

func (c *counter) Open(context.Context) error  { return nil }
func (c *counter) Close(context.Context) error { return nil }

func (c *counter) stored(key string) []byte {
	return state.AppendKey(nil, state.GroupOf([]byte(key), c.ctx.Groups), 1, []byte(key), nil)
}

func (c *counter) Flush(context.Context) error {
	for key, n := range c.counts {
		if err := c.ctx.State.Put(c.stored(key), binary.AppendVarint(nil, n)); err != nil {
			return err
		}
	}
	clear(c.counts)
	return nil
}

func (c *counter) count(key string) (int64, error) {
	if _, ok := c.counts[key]; !ok {
		var keys, values state.Strings
		keys.Append(c.stored(key))
		if err := c.ctx.State.Get(&keys, &values); err != nil {
			return 0, err
		}
		c.counts[key], _ = binary.Varint(values.At(0))
	}
	c.counts[key]++
	return c.counts[key], nil
}

// encoded returns the start of a window as the namespace of a timer: none of a global one.
func encoded(start int64, global bool) []byte {
	if global {
		return nil
	}
	return state.AppendTime(nil, start)
}

func (c *counter) decide(key string, start []byte, fire, purge bool) error {
	n := len(c.spec.Key)
	for i, rest := 0, []byte(key); i < n; i++ {
		var err error
		if rest, err = c.decisions.Column(n + 2 - i).AppendValue(rest); err != nil {
			return err
		}
	}
	if start != nil {
		c.decisions.Column(2).AppendInt64(state.Time(start))
	}
	if purge { // null is false
		c.decisions.Column(0).AppendBool(true)
	}
	c.decisions.Column(1).AppendBool(fire)
	c.decisions.EndRow()
	return nil
}

func (c *counter) emit(ctx context.Context, out operator.Output) error {
	if c.decisions.Rows() == 0 {
		return nil
	}
	return out.Emit(ctx, 0, c.decisions.Finish())
}

func (c *counter) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	bounds := len(c.spec.Input.Fields)
	for row := range b.Rows() {
		var key []byte
		for _, col := range c.spec.Key {
			key = batch.AppendValue(key, &b.Columns[col], row)
		}
		starts := &b.Columns[bounds]
		if starts.Null(row) != c.spec.Global {
			return fmt.Errorf("the start of a window is null: %v", starts.Null(row))
		}
		start := encoded(starts.Int64s()[row], c.spec.Global)
		if t := b.Times[row]; !c.spec.Global && (t < abi.EventTime(starts.Int64s()[row]) || t >= abi.EventTime(b.Columns[bounds+1].Int64s()[row])) {
			return fmt.Errorf("a row at %d is in the window that starts at %d", t, starts.Int64s()[row])
		}
		n, err := c.count(string(key))
		if err != nil {
			return err
		}
		if v := &b.Columns[columnValue]; !v.Null(row) && v.Int64s()[row] == 3 {
			if err := out.Fail(ctx, b, row, fmt.Errorf("three")); err != nil {
				return err
			}
			continue
		}
		if c.elsewhere && start != nil {
			if err := c.decide(string(key), state.AppendTime(nil, state.Time(start)-1), true, false); err != nil {
				return err
			}
		}
		if err := c.decide(string(key), start, n%c.fire == 0, n%c.purge == 0); err != nil {
			return err
		}
		t := timer.Timer{Group: state.GroupOf(key, c.ctx.Groups), Key: key, Namespace: start}
		if c.after > 0 {
			if t.Time = int64(b.Times[row] + c.after); t.Time <= int64(watermark.MaxEventTime) {
				err = c.event.Set(t)
			}
		}
		if t.Time = c.ctx.Now().Add(c.wait).UnixMicro(); err == nil && c.wait > 0 {
			err = c.clock.Set(t)
		}
		if err != nil {
			return err
		}
	}
	return c.emit(ctx, out)
}

func (c *counter) pop(ctx context.Context, timers *timer.Timers, upTo int64, purges bool, out operator.Output) error {
	for more := true; more; {
		var err error
		if more, err = timers.Pop(upTo, 7, func(t *timer.Timer) error {
			var start []byte
			if !c.spec.Global {
				start = t.Namespace
			}
			return c.decide(string(t.Key), start, true, purges && t.Time%2 != 0)
		}); err != nil {
			return err
		}
		if err := c.emit(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

func (c *counter) Watermark(ctx context.Context, t abi.EventTime, out operator.Output) error {
	return c.pop(ctx, c.event, int64(t), true, out)
}

func (c *counter) Next() time.Time {
	t, err := c.clock.Next(1<<63 - 1)
	if t == nil || err != nil {
		return time.Time{}
	}
	return time.UnixMicro(t.Time)
}

func (c *counter) Tick(ctx context.Context, now time.Time, out operator.Output) error {
	return c.pop(ctx, c.clock, now.UnixMicro(), false, out)
}

// triggerModel keeps all rows of each window of each key, and does as rules say.
type triggerModel struct {
	spec    Spec
	rules   rules
	mark    abi.EventTime
	now     time.Time
	keys    map[string]*triggeredKey
	results []operatortest.Row
	late    []operatortest.Row
	failed  int
	astray  int64
	came    int
}

type triggeredKey struct {
	key          []any
	count        int64
	windows      []*triggeredWindow
	event, clock []triggerTimer
}

type triggerTimer struct {
	at    int64
	start abi.EventTime
}

type triggeredWindow struct {
	start, end abi.EventTime
	rows       []operatortest.Row
	came       []int
	told       [][]any // begins, ends, values
}

func (m *triggerModel) over(w *triggeredWindow) bool {
	if m.spec.Global {
		return m.mark == watermark.Max
	}
	return w.end+abi.EventTime(m.spec.Lateness.Microseconds()) <= m.mark
}

func (m *triggerModel) row(r operatortest.Row) {
	var key []any
	for _, col := range m.spec.Key {
		key = append(key, r.Values[col])
	}
	name := fmt.Sprintf("%#v", key)
	k := m.keys[name]
	if k == nil {
		k = &triggeredKey{key: key}
		m.keys[name] = k
	}
	w := m.put(k, r)
	if w == nil {
		m.late = append(m.late, r)
		return
	}
	k.count++
	if r.Values[columnValue] == 3 {
		m.failed++
		return
	}
	if m.rules.elsewhere && !m.spec.Global {
		m.decide(k, w.start-1, true, false)
	}
	m.decide(k, w.start, k.count%m.rules.fire == 0, k.count%m.rules.purge == 0)
	start := w.start
	if m.spec.Global {
		start = 0
	}
	set := func(timers *[]triggerTimer, at int64) {
		if t := (triggerTimer{at, start}); !slices.Contains(*timers, t) {
			*timers = append(*timers, t)
		}
	}
	if at := r.Time + m.rules.after; m.rules.after > 0 && at <= watermark.MaxEventTime {
		set(&k.event, int64(at))
	}
	if m.rules.wait > 0 {
		set(&k.clock, m.now.Add(m.rules.wait).UnixMicro())
	}
}

// put puts a row into its window, and returns it, nil where the row is late.
func (m *triggerModel) put(k *triggeredKey, r operatortest.Row) *triggeredWindow {
	fresh := &triggeredWindow{start: r.Time, end: r.Time + 1}
	switch {
	case m.spec.Session != nil:
		fresh.end = r.Time + abi.EventTime(m.spec.Session.Gap.Microseconds())
	case !m.spec.Global:
		of := windowsOf(&m.spec, r.Time)[0]
		fresh.start, fresh.end = of.start, of.end
	}
	meets := func(w *triggeredWindow) bool { return m.spec.Global || w.end > fresh.start && w.start < fresh.end }
	if !slices.ContainsFunc(k.windows, meets) && !m.spec.Global && m.over(fresh) {
		return nil
	}
	var apart, all []*triggeredWindow
	for _, w := range k.windows {
		if meets(w) {
			all = append(all, w)
		} else {
			apart = append(apart, w)
		}
	}
	for _, w := range all {
		fresh.start, fresh.end = min(fresh.start, w.start), max(fresh.end, w.end)
		fresh.rows, fresh.came = append(fresh.rows, w.rows...), append(fresh.came, w.came...)
		fresh.told = append(fresh.told, w.told...)
	}
	m.came++
	fresh.rows, fresh.came = append(fresh.rows, r), append(fresh.came, m.came)
	k.windows = append(apart, fresh)
	return fresh
}

func (m *triggerModel) decide(k *triggeredKey, start abi.EventTime, fire, purge bool) {
	at := slices.IndexFunc(k.windows, func(w *triggeredWindow) bool { return m.spec.Global || w.start <= start && start < w.end })
	if at < 0 {
		m.astray++
		return
	}
	w := k.windows[at]
	if fire && len(w.rows) > 0 {
		m.give(k, w)
	}
	if purge {
		w.rows, w.came, w.told = nil, nil, nil
		if m.spec.Global {
			k.windows = nil
		}
	}
}

func (m *triggerModel) give(k *triggeredKey, w *triggeredWindow) {
	order := make([]int, len(w.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(w.came[a], w.came[b]) })
	var rows []operatortest.Row
	for _, i := range order {
		rows = append(rows, w.rows[i])
	}
	result := append([]any{int64(w.start), int64(w.end)}, compute(keepOf(m.spec.Keep, rows))...)
	emit := func(kind batch.RowKind, row []any) {
		shown := slices.Clone(row)
		if m.spec.Global {
			shown[0], shown[1] = nil, nil
		}
		m.results = append(m.results, operatortest.Of(kind, abi.EventTime(row[1].(int64))-1, slices.Concat(k.key, shown)...))
	}
	if m.spec.Updates == Append {
		emit(batch.Insert, result)
		return
	}
	same := len(w.told) == 1 && (m.spec.Global || slices.Equal(w.told[0][:2], result[:2]))
	switch {
	case same && slices.Equal(w.told[0][2:], result[2:]):
		return
	case same:
		if m.spec.Updates == Retract {
			emit(batch.UpdateBefore, w.told[0])
		}
		emit(batch.UpdateAfter, result)
	default:
		for _, told := range w.told {
			emit(batch.Delete, told)
		}
		emit(batch.Insert, result)
	}
	w.told = [][]any{result}
}

// due takes the timers up to a time off a list, in the order in which they fire.
func due(timers *[]triggerTimer, upTo int64) []triggerTimer {
	var fired, left []triggerTimer
	for _, t := range *timers {
		if t.at <= upTo {
			fired = append(fired, t)
		} else {
			left = append(left, t)
		}
	}
	*timers = left
	slices.SortFunc(fired, func(a, b triggerTimer) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.start, b.start)) })
	return fired
}

func (m *triggerModel) run(events []operatortest.Event) {
	for _, e := range events {
		switch {
		case e.Rows != nil:
			for _, row := range e.Rows {
				m.row(row)
			}
		case !e.Clock.IsZero():
			if m.now = e.Clock; m.mark == watermark.Max {
				continue
			}
			for _, k := range m.keys {
				for _, t := range due(&k.clock, m.now.UnixMicro()) {
					m.decide(k, t.start, true, false)
				}
			}
		default:
			m.mark = max(m.mark, e.Watermark)
			for _, k := range m.keys {
				for _, t := range due(&k.event, int64(m.mark)) {
					m.decide(k, t.start, true, t.at%2 != 0)
				}
				k.windows = slices.DeleteFunc(k.windows, m.over)
			}
		}
	}
}

// randomTriggered returns windows of each kind that can have a trigger, with settings of each kind, and rules.
func randomTriggered(r *rand.Rand) (Spec, rules, time.Duration) {
	spec := Spec{Input: streamSchema(), Aggregates: oracleAggregates()}
	spec.Key = [][]int{{0}, {1}, {2}, {2, 0}, nil}[r.IntN(5)]
	scale := time.Duration(2+r.IntN(30)) * time.Microsecond
	switch r.IntN(3) {
	case 0:
		spec.Global = true
	case 1:
		spec.Session = &Session{Gap: scale}
	case 2:
		spec.Size = scale
	}
	if !spec.Global && r.IntN(2) == 0 {
		spec.Lateness = time.Duration(1+r.IntN(3)) * scale
	}
	spec.Updates = Updates(r.IntN(3))
	spec.Memory = []int64{0, 1, 3000}[r.IntN(3)]
	spec.Keep = randomKeep(r, scale)
	does := rules{fire: 1 + r.Int64N(4), purge: []int64{1, 3, 1 << 40}[r.IntN(3)], elsewhere: r.IntN(4) == 0}
	if r.IntN(2) == 0 {
		does.after = abi.EventTime(1 + r.Int64N(2*scale.Microseconds()))
	}
	if r.IntN(2) == 0 {
		does.wait = time.Duration(1+r.IntN(20)) * time.Second
	}
	return spec, does, scale
}

func compareTriggered(t *testing.T, seed uint64, cases []operatortest.Case) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 15))
	spec, does, scale := randomTriggered(r)
	spec.Trigger = triggerOf(&spec, does)
	events := script(r, &Spec{Size: scale}, r.IntN(4) == 0)
	m := &triggerModel{spec: spec, rules: does, mark: watermark.Min, now: operatortest.Start, keys: map[string]*triggeredKey{}}
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
		about := triggeredCase{sessionCase{spec, c}, does}
		operatortest.Same(t, about, operatortest.Lines(got.Port(PortResults)), want)
		operatortest.Same(t, about, operatortest.Lines(got.Port(PortLate)), late)
		if n := got.Counters["unknown_windows"]; n != m.astray || len(got.Failed) != m.failed {
			t.Fatalf("%v: %d decisions are astray, should be %d; %d rows failed of %d", about, n, m.astray, len(got.Failed), m.failed)
		}
		if _, err := operatortest.Table(got.Port(PortResults)); err != nil {
			t.Fatalf("%v: %v", about, err)
		}
	}
}

type triggeredCase struct {
	sessionCase
	rules rules
}

func (c triggeredCase) String() string {
	return fmt.Sprintf("%v; global %v, rules %+v", c.sessionCase, c.spec.Global, c.rules)
}

func TestTriggeredWindowsGiveWhatANaiveModelGives(t *testing.T) {
	streams := uint64(30)
	if testing.Short() {
		streams = 5
	}
	for seed := range streams {
		compareTriggered(t, seed, operatortest.Cases(seed))
	}
}

func TestTriggeredWindowsGiveTheSameOverStateOnDisk(t *testing.T) {
	streams := uint64(5)
	if testing.Short() {
		streams = 1
	}
	for seed := range streams {
		var some []operatortest.Case
		for i, c := range operatortest.Cases(3000+seed, operatortest.Pebble(t)) {
			if i%5 == int(seed) {
				some = append(some, c)
			}
		}
		compareTriggered(t, 3000+seed, some)
	}
}

func TestTriggersThatCannotBeAreErrors(t *testing.T) {
	spec := func(change func(*Spec)) Spec {
		s := Spec{Input: streamSchema(), Key: []int{0}, Global: true, Aggregates: oracleAggregates()}
		s.Trigger = triggerOf(&s, rules{})
		change(&s)
		return s
	}
	for want, s := range map[string]Spec{
		"":                             spec(func(*Spec) {}),
		"has no trigger":               spec(func(s *Spec) { s.Global, s.Count = false, &Count{Rows: 1} }),
		"have no trigger":              spec(func(s *Spec) { s.Global, s.Size, s.Slide = false, time.Second, time.Second }),
		"no early ones besides":        spec(func(s *Spec) { s.EarlyRows = 1 }),
		"and no purge":                 spec(func(s *Spec) { s.Purge = true }),
		`column "window_end": rename`:  spec(func(s *Spec) { s.Input.Fields[4].Name = ColumnEnd }),
		`a column "fire" of type bool`: spec(func(s *Spec) { s.Trigger.Decisions = &abi.Schema{Fields: s.decisionFields()[:2]} }),
		`"number" as int64; this one`:  spec(func(s *Spec) { s.Trigger.Decisions.Fields[3].Type = abi.String }),
	} {
		_, err := s.Output()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, should say %q", err, want)
		}
	}
}

func FuzzTriggeredWindowsGiveWhatANaiveModelGives(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64) { compareTriggered(t, seed, operatortest.Cases(seed)) })
}
