// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
	mt "github.com/wasmill/wasmill/runtime/module/moduletest"
)

func rewrite(t *testing.T, bin []byte, c meter.Config) ([]byte, meter.Info, error) {
	t.Helper()
	m, err := module.Parse(bin, module.Policy{AnyImport: true})
	if err != nil {
		t.Fatal(err)
	}
	return meter.Rewrite(m, c)
}

func TestMemoryIsClamped(t *testing.T) {
	for _, c := range []struct {
		greatest int64
		want     uint32
	}{{-1, 8}, {5, 5}, {8, 8}, {100, 8}} {
		var b mt.Builder
		b.Memory(2, c.greatest)
		b.Func("run", "i32 -> i32", "", "local.get 0 memory.grow drop memory.size")
		g, err := newGuest(t, engines[0], b.Bytes(), meter.Config{MemoryPages: 8}, plentyOfFuel, plentyAtATime)
		if err != nil {
			t.Fatal(err)
		}
		run := g.inst.ExportedFunction("run")
		for _, grow := range []struct{ by, size uint64 }{{uint64(c.want) - 1, 2}, {uint64(c.want) - 2, uint64(c.want)}} {
			if got, err := run.Call(context.Background(), grow.by); err != nil || got[0] != grow.size {
				t.Errorf("greatest %d: grown by %d to %v, want %d, %v", c.greatest, grow.by, got, grow.size, err)
			}
		}
	}
}

func TestModulesThatNeedMoreThanAllowedAreRefused(t *testing.T) {
	var big mt.Builder
	big.Memory(9, -1)
	if _, _, err := rewrite(t, big.Bytes(), meter.Config{MemoryPages: 8}); err == nil || !strings.Contains(err.Error(), "needs 9 pages") {
		t.Error(err)
	}
	var table mt.Builder
	table.Table(11, -1)
	if _, _, err := rewrite(t, table.Bytes(), meter.Config{TableEntries: 10}); err == nil || !strings.Contains(err.Error(), "need 11 entries") {
		t.Error(err)
	}
}

func TestTablesShareWhatTheyMayGrowTo(t *testing.T) {
	var b mt.Builder
	b.Table(4, -1)
	b.Func("run", "i32 -> i32", "", "ref.null funcref local.get 0 table.grow")
	g, err := newGuest(t, engines[0], b.Bytes(), meter.Config{TableEntries: 10}, plentyOfFuel, plentyAtATime)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ by, want uint64 }{{7, 1<<32 - 1}, {6, 4}, {1, 1<<32 - 1}} {
		got, err := g.inst.ExportedFunction("run").Call(context.Background(), c.by)
		if err != nil || got[0] != c.want {
			t.Errorf("grow by %d: %v, %v, want %d", c.by, got, err, c.want)
		}
	}
}

func TestStackTracesNameTheRightFunctions(t *testing.T) {
	var b mt.Builder
	b.Import("env", "nop", "->")
	inner := b.Func("", "->", "", "unreachable")
	middle := b.Func("", "->", "i32", "loop void call 1 br 0 end")
	b.Func("outer", "->", "", fmt.Sprintf("call 0 i32.const 1 call_indirect 0 ref.func %d drop", middle))
	b.Table(2, 2)
	b.Elements(0, inner, middle)
	named := append(b.Bytes(), mt.Section(0, append(mt.Name("name"), mt.Section(1, append(mt.U32(1),
		append(mt.U32(inner), mt.Name("guest.inner")...)...))...))...)
	g, err := newGuest(t, engines[0], named, meter.Config{}, plentyOfFuel, plentyAtATime)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.inst.ExportedFunction("outer").Call(context.Background())
	if err == nil {
		t.Fatal("no trap")
	}
	var frames []string
	for line := range strings.Lines(err.Error()) {
		if strings.HasPrefix(line, "\t") {
			frames = append(frames, strings.TrimSpace(line))
		}
	}
	want := []string{".guest.inner()", ".func[2]()", ".outer()"}
	if strings.Join(frames, " ") != strings.Join(want, " ") {
		t.Errorf("got  %v\nwant %v", frames, want)
	}
}

