// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package watermark

import (
	"math/rand/v2"
	"testing"

	"github.com/wasmill/wasmill/abi"
)

func TestMergerIsTheLeastOfItsLiveInputs(t *testing.T) {
	m := NewMerger(3)
	for i, step := range []struct {
		do     func() (abi.EventTime, Change)
		want   abi.EventTime
		change Change
	}{
		{func() (abi.EventTime, Change) { return m.Advance(0, 10) }, Min, None},
		{func() (abi.EventTime, Change) { return m.Advance(1, 20) }, Min, None},
		{func() (abi.EventTime, Change) { return m.Idle(2) }, 10, Advanced},
		{func() (abi.EventTime, Change) { return m.Advance(2, 5) }, 10, None}, // back, and behind
		{func() (abi.EventTime, Change) { return m.Advance(0, 30) }, 10, None},
		{func() (abi.EventTime, Change) { return m.Advance(2, 25) }, 20, Advanced},
		{func() (abi.EventTime, Change) { return m.Advance(1, 15) }, 20, None}, // a split goes back
		{func() (abi.EventTime, Change) { return m.Advance(1, Max) }, 25, Advanced},
		{func() (abi.EventTime, Change) { return m.Idle(0) }, 25, None},
		{func() (abi.EventTime, Change) { return m.Idle(2) }, 25, Idled}, // nobody left: it stands
		{func() (abi.EventTime, Change) { return m.Idle(2) }, 25, None},
		{func() (abi.EventTime, Change) { return m.Advance(2, 20) }, 25, Resumed}, // and holds it
		{func() (abi.EventTime, Change) { return m.Idle(2) }, 25, Idled},
		{func() (abi.EventTime, Change) { return m.Advance(2, 26) }, 26, Advanced},
		{func() (abi.EventTime, Change) { return m.Advance(2, Max) }, 26, Idled}, // 0 is still idle
		{func() (abi.EventTime, Change) { return m.Advance(0, Max) }, Max, Advanced},
	} {
		if got, change := step.do(); got != step.want || change != step.change {
			t.Fatalf("step %d: it is %d (change %d), should be %d (%d)", i, got, change, step.want, step.change)
		}
	}
}

func TestMergerNeverGoesBack(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		m := NewMerger(1 + r.IntN(5))
		last := Min
		for range 1000 {
			i := r.IntN(len(m.inputs))
			if r.IntN(3) == 0 {
				m.Idle(i)
			} else {
				m.Advance(i, abi.EventTime(r.IntN(1000)))
			}
			if m.Current() < last {
				t.Fatalf("seed %d: from %d back to %d", seed, last, m.Current())
			}
			last = m.Current()
		}
	}
}
