// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package vm runs modules that the meter has rewritten. It is the only place that knows wazero: a
// driver (package wasm) sees Code, Instance, Function and Trap, and says what the host functions do.
//
// It promises:
//
//   - A module is compiled once a machine: in a child process under a budget, where the program
//     can be started again as one (see Compiler), into a cache folder that belongs to the user. A
//     cache entry that was changed on disk is found by its checksum and made anew.
//   - A call ends within its fuel, its time and its stack, or when its context is done; meanwhile
//     the host gets to run about every half millisecond, so that its garbage collector never
//     waits for a guest.
//   - Whatever a guest does ends in a result or in a *Trap, never in a panic. After a Trap, its
//     instance does nothing any more.
//   - Guest memory lies outside the Go heap, is zero at first, and goes back when its instance is
//     closed.
//
// It does not look at what modules mean, and trusts that package module has accepted their bytes
// and that package meter has rewritten them.
package vm
