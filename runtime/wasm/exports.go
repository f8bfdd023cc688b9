// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/module"
)

// checkExports holds a module's exports against the contract.
func checkExports(m *module.Module) error {
	if !slices.ContainsFunc(m.Exports, func(e module.Export) bool { return strings.HasPrefix(e.Name, "wasmill_") }) {
		return strangerError(m)
	}
	if e, ok := m.Export(abi.ExportMemory); !ok || e.Kind != module.ExternMemory {
		return fmt.Errorf("it exports no memory by the name %q, as every operator module does: "+
			"link it with --export-memory, or as its SDK's README says", abi.ExportMemory)
	}
	for _, f := range abi.Exports() {
		e, ok := m.Export(f.Name)
		if !ok {
			if f.Optional {
				continue
			}
			return fmt.Errorf("it does not export the function %s: the SDKs in sdk/ define it, "+
				"so the module was built without one, or its linker dropped it (--gc-sections, wasm-opt)", f.Name)
		}
		want := module.FuncType{Params: valueTypes(f.Params), Results: valueTypes(f.Results)}
		if e.Kind != module.ExternFunc {
			return fmt.Errorf("its export %s is a %s; it must be a function %s", f.Name, e.Kind, want)
		}
		if !e.Type.Equal(want) {
			return fmt.Errorf("its export %s has the type %s; version %d of the contract has %s", f.Name, e.Type, abi.Version, want)
		}
	}
	return nil
}

// strangerError says what a module is that is no operator module.
func strangerError(m *module.Module) error {
	if _, ok := m.Export("_start"); ok {
		return fmt.Errorf("it is a program with a _start, not a module of operators: build it as a library " +
			"(Go: -buildmode=c-shared, C: -mexec-model=reactor, Rust: crate-type cdylib) that uses a wasmill SDK")
	}
	return fmt.Errorf("it exports no function of wasmill's (wasmill_version, wasmill_describe, ...): " +
		"operators are written with an SDK, see sdk/go, sdk/rust, sdk/c and sdk/assemblyscript")
}

func valueTypes(ts []abi.ValueType) []module.ValueType {
	out := make([]module.ValueType, len(ts))
	for i, t := range ts {
		out[i] = module.ValueType(t)
	}
	return out
}
