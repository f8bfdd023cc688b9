// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// TestMain builds the command and puts it first in the PATH.
func TestMain(m *testing.M) { os.Exit(runWithCommand(m)) }

func runWithCommand(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wasmill")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // what a test leaves behind is no failure of it
	if out, err := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", dir, "../cmd/wasmill").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build ../cmd/wasmill: %v\n%s", err, out)
		return 1
	}
	cache, err := filepath.Abs("../.cache/compiled")
	for name, value := range map[string]string{"PATH": dir + string(filepath.ListSeparator) + os.Getenv("PATH"), "WASMILL_CACHE": cache} {
		err = errors.Join(err, os.Setenv(name, value))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// tree returns a copy of the examples of some folders, with the modules that they name, and with
// the data. It is for the test to change and to run in.
func tree(t *testing.T, folders ...string) string {
	t.Helper()
	root := t.TempDir()
	written := string(read(t, ".gitignore")) // by running the examples here
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			name := folder + "/" + entry.Name()
			if entry.Type().IsRegular() && !strings.HasSuffix(name, ".wasm") && !strings.Contains(written, "/"+name+"\n") {
				write(t, filepath.Join(root, name), read(t, name))
			}
		}
	}
	for _, m := range Modules() {
		if folder, _, _ := strings.Cut(m.Path, "/"); slices.Contains(folders, folder) {
			link(t, guesttest.Build(t, m.Lang, m.Source), filepath.Join(root, m.Path))
		}
	}
	link(t, "flights/data", filepath.Join(root, "flights", "data"))
	return root
}

func link(t *testing.T, target, name string) {
	t.Helper()
	target, err := filepath.Abs(target)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o777)
	}
	if err == nil {
		err = os.Symlink(target, name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, content, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// edit replaces what occurs once in a file.
func edit(t *testing.T, path, from, to string) {
	t.Helper()
	content := string(read(t, path))
	if n := strings.Count(content, from); n != 1 {
		t.Fatalf("%s has %q %d times", path, from, n)
	}
	write(t, path, []byte(strings.Replace(content, from, to, 1)))
}

// run runs a command that has to end well, and returns what it writes to standard output.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.Bytes())
	}
	return out
}

// oracle runs one of the oracles.
func oracle(t *testing.T, script string, args ...string) []string {
	t.Helper()
	return lines(t, run(t, "python3", append([]string{script}, args...)...))
}

// pipeline runs a pipeline to its end.
func pipeline(t *testing.T, path string) []string {
	t.Helper()
	return lines(t, run(t, "wasmill", "run", path))
}

// lines returns the rows of NDJSON, each with its keys in order and its numbers as Go writes them.
func lines(t *testing.T, ndjson []byte) []string {
	t.Helper()
	var all []string
	for line := range bytes.Lines(ndjson) {
		var row any
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber()
		if err := decoder.Decode(&row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		text, err := json.Marshal(numbers(row))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// numbers returns a value of JSON with the numbers in it that are no integers as float64, of which
// the same one can be written in several ways.
func numbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if f, err := strconv.ParseFloat(string(value), 64); err == nil && strings.ContainsAny(string(value), ".eE") {
			return f
		}
	case map[string]any:
		for key := range value {
			value[key] = numbers(value[key])
		}
	case []any:
		for i := range value {
			value[i] = numbers(value[i])
		}
	}
	return value
}

// without returns rows with some of their columns left out.
func without(t *testing.T, rows []string, columns ...string) []string {
	t.Helper()
	var all []string
	for _, row := range rows {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(row), &object); err != nil {
			t.Fatal(err)
		}
		for _, column := range columns {
			if _, ok := object[column]; !ok {
				t.Fatalf("there is no column %q in %s", column, row)
			}
			delete(object, column)
		}
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// same fails the test where rows are not those that an oracle wants, or where it wants none.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: the oracle finds nothing", what)
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: row %d is\n%s\nwant\n%s", what, i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
}

func sorted(rows []string) []string { return slices.Sorted(slices.Values(rows)) }
