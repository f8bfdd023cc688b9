// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

type keyedRow struct {
	Key int64 `wasmill:",key"`
	N   int64
}

// adder adds to a value, which 0 removes.
type adder struct {
	Sum wasmill.ValueState[int64]
	Out wasmill.Output[item]
}

func (a *adder) Process(r *keyedRow) error {
	if r.N == 0 {
		a.Sum.Clear()
		return nil
	}
	s := a.Sum.Update()
	*s += r.N
	a.Out.Emit(item{*s})
	return nil
}

func TestValuesOfManyKeysAreKeptAsBatchesGrow(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Process("adder", "", wasmill.Input("", (*adder).Process)), nil)
	op.Reuse = true
	want := map[int64]int64{}
	for _, keys := range []int64{1, 70, 3, 1000, 129} {
		var rows []keyedRow
		var sums []item
		for key := range keys {
			n := key%7 - 3
			if rows = append(rows, keyedRow{key, n}); n == 0 {
				delete(want, key)
				continue
			}
			want[key] += n
			sums = append(sums, item{want[key]})
		}
		if got := wasmilltest.Rows[item](wasmilltest.Process(op, "", rows...), ""); !slices.Equal(got, sums) {
			t.Fatalf("%d keys: got %v, want %v", keys, got, sums)
		}
	}
}

// values is a host that keeps a value of each key number of a call, and allocates nothing.
type values struct {
	host.State
	answer []byte
	puts   int
}

func (v *values) Get(_ int, _, out []byte) int {
	if len(out) < len(v.answer) {
		return len(v.answer)
	}
	return copy(out, v.answer)
}

func (v *values) Read(out []byte) int { return copy(out, v.answer) }

func (v *values) Put([]byte) { v.puts++ }

