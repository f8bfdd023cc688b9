// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func TestMovementsCountUntilTheirHourIsOver(t *testing.T) {
	op := wasmilltest.Open(t, traffic, wasmilltest.Config{"hours": 2})
	wasmilltest.Process(op, "", Movement{"JFK", 0}, Movement{"JFK", hour}, Movement{"JFK", hour - 1}, Movement{"LAX", 4 * hour})
	r := op.AdvanceWatermark(10 * hour)
	want := []Traffic{
		{"JFK", hour, 2}, {"JFK", 2 * hour, 3}, {"JFK", 3 * hour, 1},
		{"LAX", 5 * hour, 1}, {"LAX", 6 * hour, 1},
	}
	if got := wasmilltest.Rows[Traffic](r, ""); !slices.Equal(sorted(got), want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestMovementsOfOneHourAreOneNumber(t *testing.T) {
	op := wasmilltest.Open(t, traffic, nil)
	for range 3 {
		wasmilltest.Process(op, "", Movement{"JFK", 7*hour + 1}, Movement{"JFK", 8*hour - 1})
	}
	want := []Traffic{{"JFK", 8 * hour, 6}}
	if got := wasmilltest.Rows[Traffic](op.AdvanceWatermark(8*hour), ""); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestHoursMustBeSome(t *testing.T) {
	if got := wasmilltest.Refusal(t, traffic, wasmilltest.Config{"hours": 0}); got != "hours must be 1 or more" {
		t.Errorf("got %q", got)
	}
}

func TestHoursBeginBefore1970Too(t *testing.T) {
	for at, want := range map[wasmill.EventTime]wasmill.Timestamp{-1: -hour, -hour: -hour, -hour - 1: -2 * hour, 0: 0, hour - 1: 0} {
		if got := floor(at); got != want {
			t.Errorf("the hour of %d begins at %d, want %d", at, got, want)
		}
	}
}

// sorted puts rows into order by airport, then time, which is that of their timers for each airport.
func sorted(rows []Traffic) []Traffic {
	slices.SortStableFunc(rows, func(a, b Traffic) int {
		switch {
		case a.Airport < b.Airport:
			return -1
		case a.Airport > b.Airport:
			return 1
		}
		return int(a.At - b.At)
	})
	return rows
}
