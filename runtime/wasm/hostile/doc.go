// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package hostile holds tests only: each attack on a host of WebAssembly that we know of is a
// module here, written instruction by instruction. None may crash the process, hang it or make it
// grow, and each has to end in an error that tells a person what is wrong.
//
// The attacks come from wazero's and wasmtime's advisories, from what was measured against a bare
// wazero (../RATIONALE.md), and from reading the contract for what a guest may get wrong.
package hostile
