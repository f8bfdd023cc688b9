// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/module/moduletest"
)

// guest is a metered module that runs.
type guest struct {
	host *host
	inst api.Module
}

// newGuest instantiates bin, metered, with its fuel handed out in slices.
func newGuest(t *testing.T, e engine, bin []byte, c meter.Config, fuel, slice int64) (*guest, error) {
	t.Helper()
	ctx := context.Background()
	m, err := module.Parse(bin, module.Policy{AnyImport: true, AllowStart: true})
	if err != nil {
		t.Fatal(err)
	}
	metered, _, err := meter.Rewrite(m, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := module.Parse(metered, module.Policy{AnyImport: true, AllowStart: true}); err == nil ||
		!strings.Contains(err.Error(), module.ReservedPrefix) {
		t.Fatalf("a metered module passes for a guest: %v", err)
	}
	r := wazero.NewRuntimeWithConfig(ctx, e.config())
	t.Cleanup(func() { _ = r.Close(ctx) })
	g := &guest{host: newHost(t, r, fuel, slice)}
	_, err = r.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("nop").Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	g.inst, err = r.Instantiate(ctx, metered)
	return g, err
}

// spent runs the guest and returns the fuel that it used.
func (g *guest) spent(t *testing.T, args ...uint64) int64 {
	t.Helper()
	before := g.fuel()
	if _, err := g.inst.ExportedFunction("run").Call(context.Background(), args...); err != nil {
		t.Fatal(err)
	}
	return before - g.fuel()
}

// fuel is all that is left, in the guest and with the host.
func (g *guest) fuel() int64 {
	return g.host.fuel + int64(g.inst.ExportedGlobal(meter.FuelExport).Get())
}

func TestFuelIsTheSumOfTheRule(t *testing.T) {
	for _, c := range []struct {
		name, sig, locals, code string
		args                    []uint64
		want                    int64
	}{
		{"an empty function costs the least charge", "->", "", "", nil, 1},
		{"a straight line is the sum of its instructions", "-> i32", "", `
			i32.const 7  i32.const 2  i32.div_u  i32.const 1  i32.add
			i32.const 8  i32.load  i32.add`, nil, 12 + 1 + 2 + 1},
		{"a loop is charged by the round, its entry and its exit apart", "i32 ->", "", `
			loop void
				local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
			end
			i32.const 0  i32.const 0  i32.store`, []uint64{10}, 1 + 10*(1+1+1) + 2},
		{"an if is charged its dearer arm", "i32 ->", "", `
			local.get 0
			if void
				i32.const 0  i32.const 1  i32.store  i32.const 4  i32.const 1  i32.store
			else
				i32.const 0  i32.const 1  i32.store
			end`, []uint64{0}, 1 + 4},
		{"an arm far dearer than the other pays for itself: not taken", "i32 ->", "", `
			local.get 0
			if void
				i32.const 9  i32.const 7  i32.div_s  i32.const 3  i32.div_s  i32.const 3  i32.div_s  i32.const 3  i32.div_s  drop
			end`, []uint64{0}, 1},
		{"an arm far dearer than the other pays for itself: taken", "i32 ->", "", `
			local.get 0
			if void
				i32.const 9  i32.const 7  i32.div_s  i32.const 3  i32.div_s  i32.const 3  i32.div_s  i32.const 3  i32.div_s  drop
			end`, []uint64{1}, 1 + 48},
		{"each arm of a br_table is a region", "i32 -> i32", "", `
			block void block void
				local.get 0  br_table 0,1
			end
				i32.const 9  i32.const 7  i32.div_s  return
			end
			i32.const 1  i32.const 1  i32.add`, []uint64{1}, 4 + 1},
		{"a short fill of constant length is part of its region", "->", "", `
			i32.const 0  i32.const 1  i32.const 640  memory.fill`, nil, 12 + 640/4},
		{"a fill is charged by the operand's bytes", "i32 ->", "", `
			i32.const 0  i32.const 1  local.get 0  memory.fill`, []uint64{6400}, 12 + 6400/4},
		{"memory.grow is charged by the page", "i32 ->", "", `
			local.get 0  memory.grow  drop`, []uint64{3}, 120 + 3*65536/4},
		{"growing by more than there may be is not charged by the page", "i32 -> i32", "", `
			local.get 0  memory.grow`, []uint64{1<<32 - 1}, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b moduletest.Builder
			b.Memory(1, -1)
			b.Func("run", c.sig, c.locals, c.code)
			for _, e := range engines {
				g, err := newGuest(t, e, b.Bytes(), meter.Config{}, plentyOfFuel, plentyAtATime)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if got := g.spent(t, c.args...); got != c.want {
						t.Errorf("%s: %d units, want %d", e.name, got, c.want)
					}
				}
			}
		})
	}
}

