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
