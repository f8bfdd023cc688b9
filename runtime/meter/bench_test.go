// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/module/moduletest"
)

// kernels are guests that do one thing, by the names of their benchmarks. Each exports run(n i32) -> i64.
var kernels = []struct {
	name  string
	n     uint64
	build func() []byte
}{
	{"tight-loop", 10_000, func() []byte {
		var b moduletest.Builder
		b.Func("run", "i32 -> i64", "i64", `
			loop void
				local.get 1  i64.const 3  i64.xor  local.get 0  i64.extend_i32_u  i64.add  local.set 1
				local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
			end
			local.get 1`)
		return b.Bytes()
	}},
	{"memory-loop", 10_000, func() []byte {
		var b moduletest.Builder
		b.Memory(4, 4)
		b.Func("run", "i32 -> i64", "i64 i32", `
			block void loop void
				local.get 2  local.get 0  i32.ge_u  br_if 1
				local.get 1  local.get 2  i32.const 3  i32.shl  i64.load offset=8  i64.add  local.set 1
				local.get 2  i32.const 1  i32.add  local.set 2
				br 0
			end end
			local.get 1`)
		return b.Bytes()
	}},
	{"memory-write-loop", 10_000, func() []byte {
		var b moduletest.Builder
		b.Memory(4, 4)
		b.Func("run", "i32 -> i64", "i64 i32", `
			block void loop void
				local.get 2  local.get 0  i32.ge_u  br_if 1
				local.get 2  i32.const 3  i32.shl  local.get 2  i32.const 3  i32.shl  i64.load offset=8
				i64.const 7  i64.add  i64.store offset=8
				local.get 2  i32.const 1  i32.add  local.set 2
				br 0
			end end
			local.get 1`)
		return b.Bytes()
	}},
	{"branchy-loop", 10_000, func() []byte {
		var b moduletest.Builder
		b.Func("run", "i32 -> i64", "i64", `
			loop void
				local.get 0  i32.const 1  i32.and
				if void
					local.get 1  i64.const 3  i64.xor  i64.const 5  i64.mul  local.set 1
				else
					local.get 1  i64.const 13  i64.rotl  local.set 1
				end
				local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
			end
			local.get 1`)
		return b.Bytes()
	}},
	{"call-in-loop", 10_000, func() []byte {
		var b moduletest.Builder
		mix := b.Func("", "i64 i32 -> i64", "", `local.get 0  i64.const 31  i64.mul  local.get 1  i64.extend_i32_u  i64.xor`)
		if mix != 0 {
			panic("the callee's index is written out below")
		}
		b.Func("run", "i32 -> i64", "i64", `
			loop void
				local.get 1  local.get 0  call 0  local.set 1
				local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
			end
			local.get 1`)
		return b.Bytes()
	}},
	{"fib", 20, func() []byte {
		var b moduletest.Builder
		b.Func("run", "i32 -> i64", "", `
			local.get 0  i32.const 2  i32.lt_u
			if i64
				local.get 0  i64.extend_i32_u
			else
				local.get 0  i32.const 1  i32.sub  call 0
				local.get 0  i32.const 2  i32.sub  call 0
				i64.add
			end`)
		return b.Bytes()
	}},
	{"copy-64-bytes", 1_000, func() []byte { return copies(64) }},
	{"copy-64-KiB", 10, func() []byte { return copies(65536) }},
	{"fill-16-MiB", 1, func() []byte {
		var b moduletest.Builder
		b.Memory(1024, 1024)
		b.Func("run", "i32 -> i64", "", "i32.const 0 local.get 0 i32.const 16777216 memory.fill i64.const 0")
		return b.Bytes()
	}},
	{"copy-16-MiB", 1, func() []byte {
		var b moduletest.Builder
		b.Memory(1024, 1024)
		b.Func("run", "i32 -> i64", "", "i32.const 33554432 i32.const 0 i32.const 16777216 memory.copy i64.const 0")
		return b.Bytes()
	}},
}

func copies(size int) []byte {
	var b moduletest.Builder
	b.Memory(4, 4)
	b.Func("run", "i32 -> i64", "", `
		loop void
			i32.const 131072  i32.const 0  i32.const `+strconv.Itoa(size)+`  memory.copy
			local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
		end
		i64.const 0`)
	return b.Bytes()
}

// BenchmarkKernel runs each kernel as it is and metered; compare the pairs.
func BenchmarkKernel(b *testing.B) {
	for _, k := range kernels {
		for _, metered := range []bool{false, true} {
			name := k.name + "/plain"
			if metered {
				name = k.name + "/metered"
			}
			b.Run(name, func(b *testing.B) {
				run := start(b, k.build(), metered)
				stack := make([]uint64, 1)
				for b.Loop() {
					stack[0] = k.n
					if err := run.CallWithStack(context.Background(), stack); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(k.n), "ns/item")
			})
		}
	}
}

// start instantiates bin under the compiler and returns its function run.
func start(tb testing.TB, bin []byte, metered bool) api.Function {
	tb.Helper()
	ctx := context.Background()
	m, err := module.Parse(bin, module.Policy{})
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
	inst, err := r.Instantiate(ctx, bin)
	if err != nil {
		tb.Fatal(err)
	}
	return inst.ExportedFunction("run")
}
