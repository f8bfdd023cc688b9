// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package host

import "unsafe"

//go:wasmimport wasmill emit
func emit(batch unsafe.Pointer, size int32)

//go:wasmimport wasmill log
func log(level int32, text unsafe.Pointer, size int32)

//go:wasmimport wasmill count
func count(counter int32, delta int64)

//go:wasmimport wasmill fail
func fail(kind int32, text unsafe.Pointer, size int32)

//go:wasmimport wasmill now
func now() int64

// Emit hands over a batch; the host has copied it when Emit returns.
func Emit(batch []byte) { emit(unsafe.Pointer(unsafe.SliceData(batch)), int32(len(batch))) }

// Log hands over a line of the log.
func Log(level int32, text string) {
	log(level, unsafe.Pointer(unsafe.StringData(text)), int32(len(text)))
}

// Count adds to a counter.
func Count(counter int, delta int64) { count(int32(counter), delta) }

// Fail fails the operator and does not return.
func Fail(kind int32, text string) {
	fail(kind, unsafe.Pointer(unsafe.StringData(text)), int32(len(text)))
}

// Now returns the job's processing time in microseconds since 1970 UTC.
func Now() int64 { return now() }

// With is for tests, which run elsewhere.
func With(*Recorder, func()) {
	panic("wasmill: package wasmilltest runs operators natively: go test without GOOS=wasip1")
}
