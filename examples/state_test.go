// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// everyWay runs a pipeline as it is and, but for short tests, by other options, which must not matter:
// results are the same, in any order.
func everyWay(t *testing.T, file string, want []string) {
	t.Helper()
	same(t, filepath.Base(file), sorted(pipeline(t, file)), sorted(want))
	if testing.Short() {
		return
	}
	plain := read(t, file)
	for _, options := range []string{"{ parallelism: 3, batch_rows: 777 }", "{ parallelism: 2, state: pebble }"} {
		write(t, file, fmt.Appendf(nil, "%s\noptions: %s\n", plain, options))
		same(t, filepath.Base(file)+" with "+options, sorted(pipeline(t, file)), sorted(want))
	}
	write(t, file, plain)
}

func TestTop(t *testing.T) {
	t.Parallel()
	root := tree(t, "flights", "top")
	want := oracle(t, "top/oracle.py")
	file := filepath.Join(root, "top", "pipeline.yaml")
	same(t, "top, in order", pipeline(t, file), want)
	everyWay(t, file, want)

	edit(t, file, "hours: 24", "hours: 3")
	edit(t, file, "rows: 10,", "rows: 2,")
	same(t, "top 2 of three hours", sorted(pipeline(t, file)), sorted(oracle(t, "top/oracle.py", "--hours", "3", "--n", "2")))
}

func TestEnrich(t *testing.T) {
	t.Parallel()
	root := tree(t, "flights", "enrich")
	want := oracle(t, "enrich/oracle.py")
	for _, name := range []string{"lookup.yaml", "broadcast.yaml"} {
		everyWay(t, filepath.Join(root, "enrich", name), want)
	}
}

func TestTurnarounds(t *testing.T) {
	t.Parallel()
	everyWay(t, filepath.Join(tree(t, "flights", "turnarounds"), "turnarounds", "pipeline.yaml"), oracle(t, "turnarounds/oracle.py"))
}

func TestFraudIsTheSameInEachLanguage(t *testing.T) {
	t.Parallel()
	want := oracle(t, "fraud/oracle.py")
	for _, lang := range inEachLanguage()["fraud"] {
		t.Run(string(lang), func(t *testing.T) {
			root := tree(t, "fraud")
			module := filepath.Join(root, "fraud", "fraud.wasm")
			if err := os.Remove(module); err != nil {
				t.Fatal(err)
			}
			link(t, guesttest.Build(t, lang, filepath.Join("fraud", string(lang))), module)
			file := filepath.Join(root, "fraud", "pipeline.yaml")
			everyWay(t, file, want)
			run(t, "wasmill", "test", strings.TrimSuffix(file, ".yaml")+".test.yaml")
		})
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	file := filepath.Join(tree(t, "flights", "sessions"), "sessions", "pipeline.yaml")
	everyWay(t, file, oracle(t, "sessions/oracle.py"))

	edit(t, file, "session: 3h", "session: 40m")
	same(t, "sessions of 40 minutes", sorted(pipeline(t, file)), sorted(oracle(t, "sessions/oracle.py", "--gap", "40")))
}

func TestAnomalies(t *testing.T) {
	t.Parallel()
	root := tree(t, "flights", "anomalies")
	silent := oracle(t, "anomalies/oracle.py", "silent")
	everyWay(t, filepath.Join(root, "anomalies", "pipeline.yaml"), oracle(t, "anomalies/oracle.py", "late"))
	same(t, "silent airports", sorted(lines(t, read(t, filepath.Join(root, "anomalies", "silent.json")))), sorted(silent))
}

// TestSuites runs the tests of pipelines and operators that lie beside them.
func TestSuites(t *testing.T) {
	t.Parallel()
	suites, err := filepath.Glob("*/*.test.yaml")
	if err != nil || len(suites) == 0 {
		t.Fatalf("there are %d files of tests, %v", len(suites), err)
	}
	folders := map[string][]string{}
	for _, suite := range suites {
		folders[filepath.Dir(suite)] = append(folders[filepath.Dir(suite)], filepath.Base(suite))
	}
	for folder, names := range folders {
		t.Run(folder, func(t *testing.T) {
			root := tree(t, "flights", folder)
			for _, name := range names {
				run(t, "wasmill", "test", filepath.Join(root, folder, name))
			}
		})
	}
}

// TestEachExampleIsOnThePage finds folders that nobody would.
func TestEachExampleIsOnThePage(t *testing.T) {
	t.Parallel()
	page := headings(string(read(t, "README.md")))
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if folder.IsDir() && folder.Name() != "build" && !page[folder.Name()] {
			t.Errorf("README.md has no section %q", folder.Name())
		}
	}
}
