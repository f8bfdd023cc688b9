// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package build_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// A project of each language that exports twice(n) = 2n, and calls a function that no compiler
// inlines.
var projects = map[build.Language]map[string]string{
	build.Go: {
		"go.mod": "module guest\n\ngo 1.26\n",
		"main.go": `package main

//go:noinline
func named_inner(n int32) int32 { return 2 * n }

//go:wasmexport twice
func twice(n int32) int32 { return named_inner(n) }

func main() {}
`,
	},
	build.Rust: {
		"Cargo.toml": `[package]
name = "twice-guest"
version = "0.0.0"
edition = "2021"
[lib]
crate-type = ["cdylib"]
[profile.release]
lto = true
panic = "abort"
`,
		"src/lib.rs": `#[inline(never)]
#[no_mangle]
fn named_inner(n: i32) -> i32 { format!("{n}{n}").len() as i32 + n }
#[no_mangle]
pub extern "C" fn twice(n: i32) -> i32 { named_inner(n) }
`,
	},
	build.C: {
		"twice.c": `#include "inner.h"
__attribute__((export_name("twice"))) int twice(int n) { return named_inner(n); }
`,
		"inner.c": `#include <string.h>
#include "inner.h"
__attribute__((noinline)) int named_inner(int n) { return 2 * n; }
`,
		"inner.h": "int named_inner(int n);\n",
	},
	build.AssemblyScript: {
		"assembly/index.ts": `// @ts-ignore: decorator
@inline(never) function unused(): void {}
function named_inner(n: i32): i32 { return n > 1 ? named_inner(n - 1) + 2 : n * 2; }
export function twice(n: i32): i32 { return named_inner(n); }
`,
	},
}

func writeProject(t *testing.T, lang build.Language) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "twice")
	for name, content := range projects[lang] {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestGuestBuildsEachLanguageWithFunctionNamesAndNoDWARF(t *testing.T) {
	for _, lang := range build.Languages() {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			module := guesttest.Module(t, lang, writeProject(t, lang))
			for _, want := range []string{"\x00asm\x01\x00\x00\x00", "\x05twice", "\x04name", "named_inner"} {
				if !bytes.Contains(module, []byte(want)) {
					t.Errorf("the module lacks %q", want)
				}
			}
			if bytes.Contains(module, []byte(".debug_info")) {
				t.Error("the module holds DWARF")
			}
		})
	}
}

func TestGuestBuildsTheSameContentOnce(t *testing.T) {
	dirs := []string{writeProject(t, build.C), writeProject(t, build.C)}
	first := guesttest.Build(t, build.C, dirs[0])
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			path, err := build.Guest(t.Context(), build.C, dirs[i%2])
			if err != nil || path != first {
				t.Errorf("Guest = %s, %v; want %s", path, err, first)
			}
		})
	}
	all.Wait()
	after, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("the module was built again")
	}
}

func TestGuestBuildsAgainWhenASourceChanges(t *testing.T) {
	dir := writeProject(t, build.C)
	before := guesttest.Build(t, build.C, dir)
	changed := strings.ReplaceAll(projects[build.C]["inner.c"], "2 * n", "n + n")
	if err := os.WriteFile(filepath.Join(dir, "inner.c"), []byte(changed), 0o666); err != nil {
		t.Fatal(err)
	}
	if after := guesttest.Build(t, build.C, dir); after == before {
		t.Errorf("both versions are %s", after)
	}
}

func TestGuestGivesTheCompilersOutput(t *testing.T) {
	broken := map[build.Language]string{
		build.Go: "main.go", build.Rust: "src/lib.rs", build.C: "twice.c", build.AssemblyScript: "assembly/index.ts",
	}
	for _, lang := range build.Languages() {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			guesttest.Build(t, lang, writeProject(t, lang)) // is the toolchain there at all?
			dir := writeProject(t, lang)
			if err := os.WriteFile(filepath.Join(dir, broken[lang]), []byte("no_such_thing !"), 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := build.Guest(t.Context(), lang, dir)
			if err == nil || errors.Is(err, build.ErrNoToolchain) || !strings.Contains(err.Error(), filepath.Base(broken[lang])) {
				t.Errorf("the error does not name %s: %v", broken[lang], err)
			}
		})
	}
}

func TestGuestSaysWhatToInstall(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for lang, variable := range map[build.Language]string{
		build.Rust: "WASMILL_CARGO", build.C: "WASMILL_CLANG", build.AssemblyScript: "WASMILL_ASC",
	} {
		t.Setenv(variable, nowhere)
		_, err := build.Guest(t.Context(), lang, writeProject(t, lang))
		if !errors.Is(err, build.ErrNoToolchain) || !strings.Contains(err.Error(), "install") {
			t.Errorf("%s: %v; want ErrNoToolchain with what to install", lang, err)
		}
	}
}

func TestGuestRefusesAnUnknownLanguage(t *testing.T) {
	_, err := build.Guest(t.Context(), "cobol", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "rust") {
		t.Errorf("%v; want an error with the known languages", err)
	}
}
