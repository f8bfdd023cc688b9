// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	"github.com/wasmill/wasmill/state/memory"
	"github.com/wasmill/wasmill/state/pebble"
)

// bench is one subtask whose store can be looked at.
type bench struct {
	testing.TB
	operator.Stateful
	pool     *batch.Pool
	store    state.Store
	now      time.Time
	mark     abi.EventTime
	rows     []row
	largest  int // batch
	failures []string
	counters operator.Counters
}

func open(t testing.TB, s Spec) *bench {
	t.Helper()
	b := &bench{TB: t, pool: &batch.Pool{}, store: memory.New(state.Groups{To: state.DefaultGroups}), now: operatortest.Start, mark: watermark.Min}
	op, err := New(operator.Context{
		Pool: b.pool, State: b.store, Groups: state.DefaultGroups, Watermark: b.mark, Counters: &b.counters, Now: func() time.Time { return b.now },
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	b.Stateful = op
	return b
}

func (b *bench) Emit(_ context.Context, port int, rows *batch.Batch) error {
	defer rows.Release()
	b.largest = max(b.largest, rows.Rows())
	for _, r := range operatortest.RowsOf(rows) {
		if port == PortResults && rows.Times != nil && r.Time < b.mark {
			b.Fatalf("%v comes out after the watermark %d", r, b.mark)
		}
		if port == PortResults {
			b.rows = append(b.rows, r)
		}
	}
	return nil
}

func (b *bench) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error {
	b.failures = append(b.failures, reason.Error())
	return nil
}

// give gives rows to an input, all in one batch.
func (b *bench) give(input int, rows ...row) error {
	builder := b.pool.NewBuilder([]*abi.Schema{leftSchema, rightSchema}[input])
	for _, r := range rows {
		for i, v := range r.Values {
			switch v := v.(type) {
			case int64:
				builder.Column(i).AppendInt64(v)
			case string:
				builder.Column(i).AppendString(v)
			}
		}
		builder.AppendTime(r.Time)
		builder.AppendKind(r.Kind)
		builder.EndRow()
	}
	in := builder.Finish()
	defer in.Release()
	return b.Process(b.Context(), input, in, b)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// advance advances the watermark. What it lets out may be as old as the one before.
func (b *bench) advance(t abi.EventTime) {
	b.Helper()
	b.must(b.Watermark(b.Context(), t, b))
	b.mark = t
}

// tick moves the clock.
func (b *bench) tick(d time.Duration) {
	b.Helper()
	to := b.now.Add(d)
	c := b.Stateful.(operator.Clocked)
	for at := c.Next(); !at.IsZero() && !at.After(to); at = c.Next() {
		b.now = at
		b.must(c.Tick(b.Context(), at, b))
	}
	b.now = to
}

func (b *bench) want(lines ...string) {
	b.Helper()
	if got := operatortest.Lines(b.rows); !slices.Equal(got, lines) {
		b.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
	b.rows = nil
}

func left(id int, key string, t abi.EventTime) row {
	return operatortest.At(t, int64(id), key, nil)
}

func right(key string, id int, t abi.EventTime) row { return operatortest.At(t, key, int64(id)) }

func within(typ Type, from, to int) Spec {
	s := spec(typ)
	s.Interval = &Interval{micros(from), micros(to)}
	return s
}

func windows(typ Type, size, slide int) Spec {
	s := spec(typ)
	s.Window = &Window{Size: micros(size), Slide: micros(slide)}
	return s
}

func temporal(typ Type) Spec {
	s := spec(typ)
	s.Temporal = true
	return s
}

func regular(typ Type, ttl time.Duration) Spec {
	s := spec(typ)
	s.Regular = &Regular{TTL: ttl}
	s.Inputs[0].Changes, s.Inputs[1].Changes = true, true
	return s
}

func TestResultsAreNeverLateAndNothingIsKeptForEver(t *testing.T) {
	for seed := range seeds(100) {
		g := newGenerator(seed)
		script := g.script(40)
		from := g.IntN(2*g.span) - g.span
		size := 1 + g.IntN(g.span)
		for _, typ := range types {
			specs := []Spec{within(typ, from, from+g.IntN(g.span)), windows(typ, size, 1+g.IntN(size))}
			if typ == Inner || typ == Left {
				specs = append(specs, temporal(typ))
			}
			for _, s := range specs {
				b := open(t, s)
				versions := map[any]bool{}
				for _, e := range script {
					if len(e.Rows) == 0 {
						b.advance(max(b.mark, e.Watermark))
						continue
					}
					b.must(b.give(e.Input, e.Rows...))
					for _, r := range e.Rows {
						if e.Input == InputRight && r.Values[0] != nil && s.Temporal {
							versions[r.Values[0]] = true
						}
					}
				}
				if n := b.store.Stats().Entries; n != len(versions) {
					t.Fatalf("seed %d, %v join %+v: %d entries are left, should be %d", seed, typ, s, n, len(versions))
				}
			}
		}
	}
}

func TestHotKeyIsReadInPagesAndGivenInBatches(t *testing.T) {
	const lefts, rights = 300, 520
	rowsOf := func(input, n int) []row {
		var rows []row
		for i := range n {
			if input == InputLeft {
				rows = append(rows, left(i, "hot", 5))
			} else {
				rows = append(rows, right("hot", i, 5))
			}
		}
		return rows
	}
	for name, s := range map[string]Spec{"interval": within(Full, -1, 1), "window": windows(Full, 10, 5), "regular": regular(Full, 0)} {
		t.Run(name, func(t *testing.T) {
			b := open(t, s)
			windows := 1
			if s.Window != nil {
				windows = 2
			}
			b.must(b.give(InputLeft, rowsOf(InputLeft, lefts)...))
			b.rows = nil
			b.must(b.give(InputRight, rowsOf(InputRight, rights)...))
			b.advance(watermark.Max)
			pairs := 0
			for _, r := range b.rows {
				if r.Kind == batch.Insert && r.Values[0] != nil && r.Values[3] != nil {
					pairs++
				}
			}
			if pairs != windows*lefts*rights {
				t.Errorf("%d pairs come out, should be %d", pairs, windows*lefts*rights)
			}
			if b.largest > resultRows {
				t.Errorf("a batch of %d rows came out", b.largest)
			}
			if n := b.pool.Live(); n != 0 {
				t.Errorf("%d batches are left", n)
			}
		})
	}
}

func TestLateVersionCountsUnlessThereIsALaterOne(t *testing.T) {
	b := open(t, temporal(Left))
	b.must(b.give(InputRight, right("k", 1, 10), right("k", 2, 20), right("l", 3, 20)))
	b.advance(50)
	b.must(b.give(InputRight, right("k", 4, 15), right("k", 5, 20), right("l", 6, 45), right("m", 7, 30)))
	b.must(b.give(InputLeft, left(1, "k", 50), left(2, "l", 50), left(3, "m", 50), left(4, "n", 50), left(5, "k", 49)))
	b.advance(51)
	b.want(`+I 1 "k" null "k" 5 @50`, `+I 2 "l" null "l" 6 @50`, `+I 3 "m" null "m" 7 @50`, `+I 4 "n" null null null @50`)
}

func TestDeletedVersionIsForgotten(t *testing.T) {
	b := open(t, temporal(Inner))
	gone := right("k", 2, 20)
	gone.Kind = batch.Delete
	b.must(b.give(InputRight, right("k", 1, 10), gone))
	b.must(b.give(InputLeft, left(1, "k", 19), left(2, "k", 20)))
	b.advance(21)
	b.want(`+I 1 "k" null "k" 1 @19`)
	if n := b.store.Stats().Entries; n != 0 {
		t.Errorf("%d entries are left of a key that is gone", n)
	}
}

func TestRowsOfARegularJoinExpire(t *testing.T) {
	b := open(t, regular(Inner, time.Hour))
	b.must(b.give(InputLeft, left(1, "k", 0), left(2, "k", 0)))
	b.tick(40 * time.Minute)
	b.must(b.give(InputLeft, left(2, "k", 0)))
	b.tick(19 * time.Minute)
	b.must(b.give(InputRight, right("k", 3, 0)))
	b.want(`+I 1 "k" null "k" 3 @0`, `+I 2 "k" null "k" 3 @0`, `+I 2 "k" null "k" 3 @0`)
	b.now = b.now.Add(time.Minute) // nothing has been cleaned up
	b.must(b.give(InputRight, right("k", 4, 0)))
	b.want(`+I 2 "k" null "k" 4 @0`, `+I 2 "k" null "k" 4 @0`)
	b.must(b.give(InputLeft, row{Kind: batch.Delete, Values: left(1, "k", 0).Values}))
	b.want()
	if n := b.counters.Values()[CounterUnknown]; n != 1 {
		t.Errorf("%d unknown deletions are counted, should be 1", n)
	}
	b.tick(3 * time.Hour)
	if n := b.store.Stats().Entries; n != 0 {
		t.Errorf("%d entries are left after all has expired", n)
	}
}

func TestExpiryNeverTakesBackWhatDidNotComeOut(t *testing.T) {
	for seed := range seeds(25) {
		g := newGenerator(seed)
		script, _ := g.changes(40)
		at := operatortest.Start
		for i := len(script) - 1; i > 0; i-- {
			if g.IntN(3) == 0 {
				script = slices.Insert(script, i, operatortest.Clock(at))
			}
		}
		for i := range script {
			if !script[i].Clock.IsZero() {
				at = at.Add(time.Duration(g.IntN(40)) * time.Second)
				script[i].Clock = at
			}
		}
		for _, typ := range types {
			for _, c := range cases(g, seed, 2) {
				r := operatortest.Run(t, subject(regular(typ, time.Minute)), c, script)
				if _, err := operatortest.Table(r.Port(PortResults)); err != nil {
					t.Fatalf("%v join, %v: %v", typ, c, err)
				}
			}
		}
	}
}

// TestInsertsOnlyStayInsertsOnly: an inner or semi join of such inputs can go to a sink that takes
// no updates.
func TestInsertsOnlyStayInsertsOnly(t *testing.T) {
	for _, typ := range types {
		s := regular(typ, 0)
		s.Inputs[0].Changes, s.Inputs[1].Changes = false, false
		if want := typ != Inner && typ != Semi; s.Changes() != want {
			t.Errorf("results of a %v join of inserts are a changelog: %v", typ, s.Changes())
		}
		s.Inputs[InputRight].Changes = true
		if !s.Changes() {
			t.Errorf("results of a %v join of a changelog are none", typ)
		}
	}
	b := open(t, within(Inner, 0, 1))
	if err := b.give(InputLeft, row{Kind: batch.Delete, Values: left(1, "k", 0).Values}); err == nil {
		t.Error("an interval join took a deletion")
	}
}

func TestRowThatIsTooLargeFailsAlone(t *testing.T) {
	huge := strings.Repeat("x", state.MaxKey)
	for name, s := range map[string]Spec{"interval": within(Inner, 0, 1), "window": windows(Inner, 2, 2), "temporal": temporal(Inner), "regular": regular(Inner, time.Second)} {
		b := open(t, s)
		b.must(b.give(InputLeft, left(1, huge, 5), left(2, "k", 5)))
		b.must(b.give(InputRight, right("k", 4, 5), right(huge, 5, 5)))
		b.advance(watermark.Max)
		if len(b.rows) != 1 || len(b.failures) != 2 || !strings.Contains(b.failures[0], "can't be kept for a join") {
			t.Errorf("%s: %d results, failed: %q", name, len(b.rows), b.failures)
		}
	}
}

func TestRowAsLargeAsPossibleIsKept(t *testing.T) {
	for name, s := range map[string]Spec{"interval": within(Full, 0, 1), "window": windows(Full, 2, 2), "temporal": temporal(Left), "regular": regular(Full, time.Second)} {
		b := open(t, s)
		// The key lies in the store before the row and in it.
		key := strings.Repeat("k", (state.MaxKey-room)/2-100)
		b.must(b.give(InputLeft, left(1, key, 5)))
		b.must(b.give(InputRight, right(key, 4, 5)))
		b.advance(watermark.Max)
		if s.Regular != nil {
			b.tick(time.Minute)
		}
		if len(b.rows) == 0 || len(b.failures) != 0 {
			t.Errorf("%s: %d results, failed: %.200q", name, len(b.rows), b.failures)
		}
	}
}

// broken is a store whose values are cut short, or which fails.
type broken struct {
	state.Store
	cut  func([]byte) []byte
	fail error
}

func (s *broken) Scan(from, to []byte, limit state.Limit, keys, values *state.Strings) (bool, error) {
	more, err := s.Store.Scan(from, to, limit, keys, values)
	if s.fail != nil {
		return false, s.fail
	}
	if s.cut != nil {
		var cut state.Strings
		for i := range values.Len() {
			cut.Append(s.cut(values.At(i)))
		}
		*values = cut
	}
	return more, err
}

func TestStoreThatCannotBeReadIsAnError(t *testing.T) {
	cuts := map[string]func([]byte) []byte{
		"an empty value":       func([]byte) []byte { return nil },
		"half a number":        func([]byte) []byte { return []byte{0x80} },
		"more alone than rows": func([]byte) []byte { return []byte{1, 2} },
		"half an expiry":       func(v []byte) []byte { return append(v, 1, 2, 3) },
	}
	for name, s := range map[string]Spec{"interval": within(Full, 0, 9), "window": windows(Full, 9, 3), "temporal": temporal(Left), "regular": regular(Full, 0)} {
		for what, cut := range cuts {
			if name == "temporal" && what == "half an expiry" {
				continue // a version is followed by its row, in which this is found
			}
			if err := readBroken(t, s, &broken{cut: cut}); err == nil {
				t.Errorf("%s join reads %s", name, what)
			}
		}
		gone := errors.New("gone")
		if err := readBroken(t, s, &broken{fail: gone}); !errors.Is(err, gone) {
			t.Errorf("%s join reads a store that fails: %v", name, err)
		}
	}
}

// readBroken writes rows into a store and goes on when it is broken.
func readBroken(t *testing.T, s Spec, store *broken) error {
	t.Helper()
	b := open(t, s)
	b.must(b.give(InputLeft, left(1, "k", 5)))
	b.must(b.give(InputRight, right("k", 1, 5)))
	store.Store = b.store
	op, err := New(operator.Context{Pool: b.pool, State: store, Groups: state.DefaultGroups, Watermark: b.mark, Counters: &b.counters, Now: time.Now}, s)
	if err != nil {
		t.Fatal(err)
	}
	b.Stateful = op
	if err := b.give(InputRight, right("k", 2, 5)); err != nil {
		return err
	}
	return b.Watermark(t.Context(), 100, b)
}

func TestStateOnDiskGivesTheSame(t *testing.T) {
	db, err := pebble.Open(pebble.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	next := uint32(0)
	disk := operatortest.Backend{Name: "pebble", New: func(t testing.TB, groups state.Groups) state.Store {
		next++
		store, err := db.Store(next, groups, pebble.MinMemory)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}}
	for seed := range seeds(10) {
		g := newGenerator(seed)
		script := g.script(15)
		want := inIntervals(Full, -3, 9, arrivals(script))
		c := operatortest.Case{Seed: seed, Parallelism: 2, BatchRows: 2, Backend: disk, Restores: 0.1}
		r := operatortest.Run(t, subject(within(Full, -3, 9)), c, script)
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortResults)), operatortest.Lines(want[0]))
		want = inWindows(Left, 12, 5, 0, arrivals(script))
		r = operatortest.Run(t, subject(windows(Left, 12, 5)), c, script)
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortResults)), operatortest.Lines(want[0]))
	}
}

