// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

func TestFlights(t *testing.T) {
	t.Parallel()
	want := oracle(t, "flights/oracle/oracle.py", "busiest", "--ndjson")
	file := filepath.Join(tree(t, "flights"), "flights", "pipeline.yaml")
	same(t, "busiest", pipeline(t, file), want)

	plain := read(t, file)
	for _, options := range []string{
		"{ parallelism: 4 }", "{ parallelism: 3, batch_rows: 16384 }", "{ batch_rows: 77, latency: 1ms }",
	} {
		write(t, file, fmt.Appendf(nil, "%s\noptions: %s\n", plain, options))
		same(t, "busiest with "+options, pipeline(t, file), want)
	}
}

func TestMixed(t *testing.T) {
	t.Parallel()
	root := tree(t, "mixed")
	file := filepath.Join(root, "mixed", "pipeline.yaml")
	same(t, "risks", pipeline(t, file), oracle(t, "mixed/oracle.py", "risks"))
	if bad := read(t, filepath.Join(root, "mixed", "bad_lines.json")); len(bad) > 0 {
		t.Errorf("the log has bad lines:\n%s", bad)
	}

	// All flights, and lines that are none, which the hand-made file of another example has.
	some := filepath.Join(root, "mixed", "some.json")
	good := run(t, "sh", "-c", "gzip -dc flights/data/flights.json.gz | head -n 3000")
	write(t, some, append(good, read(t, "dead_letters/flights.json")[len("\xef\xbb\xbf"):]...))
	edit(t, file, "../flights/data/flights.json.gz", "some.json")
	edit(t, file, "at_least: 90", "at_least: 0")
	edit(t, file, "places: { from: parse, wasm: enrich.wasm }", "places: { from: parse, wasm: enrich.wasm, on_error: drop }")
	edit(t, some, `"L`+"\xff"+`X"`, `"LĂX"`) // the source, not the operator, would reject what is no UTF-8
	same(t, "all risks", pipeline(t, file), oracle(t, "mixed/oracle.py", "risks", "--at-least", "0", "--file", some))

	var bad []string
	for _, row := range lines(t, read(t, filepath.Join(root, "mixed", "bad_lines.json"))) {
		letter := letter(t, row)
		var line struct{ Line string }
		if err := json.Unmarshal([]byte(letter.Row), &line); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(map[string]any{"line": line.Line, "number": letter.line(t, "some.json")})
		if err != nil {
			t.Fatal(err)
		}
		bad = append(bad, string(text))
		if letter.Operator != "parse" || letter.Reason == "" {
			t.Errorf("%s: it should say that parse rejects it, and why", row)
		}
	}
	same(t, "bad lines", bad, oracle(t, "mixed/oracle.py", "bad-lines", "--file", some))
}

func TestCheckRefusesAStepWhoseTypesDoNotFit(t *testing.T) {
	t.Parallel()
	root := tree(t, "mixed")
	score := filepath.Join(root, "score")
	for _, name := range []string{"asconfig.json", "assembly/index.ts"} {
		write(t, filepath.Join(score, name), read(t, filepath.Join("mixed/score", name)))
	}
	source := filepath.Join(score, "assembly", "index.ts")
	edit(t, source, `required.int64("distance"`, `required.float64("distance"`)
	edit(t, source, "distance.get(row) / 200", "<i64>distance.get(row) / 200")
	module := filepath.Join(root, "mixed", "score.wasm")
	if err := os.Remove(module); err != nil {
		t.Fatal(err)
	}
	link(t, guesttest.Build(t, build.AssemblyScript, score), module)

	for _, verb := range []string{"check", "run"} {
		out, err := exec.Command("wasmill", verb, filepath.Join(root, "mixed", "pipeline.yaml")).CombinedOutput()
		const want = `operator "score" reads column "distance" as float64; the stream has it as int64, from operator "parse"`
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%s ends with %v and\n%s\nwant exit code 2 and: %s", verb, err, out, want)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "mixed", "bad_lines.json")); err == nil {
		t.Error("the job has begun")
	}
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(tree(t, "percentiles"), "percentiles", "pipeline.yaml")
	same(t, "percentiles", pipeline(t, file), oracle(t, "percentiles/oracle.py"))

	edit(t, file, "step: 5", "step: 1")
	write(t, file, append(read(t, file), "\noptions: { parallelism: 2, batch_rows: 300 }\n"...))
	same(t, "percentiles by the minute", sorted(pipeline(t, file)), sorted(oracle(t, "percentiles/oracle.py", "--step", "1")))
}

