// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmill/wasmill/abi"
)

// Where an operator module keeps what, by default.
const (
	descriptionAt = 1024
	messageAt     = 32 << 10 // what it emits or says
	bufferAt      = 64 << 10
	firstPages    = 16
	mostPages     = 1 << 14
)

// The imports that every operator module here has, by their function index.
const (
	emitIndex = iota
	logIndex
	countIndex
	failIndex
	nowIndex
	abortIndex
	exitIndex
	writeIndex
	randomIndex
	pollIndex
	clockIndex
	stateGetIndex
	stateScanIndex
	stateNextIndex
	stateReadIndex
	statePutIndex
	importCount
)

// The functions that every operator module here exports, by their function index.
const (
	initializeIndex = iota + importCount
	versionIndex
	describeIndex
	bufferIndex
	openIndex
	processIndex
	aggregateIndex
	closeIndex
	timerIndex
	extraIndex // the first of an attack's own
)

// The operators of abi/conformance/README.md, in its order.
const (
	routeOperator = "route" // n: int64 in and out, and a side output
	splitOperator = "split" // text: string in; word: string and index: int32 out, and text passes by
	meanOperator  = "mean"
)

// operatorModule is a module that keeps the contract, has the operators of abi/conformance, and
// does nothing: each attack changes what it needs to.
func operatorModule(t testing.TB) *assembly {
	t.Helper()
	description, err := os.ReadFile(filepath.Join("..", "..", "..", "abi", "testdata", "describe-conformance.bin"))
	if err != nil {
		t.Fatal(err)
	}
	const wasi = "wasi_snapshot_preview1"
	return &assembly{
		imports: []imported{
			{"wasmill", "emit", "ii", ""}, {"wasmill", "log", "iii", ""}, {"wasmill", "count", "il", ""},
			{"wasmill", "fail", "iii", ""}, {"wasmill", "now", "", "l"}, {"env", "abort", "iiii", ""},
			{wasi, "proc_exit", "i", ""}, {wasi, "fd_write", "iiii", "i"}, {wasi, "random_get", "ii", "i"},
			{wasi, "poll_oneoff", "iiii", "i"}, {wasi, "clock_time_get", "ili", "i"},
			{"wasmill", "state_get", "iiiii", "i"}, {"wasmill", "state_scan", "iiiii", "i"}, {"wasmill", "state_next", "iiii", "i"},
			{"wasmill", "state_read", "ii", "i"}, {"wasmill", "state_put", "ii", ""},
		},
		functions: []function{
			{export: abi.ExportInitialize},
			{export: abi.ExportVersion, result: "i", code: i32(abi.Version)},
			{export: abi.ExportDescribe, result: "l", code: i64(descriptionAt<<32 | int64(len(description)))},
			{export: abi.ExportBuffer, params: "i", result: "i", code: i32(bufferAt)},
			{export: abi.ExportOpen, params: "iii", result: "i", code: i32(0)},
			{export: abi.ExportProcess, params: "ii", result: "i", code: i32(0)},
			{export: abi.ExportAggregate, params: "iiiii", result: "i", code: i32(0)},
			{export: abi.ExportClose, result: "i", code: i32(0)},
			{export: abi.ExportTimer, params: "ii", result: "i", code: i32(0)},
		},
		memory: [2]uint32{firstPages, mostPages},
		table:  16,
		start:  -1,
		data:   []data{{descriptionAt, description}},
	}
}

// does replaces the code of a function, by its index.
func (a *assembly) does(index int, parts ...any) *assembly {
	f := &a.functions[index-len(a.imports)]
	f.code, f.locals = code(parts...), 4
	return a
}

// has adds functions of the attack's own, from extraIndex on.
func (a *assembly) has(functions ...function) *assembly {
	a.functions = append(a.functions, functions...)
	return a
}

// holds puts bytes where messages lie.
func (a *assembly) holds(at uint32, b []byte) *assembly {
	a.data = append(a.data, data{at, b})
	return a
}
