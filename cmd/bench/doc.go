// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package bench measures what a user of wasmill pays for: rows through operators in each language
// of an SDK, beside the same work in Go on the host, and the time from the command to the first
// row. README.md says what each figure means.
//
// It is only benchmarks, and a test that all operators do the same. The guests are the projects
// sdk/<language>/bench. What belongs to one package is measured there: the meter's price in
// runtime/meter, parsing in plugins/format.
package bench
