// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package wire reads and writes the two messages that cross the boundary to the host: batches and
// a module's description. abi/SPEC.md of wasmill says what they hold, abi/wasmill.fbs how they
// are laid out; this package knows just those two, not FlatBuffers at large.
//
// A batch is read in place and written into one buffer that is used again. The host's bytes are
// trusted to be what the contract says, except that nothing is read beyond their end.
package wire

import "unsafe"

// Type is the type of a column, numbered as in wasmill.fbs.
type Type uint8

// The types.
const (
	Bool Type = iota + 1
	Int32
	Int64
	Float64
	Decimal
	String
	Bytes
	Timestamp
	List
	Struct
)

var typeNames = [...]string{"", "bool", "int32", "int64", "float64", "decimal", "string", "bytes", "timestamp", "list", "struct"}

// String returns the type's name in a pipeline file.
func (t Type) String() string { return typeNames[t] }

// Width returns the bytes of one value, 0 where it has no fixed whole number of them.
func (t Type) Width() int {
	switch t {
	case Int32:
		return 4
	case Int64, Float64, Decimal, Timestamp:
		return 8
	}
	return 0
}

// Schema numbers that are not ports.
const (
	SchemaAccumulator = 0x10000
	SchemaConfig      = 0x10001
	// Of timers by event time and by processing time.
	SchemaEventTimer      = 0x10002
	SchemaProcessingTimer = 0x10003
	// Of a state's rows, and of a request for some: this plus the state's number.
	SchemaState   = 0x20000
	SchemaRequest = 0x30000
)

// Delete is the kind of a row that removes what it names, or that there is none.
const Delete = 3

// The bounds of a scan of a map.
const (
	BoundsNone   = 0
	BoundsFrom   = 1
	BoundsTo     = 2
	BoundsFromTo = 3
	BoundsPrefix = 4
)

// MaxRows is how many rows one batch may have.
const MaxRows = 1 << 16

// EndScan is the limit of rows with which a scan is ended.
const EndScan = -1

// Column says where one column of a batch lies; it is the struct of the same name in
// wasmill.fbs.
type Column struct {
	Rows, Nulls, Validity, Offsets, Values, Size uint32
}

// Failure is a row of the input that failed.
type Failure struct {
	Row     int
	Message string
}

// Fixed is what lies in a column, as many bytes a row as in Go.
type Fixed interface {
	~uint8 | ~int32 | ~uint32 | ~int64 | ~float64
}

// Words returns n zero bytes whose address is a multiple of 8. The memory goes on behind them, so
// that a pointer to their end, as an empty string at the end of a column has it, is one into the
// same memory: the collector would stumble over another.
func Words(n int) []byte {
	words := make([]uint64, n/8+2)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// View returns the n values that lie at a position of data, without a copy. The position must be
// a multiple of the value's size, of data that begins at a multiple of 8.
func View[T Fixed](data []byte, at, n int) []T {
	var zero T
	if n == 0 {
		return nil
	}
	part := data[at : at+n*int(unsafe.Sizeof(zero))]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(part))), n)
}

func align8(n int) int { return (n + 7) &^ 7 }
