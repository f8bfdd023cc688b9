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
