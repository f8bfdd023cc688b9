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
