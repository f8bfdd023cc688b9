// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"path/filepath"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// TestGuestsPassTheirOwnTests runs the tests of operators by their language's own runner. Those in
// Go run with every other "go test".
func TestGuestsPassTheirOwnTests(t *testing.T) {
	t.Parallel()
	const (
		// What .ci/toolchains wrote, if it ran.
		settings = `repo=$(cd "$1" && pwd); if [ -e "$repo/.cache/toolchains.env" ]; then . "$repo/.cache/toolchains.env"; fi; cd "$2"; `
		cargo    = `CARGO_TARGET_DIR="$repo/.cache/cargo" "${WASMILL_CARGO:-cargo}" test --quiet`
		cc       = `cc -std=c11 -g -Wall -Wextra -I "$repo/sdk/c" test/*.c -o "$3/test" && "$3/test"`
		node     = `mkdir -p node_modules
			[ -e node_modules/assemblyscript ] || ln -s "${WASMILL_ASC:-$repo/.cache/assemblyscript/node_modules/assemblyscript}" node_modules
			[ -e node_modules/wasmill ] || ln -s "$repo/sdk/assemblyscript" node_modules/wasmill
			node node_modules/assemblyscript/bin/asc.js assembly/index.ts --target release --outFile build/$(basename test/*.test.js .test.js).wasm
			node --test test/*.test.js`
	)
	for _, guest := range []struct {
		dir    string
		lang   build.Language
		script string
	}{
		{"flights/rust", build.Rust, cargo},
		{"flights/c", build.C, cc},
		{"flights/assemblyscript", build.AssemblyScript, node},
		{"mixed/parse", build.Rust, cargo},
		{"mixed/score", build.AssemblyScript, node},
		{"percentiles/delays", build.Rust, cargo},
		{"fraud/rust", build.Rust, cargo},
		{"fraud/c", build.C, cc},
		{"anomalies/watch", build.Rust, cargo},
		{"fraud/assemblyscript", build.AssemblyScript, node},
	} {
		t.Run(filepath.ToSlash(guest.dir), func(t *testing.T) {
			guesttest.Build(t, guest.lang, guest.dir) // or skip
			run(t, "bash", "-e", "-c", settings+guest.script, "test", "..", guest.dir, t.TempDir())
		})
	}
}
