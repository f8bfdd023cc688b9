// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package literal reads and writes values as text: numbers, exact or rounded, and timestamps. The
// formats that hold text (json, csv) share it, so that a value looks the same in all of them. It
// knows no quotes, no escapes and no nulls: those are the format's.
package literal
