// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package lint holds no code, only tests that keep the repository's shape: which room may import
// which, where a vendor's library may appear, licence headers, names, and what must not be
// committed. "make check" runs them with -count=1: Go's test cache does not see the files and the
// output of the commands that they read.
package lint
