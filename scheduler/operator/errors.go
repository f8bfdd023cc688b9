// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"errors"
	"fmt"
	"strings"
)

// Fault says who can do something about an error.
type Fault uint8

// The faults.
const (
	// FaultRow: a row that the user's code or a format could not work with.
	FaultRow Fault = iota + 1
	// FaultModule: the user's module broke the contract, trapped, or ran out of what it may use.
	FaultModule
	// FaultConfig: the pipeline asks for what is not possible.
	FaultConfig
	// FaultEnvironment: a file, a disk, a broker.
	FaultEnvironment
)

// Error is an error that is not the engine's own. Its text is for the person who wrote the
// pipeline or the module.
type Error struct {
	Fault    Fault
	Node     string // of the pipeline; filled in by the task where it is empty
	Position string // of the row at fault, in words: "flights.json line 17"; "" where none is
	Err      error
	Stack    string // of the guest, a frame a line; "" where there is none
}

// Error says what failed, where, and why.
func (e *Error) Error() string {
	var s strings.Builder
	if e.Node != "" {
		fmt.Fprintf(&s, "%s: ", e.Node)
	}
	if e.Position != "" {
		fmt.Fprintf(&s, "%s: ", e.Position)
	}
	s.WriteString(e.Err.Error())
	if e.Stack != "" {
		s.WriteString("\n")
		s.WriteString(e.Stack)
	}
	return s.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Of says in an error which node it is of, unless it says so. What is no *Error becomes one, of
// the given fault.
func Of(node string, fault Fault, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Fault: fault, Node: node, Err: err}
	}
	if e.Node == "" {
		e.Node = node
	}
	return err
}
