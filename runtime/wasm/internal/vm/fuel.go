// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// Allowance is what one call may use.
type Allowance struct {
	Fuel int64         // units, as package meter counts them
	Time time.Duration // by the clock, so that fuel that was priced wrongly stops, too
}

// A slice is the fuel that a guest gets at a time. Its length follows the guest's pace toward
// sliceTime; between two slices the host looks at the context and lets Go's scheduler and collector
// run. (The collector cannot stop a goroutine that is inside a guest: one 36 ms slice made a
// collection wait for 332 ms.)
const (
	firstSlice = 500_000 // units: 0.15 to 0.5 ms
	leastSlice = 20_000
	mostSlice  = 20_000_000
	sliceTime  = 500 * time.Microsecond
)

// gauge hands out the fuel of one instance. What is used in a call is what the guest was given less
// what is left in its global, so that it does not depend on how it was sliced.
type gauge struct {
	fuel api.MutableGlobal // of the guest

	slice int64     // units to hand out at a time
	since time.Time // when the slice in hand was given; zero in a call's first, to spare a look at the clock

	ctx      context.Context // of the call that runs
	budget   int64           // not handed out yet
	given    int64           // handed out
	charged  int64           // used by host functions
	unticked int64           // used by host functions since the last tick
	time     time.Duration
	deadline time.Time

	used int64 // by the last call
}

func (g *gauge) begin(ctx context.Context, a Allowance) {
	if g.slice == 0 {
		g.slice = firstSlice
	}
	first := min(g.slice, a.Fuel)
	g.ctx, g.budget, g.given, g.charged, g.unticked = ctx, a.Fuel-first, first, 0, 0
	g.time, g.deadline, g.since = a.Time, time.Time{}, time.Time{}
	g.fuel.Set(uint64(first))
}

func (g *gauge) end() {
	g.used = g.given - int64(g.fuel.Get()) + g.charged
	g.ctx = nil
}

// Used returns the fuel that the last call used, host functions included.
func (in *Instance) Used() int64 { return in.used }

// refill is called by the guest when its fuel would go down to left, which is negative. It returns
// the fuel that it has now, or ends the call.
func (in *Instance) refill(left int64) int64 {
	g := &in.gauge
	if -left > g.budget {
		// All that there is has been used: what the guest has not paid for does not count.
		g.given, g.budget = g.given+g.budget, 0
		g.fuel.Set(0)
		panic(&stop{reason: FuelUsed})
	}
	g.tick(true)
	give := min(-left+g.slice, g.budget)
	g.budget -= give
	g.given += give
	return left + give
}

// Charge makes the call pay for the work of a host function. It ends the call where that is more
// than there is, and lets the host run where it has taken a slice.
func (in *Instance) Charge(units int64) {
	g := &in.gauge
	if units > g.budget {
		g.reclaim(units - g.budget)
	}
	g.budget -= units
	g.charged += units
	if g.unticked += units; g.unticked > g.slice {
		g.tick(false)
	}
}

// reclaim takes fuel back from the guest, so that a call ends when all is used, however much of it
// lay in the slice in hand. It ends the call where there is not enough.
func (g *gauge) reclaim(units int64) {
	left := int64(g.fuel.Get())
	if units > left {
		// What can't be paid for does not count.
		g.given, g.budget = g.given+g.budget, 0
		g.fuel.Set(0)
		panic(&stop{reason: FuelUsed})
	}
	g.fuel.Set(uint64(left - units))
	g.given -= units
	g.budget += units
}

// tick is what happens between two slices. whole says that the guest has used up the slice, so
// that its pace is known.
func (g *gauge) tick(whole bool) {
	now := time.Now()
	switch {
	case g.deadline.IsZero():
		g.deadline = now.Add(g.time)
	case now.After(g.deadline):
		panic(&stop{reason: TimeUsed})
	case whole:
		g.adapt(now.Sub(g.since))
	}
	if err := context.Cause(g.ctx); err != nil {
		panic(&stop{reason: Stopped, cause: err})
	}
	runtime.Gosched()
	g.unticked = 0
	if whole {
		g.since = time.Now()
	}
}

// adapt takes the next slice's length from how long the last one took. It shrinks at once and
// grows by half at most, since the next stretch of code may be slower.
func (g *gauge) adapt(took time.Duration) {
	fits := int64(float64(g.slice) * float64(sliceTime) / float64(max(took, time.Microsecond)))
	g.slice = min(max(fits, leastSlice), g.slice+g.slice/2, mostSlice)
}
