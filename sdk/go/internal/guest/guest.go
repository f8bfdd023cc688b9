// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package guest is what an operator shows to whoever runs it: the module's exports, or a test.
package guest

import "github.com/wasmill/wasmill/sdk/go/internal/wire"

// Operator is an operator of a module.
type Operator interface {
	// Describe returns what the operator says of itself, or what is wrong with its types.
	Describe() (*wire.Operator, error)
	// Open makes an instance. config is a batch of one row, kept by the instance.
	Open(config []byte) (Instance, error)
}

// Instance is an open operator. A batch is valid until the call returns.
type Instance interface {
	Process(batch []byte) error
	Timer(batch []byte) error
	Aggregate(step int, a, b []byte) error
	Close() error
}

// The steps of Aggregate.
const (
	StepAdd = iota
	StepMerge
	StepResult
)
