// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

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

// BenchmarkMetered compares modules as they are with what the meter makes of them, on a bare
// wazero: calls of wasmill_process with 1,024 rows.
func BenchmarkMetered(b *testing.B) {
	up := filepath.Join("..", "..", "..", "..")
	sdk := func(lang string) string { return filepath.Join(up, "sdk", lang, "conformance") }
	for _, guest := range []struct {
		name, operator string
		path           string
	}{
		{"columns", "columns", guesttest.Build(b, "c", filepath.Join("..", "..", "testdata", "columns"))},
		{"rows", "rows", guesttest.Build(b, "c", filepath.Join("..", "..", "testdata", "columns"))},
		{"everything-c", "everything", guesttest.Build(b, "c", sdk("c"))},
		{"everything-go", "everything", guesttest.Build(b, "go", sdk("go"))},
		{"everything-rust", "everything", guesttest.Build(b, "rust", sdk("rust"))},
		{"everything-assemblyscript", "everything", guesttest.Build(b, "assemblyscript", sdk("assemblyscript"))},
	} {
		bin, err := os.ReadFile(guest.path)
		if err != nil {
			b.Fatal(err)
		}
		m, err := module.Parse(bin, module.Policy{AnyImport: true})
		if err != nil {
			b.Fatal(err)
		}
		metered, _, err := meter.Rewrite(m, meter.Config{MemoryPages: 4096})
		if err != nil {
			b.Fatal(err)
		}
		for name, bin := range map[string][]byte{"plain": bin, "metered": metered} {
			b.Run(fmt.Sprintf("%s/%s", guest.name, name), func(b *testing.B) {
				benchmarkProcess(b, bin, guest.operator)
			})
		}
	}
}

// bare runs a module on wazero, with host functions that do nothing.
func bare(b *testing.B, bin []byte) api.Module {
	ctx := b.Context()
	r := wazero.NewRuntimeWithConfig(ctx, runtimeConfig())
	b.Cleanup(func() { _ = r.Close(context.Background()) })
	builders := map[string]wazero.HostModuleBuilder{}
	add := func(module, name string, params, results []api.ValueType) {
		if builders[module] == nil {
			builders[module] = r.NewHostModuleBuilder(module)
		}
		builders[module].NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
			if name == meter.RefillImport {
				stack[0] = 1 << 60
			}
		}), params, results).Export(name)
	}
	for _, f := range abi.Imports() {
		add(f.Module, f.Name, wireTypes(f.Params), wireTypes(f.Results))
	}
	add(meter.ImportModule, meter.RefillImport, []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64})
	add(meter.ImportModule, meter.StackImport, nil, nil)
	for _, builder := range builders {
		if _, err := builder.Instantiate(ctx); err != nil {
			b.Fatal(err)
		}
	}
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	in, err := r.InstantiateWithConfig(ctx, bin, wazero.NewModuleConfig().WithStartFunctions("_initialize").WithSysWalltime().WithSysNanotime())
	if err != nil {
		b.Fatal(err)
	}
	return in
}

func wireTypes(ts []abi.ValueType) []api.ValueType {
	var out []api.ValueType
	for _, t := range ts {
		out = append(out, api.ValueType(t))
	}
	return out
}

func benchmarkProcess(b *testing.B, bin []byte, name string) {
	in := bare(b, bin)
	call := func(name string, params ...uint64) uint64 {
		results, err := in.ExportedFunction(name).Call(b.Context(), params...)
		if err != nil {
			b.Fatal(err)
		}
		return results[0]
	}
	put := func(m batch.Message) (ptr, size uint64) {
		ptr = call(abi.ExportBuffer, uint64(m.Size()))
		dst, _ := in.Memory().Read(uint32(ptr), uint32(m.Size()))
		return ptr, uint64(m.Encode(dst))
	}
	where := call(abi.ExportDescribe)
	text, _ := in.Memory().Read(uint32(where>>32), uint32(where))
	d, err := describe.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	number, op := d.Operator(name)
	p := &batch.Pool{}
	config := p.NewBuilder(&abi.Schema{})
	config.EndRow()
	ptr, size := put(batch.Message{Number: abi.SchemaConfig, Batch: config.Finish()})
	call(abi.ExportOpen, uint64(number), ptr, size)
	rows := p.NewBuilder(op.Inputs[0].Schema())
	const n = 1024
	for i := range n {
		for c := range op.Inputs[0].Fields {
			switch column := rows.Column(c); column.Type() {
			case abi.Int64, abi.Timestamp, abi.Decimal:
				column.AppendInt64(int64(i))
			case abi.String, abi.Bytes:
				column.AppendString("Frankfurt am Main"[:i%17])
			}
		}
		rows.EndRow()
	}
	ptr, size = put(batch.Message{Batch: rows.Finish()})
	process := in.ExportedFunction(abi.ExportProcess)
	stack := make([]uint64, 2)
	for b.Loop() {
		stack[0], stack[1] = ptr, size
		if err := process.CallWithStack(b.Context(), stack); err != nil || stack[0] != 0 {
			b.Fatal(err, stack[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
