// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func TestPlacesAreAdded(t *testing.T) {
	op := wasmilltest.Open(t, places, nil)
	r := wasmilltest.Map(op, Flight{"JFK", "ANC"}, Flight{"JFK", "XXX"}, Flight{"", "JFK"})
	want := []Places{{"New York", "NY", 40.63975111, -73.77892556, "Anchorage", "AK", 61.17432028, -149.9961856}}
	if got := wasmilltest.Rows[Places](r, ""); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if want := map[int]string{1: "there is no airport XXX", 2: "there is no airport "}; !maps.Equal(r.Failures, want) {
		t.Errorf("failures are %v, want %v", r.Failures, want)
	}
}
