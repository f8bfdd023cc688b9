// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
)

func spec() Spec {
	return Spec{Input: input, On: []int{1}, Keys: keys, Rows: known, Columns: []int{1}, Names: []string{"name"}}
}

func remoteSpec(r Remote, f *far) Spec {
	s := spec()
	s.Remote = &r
	s.New = func(ctx operator.Context) (operator.Lookup, error) {
		f.pool = ctx.Pool
		return f, nil
	}
	return s
}

func tableSpec(t *Table) Spec {
	s := spec()
	s.Table = t
	return s
}

// all is the table as rows, with some that nothing meets.
func all() [][2]any {
	rows := [][2]any{{nil, "nobody's"}}
	for key := range int64(30) {
		for _, name := range matches(key) {
			rows = append(rows, [2]any{key, name})
		}
	}
	return rows
}

func subject(s Spec) operatortest.Subject {
	return operatortest.Subject{
		Inputs: []operatortest.Input{{Schema: input, Key: []int{1}}},
		New:    func(ctx operator.Context) (operator.Operator, error) { return New(ctx, s) },
	}
}

func script(r *rand.Rand, keys int) []operatortest.Event {
	var script []operatortest.Event
	for n := range 1 + r.IntN(5) {
		var rows []operatortest.Row
		for range r.IntN(30) {
			var key any
			if r.IntN(8) > 0 {
				key = int64(r.IntN(keys))
			}
			kind := batch.Insert
			if r.IntN(8) == 0 {
				kind = batch.Delete
			}
			rows = append(rows, operatortest.Of(kind, abi.EventTime(r.IntN(100)), int64(len(rows)), key))
		}
		script = append(script, operatortest.Rows(0, rows...), operatortest.Watermark(abi.EventTime(n+1)))
	}
	return script
}

// naive joins the rows of a script with the table.
func naive(script []operatortest.Event, inner bool) (joined []operatortest.Row) {
	for _, e := range script {
		for _, r := range e.Rows {
			var names []string
			if key, ok := r.Values[1].(int64); ok {
				names = matches(key)
			}
			for _, name := range names {
				joined = append(joined, operatortest.Row{Time: r.Time, Kind: r.Kind, Values: append(slices.Clone(r.Values), name)})
			}
			if len(names) == 0 && !inner {
				joined = append(joined, operatortest.Row{Time: r.Time, Kind: r.Kind, Values: append(slices.Clone(r.Values), nil)})
			}
		}
	}
	return joined
}

func lines(rows []operatortest.Row) (lines []string) {
	for _, r := range rows {
		lines = append(lines, r.String())
	}
	return lines
}

func TestRowsAreJoinedAsByANaiveLookup(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 3
	}
	slow := func(ctx context.Context, first int64, _ int) error {
		return after(ctx, time.Duration(first*7919%13)*time.Millisecond)
	}
	for name, make := range map[string]func() Spec{
		"table": func() Spec {
			return tableSpec(NewTable(TableSpec{Source: &near{rows: all}, Key: []int{0}, Columns: []int{1}}))
		},
		"remote":    func() Spec { return remoteSpec(Remote{InFlight: 3, Keys: 2}, &far{behaviour: slow}) },
		"unordered": func() Spec { return remoteSpec(Remote{InFlight: 3, Keys: 2, Unordered: true}, &far{behaviour: slow}) },
		"cached": func() Spec {
			return remoteSpec(Remote{InFlight: 2, Keys: 5, Cache: Cache{Keys: 4}}, &far{behaviour: slow})
		},
		"cached, unordered": func() Spec {
			return remoteSpec(Remote{InFlight: 2, Keys: 5, Unordered: true, Cache: Cache{Keys: 100}}, &far{behaviour: slow})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				script := script(rand.New(rand.NewPCG(seed, 0)), 30)
				for _, inner := range []bool{false, true} {
					want := naive(script, inner)
					for _, c := range operatortest.Cases(seed) {
						s := make()
						s.Inner = inner
						synctest.Test(t, func(t *testing.T) {
							r := operatortest.Run(t, subject(s), c, script)
							operatortest.Same(t, c, operatortest.Lines(r.Port(PortJoined)), operatortest.Lines(want))
							if s.Remote != nil && s.Remote.Unordered || c.Parallelism > 1 || c.Restores > 0 {
								return
							}
							if got, want := lines(r.Port(PortJoined)), lines(want); !slices.Equal(got, want) {
								t.Fatalf("%v: not in order:\n got %q\nwant %q", c, got, want)
							}
						})
					}
				}
			}
		})
	}
}

// one is a case of one subtask and whole batches.
var one = operatortest.Case{Parallelism: 1, BatchRows: 1000, Backend: operatortest.Memory()}

func rowsOf(keys ...int64) operatortest.Event {
	var rows []operatortest.Row
	for n, key := range keys {
		rows = append(rows, operatortest.At(1, int64(n), key))
	}
	return operatortest.Rows(0, rows...)
}

