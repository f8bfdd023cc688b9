// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/module/moduletest"
)

// steps are code that does one instruction of interest to local 1 (i64), 2 (f64), 3 (v128) or 4 (i32), so
// that a chain of it takes as long as the chain's instructions take one after the other.
var steps = []struct {
	op   string
	code string
}{
	{"i32.add", "local.get 4 i32.const 7 i32.add local.set 4"},
	{"i32.mul", "local.get 4 i32.const 7 i32.mul local.set 4"},
	{"i32.div_u", "local.get 4 i32.const 1 i32.div_u local.set 4"},
	{"i32.div_s", "local.get 4 local.get 5 i32.div_s local.set 4"},
	{"i64.div_s", "local.get 1 i64.const 3 i64.div_s local.set 1"},
	{"i64.rem_u", "local.get 1 i64.const 3 i64.rem_u local.set 1"},
	{"i32.clz", "local.get 4 i32.clz local.set 4"},
	{"i64.popcnt", "local.get 1 i64.popcnt local.set 1"},
	{"i32.rotl", "local.get 4 local.get 5 i32.rotl local.set 4"},
	{"i32.eqz", "local.get 4 i32.eqz local.set 4"},
	{"select", "local.get 4 local.get 5 local.get 4 select local.set 4"},
	{"global.get", "global.get 0 local.get 4 i32.add local.set 4"},
	{"global.set", "local.get 4 global.set 0"},
	{"i32.load", "local.get 4 i32.load local.set 4"},
	{"i64.load", "local.get 4 i64.load i32.wrap_i64 local.set 4"},
	{"i32.store", "i32.const 8 local.get 4 i32.store"},
	{"f64.add", "local.get 2 f64.const 1.5 f64.add local.set 2"},
	{"f64.mul", "local.get 2 f64.const 1.5 f64.mul local.set 2"},
	{"f64.div", "local.get 2 f64.const 1.5 f64.div local.set 2"},
	{"f64.sqrt", "local.get 2 f64.sqrt local.set 2"},
	{"f64.min", "local.get 2 f64.const 1.5 f64.min local.set 2"},
	{"f64.ceil", "local.get 2 f64.ceil local.set 2"},
	{"f64.nearest", "local.get 2 f64.nearest local.set 2"},
	{"f64.convert_i64_u", "local.get 1 f64.convert_i64_u i64.trunc_sat_f64_u local.set 1"},
	{"i64.trunc_f64_s", "local.get 1 f64.convert_i64_s i64.trunc_f64_s local.set 1"},
	{"f64.promote_f32", "local.get 2 f32.demote_f64 f64.promote_f32 local.set 2"},
	{"call", "local.get 4 call 0 local.set 4"},
	{"call_indirect", "local.get 4 i32.const 0 call_indirect 0 local.set 4"},
	{"br_table", "block void block void local.get 4 i32.const 1 i32.and br_table 0,1 end end"},
	{"memory.size", "memory.size drop"},
	{"table.get", "i32.const 0 table.get drop"},
	{"ref.func", "ref.func 0 drop"},
	{"memory.fill", "i32.const 0 i32.const 0 i32.const 0 memory.fill"},
	{"memory.copy", "i32.const 0 i32.const 0 i32.const 0 memory.copy"},
	{"table.copy", "i32.const 0 i32.const 0 i32.const 0 table.copy"},
	{"memory.init", "i32.const 0 i32.const 0 i32.const 0 memory.init 0"},
	{"table.init", "i32.const 0 i32.const 0 i32.const 0 table.init 1"},
	{"table.fill", "i32.const 0 ref.null funcref i32.const 0 table.fill"},
	{"data.drop", "data.drop 0"},
	{"elem.drop", "elem.drop 1"},
	{"table.set", "i32.const 0 ref.null funcref table.set"},
	{"memory.grow", "i32.const 0 memory.grow drop"},
	{"table.grow", "ref.null funcref i32.const 0 table.grow drop"},
	{"i32x4.add", "local.get 3 local.get 3 i32x4.add local.set 3"},
	{"v128.load", "i32.const 0 v128.load local.get 3 v128.xor local.set 3"},
	{"i8x16.swizzle", "local.get 3 local.get 3 i8x16.swizzle local.set 3"},
	{"i8x16.popcnt", "local.get 3 i8x16.popcnt local.set 3"},
	{"i8x16.shl", "local.get 3 i32.const 3 i8x16.shl local.set 3"},
	{"i64x2.shr_s", "local.get 3 i32.const 3 i64x2.shr_s local.set 3"},
	{"i64x2.mul", "local.get 3 local.get 3 i64x2.mul local.set 3"},
	{"i16x8.mul", "local.get 3 local.get 3 i16x8.mul local.set 3"},
	{"f64x2.add", "local.get 3 local.get 3 f64x2.add local.set 3"},
	{"f64x2.div", "local.get 3 local.get 3 f64x2.div local.set 3"},
	{"f64x2.min", "local.get 3 local.get 3 f64x2.min local.set 3"},
	{"f64x2.ceil", "local.get 3 f64x2.ceil local.set 3"},
	{"i32x4.trunc_sat_f32x4_u", "local.get 3 i32x4.trunc_sat_f32x4_u local.set 3"},
	{"i8x16.shr_s", "local.get 3 i32.const 3 i8x16.shr_s local.set 3"},
	{"i32x4.mul", "local.get 3 local.get 3 i32x4.mul local.set 3"},
	{"i32x4.dot_i16x8_s", "local.get 3 local.get 3 i32x4.dot_i16x8_s local.set 3"},
	{"i64x2.extmul_low_i32x4_s", "local.get 3 local.get 3 i64x2.extmul_low_i32x4_s local.set 3"},
	{"i16x8.extadd_pairwise_i8x16_u", "local.get 3 i16x8.extadd_pairwise_i8x16_u local.set 3"},
	{"i64x2.abs", "local.get 3 i64x2.abs local.set 3"},
	{"i64x2.gt_s", "local.get 3 local.get 3 i64x2.gt_s local.set 3"},
	{"i8x16.all_true", "local.get 3 i8x16.all_true i8x16.splat local.set 3"},
	{"i8x16.bitmask", "local.get 3 i8x16.bitmask i8x16.splat local.set 3"},
	{"i8x16.replace_lane", "local.get 3 local.get 4 i8x16.replace_lane 5 local.set 3"},
	{"v128.bitselect", "local.get 3 local.get 3 local.get 3 v128.bitselect local.set 3"},
	{"v128.load8_lane", "i32.const 0 local.get 3 v128.load8_lane 5 local.set 3"},
	{"f32x4.convert_i32x4_u", "local.get 3 f32x4.convert_i32x4_u local.set 3"},
	{"f64x2.convert_low_i32x4_u", "local.get 3 f64x2.convert_low_i32x4_u local.set 3"},
	{"i32x4.trunc_sat_f64x2_u_zero", "local.get 3 i32x4.trunc_sat_f64x2_u_zero local.set 3"},
	{"f32x4.pmin", "local.get 3 local.get 3 f32x4.pmin local.set 3"},
}

