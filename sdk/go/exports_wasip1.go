// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

//lint:file-ignore U1000 the host calls these functions

import (
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/guest"
	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// module is the one instance of this module. What the host has a pointer to is kept here, where
// the collector sees it.
var module struct {
	description []byte
	input       []byte // what wasmill_buffer returned
	operator    guest.Instance
}

//go:wasmexport wasmill_version
func exportVersion() int32 { return 1 }

//go:wasmexport wasmill_describe
func exportDescribe() int64 {
	defer rescue()
	var operators []*wire.Operator
	for _, op := range registered {
		d, err := op.Describe()
		if err != nil {
			host.Fail(host.Refused, err.Error())
		}
		operators = append(operators, d)
	}
	if len(operators) == 0 {
		host.Fail(host.Refused, "the module holds no operator: call wasmill.Register in an init function")
	}
	module.description = wire.Describe("wasmill-go "+Version, operators)
	return int64(address(module.description))<<32 | int64(len(module.description))
}

//go:wasmexport wasmill_buffer
func exportBuffer(size int32) int32 {
	if n := int(uint32(size)); n > len(module.input) || module.input == nil {
		module.input = nil // so that the old one can be collected first
		module.input = wire.Words(max(n+n/4, 1<<16))
	}
	return int32(address(module.input))
}

//go:wasmexport wasmill_open
func exportOpen(operator, config, size int32) int32 {
	defer rescue()
	if operator < 0 || int(operator) >= len(registered) {
		host.Fail(host.Refused, "the module has no operator of that number")
	}
	instance, err := registered[operator].Open(input(config, size))
	if err != nil {
		host.Fail(host.Refused, err.Error())
	}
	module.operator = instance
	return 0
}

//go:wasmexport wasmill_process
func exportProcess(batch, size int32) int32 {
	defer rescue()
	return done(module.operator.Process(input(batch, size)))
}

//go:wasmexport wasmill_timer
func exportTimer(batch, size int32) int32 {
	defer rescue()
	return done(module.operator.Timer(input(batch, size)))
}

//go:wasmexport wasmill_aggregate
func exportAggregate(step, a, aSize, b, bSize int32) int32 {
	defer rescue()
	return done(module.operator.Aggregate(int(step), input(a, aSize), input(b, bSize)))
}

//go:wasmexport wasmill_close
func exportClose() int32 {
	defer rescue()
	if module.operator == nil {
		return 0
	}
	return done(module.operator.Close())
}

// rescue ends a call that panicked: it tells the host the panic and where it happened. Without it
// Go would print the same to stderr, with the frames of its runtime and of this package around
// the user's, and the host would have to tell a panic from a plain exit. What can't be recovered
// (a stack overflow, memory that has run out, a deadlock) still goes that way.
func rescue() {
	if v := recover(); v != nil {
		host.Fail(host.Bug, panicMessage(v)+stack(row.SDK+"."))
	}
}

func done(err error) int32 {
	if err != nil {
		host.Fail(host.Refused, err.Error())
	}
	return 0
}

func address(data []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(data)))) }

// input returns what the host has written to the buffer.
func input(at, size int32) []byte {
	if size == 0 {
		return nil
	}
	begin := uint32(at) - address(module.input)
	return module.input[begin : begin+uint32(size) : begin+uint32(size)]
}
