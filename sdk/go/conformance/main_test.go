// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

// operator returns an operator of this module.
func operator(t *testing.T, name string) wasmill.Operator {
	t.Helper()
	for _, op := range operators() {
		if d, err := op.Describe(); err != nil {
			t.Fatal(err)
		} else if d.Name == name {
			return op
		}
	}
	t.Fatalf("no operator %s", name)
	return nil
}

// The host must read of this module what abi's golden descriptions say, but for docs, and for
// fields that this SDK requires because they can't be null in Go.
func TestDescriptionIsTheGoldenOne(t *testing.T) {
	want := append(goldenOperators(t, "conformance"), goldenOperators(t, "state")...)
	var declared []*wire.Operator
	for _, op := range operators() {
		d, err := op.Describe()
		if err != nil {
			t.Fatal(err)
		}
		declared = append(declared, d)
	}
	got, err := describe.Parse(wire.Describe("test", declared))
	if err != nil {
		t.Fatal(err)
	}
	docs := cmpopts.IgnoreFields
	if diff := cmp.Diff(want, got.Operators, docs(describe.Operator{}, "Doc"), docs(describe.State{}, "Doc"), docs(abi.Field{}, "Doc"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func goldenOperators(t *testing.T, name string) []describe.Operator {
	t.Helper()
	golden, err := os.ReadFile("../../../abi/testdata/describe-" + name + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	m, err := describe.Parse(golden)
	if err != nil {
		t.Fatal(err)
	}
	return m.Operators
}

func some[T any](v T) wasmill.Null[T] { return wasmill.NotNull(v) }

func TestEverythingPassesThroughUnchanged(t *testing.T) {
	op := wasmilltest.Open(t, operator(t, "everything"), nil)
	rows := []Values{{}, {
		B: some(true), I: some(int32(math.MinInt32)), L: some(int64(math.MaxInt64)), F: some(-0.5),
		D: some(wasmill.Decimal(-1999)), S: some("grüß"), Y: some([]byte{0, 255}), T: some(wasmill.Timestamp(-1)),
		Ls: some([]wasmill.Null[string]{some("a"), {}, some("")}), St: some(Pair{A: some(int64(7))}),
	}, {
		B: some(false), S: some(""), Y: some([]byte{}), Ls: some([]wasmill.Null[string]{}), St: some(Pair{B: some("b")}),
	}}
	for n := int64(0); len(rows) < 1000; n++ { // several chunks, of which the last is not whole
		r := rows[n%3]
		r.L, r.S = some(n), some(strings.Repeat("x", int(n)))
		r.Ls = some(slices.Repeat([]wasmill.Null[string]{r.S}, int(n)%4))
		rows = append(rows, r)
	}
	got := wasmilltest.Rows[Values](wasmilltest.Map(op, rows...), "")
	if len(got) != len(rows) {
		t.Fatalf("got %d rows of %d", len(got), len(rows))
	}
	for i := range rows {
		if !reflect.DeepEqual(got[i], rows[i]) {
			t.Fatalf("row %d: got %+v, want %+v", i, got[i], rows[i])
		}
	}
}

func TestSplitMakesARowOfEachWord(t *testing.T) {
	op := wasmilltest.Open(t, operator(t, "split"), nil)
	r := wasmilltest.Map(op, Text{" to  be "}, Text{""}, Text{"or"})
	if got, want := wasmilltest.Rows[Word](r, ""), []Word{{"to", 0}, {"be", 1}, {"or", 0}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := r.Origins(""), []int{0, 0, 2}; !slices.Equal(got, want) {
		t.Errorf("origins are %v, want %v", got, want)
	}
	if got := r.Counters["words"]; got != 3 {
		t.Errorf("%d words were counted, want 3", got)
	}
}

func TestRouteFailsRowsAndKeepsTheRest(t *testing.T) {
	op := wasmilltest.Open(t, operator(t, "route"), nil)
	r := wasmilltest.Map(op, Number{some(int64(2))}, Number{}, Number{some(int64(-3))}, Number{some(int64(5))})
	if got, want := wasmilltest.Rows[Number](r, ""), []Number{{some(int64(2))}}; !slices.Equal(got, want) {
		t.Errorf("main output is %v, want %v", got, want)
	}
	if got, want := wasmilltest.Rows[Number](r, "odd"), []Number{{some(int64(5))}}; !slices.Equal(got, want) {
		t.Errorf("output odd is %v, want %v", got, want)
	}
	if want := map[int]string{2: "n is negative: -3"}; !maps.Equal(r.Failures, want) {
		t.Errorf("failures are %v, want %v", r.Failures, want)
	}
	r = wasmilltest.Map(op, Number{some(int64(-1))})
	if len(r.Failures) != 1 || len(wasmilltest.Rows[Number](r, "")) != 0 {
		t.Errorf("a batch of one failed row gave %v and %v", r.Failures, wasmilltest.Rows[Number](r, ""))
	}
}

func TestShiftMovesEventTimes(t *testing.T) {
	op := wasmilltest.Open(t, operator(t, "shift"), wasmilltest.Config{"by": -5})
	got := wasmilltest.Rows[Event](wasmilltest.Map(op, Event{some(int64(1)), 100}, Event{At: 7}), "")
	if want := []Event{{some(int64(1)), 95}, {At: 2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefuseOpensWithAPositiveLimitOnly(t *testing.T) {
	refuse := operator(t, "refuse")
	if got, want := wasmilltest.Refusal(t, refuse, wasmilltest.Config{"limit": -1}), "limit must be positive, not -1"; got != want {
		t.Errorf("it refuses with %q, want %q", got, want)
	}
	wasmilltest.Open(t, refuse, wasmilltest.Config{"limit": 1})
}

func TestCrashPanics(t *testing.T) {
	op := wasmilltest.Open(t, operator(t, "crash"), nil)
	defer func() {
		if v := recover(); v != "unlucky 13" {
			t.Errorf("recovered %v, want unlucky 13", v)
		}
	}()
	wasmilltest.Map(op, Some{12}, Some{13})
}

func TestSayLogs(t *testing.T) {
	op := wasmilltest.Open(t, operator(t, "say"), nil)
	r := wasmilltest.Map(op, Line{2, "careful"}, Line{Text: "well"})
	if want := []string{"warn: careful", "debug: well"}; !slices.Equal(r.Log, want) {
		t.Errorf("log is %q, want %q", r.Log, want)
	}
}

func TestMean(t *testing.T) {
	mean := operator(t, "mean")
	op := wasmilltest.Open(t, mean, nil)
	r := wasmilltest.Aggregate(op, Sample{some(1.0)}, Sample{some(-1.0)}, Sample{}, Sample{some(2.0)}, Sample{some(6.0)})
	if got, want := wasmilltest.Rows[MeanOf](r, ""), []MeanOf{{some(3.0), 3}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if want := map[int]string{1: "x is negative"}; !maps.Equal(r.Failures, want) {
		t.Errorf("failures are %v, want %v", r.Failures, want)
	}
	if got, want := wasmilltest.Rows[MeanOf](wasmilltest.Aggregate[Sample](op), ""), []MeanOf{{}}; !slices.Equal(got, want) {
		t.Errorf("of no rows: got %v, want %v", got, want)
	}
}

func TestLongestKeepsTheFirstOfEquallyLong(t *testing.T) {
	longest := operator(t, "longest")
	op := wasmilltest.Open(t, longest, nil)
	for _, test := range []struct {
		rows []Name
		want wasmill.Null[string]
	}{
		{nil, wasmill.Null[string]{}},
		{[]Name{{}, {}}, wasmill.Null[string]{}},
		{[]Name{{some("")}, {}}, some("")},
		{[]Name{{some("ab")}, {some("cd")}, {some("ef")}, {some("x")}}, some("ab")},
		{[]Name{{}, {some("a")}, {some("bcd")}}, some("bcd")},
	} {
		r := wasmilltest.Aggregate(op, test.rows...)
		if got, want := wasmilltest.Rows[LongestOf](r, ""), []LongestOf{{test.want}}; !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", test.rows, got, want)
		}
	}
}
