// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func miles(n int64) wasmill.Null[int64]   { return wasmill.NotNull(n) }
func minutes(n int64) wasmill.Null[int64] { return wasmill.NotNull(n) }

var (
	unknown = wasmill.Null[bool]{}
	late    = wasmill.NotNull(true)
	onTime  = wasmill.NotNull(false)
)

func TestMovements(t *testing.T) {
	op := wasmilltest.Open(t, movements, nil)
	r := wasmilltest.Map(op,
		Flight{"JFK", "LAX", minutes(15), miles(2475)},
		Flight{"LAX", "SFO", minutes(14), miles(337)},
		Flight{"JFK", "JFK", minutes(0), miles(3000)},
		Flight{Origin: "ORD", Destination: "HNL", Distance: miles(4243)},
		Flight{"BOS", "SEA", minutes(-3), miles(2500)},
		Flight{"BOS", "DEN", minutes(99), miles(1499)},
	)
	want := []Movement{
		{"JFK", "departure", late}, {"LAX", "arrival", late},
		{"LAX", "departure", onTime}, {"SFO", "arrival", onTime},
		{"ORD", "departure", unknown}, {"HNL", "arrival", unknown},
		{"BOS", "departure", onTime}, {"SEA", "arrival", onTime},
		{"BOS", "departure", late}, {"DEN", "arrival", late},
	}
	if got := wasmilltest.Rows[Movement](r, ""); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got, want := wasmilltest.Rows[LongHaul](r, "long_haul"), []LongHaul{{"long"}, {"very long"}, {"very long"}}; !slices.Equal(got, want) {
		t.Errorf("long hauls are %v, want %v", got, want)
	}
	if got, want := r.Origins("long_haul"), []int{0, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("long hauls are rows %v, want %v", got, want)
	}
	if want := map[int]string{2: "flight from JFK to itself"}; !maps.Equal(r.Failures, want) {
		t.Errorf("failures are %v, want %v", r.Failures, want)
	}
	if got := r.Counters["flights"]; got != 5 {
		t.Errorf("%d flights were counted, want 5", got)
	}
}

func TestLateAfterIsConfigured(t *testing.T) {
	op := wasmilltest.Open(t, movements, wasmilltest.Config{"late_after": 60})
	r := wasmilltest.Map(op, Flight{"JFK", "LAX", minutes(59), miles(100)}, Flight{"JFK", "LAX", minutes(60), miles(100)})
	for i, got := range wasmilltest.Rows[Movement](r, "") {
		if want := []wasmill.Null[bool]{onTime, late}[i/2]; got.Late != want {
			t.Errorf("movement %d is late: %v, want %v", i, got.Late, want)
		}
	}
}

func TestNegativeLateAfterIsRefused(t *testing.T) {
	got := wasmilltest.Refusal(t, movements, wasmilltest.Config{"late_after": -1})
	if want := "late_after must not be negative, got -1"; got != want {
		t.Errorf("it refuses with %q, want %q", got, want)
	}
}