// BenchmarkInstruction measures the weights of the cost table: ns/step is to be compared with the step's
// units times that of i32.add over its own.
func BenchmarkInstruction(b *testing.B) {
	const repeat = 64
	for _, s := range steps {
		b.Run(s.op, func(b *testing.B) {
			var m moduletest.Builder
			typ := m.Func("", "i32 -> i32", "", "local.get 0 i32.const 1 i32.shr_u i32.const 1 i32.xor")
			m.Memory(1, 2)
			m.Table(1, 2)
			m.Elements(0, typ)
			m.PassiveElements(typ)
			m.PassiveData("data")
			m.Global("i32", true, "i32.const 0")
			m.Func("run", "i32 ->", "i64 f64 v128 i32 i32", `
				i32.const 1 local.set 5
				loop void `+strings.Repeat(s.code+" ", repeat)+`
					local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0
				end`)
			run := start(b, m.Bytes(), false)
			const rounds = 100
			stack := make([]uint64, 1)
			for b.Loop() {
				stack[0] = rounds
				if err := run.CallWithStack(context.Background(), stack); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rounds/repeat, "ns/step")
			b.ReportMetric(float64(units(s.code)), "units")
		})
	}
}

// units is what the table says that a step costs.
func units(code string) int64 {
	var b moduletest.Builder
	b.Memory(1, 2)
	b.Table(1, 2)
	b.Global("i32", true, "i32.const 0")
	f := b.Func("", "i32 -> i32", "", "local.get 0")
	b.Elements(0, f)
	b.PassiveElements(f)
	b.PassiveData("data")
	b.Func("run", "i32 ->", "i64 f64 v128 i32 i32", code)
	m, err := module.Parse(b.Bytes(), module.Policy{})
	if err != nil {
		panic(err)
	}
	sum := int64(0)
	var in module.Instr
	for s := m.Scan(1); s.Next(&in); {
		sum += meter.CostOf(in.Op)
	}
	return sum
}
