// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package abi is the contract between the host and a guest module: types and schemas, the names
// and signatures of what crosses the boundary, and the numbers that both sides know. SPEC.md is
// the contract in words; wasmill.fbs is its two messages, whose host side lies in the packages
// batch and describe.
//
// It holds vocabulary only and imports nothing of the project, so that every other package may
// lean on it.
package abi
