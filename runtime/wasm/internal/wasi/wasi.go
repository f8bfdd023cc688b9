// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package wasi is WASI preview 1 as far as a sandboxed guest may have it: no arguments, no
// environment, no files, no sockets. The clock is its driver's, and sleeping takes no time;
// randomness is seeded; what is written to standard output and error goes to the driver.
//
// It is our own and not wazero's, because each call must be bounded and paid for: wazero's loops
// over as many vectors and subscriptions as a guest names, multiplies their count in 32 bits, and
// loses the guest's stack at proc_exit. A test holds the types of all functions against wazero's.
//
// The calls and their layouts are those of
// https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md.
package wasi

import (
	"encoding/binary"

	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/wasm/internal/vm"
)

// Module is the name that guests import.
const Module = "wasi_snapshot_preview1"

// System is the world of one instance.
type System interface {
	// Now is the time in nanoseconds since 1970. It may stand still.
	Now() uint64
	// Slept says for how long the guest has slept so far, which took no time.
	Slept() *uint64
	// Random fills p.
	Random(p []byte)
	// Write takes what the guest writes to standard output (1) or error (2). p is valid until it
	// returns.
	Write(fd uint32, p []byte)
	// Exit ends the call. It does not return.
	Exit(code uint32)
}

// errno is what all calls but proc_exit return.
type errno uint32

const (
	success errno = 0
	badf    errno = 8
	fault   errno = 21
	inval   errno = 28
	nosys   errno = 52
	spipe   errno = 70
)

// Prices of calls in fuel, and what one may ask for.
const (
	callFuel   = 100
	vectorFuel = 10
	byteFuel   = 1 // what randomness costs; writing costs less
	mostItems  = 1024
)

// call is one call of a guest.
type call struct {
	in     *vm.Instance
	system System
	args   []uint64
}

func (c *call) u32(i int) uint32 { return uint32(c.args[i]) }

// put32 writes a result into guest memory.
func (c *call) put32(ptr, v uint32) errno {
	b, ok := c.in.Bytes(ptr, 4)
	if !ok {
		return fault
	}
	binary.LittleEndian.PutUint32(b, v)
	return success
}

func (c *call) put64(ptr uint32, v uint64) errno {
	b, ok := c.in.Bytes(ptr, 8)
	if !ok {
		return fault
	}
	binary.LittleEndian.PutUint64(b, v)
	return success
}

// Functions returns the functions of preview 1. system finds the world of an instance.
func Functions(system func(*vm.Instance) System) []vm.HostFunction {
	out := make([]vm.HostFunction, 0, len(functions)+1)
	for i := range functions {
		f := &functions[i]
		out = append(out, vm.HostFunction{
			Import: module.Import{Module: Module, Name: f.name, Params: types(f.params), Results: []module.ValueType{module.I32}},
			Call: func(in *vm.Instance, stack []uint64) {
				in.Charge(callFuel)
				stack[0] = uint64(f.run(&call{in: in, system: system(in), args: stack}))
			},
		})
	}
	return append(out, vm.HostFunction{
		Import: module.Import{Module: Module, Name: "proc_exit", Params: []module.ValueType{module.I32}},
		Call:   func(in *vm.Instance, stack []uint64) { system(in).Exit(uint32(stack[0])) },
	})
}

// types reads a list of types: i for i32, l for i64.
func types(text string) []module.ValueType {
	var out []module.ValueType
	for _, c := range text {
		if c == 'i' {
			out = append(out, module.I32)
		} else {
			out = append(out, module.I64)
		}
	}
	return out
}