func TestNoMoreRequestsAreInFlightThanAllowedAndKeysAreAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{behaviour: func(ctx context.Context, first int64, _ int) error { return after(ctx, time.Second) }}
		begin := time.Now()
		operatortest.Run(t, subject(remoteSpec(Remote{InFlight: 3, Keys: 2}, f)), one,
			[]operatortest.Event{rowsOf(1, 2, 1, 1, 3, 4, 2, 5, 6, 7, 8, 9, 10, 11)})
		slices.Sort(f.asked) // which of those in flight at a time comes first is chance
		if f.most != 3 || !slices.Equal(f.asked, []int{1, 2, 2, 2, 2, 2}) || time.Since(begin) != 2*time.Second {
			t.Errorf("%d requests in flight of %d keys in %v", f.most, f.asked, time.Since(begin))
		}
		if f.opened != 0 {
			t.Error("the lookup is still open")
		}
	})
}

func TestUnorderedRowsGoOnAsSoonAsTheyAreAnswered(t *testing.T) {
	slow := func(ctx context.Context, first int64, _ int) error {
		return after(ctx, time.Duration(10-first)*time.Second)
	}
	for unordered, want := range map[bool]string{false: "1 4 2 1", true: "4 2 1 1"} {
		synctest.Test(t, func(t *testing.T) {
			r := operatortest.Run(t, subject(remoteSpec(Remote{InFlight: 8, Keys: 1, Unordered: unordered}, &far{behaviour: slow})), one,
				[]operatortest.Event{rowsOf(1, 4, 2, 1)})
			var got []string
			for _, row := range r.Port(PortJoined) {
				if name, _ := row.Values[2].(string); !strings.HasSuffix(name, ".1") {
					got = append(got, fmt.Sprint(row.Values[1]))
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("unordered %v: the keys come as %v, want %s", unordered, got, want)
			}
		})
	}
}

func TestRequestThatFailsIsTriedAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{behaviour: func(_ context.Context, first int64, attempt int) error {
			if attempt < 3 {
				return errBroken
			}
			return nil
		}}
		begin := time.Now()
		r := operatortest.Run(t, subject(remoteSpec(Remote{InFlight: 2, Keys: 10, Retries: 3, Backoff: time.Second}, f)), one,
			[]operatortest.Event{rowsOf(1, 2)})
		if len(r.Port(PortJoined)) != 3 || len(r.Failed) > 0 || time.Since(begin) != 7*time.Second {
			t.Errorf("%d rows, %q failed, after %v", len(r.Port(PortJoined)), r.Failed, time.Since(begin))
		}
		if r.Counters["lookup_requests"] != 4 || r.Counters["lookup_retries"] != 3 {
			t.Errorf("counted %v", r.Counters)
		}
	})
}

func TestRowsFailWhoseRequestFails(t *testing.T) {
	for name, test := range map[string]struct {
		remote Remote
		far    *far
		want   string
	}{
		"every time": {Remote{InFlight: 1, Keys: 10, Retries: 1}, &far{behaviour: func(context.Context, int64, int) error { return errBroken }}, "the lookup failed 2 times, at last: it is broken"},
		"once":       {Remote{InFlight: 1, Keys: 10}, &far{behaviour: func(context.Context, int64, int) error { return errBroken }}, "the lookup failed: it is broken"},
		"too slow": {Remote{InFlight: 1, Keys: 10, Timeout: time.Second}, &far{behaviour: func(ctx context.Context, _ int64, _ int) error { return after(ctx, time.Hour) }},
			"the lookup failed: no answer within 1s"},
		"a key": {Remote{InFlight: 1, Keys: 10}, &far{refused: func(int64) error { return errBroken }}, "it is broken"},
	} {
		for _, unordered := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				test.remote.Unordered, test.remote.Cache = unordered, Cache{Keys: 10}
				r := operatortest.Run(t, subject(remoteSpec(test.remote, test.far)), one, []operatortest.Event{rowsOf(1, 2, 1)})
				if len(r.Failed) != 3 || len(r.Port(PortJoined)) != 0 {
					t.Fatalf("%s: %q failed, %v came out", name, r.Failed, r.Port(PortJoined))
				}
				for _, failed := range r.Failed {
					if !strings.HasSuffix(failed, ": "+test.want) {
						t.Errorf("%s: %s, should be %s", name, failed, test.want)
					}
				}
			})
		}
	}
}

func TestOnlyTheRowsOfAFailedRequestFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{behaviour: func(_ context.Context, first int64, _ int) error {
			if first == 4 {
				return errBroken
			}
			return nil
		}}
		r := operatortest.Run(t, subject(remoteSpec(Remote{InFlight: 2, Keys: 1}, f)), one, []operatortest.Event{rowsOf(1, 4, 2, 4, 7)})
		if len(r.Failed) != 2 || len(r.Port(PortJoined)) != 4 {
			t.Errorf("%q failed, %v came out", r.Failed, r.Port(PortJoined))
		}
	})
}