func TestColumnsOfTheResults(t *testing.T) {
	for _, tc := range []struct{ spec, want string }{
		{"inner", "{id: int64, key: string, note: string, right_key: string, right_id: int64}"},
		{"prefix", "{id: int64, key: string, note: string, r_key: string, r_id: int64}"},
		{"anti", "{id: int64, key: string, note: string}"},
		{"window", "{id: int64, key: string, note: string, right_key: string, right_id: int64, window_start: timestamp, window_end: timestamp}"},
		{"window of windows", "{key: string, window_start: timestamp, right_key: string, id: int64, window_end: timestamp}"},
		{"clash", `two columns "right_id"`},
	} {
		s := regular(Inner, 0)
		switch tc.spec {
		case "prefix":
			s.Prefix = "r_"
		case "anti":
			s.Type = Anti
		case "window":
			s = windows(Left, 5, 5)
		case "window of windows":
			s = windows(Left, 5, 5)
			s.Inputs[0] = Input{Schema: &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.String}, {Name: "window_start", Type: abi.Timestamp}}}, Key: []int{0}}
		case "clash":
			s.Inputs[1].Schema = &abi.Schema{Fields: append(slices.Clone(rightSchema.Fields), abi.Field{Name: "right_id", Type: abi.Bool})}
		}
		schema, err := s.Output()
		if err == nil && schema.String() != tc.want || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v; want %s", tc.spec, schema, err, tc.want)
		}
	}
}

