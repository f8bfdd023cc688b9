// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vm

import "runtime/debug"

// limitProcess bounds what it can: elsewhere than on Linux, the parent's clock is the wall, and
// memory is only made dear.
func limitProcess(memory, _ int64) error {
	debug.SetMemoryLimit(memory)
	return nil
}
