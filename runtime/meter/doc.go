// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package meter rewrites a WebAssembly module so that it counts its own work and stops within what
// it was given.
//
// It owns the rules by which guest code is charged, the table of costs, and the code that it puts
// into the guest. It promises that a rewritten module behaves as the original did, until its fuel
// or its stack is used up; that the same input costs the same fuel on every machine and engine; and
// that no guest code can name, read or write what the meter added. It leaves the policy (how much
// fuel in one slice, when to stop) to the host that drives it: runtime/wasm.
//
// # What is added
//
//   - The global fuel (i64, mutable, starts at zero), after the guest's own globals and exported to
//     the host as FuelExport; the global stack (i64, mutable), exported as StackExport.
//   - The imports RefillImport, (i64) -> (i64), and StackImport, () -> (), of the module ImportModule,
//     after the guest's own imports: the functions that the guest defines move up by AddedImports.
//   - Four functions after the guest's own.
//   - Charges: fuel goes down by the cost of the code to come. Where a charge is checked and fuel
//     is short, RefillImport is called with what would be left, a negative number. It returns
//     what is left after the host gave more, which must not be negative (else the guest
//     traps), or unwinds the guest by panicking.
//   - The name section is written anew with the shifted indices, so stack traces name the right
//     functions; other custom sections are dropped (they hold code offsets that no longer fit).
//
// # What a piece of code costs
//
// Code is cut into regions. A region begins at a function's entry, at a loop's header, at the end
// of a block that a br_table names or that is branched to out of a loop, and behind a loop's end. At a
// region's beginning, before any of its code, the cost of the dearest path through it is charged:
// a path ends where another region begins, at a return, or at a trap. One refinement keeps rare code
// off the bill of common code: where control forks (if, br_if) and one way costs more than the
// other by over SplitAbove, the fork is billed as the cheaper, and the dearer way charges the
// difference at its own beginning. A fork whose branch leaves a loop is not refined, since the way
// on around the loop is the common one.
//
// Charges at entries and loop headers are checked: fuel may not go below zero there. The others
// only subtract, and are caught by the next check.
//
// A leaf (a small function without loops and calls that is in no export, global or element segment)
// charges nothing: a direct call of it costs what all of it costs.
//
// Instructions whose work depends on an operand (memory.fill, memory.copy, memory.init, memory.grow
// and their like on tables) are charged, checked, by that operand just before they run, in 64-bit
// arithmetic: 2**32 times the largest weight stays below 2**63. A small constant length is part of the
// region's cost, and growing by more than the maximum, which only returns -1, is not charged by its
// operand.
//
// # Why no work is free
//
// Let C(p) be the cost of the code at p up to the next fork, join or region plus the most that any
// way on from there expects to be paid already: nothing for the beginning of a region, C less the
// difference charged there for anything else. By induction backwards over the edges, which is
// well-founded because each edge that goes back in the code goes to a loop header, a region's
// beginning: whoever arrives at p has been charged C(p) less what p charges itself, so whoever runs
// the code at p has paid for it and for what the code after it expects. A region's beginning expects
// nothing and charges all of C. So every instruction is paid for before it runs. Work is
// unbounded only by going around a loop or by calling, and both pass a checked charge of at least
// 1. What can be owed when a check strikes is at most the cost of one loop-free path through one
// body, which module.Limits.Body bounds; a debt is paid by the next refill, not forgiven.
//
// # Stack
//
// A function that calls functions of the guest (or has a very large frame) takes an estimate of its
// frame's bytes off the global stack at entry and gives it back at every exit; below zero, StackImport
// is called, which must not return. An instance that was unwound by either import is to be thrown
// away: its stack global is not restored.
package meter
