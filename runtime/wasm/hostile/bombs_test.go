// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"slices"
	"testing"
)

// Modules that a compiler chokes on: each took wazero seconds to minutes and up to 2.4 GB.
func TestKnownCompileBombsAreRefusedByTheirShape(t *testing.T) {
	repeat := func(n int, part []byte) []byte { return bytes.Repeat(part, n) }
	bombs := map[string]struct {
		make func(a *assembly)
		want string
	}{
		"a long function": {func(a *assembly) { a.does(processIndex, repeat(600_000, []byte{0x01}), i32(0)) }, "bytes of the function's body"},
		"many locals":     {func(a *assembly) { a.functions[processIndex-importCount].locals = 60_000 }, "locals of the function"},
		"merges": {func(a *assembly) {
			var body []byte
			for i := range 10_000 {
				body = append(body, code(local(0), opIf, empty, i32(int64(i)), setLocal(uint32(2+i%1000)), opEnd)...)
			}
			a.does(processIndex, body, i32(0)).functions[processIndex-importCount].locals = 1000
		}, "variables x control points"},
		"loops in loops": {func(a *assembly) {
			var body []byte
			for i := range 200 {
				body = append(body, code(opLoop, empty, i32(1), setLocal(uint32(2+i)))...)
			}
			a.does(processIndex, body, repeat(200, []byte{opEnd}), i32(0)).functions[processIndex-importCount].locals = 1000
		}, "variables x control points"},
		"br_table of a million targets": {func(a *assembly) {
			table := code(opBlock, empty, i32(0), opBrTable, leb(400_000), repeat(400_001, []byte{0}), opEnd)
			a.has(function{code: table}, function{code: table}, function{code: table})
		}, "br_table"},
		"deep nesting": {func(a *assembly) {
			a.does(processIndex, repeat(100_000, []byte{opBlock, empty}), repeat(100_000, []byte{opEnd}), i32(0))
		}, "blocks within blocks"},
	}
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			a := operatorModule(t)
			bomb.make(a)
			if o := attack(t, a.bytes(), routeOperator, "module over a limit", bomb.want); o.load == nil {
				t.Error("it was loaded")
			}
		})
	}
}

func TestHundredsOfThousandsOfFunctionsAreRefused(t *testing.T) {
	const n = 200_000
	bin := slices.Concat([]byte(header), section(1, list([][]byte{funcType("", "")})),
		section(3, append(leb(n), make([]byte, n)...)),
		section(10, append(leb(n), bytes.Repeat([]byte{2, 0, opEnd}, n)...)))
	attack(t, bin, routeOperator, "module over a limit", "functions")
}

func TestGrowingMoreThanIsAllowedFailsInsideOfTheGuest(t *testing.T) {
	for name, grow := range map[string][]byte{
		"memory to 1 GiB":       code(i32(16384), memoryGrow()),
		"a table of 1 G":        code(refNull(), i32(1_000_000_000), tableGrow()),
		"a table of 4 G":        code(refNull(), i32(-1), tableGrow()),
		"memory past 4 GiB":     code(i32(-1), memoryGrow()),
		"a table past its room": code(refNull(), i32(1_000_001), tableGrow()),
	} {
		t.Run(name, func(t *testing.T) {
			// It traps unless it gets -1.
			a := operatorModule(t).does(processIndex, grow, i32(-1), 0x47, opIf, empty, opUnreachable, opEnd, i32(0))
			if text := attack(t, a.bytes(), routeOperator).String(); text != "" {
				t.Errorf("it was given: %s", text)
			}
		})
	}
}