func TestLate(t *testing.T) {
	t.Parallel()
	root := tree(t, "late")
	args := []string{"--bound", "30", "--lateness", "120", "--ndjson"}
	file := filepath.Join(root, "late", "pipeline.yaml")
	got := pipeline(t, file)
	same(t, "results and corrections", got, oracle(t, "flights/oracle/oracle.py", append(args, "updates")...))
	late := oracle(t, "flights/oracle/oracle.py", append(args, "late")...)
	same(t, "late rows", lines(t, read(t, filepath.Join(root, "late", "too_late.json"))), without(t, late, "line"))
	write(t, file, append(read(t, file), "\noptions: { parallelism: 3, batch_rows: 77 }\n"...))
	same(t, "the same in other batches", pipeline(t, file), got)

	last := map[string]string{}
	for _, row := range got {
		var window struct {
			Start string `json:"window_start"`
		}
		if err := json.Unmarshal([]byte(row), &window); err != nil {
			t.Fatal(err)
		}
		last[window.Start] = row
	}
	var final []string
	for _, row := range last {
		final = append(final, row)
	}
	same(t, "final results", sorted(final), sorted(oracle(t, "flights/oracle/oracle.py", append(args, "hours")...)))
}

// deadLetter is a row of the output dead_letters.
type deadLetter struct{ Operator, Position, Reason, Row string }

func letter(t *testing.T, row string) deadLetter {
	t.Helper()
	var l deadLetter
	if err := json.Unmarshal([]byte(row), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// line returns the number of the line in the file that the row comes from.
func (l *deadLetter) line(t *testing.T, file string) int {
	t.Helper()
	var line int
	if _, err := fmt.Sscanf(l.Position, file+" line %d", &line); err != nil {
		t.Fatalf("the position is %q: %v", l.Position, err)
	}
	return line
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	root := tree(t, "flights", "dead_letters")
	got := pipeline(t, filepath.Join(root, "dead_letters", "pipeline.yaml"))
	same(t, "movements", got, oracle(t, "dead_letters/oracle.py", "movements"))

	letters := map[int]deadLetter{}
	for _, row := range lines(t, read(t, filepath.Join(root, "dead_letters", "rejected.json"))) {
		l := letter(t, row)
		letters[l.line(t, "flights.json")] = l
	}
	source := strings.Split(string(read(t, "dead_letters/flights.json")), "\n")
	want := oracle(t, "dead_letters/oracle.py", "rejected")
	if len(letters) != len(want) {
		t.Errorf("%d rows are rejected, want %d", len(letters), len(want))
	}
	for _, row := range want {
		var w struct {
			Line            int
			Operator, About string
		}
		if err := json.Unmarshal([]byte(row), &w); err != nil {
			t.Fatal(err)
		}
		l := letters[w.Line]
		if l.Operator != w.Operator || !strings.Contains(l.Reason, w.About) {
			t.Errorf("%+v\nwant %s", l, row)
		}
		// A record that is no row is kept as it was read, a row as JSON.
		record := strings.ToValidUTF8(strings.TrimSuffix(source[w.Line-1], "\r"), "\uFFFD")
		var parsed map[string]any
		if l.Row != record && json.Unmarshal([]byte(l.Row), &parsed) != nil {
			t.Errorf("line %d is kept as %q", w.Line, l.Row)
		}
	}
}

func TestModulesKeepTheContract(t *testing.T) {
	t.Parallel()
	for _, m := range Modules() {
		run(t, "wasmill", "inspect", "--conformance", guesttest.Build(t, m.Lang, m.Source))
	}
}
