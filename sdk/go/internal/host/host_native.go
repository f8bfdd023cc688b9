// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package host

import "sync"

var (
	calls    sync.Mutex // one call at a time: operators reach their host by plain functions
	recorder *Recorder
)

// With runs call with r as the host.
func With(r *Recorder, call func()) {
	calls.Lock()
	recorder = r
	defer func() {
		recorder = nil
		calls.Unlock()
	}()
	call()
}

func current() *Recorder {
	if recorder == nil {
		panic("wasmill: there is no host here; an operator runs in a module, or in a test by package wasmilltest")
	}
	return recorder
}

// Emit hands over a batch.
func Emit(batch []byte) { current().Emit(batch) }

// Log hands over a line of the log.
func Log(level int32, text string) { current().Log(level, text) }

// Count adds to a counter.
func Count(counter int, delta int64) { current().Count(counter, delta) }

// Now returns the job's processing time in microseconds since 1970 UTC.
func Now() int64 { return current().Now }

func state() State {
	if s := current().State; s != nil {
		return s
	}
	panic("wasmill: the operator has no state and no watermark; one made by wasmill.Process has")
}

// StateGet reads rows of a state into out and returns the size of the result. Where that is
// greater than out, StateRead has it.
func StateGet(number int, request, out []byte) int { return state().Get(number, request, out) }

// StateScan begins to read a list or a map in order and returns the number of the scan.
func StateScan(number int, key uint32, bounds int, request []byte) int {
	return state().Scan(number, key, bounds, request)
}

// StateNext reads the next rows of a scan, like StateGet.
func StateNext(scan, limit int, out []byte) int { return state().Next(scan, limit, out) }

// StateRead reads the last result, which did not fit.
func StateRead(out []byte) int { return state().Read(out) }

// StatePut writes rows of a state, or sets timers.
func StatePut(batch []byte) { state().Put(batch) }

// Watermark returns the operator's watermark in microseconds since 1970 UTC.
func Watermark() int64 { return state().Watermark() }
