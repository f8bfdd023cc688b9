// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/pebble"
)

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

func TestJoinThatIsCancelledForgetsNoMore(t *testing.T) {
	for name, s := range map[string]Spec{"interval": within(Inner, 0, 1), "window": windows(Anti, 2, 2), "temporal": temporal(Inner)} {
		b := open(t, s)
		b.must(b.give(InputRight, right("k", 1, 10), right("k", 2, 20)))
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("stopped")
		cancel(why)
		if err := b.Watermark(ctx, 100, b); !errors.Is(err, why) {
			t.Errorf("%s join goes on: %v", name, err)
		}
	}
}

func TestRowOfASlidingWindowIsKeptOnce(t *testing.T) {
	b := open(t, windows(Left, 1000, 1))
	b.must(b.give(InputLeft, left(1, "k", 5)))
	for at := range abi.EventTime(1004) {
		b.advance(at)
		if n := b.store.Stats().Entries; n != 2 {
			t.Fatalf("%d entries are kept of a row at the watermark %d, should be it and a timer", n, at)
		}
	}
	b.advance(2000)
	if len(b.rows) != 1000 || b.store.Stats().Entries != 0 {
		t.Errorf("%d windows have the row, should be 1000, and %d entries are left", len(b.rows), b.store.Stats().Entries)
	}
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
