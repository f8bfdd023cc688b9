// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package build_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

func TestEachSDKPassesItsOwnUnitTests(t *testing.T) {
	// What tells the language's runner that there are tests.
	manifests := map[build.Language]string{build.Rust: "Cargo.toml", build.C: "Makefile", build.AssemblyScript: "package.json"}
	for lang, manifest := range manifests {
		if _, err := os.Stat(filepath.Join("..", string(lang), manifest)); err != nil {
			continue
		}
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			guesttest.TestSDK(t, lang)
		})
	}
}