func TestACallWithStateAllocatesNothingInSteadyState(t *testing.T) {
	instance, err := wasmill.Process("adder", "", wasmill.Input("", (*adder).Process)).Open(emptyConfig())
	if err != nil {
		t.Fatal(err)
	}
	var rows []keyedRow
	var groups []uint32
	for n := range 1000 {
		rows, groups = append(rows, keyedRow{int64(n % 300), int64(n%5 + 1)}), append(groups, uint32(n%300))
	}
	batch := messageOf(t, rows...)
	batch.SetGroups(groups)
	answer := wire.Message{}
	answer.Begin(wire.SchemaState, 300, 1, nil)
	answer.SetColumn(0, wire.Column{Rows: 300, Values: uint32(wire.AppendValues(&answer, make([]int64, 300), 8)), Size: 2400})
	state := &values{answer: answer.Bytes()}
	host.With(&host.Recorder{Emit: func([]byte) {}, State: state}, func() {
		if n := testing.AllocsPerRun(20, func() {
			if err := instance.Process(batch.Bytes()); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("a call allocates %v times", n)
		}
	})
	if state.puts != 21 {
		t.Errorf("21 calls put %d times; all values of a call go back together", state.puts)
	}
	runtime.KeepAlive(batch)
}

// clocked sets a timer at N: of processing time where that is negative.
type clocked struct {
	Seen  wasmill.ValueState[int64] `ttl:"20us,write,event_time"`
	Event wasmill.EventTimers
	Clock wasmill.ProcessingTimers
	Out   wasmill.Output[answer]
}

func (c *clocked) Process(r *keyedRow) error {
	c.Seen.Set(r.N)
	if r.N < 0 {
		c.Clock.SetIn("clock", wasmill.Timestamp(-r.N))
	} else {
		c.Event.Set(wasmill.EventTime(r.N))
	}
	if r.N == 13 {
		return errors.New("unlucky")
	}
	return nil
}

type clockedDue struct {
	wasmill.Timer
	Key int64
}

func (c *clocked) Due(d *clockedDue) error {
	if c.Out.Emit(answer{fmt.Sprintf("%d at %d %q %d %v %d", d.Key, d.Time, d.Namespace, d.Clock, c.Seen.Has(), wasmill.Watermark())}); d.Time == 50 {
		c.Seen.Clear()
		return errors.New("fifty")
	}
	if d.Time == 20 {
		c.Event.Set(25)
	}
	return nil
}

func TestTimersAreDueInOrderWithTheirKey(t *testing.T) {
	operator := wasmill.Process("clocked", "", wasmill.Input("", (*clocked).Process), wasmill.OnTimer((*clocked).Due))
	op := wasmilltest.Open(t, operator, nil)
	r := wasmilltest.Process(op, "", keyedRow{1, 30}, keyedRow{2, 20}, keyedRow{3, 13}, keyedRow{1, 20}, keyedRow{2, 20}, keyedRow{4, 50}, keyedRow{5, -7})
	if want := map[int]string{2: "unlucky"}; !maps.Equal(r.Failures, want) {
		t.Errorf("failures are %v, want %v", r.Failures, want)
	}
	texts := func(r *wasmilltest.Result) (texts []string) {
		for _, a := range wasmilltest.Rows[answer](r, "") {
			texts = append(texts, a.Text)
		}
		return texts
	}
	if got := texts(op.AdvanceWatermark(19)); got != nil {
		t.Errorf("at 19 got %q", got)
	}
	want := []string{`1 at 20 "" 0 true 29`, `2 at 20 "" 0 true 29`, `1 at 25 "" 0 true 29`, `2 at 25 "" 0 true 29`}
	if got := texts(op.AdvanceWatermark(29)); !slices.Equal(got, want) {
		t.Errorf("at 29 got %q, want %q", got, want)
	}
	if got, want := texts(op.AdvanceClock(7)), []string{`5 at 7 "clock" 1 true 29`}; !slices.Equal(got, want) {
		t.Errorf("at 7 of processing time got %q, want %q", got, want)
	}
	// The values count as written at the first watermark, which was 19.
	if got, want := texts(op.AdvanceWatermark(39)), []string{`1 at 30 "" 0 false 39`}; !slices.Equal(got, want) {
		t.Errorf("at 39 got %q, want %q", got, want)
	}
	wasmilltest.Process(op, "", keyedRow{6, 45})
	r = op.AdvanceWatermark(wasmilltest.EndOfInput)
	want = []string{fmt.Sprintf(`6 at 45 "" 0 true %d`, int64(math.MaxInt64))}
	if got := texts(r); !slices.Equal(got, want) {
		t.Errorf("at the end got %q, want %q", got, want)
	}
	failed := []wasmilltest.FailedTimer{{Timer: wasmill.Timer{Time: 50}, Message: "fifty"}}
	if !slices.Equal(r.FailedTimers, failed) {
		t.Errorf("failed timers are %v, want %v", r.FailedTimers, failed)
	}
}

// rulers holds rows against a broadcast limit.
type rulers struct {
	Limits wasmill.MapState[int64, int64] `wasmill:",broadcast"`
	Mine   wasmill.ListState[int64]
	Out    wasmill.Output[item]
}

func (r *rulers) Check(k *keyedRow) error {
	switch {
	case k.N < 0:
		r.Limits.Put(k.Key, k.N)
	case k.N <= r.Limits.Get(0):
		r.Out.Emit(item{k.N})
	}
	return nil
}

func (r *rulers) Limit(i *item) error {
	if r.Limits.Put(0, i.N); i.N < 0 {
		r.Mine.Append(i.N)
	}
	return nil
}

func TestStateIsUsedWhereItsScopeAllows(t *testing.T) {
	operator := wasmill.Process("rulers", "", wasmill.Input("rows", (*rulers).Check), wasmill.BroadcastInput("limits", (*rulers).Limit))
	op := wasmilltest.Open(t, operator, nil)
	wasmilltest.Process(op, "limits", item{5})
	if got := wasmilltest.Rows[item](wasmilltest.Process(op, "rows", keyedRow{7, 5}, keyedRow{8, 6}), ""); !slices.Equal(got, []item{{5}}) {
		t.Errorf("got %v", got)
	}
	for want, call := range map[string]func(){
		"wasmill: state limits is broadcast: only rows of a broadcast input may write it": func() { wasmilltest.Process(op, "rows", keyedRow{1, -1}) },
		"wasmill: state mine is kept by key, and there is none here":                      func() { wasmilltest.Process(op, "limits", item{-1}) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, want) {
					t.Errorf("it panics with %q, want %q", got, want)
				}
			}()
			call()
		}()
	}
}

