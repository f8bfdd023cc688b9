// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmill/wasmill/runtime/meter"
)

// Instance is a module with a memory of its own. One goroutine makes all calls to it and to its
// functions.
type Instance struct {
	// Host is the driver's: its host functions find there what they work on.
	Host any

	code   *Code
	module api.Module
	memory api.Memory
	space  *guestMemory
	ctx    callContext
	dead   bool
	inside bool // a call is running
	gauge
}

// Instantiate makes an instance. None of the guest's code runs: modules have no start section.
func (c *Code) Instantiate(host any) (in *Instance, err error) {
	in = &Instance{Host: host, code: c}
	in.ctx = callContext{Context: context.Background(), in: in}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("instantiate the module: %v", r)
		}
		if err != nil {
			in.Close()
			in = nil
		}
	}()
	var reserveErr error
	allocator := experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
		in.space = &guestMemory{}
		reserveErr = in.space.reserve(most)
		return in.space
	})
	ctx := experimental.WithMemoryAllocator(&in.ctx, allocator)
	in.module, err = c.runtime.InstantiateModule(ctx, c.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if reserveErr != nil {
		return in, fmt.Errorf("instantiate the module: no address space for its memory: %w", reserveErr)
	}
	if err != nil {
		return in, fmt.Errorf("instantiate the module: %w", err)
	}
	in.memory = in.module.Memory()
	var ok bool
	if in.fuel, ok = in.module.ExportedGlobal(meter.FuelExport).(api.MutableGlobal); !ok {
		return in, errors.New("instantiate the module: it is not metered")
	}
	return in, nil
}

// Close frees the instance and its memory. It can be called again.
func (in *Instance) Close() {
	in.dead = true
	if in.module != nil {
		_ = in.module.Close(context.Background()) // nothing is open that could fail
	}
	if in.space != nil {
		in.space.Free()
	}
	in.module, in.memory, in.space = nil, nil, nil
}

// Size returns the bytes of the memory.
func (in *Instance) Size() int {
	if in.memory == nil {
		return 0
	}
	return int(in.memory.Size())
}

// Bytes returns a part of the memory, and whether it lies within. It is valid until the guest
// runs again or the instance is closed.
func (in *Instance) Bytes(ptr, size uint32) ([]byte, bool) {
	if in.memory == nil || uint64(ptr)+uint64(size) > uint64(in.memory.Size()) {
		return nil, false
	}
	return in.memory.Read(ptr, size)
}

// Function is an exported function of an instance.
type Function struct {
	in    *Instance
	fn    api.Function
	name  string
	stack [8]uint64
}

// Function returns the function exported under a name, nil where there is none.
func (in *Instance) Function(name string) *Function {
	fn := in.module.ExportedFunction(name)
	if fn == nil {
		return nil
	}
	return &Function{in: in, fn: fn, name: name}
}

// Call calls the function, of at most 8 parameters and one result, within what the allowance has.
// Its error is a *Trap. It does not allocate.
func (f *Function) Call(ctx context.Context, a Allowance, params ...uint64) (result uint64, err error) {
	in := f.in
	if in.dead || in.inside {
		return 0, &Trap{Reason: Broken, Text: "the instance was used after a trap or inside of a call", Function: f.name}
	}
	copy(f.stack[:], params)
	in.begin(ctx, a)
	in.inside = true
	err = f.call()
	in.inside = false
	in.end()
	if err != nil {
		in.dead = true
		return 0, in.code.trap(f.name, err)
	}
	return f.stack[0], nil
}

// call recovers from what wazero does not: its own bugs.
func (f *Function) call() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return f.fn.CallWithStack(&f.in.ctx, f.stack[:])
}
