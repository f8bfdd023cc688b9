// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/module"
	mt "github.com/wasmill/wasmill/runtime/module/moduletest"
)

// tight keeps what the fuzzer finds cheap to compile.
var tight = module.Policy{
	AllowStart: true,
	Imports: []module.Import{
		{Module: "env", Name: "log", Params: []module.ValueType{module.I32}},
		{Module: "env", Name: "now", Results: []module.ValueType{module.I64}},
	},
	Limits: module.Limits{Size: 1 << 16, Body: 4096, Locals: 200, Functions: 100, Merges: 20_000, BrTargets: 500, Nesting: 100},
}

// withoutCustom returns bin without its custom sections: the parser takes broken names, the engine does
// not, and the meter puts sound ones in their place.
func withoutCustom(m *module.Module) []byte {
	out := []byte(mt.Header)
	for _, s := range m.Sections {
		if s.ID != module.SectionCustom {
			out = append(out, mt.Section(s.ID, m.Bytes[s.Start:s.End])...)
		}
	}
	return out
}

// FuzzParse holds that the parser survives any bytes, that its errors are its own, and that the engine
// takes whatever it accepts.
func FuzzParse(f *testing.F) {
	var b mt.Builder
	b.Import("env", "log", "i32 ->")
	b.Memory(1, 4)
	b.Table(2, 8)
	run := b.Func("run", "i32 -> i64", "i64 f32 v128", `
		block i64  local.get 0  i64.extend_i32_u  local.get 0  br_table 0,0  end
		loop void  local.get 0  if void  br 1  else  i32.const 3  call 0  end  end
		i32.const 0  local.get 0  memory.fill
		i64.load offset=8  i64.add`)
	b.Elements(0, run)
	b.Global("i32", true, "i32.const 7")
	b.Data(3, "data")
	f.Add(b.Bytes())
	f.Add([]byte(mt.Header))
	for _, bomb := range bombs {
		if bin := bomb.build(); len(bin) < 4096 {
			f.Add(bin)
		}
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	f.Cleanup(func() { _ = r.Close(ctx) })
	f.Fuzz(func(t *testing.T, bin []byte) {
		m, err := module.Parse(bin, tight)
		if err != nil {
			var refused *module.Error
			if !errors.As(err, &refused) || refused.Kind == 0 || refused.Message == "" {
				t.Fatalf("not the parser's own error: %v", err)
			}
			return
		}
		compiled, err := r.CompileModule(ctx, withoutCustom(m))
		if err != nil {
			t.Fatalf("accepted, but the engine says: %v", err)
		}
		if err := compiled.Close(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