func TestAnOperatorWithoutAKeyHasTheOneOfThePipeline(t *testing.T) {
	type plain struct{ Key, N int64 }
	operator := wasmill.Process("plain", "", wasmill.Input("", func(a *adder, r *plain) error { return a.Process(&keyedRow{r.Key, r.N}) }))
	for _, test := range []struct {
		key  []string
		want []item
	}{{nil, []item{{1}, {3}, {6}}}, {[]string{"key"}, []item{{1}, {2}, {4}}}} {
		op := wasmilltest.Open(t, operator, nil)
		op.Key = test.key
		if got := wasmilltest.Rows[item](wasmilltest.Process(op, "", plain{1, 1}, plain{2, 2}, plain{1, 3}), ""); !slices.Equal(got, test.want) {
			t.Errorf("with key %v got %v, want %v", test.key, got, test.want)
		}
	}
}

// with has a state of a type that is wrong somehow.
type with[S any] struct {
	State S
	Out   wasmill.Output[item]
}

func (w *with[S]) Process(*keyedRow) error { return nil }

type tagged struct {
	A   wasmill.ValueState[int64] `ttl:"soon"`
	Out wasmill.Output[item]
}

func TestAMistakeInStateIsNamed(t *testing.T) {
	type timed struct{ At wasmill.EventTime }
	type unmerged struct{ N int64 }
	type nullKey struct {
		Key wasmill.Null[int64] `wasmill:",key"`
	}
	type otherKey struct {
		Key string `wasmill:",key"`
	}
	type wrongDue struct {
		wasmill.Timer
		N int64
	}
	type noTimer struct{ N int64 }
	process := func(parts ...wasmill.Part[adder]) wasmill.Operator { return wasmill.Process("o", "", parts...) }
	in := wasmill.Input("", (*adder).Process)
	for want, operator := range map[string]wasmill.Operator{
		"operator o: wasmill_test.adder.Sum: only an operator made by wasmill.Process has state":          wasmill.Map("o", "", (*adder).Process),
		"State: a row of a state has no event time":                                                       wasmill.Process("o", "", wasmill.Input("", (*with[wasmill.ListState[timed]]).Process)),
		"State: column n of a ReducingState needs a tag that says how it is merged: `merge:\"add\"`":      wasmill.Process("o", "", wasmill.Input("", (*with[wasmill.ReducingState[unmerged]]).Process)),
		"State: the key of a map has no list and no struct in it":                                         wasmill.Process("o", "", wasmill.Input("", (*with[wasmill.MapState[struct{ P pair }, int64]]).Process)),
		"State: a Decimal says its digits after the point":                                                wasmill.Process("o", "", wasmill.Input("", (*with[wasmill.ValueState[wasmill.Decimal]]).Process)),
		"A: ttl is \"soon\"; it begins with a number and a unit":                                          wasmill.Process("o", "", wasmill.Input("", func(*tagged, *keyedRow) error { return nil })),
		"a key can't be a Null, a list or a struct":                                                       process(wasmill.Input("", func(*adder, *nullKey) error { return nil })),
		"input \"b\": it lacks key of type int64 with the option key":                                     process(in, wasmill.Input("b", func(*adder, *otherKey) error { return nil })),
		"a process has one or two parts made by wasmill.Input":                                            process(),
		"OnTimer: wasmill_test.wrongDue has n of type int64; behind wasmill.Timer it can have the fields": process(in, wasmill.OnTimer(func(*adder, *wrongDue) error { return nil })),
		"OnTimer: wasmill_test.noTimer must begin with wasmill.Timer, embedded":                           process(in, wasmill.OnTimer(func(*adder, *noTimer) error { return nil })),
		"it has several parts made by wasmill.OnTimer":                                                    process(in, wasmill.OnTimer(func(*adder, *wasmill.Timer) error { return nil }), wasmill.OnTimer(func(*adder, *wasmill.Timer) error { return nil })),
		"it sets timers, and no part made by wasmill.OnTimer takes them":                                  wasmill.Process("o", "", wasmill.Input("", (*clocked).Process)),
	} {
		if _, err := operator.Describe(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v; it should say %q", err, want)
		}
	}
}

