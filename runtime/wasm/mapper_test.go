// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// The tests below run one SDK's conformance module: abi/conformance holds all of them against each
// other.
func testModule(t testing.TB, opts wasm.Options) *wasm.Module {
	return load(t, newEngine(t, opts), guests["c"](t))
}

// process runs rows through the named operator of a fresh stage.
func process(t *testing.T, m *wasm.Module, name string, config []any, in ...[]any) *stage {
	t.Helper()
	s := newStage(t)
	sp := spec(t, m, s, name, config...)
	o := openMap(t, m, s, sp)
	if err := o.Process(t.Context(), 0, rows(s.Pool, sp.Inputs[0].Schema, in...), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs from what is wanted (-want +got):\n%s", what, diff)
	}
}

func TestAMapForwardsColumnsFromEachRowsOrigin(t *testing.T) {
	s := process(t, testModule(t, wasm.Options{}), "split", []any{" "},
		[]any{"to be"}, []any{""}, []any{"or not"})
	want(t, "output", s.emitted,
		"0 text=to be word=to index=0 #1", "0 text=to be word=be index=1 #1",
		"0 text=or not word=or index=0 #3", "0 text=or not word=not index=1 #3")
	if n := s.Counters.Get("words").Load(); n != 4 {
		t.Errorf("the counter is %d, not 4", n)
	}
	if n := s.Counters.Get("fuel").Load(); n <= 0 {
		t.Errorf("%d fuel was counted", n)
	}
}

func TestARowWithoutARequiredValueFailsAndIsNotGivenToTheGuest(t *testing.T) {
	s := process(t, testModule(t, wasm.Options{}), "split", []any{" "}, []any{nil}, []any{"word"}, []any{nil})
	want(t, "output", s.emitted, "0 text=word word=word index=0 #2")
	want(t, "failures", s.failed,
		`text=null #1: column "text" is null, and operator "split" needs a value`,
		`text=null #3: column "text" is null, and operator "split" needs a value`)
}

func TestSideOutputsAndFailedRowsOfOneBatch(t *testing.T) {
	s := process(t, testModule(t, wasm.Options{}), "route", nil, []any{1}, []any{2}, []any{nil}, []any{-3}, []any{4})
	slices.Sort(s.emitted)
	want(t, "output", s.emitted, "0 n=2 #2", "0 n=4 #5", "1 n=1 #1")
	want(t, "failures", s.failed, "n=-3 #4: n is negative: -3")
}

func TestAMapWritesEventTimes(t *testing.T) {
	m := testModule(t, wasm.Options{})
	s := newStage(t)
	sp := spec(t, m, s, "shift", 100)
	o := openMap(t, m, s, sp)
	b := s.Pool.NewBuilder(sp.Inputs[0].Schema)
	for n := range 3 {
		b.Column(0).AppendInt64(int64(n))
		b.AppendTime(abi.EventTime(n))
		b.EndRow()
	}
	if err := o.Process(t.Context(), 0, b.Finish(), s); err != nil {
		t.Fatal(err)
	}
	want(t, "output", s.emitted, "0 n=0 @100", "0 n=1 @101", "0 n=2 @102")
}

