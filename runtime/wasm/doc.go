// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package wasm runs users' operators: it turns a WebAssembly module that follows abi/SPEC.md into
// operators and aggregates as the scheduler drives them.
//
// It owns the life of instances, all calls into guests and all calls out of them, and what becomes
// of a call that fails. It promises:
//
//   - Nothing that a module does harms the process or another module: its bytes pass package
//     module and package meter before the engine sees them, each call is bounded in fuel, time,
//     stack, memory and in what it emits and logs, and every pointer and batch is checked.
//   - Nothing of a call is visible before the call has returned 0 and all that it emitted has been
//     found in order. An instance that failed never runs again.
//   - A row that brings the guest down is found, and fails alone.
//   - What an operator of kind process remembers lies in its store after each call, or is as before
//     where the call failed or a row of it did: an instance can be replaced between any two calls.
//   - The same input gives the same output and the same counter "fuel", on every machine.
//
// State: states.go says what a process keeps, rows.go and scans.go read and write it for guests, journal.go
// takes a call back, timers.go fires timers, declared.go refuses state of another description. How state lies in a store
// is state/kind's, and when the store is flushed whoever's made it.
//
// What becomes of a failed row, and what an event time or a position means, is the scheduler's.
// The engine behind it is internal/vm's, WASI is internal/wasi's.
package wasm
