// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package conformance drives a guest module through the contract of ../SPEC.md and says check by
// check what it kept. It knows a module by the interface Guest only: whoever runs modules adapts
// its instances and owns their limits, this package owns what is asked and what must come back. An operator
// with state it knows together with its host, as Running: what is checked then is that both keep the contract.
//
// Run has two parts. The first holds for any module; the second, for a module that an SDK built
// from the operators of README.md, compares what comes out row by row.
package conformance
