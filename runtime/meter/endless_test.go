// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module/moduletest"
)

// endless are guests that would run for ever, or for very long, by each way there is. Each exports run.
var endless = []struct {
	name  string
	start bool  // it runs as the start function
	debt  int64 // the most that one charge may be over what is left
	build func(b *moduletest.Builder)
}{
	{"loop", false, 100, func(b *moduletest.Builder) {
		b.Func("run", "->", "", "loop void br 0 end")
	}},
	{"loop of nothing that costs", false, 100, func(b *moduletest.Builder) {
		b.Func("run", "->", "", "loop void nop i32.const 1 br_if 0 end")
	}},
	{"loop with parameters", false, 100, func(b *moduletest.Builder) {
		t := b.Type("i32 i32 -> i32 i32")
		if t != 0 {
			panic("the type's index is written out below")
		}
		b.Func("run", "->", "", "i32.const 1 i32.const 2 loop 0 br 0 end drop drop")
	}},
	{"loop within a block's result", false, 100, func(b *moduletest.Builder) {
		b.Func("run", "-> i32", "", "i32.const 1 block i32 loop i32 br 0 end end i32.add")
	}},
	{"nested loops", false, 100, func(b *moduletest.Builder) {
		b.Func("run", "->", "", "loop void loop void loop void br 2 end end end")
	}},
	{"br_table", false, 100, func(b *moduletest.Builder) {
		b.Func("run", "->", "", "loop void block void loop void i32.const 1 br_table 0,2,1 end end end")
	}},
	{"recursion", false, 100, func(b *moduletest.Builder) { b.Func("run", "->", "", "call 0") }},
	{"recursion that branches", false, 100, func(b *moduletest.Builder) {
		b.Func("run", "i32 -> i32", "", `
			local.get 0  i32.eqz
			if i32  i32.const 0  else
				local.get 0  i32.const 1  i32.sub  call 0
				local.get 0  i32.const 1  i32.sub  call 0  i32.add
			end`)
	}},
	{"mutual recursion through a table", false, 100, func(b *moduletest.Builder) {
		b.Func("run", "->", "", "i32.const 1  call_indirect 0")
		b.Func("", "->", "", "i32.const 0  call_indirect 0")
		b.Table(2, 2)
		b.Elements(0, 0, 1)
	}},
	{"calls of a function without calls", false, 200, func(b *moduletest.Builder) {
		b.Func("", "->", "", "")
		b.Func("run", "->", "", "loop void "+strings.Repeat("call 0 ", 10)+"br 0 end")
	}},
	{"memory.fill without a loop", false, 1 << 24, func(b *moduletest.Builder) {
		b.Memory(1024, 1024)
		b.Func("run", "->", "", strings.Repeat("i32.const 0 i32.const 1 i32.const 67108864 memory.fill ", 50))
	}},
	{"memory.fill of a constant length", false, 110_000, func(b *moduletest.Builder) {
		b.Memory(1, 1)
		b.Func("run", "->", "", "loop void "+strings.Repeat("i32.const 0 i32.const 1 i32.const 4096 memory.fill ", 100)+"br 0 end")
	}},
	{"memory.copy", false, 1 << 24, func(b *moduletest.Builder) {
		b.Memory(1024, 1024)
		b.Func("run", "->", "", "loop void i32.const 0 i32.const 1 i32.const 67108863 memory.copy br 0 end")
	}},
	{"memory.init", false, 16_000, func(b *moduletest.Builder) {
		b.Memory(1, 1)
		b.PassiveData(strings.Repeat("x", 60_000))
		b.Func("run", "->", "", "loop void i32.const 0 i32.const 0 i32.const 60000 memory.init 0 br 0 end")
	}},
	{"memory.grow", false, 17_000, func(b *moduletest.Builder) {
		b.Memory(1, -1)
		b.Func("run", "->", "", "loop void i32.const 1 memory.grow drop br 0 end")
	}},
	{"table.grow", false, 1000, func(b *moduletest.Builder) {
		b.Table(1, -1)
		b.Func("run", "->", "", "loop void ref.null funcref i32.const 1 table.grow drop br 0 end")
	}},
	{"table.grow by a lot", false, 2_100_000, func(b *moduletest.Builder) {
		b.Table(1, -1)
		b.Func("run", "->", "", "loop void ref.null funcref i32.const 1000000000 table.grow drop ref.null funcref i32.const 999 table.grow drop br 0 end")
	}},
	{"table.fill", false, 2_100_000, func(b *moduletest.Builder) {
		b.Table(999_999, -1)
		b.Func("run", "->", "", "loop void i32.const 0 ref.null funcref i32.const 999999 table.fill br 0 end")
	}},
	{"table.copy", false, 2_100_000, func(b *moduletest.Builder) {
		b.Table(999_999, -1)
		b.Func("run", "->", "", "loop void i32.const 0 i32.const 1 i32.const 999998 table.copy br 0 end")
	}},
	{"host calls", false, 100, func(b *moduletest.Builder) {
		b.Import("env", "nop", "->")
		b.Func("run", "->", "", "loop void call 0 br 0 end")
	}},
	{"a long straight line", false, 1_000_000, func(b *moduletest.Builder) {
		line := strings.Repeat("i32.const 1 i32.const 7 i32.div_u drop ", 20_000)
		for range 3 {
			b.Func("", "->", "", line)
		}
		b.Func("run", "->", "", strings.Repeat("call 0 call 1 call 2 ", 10))
	}},
	{"start function", true, 100, func(b *moduletest.Builder) {
		b.Start(b.Func("run", "->", "", "loop void br 0 end"))
	}},
}

// TestEndlessGuestsStopWithinTheirFuel also holds how far the last charge may be over what was left:
// that is the work that one check lets through at most.
func TestEndlessGuestsStopWithinTheirFuel(t *testing.T) {
	if testing.Short() {
		t.Skip("it spins for half a minute where the race detector is on")
	}
	const fuel, slice = 5_000_000, 100_000
	for _, c := range endless {
		t.Run(c.name, func(t *testing.T) {
			var b moduletest.Builder
			c.build(&b)
			for _, e := range engines {
				g, err := newGuest(t, e, b.Bytes(), meter.Config{}, fuel, slice)
				if !c.start {
					if err != nil {
						t.Fatal(err)
					}
					_, err = g.inst.ExportedFunction("run").Call(context.Background(), args(g)...)
				}
				deep := errors.Is(err, errStack) || err != nil && strings.Contains(err.Error(), "stack overflow")
				if strings.Contains(c.name, "recursion") && deep {
					continue
				}
				if !errors.Is(err, errFuel) {
					t.Fatalf("%s: %v", e.name, err)
				}
				if g.host.fuel != 0 || g.host.short > c.debt {
					t.Errorf("%s: stopped with %d units left and a charge that was %d short", e.name, g.host.fuel, g.host.short)
				}
				if most := fuel/slice + 1; g.host.refills > int(most) {
					t.Errorf("%s: %d refills of %d units", e.name, g.host.refills, slice)
				}
			}
		})
	}
}

// args is 40 for each parameter that run has.
func args(g *guest) []uint64 {
	return slices.Repeat([]uint64{40}, len(g.inst.ExportedFunction("run").Definition().ParamTypes()))
}