func TestAnOperatorThatRefusesItsConfigurationSaysWhy(t *testing.T) {
	m := testModule(t, wasm.Options{})
	s := newStage(t)
	o, err := m.Operator(s.Context, spec(t, m, s, "refuse", -1))
	if err != nil {
		t.Fatal(err)
	}
	err = o.Open(t.Context())
	var fault *operator.Error
	if !errors.As(err, &fault) || fault.Fault != operator.FaultConfig || !strings.Contains(err.Error(), "limit must be positive, not -1") {
		t.Errorf("Open = %v; want a fault of the configuration with the operator's words", err)
	}
	if err := o.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRowsThatTrapFailAloneAndTheOthersGoOn(t *testing.T) {
	s := process(t, testModule(t, wasm.Options{}), "crash", nil, []any{1}, []any{13}, []any{2}, []any{nil}, []any{13}, []any{3})
	want(t, "output", s.emitted, "0 n=1 #1", "0 n=2 #3", "0 n=3 #6")
	if len(s.failed) != 3 || !strings.HasPrefix(s.failed[0], "n=13 #2") || !strings.HasPrefix(s.failed[1], "n=null #4") || !strings.HasPrefix(s.failed[2], "n=13 #5") {
		t.Fatalf("failed: %q", s.failed)
	}
	for _, part := range []string{`operator "crash" of module `, "unlucky 13", "\n    at crash_process", "\n    at wasmill_process"} {
		if !strings.Contains(s.failed[0], part) {
			t.Errorf("the error lacks %q: %s", part, s.failed[0])
		}
	}
}

func TestTooManyRowsThatTrapFailTheOperator(t *testing.T) {
	m := testModule(t, wasm.Options{Limits: wasm.Limits{BadRows: 3}})
	s := newStage(t)
	sp := spec(t, m, s, "crash")
	o := openMap(t, m, s, sp)
	err := o.Process(t.Context(), 0, rows(s.Pool, sp.Inputs[0].Schema, []any{13}, []any{13}, []any{13}, []any{13}), s)
	var fault *operator.Error
	if !errors.As(err, &fault) || fault.Fault != operator.FaultModule || !strings.Contains(err.Error(), "more than 3 rows of one batch brought it down") {
		t.Errorf("Process = %v; want a fault of the module", err)
	}
	if len(s.failed)+len(s.emitted) > 0 {
		t.Errorf("%q failed and %q was emitted by a call that failed", s.failed, s.emitted)
	}
}

func TestAnErrorOfFailEndsTheBatchWithNothingEmitted(t *testing.T) {
	m := testModule(t, wasm.Options{})
	s := newStage(t)
	s.stop = errors.New("on_error: fail")
	sp := spec(t, m, s, "route")
	o := openMap(t, m, s, sp)
	err := o.Process(t.Context(), 0, rows(s.Pool, sp.Inputs[0].Schema, []any{1}, []any{-1}, []any{2}), s)
	if !errors.Is(err, s.stop) || len(s.emitted) > 0 {
		t.Errorf("Process = %v, emitted %q", err, s.emitted)
	}
}

func TestABatchLargerThanTheContractAllowsIsSplit(t *testing.T) {
	m := testModule(t, wasm.Options{})
	s := newStage(t)
	sp := spec(t, m, s, "route")
	o := openMap(t, m, s, sp)
	b := s.Pool.NewBuilder(sp.Inputs[0].Schema)
	const n = abi.MaxRows + 10
	for i := range n {
		b.Column(0).AppendInt64(int64(2 * i))
		b.EndRow()
	}
	if err := o.Process(t.Context(), 0, b.Finish(), s); err != nil {
		t.Fatal(err)
	}
	if len(s.emitted) != n || s.emitted[n-1] != fmt.Sprintf("0 n=%d", 2*(n-1)) {
		t.Errorf("%d rows came out of %d", len(s.emitted), n)
	}
}

func TestLogLinesArriveWithTheirLevels(t *testing.T) {
	m := testModule(t, wasm.Options{})
	s := newStage(t)
	var log strings.Builder
	s.Log = textLogger(&log)
	sp := spec(t, m, s, "say")
	o := openMap(t, m, s, sp)
	in := rows(s.Pool, sp.Inputs[0].Schema, []any{int32(1), "hello"}, []any{int32(3), "bell \a and \x1b[2J"})
	if err := o.Process(t.Context(), 0, in, s); err != nil {
		t.Fatal(err)
	}
	const wanted = "level=INFO msg=hello\nlevel=ERROR msg=\"bell \uFFFD and \uFFFD[2J\"\n"
	if log.String() != wanted {
		t.Errorf("logged %q, want %q", log.String(), wanted)
	}
}

// TestOutputDoesNotDependOnHowRowsAreBatchedOrInstancesRecycled runs the same rows in batches of
// random sizes, some of them through instances that live for one batch.
func TestOutputDoesNotDependOnHowRowsAreBatchedOrInstancesRecycled(t *testing.T) {
	whole, recycled := testModule(t, wasm.Options{}), testModule(t, wasm.Options{RecycleEachBatch: true})
	for _, name := range []string{"split", "route", "crash", "everything"} {
		var first []string
		for seed := range uint64(6) {
			m := whole
			if seed%2 == 1 {
				m = recycled
			}
			got := runInBatches(t, m, name, rand.New(rand.NewPCG(seed, 0)))
			if first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Fatalf("%s, seed %d: output changed (-first +this):\n%s", name, seed, diff)
			}
		}
	}
}

