// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func TestPlanesLandAfterTheirTimeInTheAirAndOnTheGround(t *testing.T) {
	r := wasmilltest.Map(wasmilltest.Open(t, landings, nil), Flight{0, 0, "JFK", "BOS"}, Flight{5 * minute, 807, "JFK", "ORD"})
	want := []Landing{{"BOS", "JFK", 30 * minute}, {"ORD", "JFK", 135 * minute}}
	if got := wasmilltest.Rows[Landing](r, ""); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestConfigurationThatMakesNoSenseIsRefused(t *testing.T) {
	const want = "speed must be 1 or more and ground not negative, got 0 and 30"
	if got := wasmilltest.Refusal(t, landings, wasmilltest.Config{"speed": 0}); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