// run runs one batch of keys through an operator by hand, so that it may fail.
func run(ctx context.Context, t *testing.T, s Spec, keys ...int64) error {
	t.Helper()
	c, out := operatortest.Bench(t)
	j, err := New(c, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Open(ctx); err != nil {
		return errors.Join(err, j.Close(ctx))
	}
	b := c.Pool.NewBuilder(input)
	for n, key := range keys {
		b.Column(0).AppendInt64(int64(n))
		b.Column(1).AppendInt64(key)
		b.EndRow()
	}
	rows := b.Finish()
	err = j.Process(ctx, 0, rows, out)
	rows.Release()
	if err := j.Close(ctx); err != nil {
		t.Error(err)
	}
	if n := c.Pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
	return err
}

func TestJobFailsWhereTheModuleDoesAndNothingIsLeftInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := &operator.Error{Fault: operator.FaultModule, Err: errBroken}
		f := &far{behaviour: func(ctx context.Context, first int64, _ int) error {
			if first == 2 {
				return fault
			}
			return after(ctx, time.Hour)
		}}
		begin := time.Now()
		err := run(t.Context(), t, remoteSpec(Remote{InFlight: 3, Keys: 1, Retries: 5, Backoff: time.Second}, f), 1, 2, 3, 4, 5)
		if !errors.Is(err, fault) || f.flying != 0 || time.Since(begin) != 0 {
			t.Errorf("%v, %d in flight, after %v", err, f.flying, time.Since(begin))
		}
	})
}

func TestCancelledJobWaitsForNoAnswerAndNoRetry(t *testing.T) {
	for name, behaviour := range map[string]func(context.Context, int64, int) error{
		"an answer": func(ctx context.Context, _ int64, _ int) error { return after(ctx, time.Hour) },
		"a retry":   func(context.Context, int64, int) error { return errBroken },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			err := run(ctx, t, remoteSpec(Remote{InFlight: 2, Keys: 1, Timeout: time.Minute, Retries: 9, Backoff: time.Hour}, &far{behaviour: behaviour}), 1, 2, 3)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
				t.Errorf("%s: %v after %v", name, err, time.Since(begin))
			}
		})
	}
}

func TestAnswersAreCachedForTheirTimeAlsoThatThereIsNone(t *testing.T) {
	f := &far{}
	clock := func(after time.Duration) operatortest.Event { return operatortest.Clock(operatortest.Start.Add(after)) }
	r := operatortest.Run(t, subject(remoteSpec(Remote{InFlight: 1, Keys: 10, Cache: Cache{Keys: 2, TTL: time.Minute}}, f)), one, []operatortest.Event{
		rowsOf(1, 3), rowsOf(3, 1), // both are known
		clock(59 * time.Second), rowsOf(1), rowsOf(2), // 3 makes room
		rowsOf(1, 3),                             // 2 makes room
		clock(time.Minute), rowsOf(3), rowsOf(1), // 1 is too old
	})
	if want := []int{2, 1, 1, 1}; !slices.Equal(f.asked, want) {
		t.Errorf("asked for %v keys, should be %v", f.asked, want)
	}
	if n := r.Counters["lookup_cache_hits"]; n != 5 {
		t.Errorf("%d hits", n)
	}
}

func TestCacheStaysWithinItsBytes(t *testing.T) {
	c := newCache(Cache{Keys: 1000})
	large := make([]byte, 1<<20)
	for n := range 200 {
		c.put([]byte(fmt.Sprint(n)), large, time.Time{})
		c.put([]byte("same"), large[:n], time.Time{})
		if c.bytes > cacheBytes {
			t.Fatalf("%d bytes", c.bytes)
		}
	}
	if len(c.get([]byte("same"), time.Time{})) != 199 || c.get([]byte("0"), time.Time{}) != nil || c.get([]byte("199"), time.Time{}) == nil {
		t.Error("another key than the one that was used least recently has made room")
	}
}

// wrong answers nothing that fits.
type wrong struct {
	*far
	spoil func(*operator.Answer)
}

func (w wrong) Get(ctx context.Context, b *batch.Batch) (*operator.Answer, error) {
	a, err := w.far.Get(ctx, b)
	if err == nil {
		w.spoil(a)
	}
	return a, err
}

func TestAnswerThatDoesNotFitIsAnError(t *testing.T) {
	for name, spoil := range map[string]func(*operator.Answer){
		"origin of another request": func(a *operator.Answer) { a.Origin[len(a.Origin)-1] = 9 },
		"origin that decreases":     func(a *operator.Answer) { slices.Reverse(a.Origin) },
		"too few origins":           func(a *operator.Answer) { a.Origin = a.Origin[1:] },
		"a failure of no key":       func(a *operator.Answer) { a.Failed = []operator.FailedKey{{Row: 9, Reason: errBroken}} },
	} {
		s := remoteSpec(Remote{InFlight: 1, Keys: 10}, nil)
		s.New = func(ctx operator.Context) (operator.Lookup, error) { return wrong{&far{pool: ctx.Pool}, spoil}, nil }
		if err := run(t.Context(), t, s, 1, 2); !errors.Is(err, errAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
