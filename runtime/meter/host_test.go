// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

var (
	errFuel  = errors.New("out of fuel")
	errStack = errors.New("calls nest too deep")
)

type engine struct {
	name   string
	config func() wazero.RuntimeConfig
}

var engines = []engine{
	{"compiler", func() wazero.RuntimeConfig {
		return wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2)
	}},
	{"interpreter", func() wazero.RuntimeConfig {
		return wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2)
	}},
}

// plentyOfFuel is more than any test uses, in slices that leave some for many instances.
const (
	plentyOfFuel  = 1 << 60
	plentyAtATime = 1 << 50
)

// host stands for the room that drives a metered module: it hands out fuel in slices while it has
// any, and then stops the guest.
type host struct {
	fuel    int64 // not handed out yet
	slice   int64 // what a refill hands out at most, beyond the guest's debt
	stingy  bool  // gives nothing, and lets the guest go on
	refills int
	short   int64 // by how much the last charge was short, once the guest was stopped
}

// newHost instantiates the meter's imports in r.
func newHost(tb testing.TB, r wazero.Runtime, fuel, slice int64) *host {
	tb.Helper()
	h := &host{fuel: fuel, slice: slice}
	i64 := []api.ValueType{api.ValueTypeI64}
	_, err := r.NewHostModuleBuilder(meter.ImportModule).
		NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
		stack[0] = uint64(h.refill(int64(stack[0])))
	}), i64, i64).Export(meter.RefillImport).
		NewFunctionBuilder().WithGoFunction(api.GoFunc(func(context.Context, []uint64) {
		panic(errStack)
	}), nil, nil).Export(meter.StackImport).
		Instantiate(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *host) refill(left int64) int64 {
	h.refills++
	if left >= 0 {
		panic("refill with fuel left")
	}
	if h.stingy {
		return left
	}
	give := min(h.slice-left, h.fuel)
	h.fuel -= give
	if left+give < 0 {
		h.short = -left - give
		panic(errFuel)
	}
	return left + give
}

// rewriteUnclamped meters m and leaves its memory and tables the sizes that they had.
func rewriteUnclamped(tb testing.TB, m *module.Module) []byte {
	tb.Helper()
	bin, _, err := meter.Rewrite(m, meter.Config{MemoryPages: 65536, TableEntries: 1<<32 - 1})
	if err != nil {
		tb.Fatal(err)
	}
	return bin
}
