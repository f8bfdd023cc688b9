// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// compiler starts this test binary again to compile modules.
var compiler wasm.Compiler

// asCommand in the environment makes this test binary the command.
const asCommand = "WASMILL_TEST_COMMAND"

// repository is the path of this repository, wherever a test has moved to.
var repository string

func TestMain(m *testing.M) {
	compiler = wasm.MaybeCompileChild()
	if os.Getenv(asCommand) != "" {
		main()
	}
	here, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	repository = filepath.Dir(filepath.Dir(here))
	os.Exit(m.Run())
}

// sharedCache is where the tests of this repository keep compiled modules, so that each is compiled
// once.
func sharedCache() string { return filepath.Join(repository, ".cache", "compiled") }

// compileTime is for modules of Go: a compiler with the race detector in it takes 20 times as long.
const compileTime = "5m"

// result is what a command line did.
type result struct {
	code           int
	stdout, stderr string
}

// wasmill runs a command line in this process.
func wasmill(t testing.TB, args ...string) result {
	t.Helper()
	t.Setenv("WASMILL_CACHE", sharedCache())
	t.Setenv("WASMILL_COMPILE_TIME", compileTime)
	var stdout, stderr bytes.Buffer
	a := &app{compiler: compiler, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, signals: make(chan os.Signal, 2)}
	code := a.main(context.Background(), args)
	return result{code, stdout.String(), stderr.String()}
}

// want compares what a command line did with what it should. The digest of a module is MODULE, the
// working directory is DIR.
func want(t testing.TB, got result, code int, stdout, stderr string) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got.code != code {
		t.Errorf("exit code %d, want %d", got.code, code)
	}
	if diff := cmp.Diff(stdout, got.stdout); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	seen := digest.ReplaceAllString(strings.ReplaceAll(got.stderr, dir, "DIR"), "MODULE")
	if diff := cmp.Diff(stderr, seen); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

var digest = regexp.MustCompile(`\b[0-9a-f]{12}\b`)

// folder makes the working directory a fresh folder with files in it.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	t.Chdir(dir)
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func closeAll(t testing.TB, closers ...io.Closer) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// guest returns the bytes of a language's module with the operators of abi/conformance.
func guest(t testing.TB, lang build.Language) string {
	t.Helper()
	return string(guesttest.Module(t, lang, filepath.Join(repository, "sdk", string(lang), "conformance")))
}

// wantFiles holds the names of all files in the working directory against those wanted.
func wantFiles(t testing.TB, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// future returns a module for a version of the contract that is yet to come.
func future(t testing.TB) string {
	t.Helper()
	return string(guesttest.Module(t, "c", filepath.Join(repository, "cmd", "wasmill", "testdata", "future")))
}
