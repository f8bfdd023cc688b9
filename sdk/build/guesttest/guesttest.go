// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package guesttest gives tests the guest projects of this repository as Wasm modules. It is the
// only place where a test may be skipped: where a language's toolchain is not installed and
// WASMILL_REQUIRE_TOOLCHAINS is not 1, as it is in "make test" on Debian and in CI.
package guesttest

import (
	"errors"
	"os"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
)

// Languages returns all languages that guests are written in.
func Languages() []build.Language { return build.Languages() }

// Build returns the path of the module that the guest project in dir makes. It must be called by
// the test's own goroutine.
func Build(t testing.TB, lang build.Language, dir string) string {
	t.Helper()
	path, err := build.Guest(t.Context(), lang, dir)
	check(t, err)
	return path
}

// TestSDK runs the unit tests of a language's SDK with that language's own runner.
func TestSDK(t testing.TB, lang build.Language) {
	t.Helper()
	check(t, build.TestSDK(t.Context(), lang))
}

// check skips or fails the test for what its toolchain lacks or said.
func check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, build.ErrNoToolchain) && os.Getenv("WASMILL_REQUIRE_TOOLCHAINS") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Module is Build that returns the module's bytes.
func Module(t testing.TB, lang build.Language, dir string) []byte {
	t.Helper()
	module, err := os.ReadFile(Build(t, lang, dir))
	if err != nil {
		t.Fatal(err)
	}
	return module
}
