// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// compiled says whether loading a module had to compile it.
func compiled(t *testing.T, e *wasm.Engine, path string) bool {
	t.Helper()
	r, err := e.Inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return r.Compiled
}

func TestAModuleIsCompiledOnceForAllEnginesOfAFolder(t *testing.T) {
	dir, path := t.TempDir(), guests["c"](t)
	for _, first := range []bool{true, false} {
		if got := compiled(t, newEngine(t, wasm.Options{CacheDir: dir}), path); got != first {
			t.Errorf("compiled: %v, want %v", got, first)
		}
	}
	if !compiled(t, newEngine(t, wasm.Options{CacheDir: dir, Limits: wasm.Limits{StackBytes: 1 << 20}}), path) {
		t.Error("code for other limits was taken from the cache")
	}
}

func TestABrokenCacheEntryIsMadeAnew(t *testing.T) {
	path := guests["c"](t)
	damage := map[string]func(t *testing.T, file string){
		"a flipped bit": func(t *testing.T, file string) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)/2] ^= 1
			write(t, file, text)
		},
		"cut short": func(t *testing.T, file string) { write(t, file, []byte("WAZEVO")) },
		"empty":     func(t *testing.T, file string) { write(t, file, nil) },
		"gone": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
		"another file beside it": func(t *testing.T, file string) { write(t, file+"x", []byte("x")) },
		"no checksums": func(t *testing.T, file string) {
			for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
				if err := os.Remove(filepath.Join(dir, "sum")); err == nil {
					return
				} else if len(dir) < 2 {
					t.Fatal(err)
				}
			}
		},
	}
	for name, harm := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			compiled(t, newEngine(t, wasm.Options{CacheDir: dir}), path)
			harm(t, codeFile(t, dir))
			if !compiled(t, newEngine(t, wasm.Options{CacheDir: dir}), path) {
				t.Error("the damaged entry was used")
			}
			if compiled(t, newEngine(t, wasm.Options{CacheDir: dir}), path) {
				t.Error("the entry was not made anew")
			}
		})
	}
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// codeFile returns the file of native code in a cache of one module.
func codeFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "code", "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the cache holds %q, %v", files, err)
	}
	return files[0]
}

func TestManyEnginesFillOneCacheAtOnce(t *testing.T) {
	dir, path := t.TempDir(), guests["c"](t)
	var all sync.WaitGroup
	for range 4 {
		e := newEngine(t, wasm.Options{CacheDir: dir})
		for range 2 {
			all.Go(func() {
				if _, err := e.Load(t.Context(), path); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %d entries, %v; want one whole one", len(entries), err)
	}
}

func TestACacheThatOthersMayWriteToIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := newEngine(t, wasm.Options{CacheDir: dir}).Load(t.Context(), guests["c"](t))
	var fault *operator.Error
	if !errors.As(err, &fault) || fault.Fault != operator.FaultEnvironment || !strings.Contains(err.Error(), "others may write to") {
		t.Errorf("Load = %v; want a fault of the environment", err)
	}
}

func TestWithoutAChildProcessCompilingStillWorks(t *testing.T) {
	e, err := wasm.NewEngine(wasm.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Load(t.Context(), guests["c"](t)); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatAreNoModulesAreRefusedByName(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty.wasm"), nil)
	for name, wanted := range map[string]string{"missing.wasm": "no such file", "": "this is a directory", "empty.wasm": "the file is empty"} {
		_, err := newEngine(t, wasm.Options{}).Load(t.Context(), filepath.Join(dir, name))
		if err == nil || !strings.Contains(err.Error(), wanted) || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%q: %v; want an error that names the file and says %q", name, err, wanted)
		}
	}
}

func TestInspectTellsWhatAModuleHolds(t *testing.T) {
	r, err := newEngine(t, wasm.Options{}).Inspect(t.Context(), guests["c"](t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Digest) != 64 || r.Stats.Functions == 0 || r.LeastPages == 0 || r.MostPages != 4096 || len(r.Sections) < 5 {
		t.Errorf("digest %s, %d functions, %d to %d pages, %d sections", r.Digest, r.Stats.Functions, r.LeastPages, r.MostPages, len(r.Sections))
	}
	for _, externs := range [][]wasm.Extern{r.Imports, r.Exports} {
		found := false
		for _, x := range externs {
			found = found || x == wasm.Extern{Module: "wasmill", Name: "emit", Kind: "function", Type: "(i32, i32) -> nothing"} ||
				x == wasm.Extern{Name: "wasmill_version", Kind: "function", Type: "() -> i32"}
		}
		if !found {
			t.Errorf("%+v lacks wasmill.emit or wasmill_version", externs)
		}
	}
	for i, op := range r.Description.Operators {
		if fuel := r.EmptyCalls[i]; (op.Kind == describe.Map) != (fuel > 0) && op.Name != "shift" && op.Name != "refuse" {
			t.Errorf("an empty call of %s, a %s, takes %d fuel", op.Name, op.Kind, fuel)
		}
	}
}
