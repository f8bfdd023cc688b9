// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"strings"
	"testing"
)

func TestAModuleThatKeepsTheContractRuns(t *testing.T) {
	o := attack(t, operatorModule(t).bytes(), routeOperator)
	if text := o.String(); text != "" {
		t.Errorf("it failed: %s", text)
	}
}

// endless are the places where a loop without end can hide. An attack's own functions begin at
// extraIndex.
func endless() map[string]func(a *assembly, in int) {
	return map[string]func(a *assembly, in int){
		"loop":        func(a *assembly, in int) { a.does(in, forever(), opUnreachable) },
		"inner loops": func(a *assembly, in int) { a.does(in, forever(forever(), forever()), opUnreachable) },
		"recursion": func(a *assembly, in int) {
			a.does(in, call(extraIndex), opUnreachable).has(function{code: call(extraIndex)})
		},
		"mutual recursion": func(a *assembly, in int) {
			a.does(in, call(extraIndex), opUnreachable).has(function{code: call(extraIndex + 1)}, function{code: call(extraIndex)})
		},
		"recursion by the table": func(a *assembly, in int) {
			a.elements = []uint32{extraIndex}
			a.does(in, call(extraIndex), opUnreachable).has(function{code: code(i32(0), indirect(extraIndex))})
		},
		"recursion that returns": func(a *assembly, in int) { // fib without end: the stack stays low
			a.does(in, i32(1000), call(extraIndex), opDrop, opUnreachable).has(function{params: "i", result: "i", code: code(
				local(0), i32(2), 0x48, opIf, 0x7f, local(0), 0x05,
				local(0), i32(-1), opI32Add, call(extraIndex), local(0), i32(-2), opI32Add, call(extraIndex), opI32Add, opEnd)})
		},
		"br_table": func(a *assembly, in int) {
			a.does(in, opLoop, empty, i32(0), opBrTable, 1, 0, 0, opEnd, opUnreachable)
		},
		"bulk memory": func(a *assembly, in int) {
			var fills []byte // no loop and no call: each fill is a megabyte
			for range 3000 {
				fills = append(fills, code(i32(0), i32(0), i32(1<<20), memoryFill())...)
			}
			a.does(in, fills, opUnreachable)
		},
		"host calls: now":   func(a *assembly, in int) { a.does(in, forever(call(nowIndex), opDrop), opUnreachable) },
		"host calls: count": func(a *assembly, in int) { a.does(in, forever(call(nowIndex), opDrop), opUnreachable) },
		"host calls: random": func(a *assembly, in int) {
			a.does(in, forever(i32(0), i32(1<<20), call(randomIndex), opDrop), opUnreachable)
		},
		"host calls: clock": func(a *assembly, in int) {
			a.does(in, forever(i32(1), i64(0), i32(0), call(clockIndex), opDrop), opUnreachable)
		},
		"host calls: sleep": func(a *assembly, in int) {
			a.does(in, forever(i32(0), i32(4096), i32(1), i32(8192), call(pollIndex), opDrop), opUnreachable)
		},
		"a long straight line": func(a *assembly, in int) {
			var line []byte
			for range 100_000 {
				line = append(line, code(i32(1), setLocal(6))...)
			}
			a.does(in, forever(line), opUnreachable)
			a.functions[in-importCount].locals = 8
		},
		"memory that never ends": func(a *assembly, in int) { a.does(in, forever(i32(1), memoryGrow(), opDrop), opUnreachable) },
		"tables that never end":  func(a *assembly, in int) { a.does(in, forever(refNull(), i32(1), tableGrow(), opDrop), opUnreachable) },
	}
}

func TestALoopWithoutEndStopsWithinItsFuelWhereverItHides(t *testing.T) {
	for hidden, put := range endless() {
		t.Run(hidden, func(t *testing.T) {
			a := operatorModule(t)
			put(a, processIndex)
			want := "fuel of 100000000 units"
			if strings.Contains(hidden, "recursion") && !strings.Contains(hidden, "returns") {
				want = "nests calls deeper than 4096 KiB of stack"
			}
			attack(t, a.bytes(), routeOperator, "wasmill_process", want)
		})
	}
}