// bulky has state of one key or none, in large pieces.
type bulky struct {
	List   wasmill.ListState[string]
	Value  wasmill.ValueState[string]
	Max    wasmill.ReducingState[int64]             `wasmill:",operator" merge:"max"`
	Last   wasmill.ValueState[int64]                `wasmill:",operator"`
	Counts wasmill.MapState[int64, wasmill.Decimal] `wasmill:"by_n,operator,scale=2"`
	Out    wasmill.Output[answer]
}

func (b *bulky) Process(r *keyedRow) error {
	b.Max.Add(r.N)
	b.Last.Set(r.N)
	b.Counts.Put(r.N, b.Counts.Get(r.N)+1)
	if r.N < 0 {
		items, bytes := 0, 0
		for item := range b.List.All() {
			items, bytes = items+1, bytes+len(item)
		}
		b.Out.Emit(answer{fmt.Sprint(items, bytes, len(b.Value.Get()), b.Max.Get(), b.Last.Get(), b.Counts.Get(r.N))})
		return nil
	}
	for range r.N {
		b.List.Append("ab")
	}
	b.List.Append(strings.Repeat("x", 1<<20))
	b.Value.Set(strings.Repeat("y", 3<<20))
	return nil
}

func TestStateTravelsInMessagesOfAFewMegabytes(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Process("bulky", "", wasmill.Input("", (*bulky).Process)), nil)
	op.Reuse = true
	const many = 2*wire.MaxRows + 5
	wasmilltest.Process(op, "", keyedRow{1, many}, keyedRow{2, 3}, keyedRow{1, 1}, keyedRow{1, 1}, keyedRow{1, 1}, keyedRow{1, 1}, keyedRow{1, 1})
	for n := range 2 {
		got := wasmilltest.Rows[answer](wasmilltest.Process(op, "", keyedRow{1, -1}, keyedRow{2, -1}, keyedRow{3, -1}), "")
		want := []answer{
			{fmt.Sprint(many+5+6, 2*(many+5)+6<<20, 3<<20, many, -1, 3*n+1)}, {fmt.Sprint(4, 6+1<<20, 3<<20, many, -1, 3*n+2)},
			{fmt.Sprint(0, 0, 0, many, -1, 3*n+3)},
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

type pages struct {
	wasmill.Rows
	Key wasmill.Column[int64] `wasmill:",key"`
	N   wasmill.Column[int64]
}

// fetcher counts by a map, whose entries it reads at once.
type fetcher struct {
	Counts wasmill.MapState[int64, int64]
	Out    wasmill.Output[item]
}

func (f *fetcher) Process(in *pages) error {
	f.Counts.Fetch(in.Keys(), in.N.Values())
	for row, n := range in.N.Values() {
		in.Select(row)
		if n < 0 {
			in.Fail(row, "negative")
		}
		count := f.Counts.Get(n) + 1
		f.Counts.Put(n, count)
		f.Out.Emit(item{count})
	}
	return nil
}

func TestEntriesOfAMapAreFetchedForAWholeBatch(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Process("fetcher", "", wasmill.InputColumns("", (*fetcher).Process)), nil)
	wasmilltest.Process(op, "", keyedRow{1, 10}, keyedRow{2, 10}, keyedRow{1, 10})
	r := wasmilltest.Process(op, "", keyedRow{2, 10}, keyedRow{1, -1}, keyedRow{1, 11}, keyedRow{1, 10}, keyedRow{2, 10}, keyedRow{1, -1})
	if got, want := wasmilltest.Rows[item](r, ""), []item{{2}, {1}, {3}, {3}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if want := map[int]string{1: "negative", 5: "negative"}; !maps.Equal(r.Failures, want) {
		t.Errorf("failures are %v, want %v", r.Failures, want)
	}
	if got, want := r.Origins(""), []int{0, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("origins are %v, want %v", got, want)
	}
}
