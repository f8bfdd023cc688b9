// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

// HostFunction is a function that guests may import. Call finds its parameters in stack and
// leaves its result in stack[0]. It runs on the goroutine that called the guest, ends the call by
// Instance.Stop, and pays for its work by Instance.Charge.
type HostFunction struct {
	module.Import
	Call func(in *Instance, stack []uint64)
}

// callContext carries the instance to host functions: wazero hands them the context of the call.
type callContext struct {
	context.Context
	in *Instance
}

// link instantiates in r what m imports: the host functions of its imports, and the meter's.
func link(ctx context.Context, r wazero.Runtime, m *module.Module, offered []HostFunction) error {
	functions := []HostFunction{
		{module.Import{Module: meter.ImportModule, Name: meter.RefillImport,
			Params: []module.ValueType{module.I64}, Results: []module.ValueType{module.I64}},
			func(in *Instance, stack []uint64) { stack[0] = uint64(in.refill(int64(stack[0]))) }},
		{module.Import{Module: meter.ImportModule, Name: meter.StackImport},
			func(*Instance, []uint64) { panic(&stop{reason: StackUsed}) }},
	}
	for i := range offered {
		if slices.ContainsFunc(m.Imports, func(e module.ImportEntry) bool {
			return e.Module == offered[i].Module && e.Name == offered[i].Name
		}) {
			functions = append(functions, offered[i])
		}
	}
	builders := map[string]wazero.HostModuleBuilder{}
	for i := range functions {
		f := &functions[i]
		if builders[f.Module] == nil {
			builders[f.Module] = r.NewHostModuleBuilder(f.Module)
		}
		builders[f.Module].NewFunctionBuilder().
			WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
				f.Call(ctx.(*callContext).in, stack)
			}), valueTypes(f.Params), valueTypes(f.Results)).
			WithName(f.Name).Export(f.Name)
	}
	for name, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return fmt.Errorf("host module %s: %w", name, err)
		}
	}
	return nil
}

// valueTypes translates to wazero's types, whose numbers are the binary format's too.
func valueTypes(ts []module.ValueType) []api.ValueType {
	out := make([]api.ValueType, len(ts))
	for i, t := range ts {
		out[i] = api.ValueType(t)
	}
	return out
}
