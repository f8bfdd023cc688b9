// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/wasm/internal/vm"
	"github.com/wasmill/wasmill/runtime/wasm/internal/wasi"
)

// Prices of the host's work, in fuel.
const (
	callFuel = 100
	logFuel  = 2000
	emitFuel = 500
	// emitByteShift: copying and verifying a byte of a batch costs half a unit.
	emitByteShift = 1
	// emitOverhead is what an emitted batch takes of the host besides its bytes, counted as output.
	emitOverhead = 1024
)

// hostFunctions returns all that guests may import.
func hostFunctions() []vm.HostFunction {
	calls := map[string]func(g *guest, stack []uint64){
		abi.ImportEmit:      func(g *guest, s []uint64) { g.emit(uint32(s[0]), uint32(s[1])) },
		abi.ImportLog:       func(g *guest, s []uint64) { g.log(int32(s[0]), uint32(s[1]), uint32(s[2])) },
		abi.ImportCount:     func(g *guest, s []uint64) { g.count(uint32(s[0]), int64(s[1])) },
		abi.ImportFail:      func(g *guest, s []uint64) { g.fail(int32(s[0]), uint32(s[1]), uint32(s[2])) },
		abi.ImportNow:       func(g *guest, s []uint64) { s[0] = uint64(g.nowMicros()) },
		abi.ImportWatermark: func(g *guest, s []uint64) { s[0] = uint64(g.watermark()) },
		abi.ImportStateGet: func(g *guest, s []uint64) {
			s[0] = uint64(g.stateGet(uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]), uint32(s[4])))
		},
		abi.ImportStateScan: func(g *guest, s []uint64) {
			s[0] = uint64(g.stateScan(uint32(s[0]), uint32(s[1]), abi.Bounds(s[2]), uint32(s[3]), uint32(s[4])))
		},
		abi.ImportStateNext: func(g *guest, s []uint64) {
			s[0] = uint64(g.stateNext(uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])))
		},
		abi.ImportStateRead: func(g *guest, s []uint64) { s[0] = uint64(g.stateRead(uint32(s[0]), uint32(s[1]))) },
		abi.ImportStatePut:  func(g *guest, s []uint64) { g.statePut(uint32(s[0]), uint32(s[1])) },
		"abort": func(g *guest, s []uint64) {
			g.abort(uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]))
		},
	}
	var out []vm.HostFunction
	for _, f := range abi.Imports() {
		call := calls[f.Name]
		out = append(out, vm.HostFunction{
			Import: module.Import{Module: f.Module, Name: f.Name, Params: valueTypes(f.Params), Results: valueTypes(f.Results)},
			Call: func(in *vm.Instance, stack []uint64) {
				in.Charge(callFuel)
				call(in.Host.(*guest), stack)
			},
		})
	}
	return slices.Concat(out, wasi.Functions(func(in *vm.Instance) wasi.System { return in.Host.(*guest) }))
}

// breach ends the call: the guest broke the contract.
func (g *guest) breach(format string, args ...any) { g.in.Stop(breachf(format, args...)) }

// bytes returns a part of guest memory that the guest names, or ends the call.
func (g *guest) bytes(ptr, size uint32, what string) []byte {
	b, ok := g.in.Bytes(ptr, size)
	if !ok {
		g.breach("it called %s with bytes %d to %d of a memory of %d", what, ptr, uint64(ptr)+uint64(size), g.in.Size())
	}
	return b
}

// emit takes over a batch.
func (g *guest) emit(ptr, size uint32) {
	limits := &g.module.engine.opts.Limits
	switch {
	case g.schema == nil:
		g.breach("it called emit inside of %s; only %s, %s and %s may", g.function, abi.ExportProcess, abi.ExportTimer, abi.ExportAggregate)
	case len(g.emitted) >= limits.Emits:
		g.breach("it called emit more than %d times in one call", limits.Emits)
	}
	src := g.batch(ptr, size, abi.ImportEmit)
	g.spend(int64(size) + emitOverhead)
	m := g.decode(src, abi.ImportEmit, g.schema)
	g.emitted = append(g.emitted, m)
	// Buffers of a batch may share bytes: what counts is what the columns are to their readers.
	extra := int64(m.Batch.Bytes()) - int64(size)
	for i := range m.Failures {
		extra += int64(len(m.Failures[i].Message))
	}
	g.spend(max(extra, 0))
}

// batch returns the bytes of a batch that the guest hands to an import, or ends the call.
func (g *guest) batch(ptr, size uint32, what string) []byte {
	switch {
	case size > abi.MaxBatchBytes:
		g.breach("it called %s with a batch of %d bytes; %d are allowed", what, size, abi.MaxBatchBytes)
	case ptr%8 != 0:
		g.breach("it called %s with a batch at address %d, which is not a multiple of 8", what, ptr)
	}
	src := g.bytes(ptr, size, what)
	g.in.Charge(emitFuel + int64(size)>>emitByteShift)
	return src
}

// decode takes over a batch, or ends the call.
func (g *guest) decode(src []byte, what string, schema func(uint32) *abi.Schema) batch.Message {
	m, err := g.pool.Decode(src, schema)
	if err != nil {
		g.in.Stop(&breach{fmt.Errorf("it called %s: %w", what, err)})
	}
	return m
}

// spend counts bytes of output against what a call may make.
func (g *guest) spend(bytes int64) {
	if err := g.output.spend(bytes); err != nil {
		g.in.Stop(err)
	}
}

// log writes a line.
func (g *guest) log(level int32, ptr, size uint32) {
	g.in.Charge(logFuel)
	text := g.bytes(ptr, size, abi.ImportLog)
	if level < int32(abi.LogDebug) || level > int32(abi.LogError) {
		g.breach("it logged at level %d; there are %d to %d", level, abi.LogDebug, abi.LogError)
	}
	g.logs.line(abi.LogLevel(level), "", text)
}

// count keeps an addition to a counter until the call has succeeded.
func (g *guest) count(counter uint32, delta int64) {
	if uint64(counter) >= uint64(len(g.counts)) {
		g.breach("it added to counter %d; its description names %d", counter, len(g.counts))
	}
	g.counts[counter] += delta
}

// fail ends the call with the guest's message.
func (g *guest) fail(kind int32, ptr, size uint32) {
	text := g.bytes(ptr, size, abi.ImportFail)
	if kind != int32(abi.FailError) && kind != int32(abi.FailPanic) {
		g.breach("it called fail with kind %d; there are %d and %d", kind, abi.FailError, abi.FailPanic)
	}
	g.in.Stop(&failure{kind: abi.FailKind(kind), message: clean(text[:min(len(text), abi.MaxFailMessage)])})
}

// abort is AssemblyScript's.
func (g *guest) abort(message, file, line, column uint32) {
	text := g.utf16(message)
	if text == "" {
		text = "abort"
	}
	g.in.Stop(&failure{kind: abi.FailPanic, message: text, file: g.utf16(file), line: line, column: column})
}

// utf16 returns a string as AssemblyScript lays it out, "" where there is none: a wrong pointer to
// a message is no reason to lose the rest of it.
func (g *guest) utf16(ptr uint32) string {
	if ptr < 4 {
		return ""
	}
	head, ok := g.in.Bytes(ptr-4, 4)
	if !ok {
		return ""
	}
	raw, ok := g.in.Bytes(ptr, min(binary.LittleEndian.Uint32(head), abi.MaxFailMessage)&^1)
	if !ok {
		return ""
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return clean([]byte(string(utf16.Decode(units))))
}