func TestExportsOfFunctionsKeepTheirTargets(t *testing.T) {
	var b mt.Builder
	b.Func("seven", "-> i32", "", "i32.const 7")
	b.Func("eight", "-> i32", "", "i32.const 8")
	g, err := newGuest(t, engines[0], b.Bytes(), meter.Config{}, plentyOfFuel, plentyAtATime)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{"seven": 7, "eight": 8} {
		if got, err := g.inst.ExportedFunction(name).Call(context.Background()); err != nil || got[0] != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// recursive are functions f(n i32) that call themselves n times, with frames of different making.
var recursive = map[string]func() []byte{
	"no locals": func() []byte {
		return deep("", "local.get 0 i32.const 1 i32.sub call 0 drop")
	},
	"20 locals live across the call": func() []byte {
		return deep(strings.Repeat("i64 ", 20), live(20))
	},
	"200 locals live across the call": func() []byte {
		return deep(strings.Repeat("i64 ", 200), live(200))
	},
	"operands live across the call": func() []byte {
		return deep("", strings.Repeat("local.get 0 i32.const 3 i32.mul ", 100)+
			"local.get 0 i32.const 1 i32.sub call 0"+strings.Repeat(" i32.add", 100)+" local.set 0")
	},
	"other values live across each of 50 calls": func() []byte {
		one := "local.get 0 i32.const 7 i32.mul i32.const 0 call 0 i32.add local.set 1 "
		return deep("i32", strings.Repeat(one, 50)+"local.get 0 i32.const 1 i32.sub call 0 drop")
	},
}

func live(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "local.get 0 i64.extend_i32_u i64.const %d i64.mul local.set %d ", i+3, i+1)
	}
	b.WriteString("local.get 0 i32.const 1 i32.sub call 0 drop i64.const 0 ")
	for i := range n {
		fmt.Fprintf(&b, "local.get %d i64.add ", i+1)
	}
	return b.String() + "i32.wrap_i64 local.set 0"
}

func deep(locals, code string) []byte {
	var b mt.Builder
	b.Func("run", "i32 -> i32", locals, "local.get 0 i32.eqz if i32 i32.const 0 else "+code+" local.get 0 end")
	return b.Bytes()
}

// engineCeiling is the stack at which wazero's compiler stops a guest: it doubles from 10 KiB while it is
// below 50 MB.
const engineCeiling = 10 << 10 << 13

// TestTheStackBoundIsNearTheTruth compares the depth at which the meter stops a recursion with the one at
// which the engine does: the estimate of a frame must be between a third and the fourfold of the real one.
func TestTheStackBoundIsNearTheTruth(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills stacks")
	}
	ctx := context.Background()
	const bound = 1 << 20
	for name, build := range recursive {
		t.Run(name, func(t *testing.T) {
			bin := build()
			plain := deepest(t, func() (api.Function, func()) {
				r := wazero.NewRuntimeWithConfig(ctx, engines[0].config())
				inst, err := r.Instantiate(ctx, bin)
				if err != nil {
					t.Fatal(err)
				}
				return inst.ExportedFunction("run"), func() { _ = r.Close(ctx) }
			})
			m, err := module.Parse(bin, module.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			metered := deepest(t, func() (api.Function, func()) {
				out, _, err := meter.Rewrite(m, meter.Config{StackBytes: bound})
				if err != nil {
					t.Fatal(err)
				}
				r := wazero.NewRuntimeWithConfig(ctx, engines[0].config())
				newHost(t, r, plentyOfFuel, plentyAtATime)
				inst, err := r.Instantiate(ctx, out)
				if err != nil {
					t.Fatal(err)
				}
				return inst.ExportedFunction("run"), func() { _ = r.Close(ctx) }
			})
			frame, estimate := engineCeiling/plain, bound/metered
			t.Logf("real frame %d bytes, estimate %d", frame, estimate)
			if estimate*3 < frame || estimate > frame*4 {
				t.Errorf("a frame takes %d bytes, estimated are %d", frame, estimate)
			}
		})
	}
}

// deepest returns the largest n for which the guest's run(n) is not stopped for its depth.
func deepest(t *testing.T, fresh func() (api.Function, func())) int {
	t.Helper()
	low, high := 1, 4_000_000
	for high-low > low/50+1 {
		mid := (low + high) / 2
		run, closer := fresh()
		_, err := run.Call(context.Background(), uint64(mid))
		closer()
		switch {
		case err == nil:
			low = mid
		case errors.Is(err, errStack) || strings.Contains(err.Error(), "stack overflow"):
			high = mid
		default:
			t.Fatal(err)
		}
	}
	return low
}
