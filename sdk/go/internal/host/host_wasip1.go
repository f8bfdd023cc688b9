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

//go:wasmimport wasmill watermark
func watermark() int64

//go:wasmimport wasmill state_get
func stateGet(state int32, request unsafe.Pointer, size int32, out unsafe.Pointer, room int32) int32

//go:wasmimport wasmill state_scan
func stateScan(state, key, bounds int32, request unsafe.Pointer, size int32) int32

//go:wasmimport wasmill state_next
func stateNext(scan, limit int32, out unsafe.Pointer, room int32) int32

//go:wasmimport wasmill state_read
func stateRead(out unsafe.Pointer, room int32) int32

//go:wasmimport wasmill state_put
func statePut(batch unsafe.Pointer, size int32)

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

// StateGet reads rows of a state into out and returns the size of the result. Where that is
// greater than out, StateRead has it.
func StateGet(number int, request, out []byte) int {
	return int(uint32(stateGet(int32(number), unsafe.Pointer(unsafe.SliceData(request)), int32(len(request)),
		unsafe.Pointer(unsafe.SliceData(out)), int32(len(out)))))
}

// StateScan begins to read a list or a map in order and returns the number of the scan.
func StateScan(number int, key uint32, bounds int, request []byte) int {
	return int(stateScan(int32(number), int32(key), int32(bounds), unsafe.Pointer(unsafe.SliceData(request)), int32(len(request))))
}

// StateNext reads the next rows of a scan, like StateGet.
func StateNext(scan, limit int, out []byte) int {
	return int(uint32(stateNext(int32(scan), int32(limit), unsafe.Pointer(unsafe.SliceData(out)), int32(len(out)))))
}

// StateRead reads the last result, which did not fit.
func StateRead(out []byte) int {
	return int(uint32(stateRead(unsafe.Pointer(unsafe.SliceData(out)), int32(len(out)))))
}

// StatePut writes rows of a state, or sets timers.
func StatePut(batch []byte) { statePut(unsafe.Pointer(unsafe.SliceData(batch)), int32(len(batch))) }

// Watermark returns the operator's watermark in microseconds since 1970 UTC.
func Watermark() int64 { return watermark() }

// With is for tests, which run elsewhere.
func With(*Recorder, func()) {
	panic("wasmill: package wasmilltest runs operators natively: go test without GOOS=wasip1")
}