func TestSpecSaysWhatIsNotPossible(t *testing.T) {
	two := regular(Inner, 0)
	two.Temporal = true
	types := regular(Inner, 0)
	types.Inputs[1].Key = []int{1}
	keyless := regular(Inner, 0)
	keyless.Inputs[1].Key = nil
	changes := within(Inner, 0, 1)
	changes.Inputs[1].Changes = true
	old := temporal(Inner)
	old.Inputs[0].Changes = true
	for want, s := range map[string]Spec{
		"one of window, interval, temporal and regular": spec(Inner),
		"is one of window": two,
		`"key" is of type string and "id" of type int64`:            types,
		"key of 1 columns and the right ones of 0":                  keyless,
		"the right rows are a changelog":                            changes,
		"the left rows are a changelog":                             old,
		"a temporal join is inner or left, not full":                temporal(Full),
		"no join type number 9":                                     regular(Type(9), 0),
		"ttl is -1s; it can be 0s to":                               regular(Inner, -time.Second),
		"from 5µs to 4µs":                                           within(Inner, 5, 4),
		"to is 2562047h":                                            {Inputs: spec(Inner).Inputs, Interval: &Interval{To: math.MaxInt64}},
		"the size of the window is 0s":                              windows(Inner, 0, 0),
		"slides by 3µs and has a size of 2µs":                       windows(Inner, 2, 3),
		"its offset is 1ns; it can be -2190000h0m0s to 2190000h0m0": {Inputs: spec(Inner).Inputs, Window: &Window{Size: time.Second, Offset: 1}},
	} {
		if _, err := s.Output(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, should be %q", err, want)
		}
	}
}

func TestTypesAreReadByName(t *testing.T) {
	for _, name := range TypeNames() {
		var typ Type
		if err := typ.UnmarshalText([]byte(name)); err != nil || typ.String() != name {
			t.Errorf("%s is read as %v, %v", name, typ, err)
		}
	}
	var typ Type
	if err := typ.UnmarshalText([]byte("outer")); err == nil {
		t.Errorf("outer is read as %v", typ)
	}
	if got := fmt.Sprint(Type(77)); got != "type(77)" {
		t.Errorf("an unknown type is %s", got)
	}
}
