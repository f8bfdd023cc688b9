// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package build makes Wasm modules of guest projects in Go, Rust, C and AssemblyScript, with the
// commands that their authors would type.
//
// It is for tests and examples of this repository: it knows where the repository keeps its SDKs
// and, below .cache, the compilers that .ci/toolchains brought. A module is built once for a
// given state of its project, its SDK and its compiler, also when several processes ask for it
// at the same time. It imports nothing else of the repository. Tests call it by guesttest.
package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Language names the language of a guest project.
type Language string

// The languages that have an SDK.
const (
	Go             Language = "go"
	Rust           Language = "rust"
	C              Language = "c"
	AssemblyScript Language = "assemblyscript"
)

// Languages returns all languages in the order in which the documentation names them.
func Languages() []Language { return []Language{Go, Rust, C, AssemblyScript} }

// ErrNoToolchain says that a language's compiler is not installed. Errors that wrap it say what
// to install.
var ErrNoToolchain = errors.New("toolchain not installed")

// Guest builds the guest project in the folder dir and returns the path of the module. The file
// lies in the repository's cache: it must not be changed and stays until the cache is removed.
//
// What is in the folder decides how it is built:
//
//	go              the main package in it
//	rust            the crate in it, whose library is a cdylib
//	c               all its *.c files, with the flags in compile_flags.txt if it has one
//	assemblyscript  assembly/index.ts, with the options of target release in asconfig.json if it has one
//
// A project may lean on files outside its folder only if they belong to its SDK: others are not
// seen when they change. An error holds the compiler's output.
func Guest(ctx context.Context, lang Language, dir string) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("build %s guest %s: %w", lang, dir, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fail(err)
	}
	repo, err := repository()
	if err != nil {
		return fail(err)
	}
	tc, err := find(ctx, repo, lang)
	if err != nil {
		return fail(err)
	}
	key, err := contentKey(tc, dir)
	if err != nil {
		return fail(err)
	}
	cache := filepath.Join(repo, ".cache", "guests")
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return fail(err)
	}
	out := filepath.Join(cache, filepath.Base(dir)+"-"+string(lang)+"-"+key+".wasm")
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	// One build of a language at a time: each uses all cores, and cargo writes modules of crates
	// that share a name to the same path.
	unlock, err := lock(filepath.Join(cache, string(lang)+".lock"))
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if _, err := os.Stat(out); err == nil { // built while we waited
		return out, nil
	}
	if err := tc.compile(ctx, dir, out+".tmp"); err != nil {
		return fail(err)
	}
	if err := os.Rename(out+".tmp", out); err != nil {
		return fail(err)
	}
	return out, nil
}

// TestSDK runs the unit tests of a language's SDK with that language's own runner, in the SDK's
// folder: cargo test, npm test, make test. Those of Go run with every other "go test". An error
// holds the runner's output.
func TestSDK(ctx context.Context, lang Language) error {
	fail := func(err error) error { return fmt.Errorf("test the SDK for %s: %w", lang, err) }
	repo, err := repository()
	if err != nil {
		return fail(err)
	}
	tc, err := find(ctx, repo, lang)
	if err != nil {
		return fail(err)
	}
	if tc.test == nil {
		return nil
	}
	// "go test" keeps a result until a file changes that the test itself read: read what the
	// runner will.
	if err := hashFolder(io.Discard, tc.sdk); err != nil {
		return fail(err)
	}
	unlock, err := lock(filepath.Join(repo, ".cache", string(lang)+"-tests.lock"))
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if err := tc.test(ctx); err != nil {
		return fail(err)
	}
	return nil
}

// repository returns the root of this repository: the nearest folder above the working directory
// (a test's is its package's folder) whose go.mod is ours.
func repository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/wasmill/wasmill\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside the repository github.com/wasmill/wasmill", start)
		}
	}
}

// run runs a command in a folder and returns what it wrote to its standard output.
func run(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String() + "\n" + stdout.String())
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(append(env, cmd.Args...), " "), err, said)
	}
	return stdout.Bytes(), nil
}
