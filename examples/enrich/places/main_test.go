// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func TestFlightsWaitForTheirAirportUntilTheWatermarkHasPassedThem(t *testing.T) {
	op := wasmilltest.Open(t, places, nil)
	early := wasmilltest.Process(op, "flights", Flight{"JFK", 5, 100}, Flight{"LAX", 7, 200}, Flight{"JFK", 6, 90})
	wasmilltest.Process(op, "airports", Airport{"JFK", "NY"}, Airport{"BOS", "MA"})
	known := wasmilltest.Process(op, "flights", Flight{"BOS", 8, 300})
	for _, step := range []struct {
		name string
		r    *wasmilltest.Result
		want []Placed
	}{
		{"before the airports", early, nil},
		{"after them", known, []Placed{{"BOS", wasmill.NotNull("MA"), 8, 300}}},
		{"when the watermark passes JFK", op.AdvanceWatermark(100), []Placed{
			{"JFK", wasmill.NotNull("NY"), 5, 100}, {"JFK", wasmill.NotNull("NY"), 6, 90},
		}},
		{"when it passes LAX", op.AdvanceWatermark(200), []Placed{{"LAX", wasmill.Null[string]{}, 7, 200}}},
		{"at the end", op.AdvanceWatermark(1000), nil},
	} {
		if got := wasmilltest.Rows[Placed](step.r, ""); !slices.Equal(got, step.want) {
			t.Errorf("%s: got  %v\nwant %v", step.name, got, step.want)
		}
	}
}

func TestAirportsHaveATime(t *testing.T) {
	r := wasmilltest.Map(wasmilltest.Open(t, since, wasmilltest.Config{"since": "1970-01-01T00:00:00.000007Z"}), Listed{"JFK", "NY"})
	if got, want := wasmilltest.Rows[Dated](r, ""), []Dated{{"JFK", "NY", 7}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
