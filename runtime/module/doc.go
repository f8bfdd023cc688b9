// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package module reads the bytes that a stranger calls a WebAssembly module.
//
// It owns the first look at every tenant's module: a parser and full validator of the binary
// format of WebAssembly 2.0 (https://www.w3.org/TR/wasm-core-2/), and nothing of what came after
// it. No byte of a module reaches the engine before Parse has accepted the whole of it.
//
// It promises:
//
//   - Parse never panics and ends in time linear in len(bin).
//   - Nothing is allocated by a declared count: a count is held against its limit and against the
//     bytes that are left before anything is done with it.
//   - It does not recurse; nesting is bounded by Limits.Nesting.
//   - What it accepts is a valid module, so the engine accepts it too, the name section aside:
//     names are advice, a broken name section is dropped, and package meter writes a new one.
//
// It leaves to others the rewriting (package meter), the budget for compilation (a module may
// keep every limit and still be dear to compile) and the meaning of exports.
//
// The engine's room (runtime/wasm) drives it; `wasmill inspect` reads Module and Stats.
package module