// runInBatches runs the same 200 rows always, in batches whose sizes r draws.
func runInBatches(t *testing.T, m *wasm.Module, name string, r *rand.Rand) []string {
	s := newStage(t)
	sp := spec(t, m, s, name)
	o := openMap(t, m, s, sp)
	data := rand.New(rand.NewPCG(1, 1))
	b := s.Pool.NewBuilder(sp.Inputs[0].Schema)
	left := 1 + r.IntN(40)
	for n := range 200 {
		for i := range sp.Inputs[0].Schema.Fields {
			randomValue(data, b.Column(i))
		}
		b.AppendPosition(batch.At(0, int64(n)))
		b.EndRow()
		if left--; left == 0 || n == 199 {
			in := b.Finish()
			if err := o.Process(t.Context(), 0, in, s); err != nil {
				t.Fatal(err)
			}
			in.Release()
			left = 1 + r.IntN(40)
		}
	}
	slices.SortStableFunc(s.emitted, func(a, b string) int { return strings.Compare(a[:1], b[:1]) }) // by port
	slices.Sort(s.failed)
	return append(s.emitted, s.failed...)
}

func randomValue(r *rand.Rand, c *batch.ColumnBuilder) {
	if r.IntN(8) == 0 {
		c.AppendNull()
		return
	}
	switch c.Type() {
	case abi.Bool:
		c.AppendBool(r.IntN(2) == 0)
	case abi.Int32:
		c.AppendInt32(r.Int32N(100))
	case abi.Float64:
		c.AppendFloat64(r.NormFloat64())
	case abi.String, abi.Bytes:
		c.AppendString([]string{"", "a b", "größer und größer", "x"}[r.IntN(4)])
	case abi.List:
		for range r.IntN(3) {
			randomValue(r, c.Child(0))
		}
		c.EndList()
	case abi.Struct:
		randomValue(r, c.Child(0))
		randomValue(r, c.Child(1))
		c.EndStruct()
	default:
		c.AppendInt64(r.Int64N(40) - 4)
	}
}

func TestFuelIsTheSameOverRuns(t *testing.T) {
	m := testModule(t, wasm.Options{})
	var first int64
	for range 3 {
		s := newStage(t)
		sp := spec(t, m, s, "split", " ")
		o := openMap(t, m, s, sp)
		for range 20 {
			if err := o.Process(t.Context(), 0, rows(s.Pool, sp.Inputs[0].Schema, []any{"to be"}, []any{"or not to be"}), s); err != nil {
				t.Fatal(err)
			}
		}
		if fuel := s.Counters.Get("fuel").Load(); first == 0 {
			first = fuel
		} else if fuel != first {
			t.Errorf("%d units, %d the first time", fuel, first)
		}
	}
}

func TestACancelledContextIsReturnedAsItIs(t *testing.T) {
	m := testModule(t, wasm.Options{})
	s := newStage(t)
	sp := spec(t, m, s, "route")
	o := openMap(t, m, s, sp)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user has had enough")
	cancel(why)
	if err := o.Process(ctx, 0, rows(s.Pool, sp.Inputs[0].Schema, []any{1}), s); !errors.Is(err, why) {
		t.Errorf("Process = %v, want %v", err, why)
	}
}
