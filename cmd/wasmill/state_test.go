// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// counted is a pipeline with state, whose options go on with options.
func counted(options string) string {
	return `name: p
sources:
  in: { file: in.json, schema: { key: string, at: timestamp }, time: { column: at } }
operators:
  counts: { from: in, key: key, window: { tumble: 1h }, aggregate: { n: count() }, parallelism: 3 }
sinks:
  out: { from: counts, file: out.json }
options: { ` + options + " }\n"
}

func sortedLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestStateOnDiskGivesTheResultOfStateInMemoryAndLeavesNothingBehind(t *testing.T) {
	var in strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&in, "{\"key\":\"k%d\",\"at\":\"2026-01-01T%02d:00:00Z\"}\n", i%700, i/250)
	}
	folder(t, map[string]string{"in.json": in.String()})
	results := map[string]string{}
	for _, options := range []string{"state: memory", "state: { backend: pebble, dir: disk/state, memory: 8MiB }"} {
		write(t, "p.yaml", counted(options))
		if r := wasmill(t, "run", "p.yaml"); r.code != exitDone || r.stderr != "" {
			t.Fatalf("%s: exit code %d, %s", options, r.code, r.stderr)
		}
		results[options] = sortedLines(content(t, "out.json"))
		if err := os.Remove("out.json"); err != nil {
			t.Fatal(err)
		}
	}
	first := ""
	for options, result := range results {
		if first == "" {
			first = result
		}
		if result != first || strings.Count(result, "\n") != 5000 {
			t.Errorf("%s: %d results differ", options, strings.Count(result, "\n"))
		}
	}
	if left, err := os.ReadDir("disk/state"); err != nil || len(left) != 0 {
		t.Errorf("%v, %d files are left", err, len(left))
	}
}

func TestStateWithTooLittleMemoryOrNoFolderIsSaidBeforeTheJobBegins(t *testing.T) {
	folder(t, map[string]string{"in.json": "{}\n", "taken": "", "p.yaml": counted("state: { backend: pebble, memory: 2MiB }")})
	r := wasmill(t, "run", "p.yaml")
	want(t, r, exitUser, "", "wasmill: options.state.memory: 2 MiB is too little for the state of 3 subtasks; write memory: 4MiB or more\n")
	write(t, "p.yaml", counted("state: { backend: pebble, dir: taken }"))
	r = wasmill(t, "run", "p.yaml")
	want(t, r, exitFailed, "", "wasmill: options.state: mkdir DIR/taken: not a directory\n")
	write(t, "p.yaml", counted("state: { backend: pebble, memory: 4MiB }"))
	if r = wasmill(t, "run", "p.yaml"); strings.Contains(r.stderr, "options.state") {
		t.Errorf("what was asked for is refused: %s", r.stderr)
	}
}
