// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package host is what a module imports from its host. In a module the functions are the host's
// own; elsewhere they go to the Recorder that a test has put in place.
package host

// What Fail says of the failure.
const (
	Refused = 0 // on purpose
	Bug     = 1 // a panic
)

// Recorder is what a test puts in the place of the host for one call into an operator.
type Recorder struct {
	Emit  func(batch []byte) // must copy
	Log   func(level int32, text string)
	Count func(counter int, delta int64)
	Now   int64

	// State is the state of a process, nil where the operator is none.
	State State
}

// State is what a module imports for its state. Get, Next and Read return the size of a batch,
// which lies in out where it fits.
type State interface {
	Get(state int, request, out []byte) int
	Scan(state int, key uint32, bounds int, request []byte) int
	Next(scan, limit int, out []byte) int
	Read(out []byte) int
	Put(batch []byte)
	Watermark() int64
}
