// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasi

import (
	"context"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/wasm/internal/vm"
)

func TestFunctionsAreThoseOfPreview1(t *testing.T) {
	r := wazero.NewRuntime(t.Context())
	defer func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	theirs, err := wasi_snapshot_preview1.NewBuilder(r).Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := theirs.ExportedFunctions()
	for _, f := range Functions(func(*vm.Instance) System { return nil }) {
		def, ok := want[f.Name]
		if !ok {
			t.Errorf("%s is no function of preview 1", f.Name)
			continue
		}
		delete(want, f.Name)
		if !slices.Equal(bytesOf(f.Params), def.ParamTypes()) || !slices.Equal(bytesOf(f.Results), def.ResultTypes()) {
			t.Errorf("%s has type %v -> %v, wazero's has %v -> %v", f.Name, f.Params, f.Results, def.ParamTypes(), def.ResultTypes())
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

func bytesOf(ts []module.ValueType) []api.ValueType {
	out := []api.ValueType{}
	for _, t := range ts {
		out = append(out, api.ValueType(t))
	}
	return out
}