func TestCallersPayForLeaves(t *testing.T) {
	var b moduletest.Builder
	b.Func("", "i32 -> i32", "", `local.get 0  i32.const 3  i32.div_u`) // a leaf
	b.Func("", "i32 -> i32", "", `local.get 0  i32.const 3  i32.div_u`) // in the table, too
	b.Func("run", "i32 -> i32", "", `local.get 0  call 0  local.get 0  call 1  i32.add`)
	b.Table(1, -1)
	b.Elements(0, 1)
	g, err := newGuest(t, engines[0], b.Bytes(), meter.Config{}, plentyOfFuel, plentyAtATime)
	if err != nil {
		t.Fatal(err)
	}
	// Two calls with one parameter and one result each, two divisions, one addition.
	if got, want := g.spent(t, 9), int64(2*(8+2)+2*12+1); got != want {
		t.Errorf("%d units, want %d", got, want)
	}
}

func TestSlicesDoNotChangeTheBill(t *testing.T) {
	var b moduletest.Builder
	b.Memory(1, -1)
	b.Func("", "i32 -> i32", "", `
		local.get 0  i32.eqz
		if i32  i32.const 1  else  local.get 0  i32.const 1  i32.sub  call 0  i32.const 3  i32.mul  end`)
	b.Func("run", "i32 -> i32", "i32", `
		loop void
			i32.const 0  local.get 0  local.get 0  memory.fill
			local.get 0  call 0  local.set 1
			local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
		end
		local.get 1`)
	bills := map[int64][]int64{}
	for _, e := range engines {
		for _, slice := range []int64{1, 50, 12345, plentyAtATime} {
			g, err := newGuest(t, e, b.Bytes(), meter.Config{}, plentyOfFuel, slice)
			if err != nil {
				t.Fatal(err)
			}
			got := g.spent(t, 60)
			bills[got] = append(bills[got], slice)
		}
	}
	if len(bills) != 1 {
		t.Errorf("bills by slices: %v", bills)
	}
}

func TestARefillThatGivesTooLittleTraps(t *testing.T) {
	var b moduletest.Builder
	b.Func("run", "->", "", "loop void br 0 end")
	g, err := newGuest(t, engines[0], b.Bytes(), meter.Config{}, plentyOfFuel, 10)
	if err != nil {
		t.Fatal(err)
	}
	g.host.stingy = true
	_, err = g.inst.ExportedFunction("run").Call(context.Background())
	if err == nil || !strings.Contains(err.Error(), "unreachable") || g.host.refills != 1 {
		t.Errorf("%d refills, then %v", g.host.refills, err)
	}
}

func TestTrapsLeaveAnExactBill(t *testing.T) {
	var b moduletest.Builder
	b.Memory(1, 1)
	b.Func("run", "->", "i32", `
		loop void
			local.get 0  i32.load  drop
			local.get 0  i32.const 4096  i32.add  local.set 0
			br 0
		end`)
	for _, e := range engines {
		g, err := newGuest(t, e, b.Bytes(), meter.Config{}, plentyOfFuel, plentyAtATime)
		if err != nil {
			t.Fatal(err)
		}
		before := g.fuel()
		if _, err := g.inst.ExportedFunction("run").Call(context.Background()); err == nil {
			t.Fatal("no trap")
		}
		// 16 rounds within the page and the one that traps, which has been paid for as a whole.
		if got, want := before-g.fuel(), int64(1+17*(2+1+1+1)); got != want {
			t.Errorf("%s: %d units, want %d", e.name, got, want)
		}
	}
}

func TestFuelIsOutOfTheGuestsReach(t *testing.T) {
	for name, build := range map[string]func(b *moduletest.Builder){
		"export": func(b *moduletest.Builder) {
			b.Global("i64", true, "i64.const 1")
			b.Export(meter.FuelExport, module.ExternGlobal, 0)
		},
		"import":       func(b *moduletest.Builder) { b.Import(meter.ImportModule, meter.RefillImport, "i64 -> i64") },
		"global index": func(b *moduletest.Builder) { b.Func("run", "->", "", "i64.const 9  global.set 0") },
		"function index": func(b *moduletest.Builder) {
			b.Func("run", "->", "", "i64.const 9  call 1")
		},
	} {
		var b moduletest.Builder
		build(&b)
		_, err := module.Parse(b.Bytes(), module.Policy{AnyImport: true})
		var refused *module.Error
		if !errors.As(err, &refused) || refused.Kind != module.Refused && refused.Kind != module.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
