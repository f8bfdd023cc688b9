// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// BenchmarkGuest runs the maps of the SDKs' bench projects and of the example flights, a batch of
// 1,024 rows a call, in turns as they are and metered. Only the guest's own time counts. It
// reports by how much metering made the median call longer, at the end of all operators.
func BenchmarkGuest(b *testing.B) {
	var overheads []float64
	for _, project := range []string{"bench", "flights"} {
		for _, lang := range guesttest.Languages() {
			dir := filepath.Join("..", "..", "sdk", string(lang), "bench")
			if project != "bench" {
				dir = filepath.Join("..", "..", "examples", project, string(lang))
			}
			b.Run(project+"/"+string(lang), func(b *testing.B) {
				bin := guesttest.Module(b, lang, dir)
				for number, op := range instantiate(b, bin, false).describe(b).Operators {
					if op.Kind == describe.Map {
						b.Run(op.Name, func(b *testing.B) {
							overheads = append(overheads, compare(b, bin, number, &op))
						})
					}
				}
			})
		}
	}
	if len(overheads) > 0 {
		b.Run("overhead", func(b *testing.B) {
			slices.Sort(overheads)
			b.ReportMetric(overheads[len(overheads)/2], "median-%")
			b.ReportMetric(overheads[len(overheads)-1], "worst-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// compare runs an operator plain and metered and returns what metering costs, in %.
func compare(b *testing.B, bin []byte, number int, op *describe.Operator) float64 {
	const rows = 1024
	config := &batch.Message{Number: abi.SchemaConfig, Batch: randomRows(op.Config, 1)}
	in := &batch.Message{Batch: randomRows(op.Inputs[0].Fields, rows)}
	var spans [2][]time.Duration
	var process [2]api.Function
	guests := [2]*plainGuest{instantiate(b, bin, false), instantiate(b, bin, true)}
	for i, g := range guests {
		g.call(b, abi.ExportOpen, append([]uint64{uint64(number)}, g.input(b, config)...)...)
		spans[i] = make([]time.Duration, 0, 1<<18)
		process[i] = g.in.ExportedFunction(abi.ExportProcess)
	}
	for b.Loop() {
		for i, g := range guests {
			at := g.input(b, in)
			start := time.Now()
			if err := process[i].CallWithStack(b.Context(), at); err != nil {
				b.Fatal(err)
			}
			if took := time.Since(start); len(spans[i]) < cap(spans[i]) {
				spans[i] = append(spans[i], took)
			}
		}
	}
	var medians [2]float64
	for i := range spans {
		slices.Sort(spans[i])
		medians[i] = float64(spans[i][len(spans[i])/2].Nanoseconds()) / rows
	}
	overhead := 100 * (medians[1]/medians[0] - 1)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(medians[0], "plain-ns/row")
	b.ReportMetric(medians[1], "metered-ns/row")
	b.ReportMetric(overhead, "%")
	return overhead
}

// randomRows returns rows of which none is null.
func randomRows(fields []abi.Field, rows int) *batch.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	airports := []string{"ATL", "LAS", "SEA", "ANC", "ORD", "JFK", "LAX"}
	b := (&batch.Pool{}).NewBuilder(&abi.Schema{Fields: fields})
	for range rows {
		for i := range fields {
			if fields[i].Type == abi.String {
				b.Column(i).AppendString(airports[r.IntN(len(airports))])
			} else {
				b.Column(i).AppendInt64(r.Int64N(3000))
			}
		}
		b.EndRow()
	}
	return b.Finish()
}

// plainGuest is an instance in a runtime of its own, driven by hand: package vm runs nothing that
// is not metered.
type plainGuest struct{ in api.Module }

func instantiate(tb testing.TB, bin []byte, metered bool) *plainGuest {
	tb.Helper()
	ctx := context.Background()
	m, err := module.Parse(bin, module.Policy{AnyImport: true})
	if err != nil {
		tb.Fatal(err)
	}
	if metered {
		if bin, _, err = meter.Rewrite(m, meter.Config{}); err != nil {
			tb.Fatal(err)
		}
	}
	r := wazero.NewRuntimeWithConfig(ctx, engines[0].config())
	tb.Cleanup(func() { _ = r.Close(ctx) })
	newHost(tb, r, plentyOfFuel, plentyAtATime)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		tb.Fatal(err)
	}
	deaf(tb, r)
	in, err := r.InstantiateWithConfig(ctx, bin, wazero.NewModuleConfig().WithStartFunctions(abi.ExportInitialize))
	if err != nil {
		tb.Fatal(err)
	}
	return &plainGuest{in}
}

// deaf instantiates the contract's imports, which do nothing.
func deaf(tb testing.TB, r wazero.Runtime) {
	tb.Helper()
	nothing := api.GoFunc(func(context.Context, []uint64) {})
	types := func(from []abi.ValueType) (to []api.ValueType) {
		for _, t := range from {
			to = append(to, api.ValueType(t))
		}
		return to
	}
	modules := map[string]wazero.HostModuleBuilder{}
	for _, f := range abi.Imports() {
		if modules[f.Module] == nil {
			modules[f.Module] = r.NewHostModuleBuilder(f.Module)
		}
		modules[f.Module].NewFunctionBuilder().WithGoFunction(nothing, types(f.Params), types(f.Results)).Export(f.Name)
	}
	for _, m := range modules {
		if _, err := m.Instantiate(context.Background()); err != nil {
			tb.Fatal(err)
		}
	}
}

func (g *plainGuest) call(tb testing.TB, name string, params ...uint64) uint64 {
	tb.Helper()
	results, err := g.in.ExportedFunction(name).Call(context.Background(), params...)
	if err != nil {
		tb.Fatal(err)
	}
	return results[0]
}

// input writes a message for the guest and returns where it lies, and its size.
func (g *plainGuest) input(tb testing.TB, m *batch.Message) []uint64 {
	tb.Helper()
	size := uint64(m.Size())
	at := g.call(tb, abi.ExportBuffer, size)
	room, ok := g.in.Memory().Read(uint32(at), uint32(size))
	if !ok {
		tb.Fatalf("the guest has no room for %d bytes", size)
	}
	return []uint64{at, uint64(m.Encode(room))}
}

// describe returns what the module holds.
func (g *plainGuest) describe(tb testing.TB) *describe.Module {
	tb.Helper()
	where := g.call(tb, abi.ExportDescribe)
	text, ok := g.in.Memory().Read(uint32(where>>32), uint32(where))
	if !ok {
		tb.Fatal("the description lies outside of memory")
	}
	d, err := describe.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
