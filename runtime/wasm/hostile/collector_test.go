// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// spin runs a guest that never returns on every core until stop is called. a is what it does.
func spin(t testing.TB, a *assembly) (stop func()) {
	t.Helper()
	e, err := wasm.NewEngine(wasm.Options{
		Compiler: compiler, CacheDir: filepath.Join("..", "..", "..", ".cache", "compiled"), Limits: wasm.Limits{CallFuel: 1 << 50},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.LoadBytes(t.Context(), a.bytes())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all, started sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		started.Add(1)
		all.Go(func() {
			s := &stage{outcome: &outcome{}}
			number, op := m.Description().Operator(routeOperator)
			in := op.Inputs[0].Schema()
			c := operator.Context{Parallelism: 1, Pool: &s.pool, Counters: &operator.Counters{}, Now: time.Now}
			o, err := m.Operator(c, operator.ModuleSpec{
				Number: number, Inputs: []operator.ModuleInput{{Schema: in, Columns: []int{0}}}, Outputs: []*abi.Schema{in, in}, Config: oneRow(&s.pool, op.Config),
			})
			if err != nil {
				t.Error(err)
				started.Done()
				return
			}
			rows := oneRow(&s.pool, in.Fields)
			started.Done()
			if err := o.Process(ctx, 0, rows, s); ctx.Err() == nil {
				t.Errorf("the guest stopped spinning: %v", err)
			}
			if err := o.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	time.Sleep(50 * time.Millisecond) // until their slices have found their length
	return func() {
		cancel()
		all.Wait()
		e.Close()
	}
}

// spinners are guests that leave the collector little room: a tight loop, calls, memory at work.
func spinners(t testing.TB) map[string]*assembly {
	out := map[string]*assembly{}
	for _, name := range []string{"loop", "recursion that returns", "bulk memory", "host calls: random"} {
		a := operatorModule(t)
		endless()[name](a, processIndex)
		if name == "bulk memory" {
			a = operatorModule(t).does(processIndex, forever(i32(0), i32(0), i32(1<<20), memoryFill()), opUnreachable)
		}
		out[name] = a
	}
	return out
}

// TestTheCollectorRunsWhileGuestsSpin holds a wide wall, which tells a slice from a whole call; the
// benchmark reports how long collections take.
func TestTheCollectorRunsWhileGuestsSpin(t *testing.T) {
	for name, a := range spinners(t) {
		t.Run(name, func(t *testing.T) {
			stop := spin(t, a)
			defer stop()
			start := time.Now()
			runtime.GC()
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("a collection took %v", took)
			}
		})
	}
}

func BenchmarkCollectionWhileGuestsSpin(b *testing.B) {
	for name, a := range spinners(b) {
		b.Run(name, func(b *testing.B) {
			stop := spin(b, a)
			defer stop()
			var took []float64
			for b.Loop() {
				start := time.Now()
				runtime.GC()
				took = append(took, float64(time.Since(start).Microseconds())/1000)
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "median-ms")
			b.ReportMetric(took[len(took)-1], "worst-ms")
		})
	}
}

func TestACancelledContextStopsAGuestThatSpins(t *testing.T) {
	for name, a := range spinners(t) {
		t.Run(name, func(t *testing.T) {
			stop := spin(t, a)
			start := time.Now()
			stop()
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v to stop", took)
			}
		})
	}
}
