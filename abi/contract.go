// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package abi

// Version is the version of the contract that this host speaks, as wasmill_version returns it.
const Version = 1

// ValueType is a WebAssembly value type in its binary encoding.
type ValueType byte

// The value types of the contract's functions.
const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
)

// Function is the name and type of an import or an export.
type Function struct {
	Module   string // of an import; empty for an export
	Name     string
	Params   []ValueType
	Results  []ValueType
	Optional bool // an export that a module may leave out
}

// The exports of a module. SPEC.md says when each is called.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"
	ExportVersion    = "wasmill_version"
	ExportDescribe   = "wasmill_describe"
	ExportBuffer     = "wasmill_buffer"
	ExportOpen       = "wasmill_open"
	ExportProcess    = "wasmill_process"
	ExportTimer      = "wasmill_timer"
	ExportAggregate  = "wasmill_aggregate"
	ExportClose      = "wasmill_close"
)

// Exports returns the functions that the host may call. Process is needed by a module that holds
// a map or a process, Aggregate by one that holds an aggregate.
func Exports() []Function {
	return []Function{
		{Name: ExportInitialize, Optional: true},
		{Name: ExportVersion, Results: []ValueType{I32}},
		{Name: ExportDescribe, Results: []ValueType{I64}},
		{Name: ExportBuffer, Params: []ValueType{I32}, Results: []ValueType{I32}},
		{Name: ExportOpen, Params: []ValueType{I32, I32, I32}, Results: []ValueType{I32}},
		{Name: ExportProcess, Params: []ValueType{I32, I32}, Results: []ValueType{I32}, Optional: true},
		{Name: ExportTimer, Params: []ValueType{I32, I32}, Results: []ValueType{I32}, Optional: true},
		{Name: ExportAggregate, Params: []ValueType{I32, I32, I32, I32, I32}, Results: []ValueType{I32}, Optional: true},
		{Name: ExportClose, Results: []ValueType{I32}, Optional: true},
	}
}

// ImportModule is the module name of the contract's own imports.
const ImportModule = "wasmill"

// The imports that a module may have from ImportModule.
const (
	ImportEmit      = "emit"
	ImportLog       = "log"
	ImportCount     = "count"
	ImportFail      = "fail"
	ImportNow       = "now"
	ImportWatermark = "watermark"
	ImportStateGet  = "state_get"
	ImportStateScan = "state_scan"
	ImportStateNext = "state_next"
	ImportStateRead = "state_read"
	ImportStatePut  = "state_put"
)

// Imports returns the functions of ImportModule, and AssemblyScript's abort. A guest may import
// these and the functions of WASI preview 1, by exactly these types, and nothing else.
func Imports() []Function {
	return []Function{
		{Module: ImportModule, Name: ImportEmit, Params: []ValueType{I32, I32}},
		{Module: ImportModule, Name: ImportStateGet, Params: []ValueType{I32, I32, I32, I32, I32}, Results: []ValueType{I32}},
		{Module: ImportModule, Name: ImportStateScan, Params: []ValueType{I32, I32, I32, I32, I32}, Results: []ValueType{I32}},
		{Module: ImportModule, Name: ImportStateNext, Params: []ValueType{I32, I32, I32, I32}, Results: []ValueType{I32}},
		{Module: ImportModule, Name: ImportStateRead, Params: []ValueType{I32, I32}, Results: []ValueType{I32}},
		{Module: ImportModule, Name: ImportStatePut, Params: []ValueType{I32, I32}},
		{Module: ImportModule, Name: ImportWatermark, Results: []ValueType{I64}},
		{Module: ImportModule, Name: ImportLog, Params: []ValueType{I32, I32, I32}},
		{Module: ImportModule, Name: ImportCount, Params: []ValueType{I32, I64}},
		{Module: ImportModule, Name: ImportFail, Params: []ValueType{I32, I32, I32}},
		{Module: ImportModule, Name: ImportNow, Results: []ValueType{I64}},
		{Module: "env", Name: "abort", Params: []ValueType{I32, I32, I32, I32}},
	}
}

// LogLevel is the first argument of the import log.
type LogLevel int32

// The log levels.
const (
	LogDebug LogLevel = iota
	LogInfo
	LogWarn
	LogError
)

// FailKind is the first argument of the import fail.
type FailKind int32

// What a guest says by calling fail.
const (
	FailError FailKind = iota // the operator refuses, on purpose: a configuration it can't work with
	FailPanic                 // the guest's code has a bug: a panic, an assertion
)

// AggregateStep is the first argument of wasmill_aggregate.
type AggregateStep int32

// The steps of an aggregate; SPEC.md has their arguments.
const (
	StepAdd AggregateStep = iota
	StepMerge
	StepResult
)

// SchemaAccumulator is the schema number of a batch of accumulators. Smaller numbers are ports:
// of an input in a batch to the guest, of an output in a batch from it.
const SchemaAccumulator = 0x10000

// SchemaConfig is the schema number of the one-row batch that wasmill_open is given.
const SchemaConfig = 0x10001

// The schema numbers of batches of timers, in event time and in processing time. Their columns are time and
// namespace; those that are due have the operator's key fields too.
const (
	SchemaEventTimer      = 0x10002
	SchemaProcessingTimer = 0x10003
)

// The schema number of a state's rows, and of a request for some, is one of these plus the state's number.
const (
	SchemaState   = 0x20000
	SchemaRequest = 0x30000
)

// Bounds is the argument of the import state_scan that says which rows of a map are read.
type Bounds int32

// The bounds of a scan.
const (
	BoundsNone   Bounds = 0
	BoundsFrom   Bounds = 1 // from the request's first row on
	BoundsTo     Bounds = 2 // up to the request's last row, without it
	BoundsFromTo Bounds = 3
	BoundsPrefix Bounds = 4 // what begins with the request's one row
)

// Limits of the contract that do not depend on a host's configuration.
const (
	MaxRows         = 1 << 16 // rows of one batch
	MaxBatchBytes   = 1 << 26 // bytes of one batch
	MaxFields       = 1024    // nodes of one schema, nested ones counted
	MaxNesting      = 8       // depth of nested types
	MaxName         = 128     // bytes of a column's, a port's or an operator's name
	MaxDoc          = 4096    // bytes of a line of documentation or of a default
	MaxOperators    = 256     // operators of one module
	MaxPorts        = 64      // inputs or outputs of one operator
	MaxCounters     = 256     // counters of one operator
	MaxStates       = 64      // states of one operator
	MaxScans        = 64      // scans open in one call
	MaxListRows     = 1 << 20 // rows of a list state's key
	MaxTimerChain   = 10_000  // timers that are due when they are set, one setting the next
	MaxDescribe     = 1 << 20 // bytes of a module's description
	MaxFailMessage  = 4096    // bytes kept of a failed row's or a failed guest's message
	MaxLogLine      = 1024    // bytes kept of a log line
	DecimalDigits   = 18      // digits of a decimal
	DecimalAbsLimit = 1_000_000_000_000_000_000
)
