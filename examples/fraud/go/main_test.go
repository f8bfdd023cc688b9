// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func TestLargeChargeWithinAMinuteAfterASmallOneIsAnAlert(t *testing.T) {
	op := wasmilltest.Open(t, fraud, nil)
	r := wasmilltest.Process(op, "",
		Charge{"a", 60000, 0}, // nothing before it
		Charge{"a", 99, 1 * second},
		Charge{"b", 60000, 2 * second}, // another card
		Charge{"a", 50000, 3 * second},
		Charge{"a", 49999, 4 * second},
		Charge{"a", 1, 10 * second},
		Charge{"a", 70000, 69 * second},
		Charge{"a", 70000, 70 * second},
	)
	want := []Alert{{"a", 3 * second, 99, 50000}, {"a", 69 * second, 1, 70000}}
	if got := wasmilltest.Rows[Alert](r, ""); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := r.Counters["alerts"]; got != 2 {
		t.Errorf("%d alerts were counted, want 2", got)
	}
}

func TestSmallChargeIsForgottenByTheLastOnesTimer(t *testing.T) {
	op := wasmilltest.Open(t, fraud, wasmilltest.Config{"within": 10})
	wasmilltest.Process(op, "", Charge{"a", 5, 0}, Charge{"a", 7, 5 * second})
	op.AdvanceWatermark(10 * second) // when the first one would have been
	r := wasmilltest.Process(op, "", Charge{"a", 50000, 14 * second})
	if got, want := wasmilltest.Rows[Alert](r, ""), []Alert{{"a", 14 * second, 7, 50000}}; !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	op.AdvanceWatermark(15 * second)
	r = wasmilltest.Process(op, "", Charge{"a", 50000, 14 * second}) // too late
	if got := wasmilltest.Rows[Alert](r, ""); len(got) > 0 {
		t.Errorf("got %v after it was forgotten", got)
	}
}

func TestConfigurationThatMakesNoSenseIsRefused(t *testing.T) {
	const want = "small must not be more than large, and within be a second or more"
	for _, config := range []wasmilltest.Config{{"within": 0}, {"small": 2, "large": 1}} {
		if got := wasmilltest.Refusal(t, fraud, config); got != want {
			t.Errorf("%v: got %q", config, got)
		}
	}
}
