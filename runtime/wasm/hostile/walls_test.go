// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"strings"
	"testing"
	"time"
)

func TestTheClockStopsWhatFuelDoesNot(t *testing.T) {
	l := limits
	l.CallFuel, l.CallTime, l.BadRows = 1<<50, 100*time.Millisecond, 1
	o := runWith(t, operatorModule(t).does(processIndex, forever(), opUnreachable).bytes(), routeOperator, l)
	if text := o.String(); !strings.Contains(text, "wasmill_process took longer than 100ms and was stopped") {
		t.Errorf("the error does not say why: %s", text)
	}
}

// TestFuelDoesNotDependOnTheClock runs guests that take many slices, whose lengths differ from run to
// run: what is billed may not.
func TestFuelDoesNotDependOnTheClock(t *testing.T) {
	finite := map[string]func(a *assembly){
		"a loop that ends": func(a *assembly) { a.does(processIndex, times(3_000_000, 2), i32(0)) },
		"calls":            func(a *assembly) { a.does(processIndex, times(300_000, 2, call(nowIndex), opDrop), i32(0)) },
		"memory at work": func(a *assembly) {
			a.does(processIndex, times(300, 2, i32(0), i32(0), i32(1<<20), memoryFill()), i32(0))
		},
		"random numbers": func(a *assembly) {
			a.does(processIndex, times(50, 2, i32(0), i32(1<<18), call(randomIndex), opDrop), i32(0))
		},
		"a loop that never ends": func(a *assembly) { a.does(processIndex, forever(), opUnreachable) },
		"host calls that never end": func(a *assembly) {
			a.does(processIndex, forever(i32(0), i32(300_000), call(randomIndex), opDrop), opUnreachable)
		},
		"recursion that never ends": func(a *assembly) {
			a.does(processIndex, call(extraIndex), opUnreachable).has(function{code: call(extraIndex)})
		},
	}
	for name, change := range finite {
		t.Run(name, func(t *testing.T) {
			a := operatorModule(t)
			change(a)
			bin := a.bytes()
			first := run(t, bin, routeOperator).fuel
			if first < 50_000 {
				t.Errorf("%d units are fewer than it takes", first)
			}
			for range 4 {
				if fuel := run(t, bin, routeOperator).fuel; fuel != first {
					t.Errorf("%d units, %d the first time", fuel, first)
				}
			}
		})
	}
}

func TestOneBatchCannotUseMoreThanAFewCallsFuel(t *testing.T) {
	l := limits
	l.BadRows = 1000
	o := runWith(t, operatorModule(t).does(processIndex, forever(), opUnreachable).bytes(), routeOperator, l)
	if o.process == nil || !strings.Contains(o.process.Error(), "one batch used more than 4 times the fuel of a call") {
		t.Errorf("Process = %v", o.process)
	}
}

func TestAnInstanceThatGrowsIsReplacedBetweenBatches(t *testing.T) {
	// Each call grows the memory by 5 MiB, and traps when it can't.
	a := operatorModule(t).does(processIndex, i32(80), memoryGrow(), i32(-1), 0x46, opIf, empty, opUnreachable, opEnd, i32(0))
	l := limits
	l.MemoryBytes = 8 << 20
	if o := runWith(t, a.bytes(), routeOperator, l); len(o.failed) == 0 {
		t.Errorf("three calls fit: %s", o)
	}
	l.RecycleBytes = 2 << 20
	if o := runWith(t, a.bytes(), routeOperator, l); o.String() != "" {
		t.Errorf("a fresh instance for each batch did not help: %s", o)
	}
}

func TestNamesOfMegabytesDoNotFillTheHost(t *testing.T) {
	a := operatorModule(t).does(processIndex, call(extraIndex), opUnreachable).has(function{code: call(extraIndex)})
	long := strings.Repeat("n", 4<<20)
	names := append(leb(1), append(leb(extraIndex), name(long)...)...)
	a.sections = section(0, append(name("name"), section(1, names)...))
	o := attack(t, a.bytes(), routeOperator, "nests calls deeper")
	if n := len(o.String()); n > 1<<20 {
		t.Errorf("the error has %d bytes", n)
	}
}
