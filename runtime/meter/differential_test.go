// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

// outcome is what can be seen of one run.
type outcome struct {
	result  uint64
	trapped bool
	memory  string
	fuel    int64 // spent
}

// runOnce instantiates bin and calls run(3, 11).
func runOnce(t *testing.T, e engine, bin []byte) (outcome, error) {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, e.config())
	defer func() { _ = r.Close(ctx) }()
	h := newHost(t, r, plentyOfFuel, 1000)
	inst, err := r.Instantiate(ctx, bin)
	if err != nil {
		return outcome{}, err
	}
	results, err := inst.ExportedFunction("run").Call(ctx, 3, 11)
	o := outcome{trapped: err != nil}
	if errors.Is(err, errStack) || errors.Is(err, errFuel) {
		return o, err
	}
	if err == nil {
		o.result = results[0]
	}
	mem, _ := inst.Memory().Read(0, inst.Memory().Size())
	o.memory = string(mem)
	if g, ok := inst.ExportedGlobal(meter.FuelExport).(api.MutableGlobal); ok {
		o.fuel = plentyOfFuel - h.fuel - int64(g.Get())
	}
	return o, nil
}

// checkProgram holds that a random program does the same plain and metered, in both engines and in the
// reference, and that it is charged at least what it runs, and the same everywhere. It returns the cost
// by the reference and the fuel; a program that runs for very long is passed over.
func checkProgram(t *testing.T, seed uint64) (cost, fuel int64) {
	t.Helper()
	p := newProgram(seed)
	ref := &reference{p: p, global: 5, left: 200_000}
	want, refErr := ref.call(len(p.funcs)-1, 3, 11)
	if errors.Is(refErr, errLong) {
		return 0, 0
	}
	plain := p.bytes()
	m, err := module.Parse(plain, module.Policy{})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	metered, _, err := meter.Rewrite(m, meter.Config{})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	var seen []outcome
	for _, e := range engines {
		for _, bin := range [][]byte{plain, metered} {
			o, err := runOnce(t, e, bin)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, e.name, err)
			}
			if o.trapped != (refErr != nil) || !o.trapped && o.result != uint64(want) || o.memory != string(ref.memory[:]) {
				t.Fatalf("seed %d: %s: result %d, trapped %v; the reference: %d, %v; memories equal: %v",
					seed, e.name, o.result, o.trapped, want, refErr, o.memory == string(ref.memory[:]))
			}
			seen = append(seen, o)
		}
	}
	if seen[1].fuel != seen[3].fuel {
		t.Fatalf("seed %d: fuel differs: %d by the compiler, %d by the interpreter", seed, seen[1].fuel, seen[3].fuel)
	}
	if seen[1].fuel < ref.cost {
		t.Fatalf("seed %d: %d units are charged, but %d were run", seed, seen[1].fuel, ref.cost)
	}
	return ref.cost, seen[1].fuel
}

func TestRandomProgramsBehaveTheSameAndPayForWhatTheyRun(t *testing.T) {
	n := uint64(100)
	if testing.Short() {
		n = 40
	}
	var cost, fuel int64
	for seed := range n {
		c, f := checkProgram(t, seed)
		cost, fuel = cost+c, fuel+f
	}
	if cost == 0 {
		t.Fatal("no program ran")
	}
	t.Logf("charged %.2f times what was run", float64(fuel)/float64(cost))
}

func FuzzRewrite(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkProgram(t, seed) })
}

func TestRewritingIsDeterministic(t *testing.T) {
	for seed := range uint64(20) {
		bin := newProgram(seed).bytes()
		var first string
		for range 3 {
			m, err := module.Parse(bin, module.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			out, info, err := meter.Rewrite(m, meter.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(info) + string(out); first == "" {
				first = got
			} else if got != first {
				t.Fatalf("seed %d: another rewriting came out", seed)
			}
		}
	}
}
