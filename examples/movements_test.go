// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// movementsPipeline runs one operator with all that it produces.
const movementsPipeline = `
name: movements
sources:
  flights:
    file: flights.json
    schema: { date: timestamp, delay: int64, distance: int64, origin: string, destination: string }
operators:
  movements: { from: flights, wasm: movements.wasm, config: { late_after: 20 }, on_error: dead_letter }
sinks:
  main: { from: movements, file: main.json }
  long_haul: { from: movements.long_haul, file: long_haul.json }
  failed: { from: movements.dead_letters, file: failed.json }
`

// oddFlights has what the real ones lack: nulls, the limits of each condition, flights that go nowhere.
const oddFlights = `
{"date":"2001/01/01 00:00","delay":null,"distance":null,"origin":"JFK","destination":"LAX"}
{"date":"2001/01/01 00:01","delay":19,"distance":1499,"origin":"JFK","destination":"LAX"}
{"date":"2001/01/01 00:02","delay":20,"distance":1500,"origin":"JFK","destination":"LAX"}
{"date":"2001/01/01 00:03","delay":-9223372036854775808,"distance":2499,"origin":"JFK","destination":"LAX"}
{"date":"2001/01/01 00:04","delay":9223372036854775807,"distance":2500,"origin":"JFK","destination":"LAX"}
{"date":"2001/01/01 00:05","delay":0,"distance":9223372036854775807,"origin":"JFK","destination":"JFK"}
{"date":"2001/01/01 00:06","delay":null,"distance":2500,"origin":"","destination":""}
{"date":"2001/01/01 00:07","delay":null,"distance":2500,"origin":"Zürich ✈","destination":"Zürich ✈"}
{"date":"2001/01/01 00:08","delay":null,"distance":2500,"origin":"Zürich ✈","destination":""}
`

func TestMovementsIsTheSameInEachLanguage(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	flights := filepath.Join(root, "flights.json")
	some := run(t, "sh", "-c", "gzip -dc flights/data/flights.json.gz | head -n 5000")
	odd := []byte(strings.TrimPrefix(oddFlights, "\n"))
	write(t, flights, slices.Concat(odd, some, odd))

	want := map[string][]string{}
	for query, file := range map[string]string{"movements": "main", "long-hauls": "long_haul", "failures": "failed"} {
		want[file] = oracle(t, "flights/oracle/oracle.py", query, "--late-after", "20", "--file", flights, "--ndjson")
	}
	flown := int64(len(want["main"]) / 2)
	for _, lang := range build.Languages() {
		t.Run(string(lang), func(t *testing.T) {
			root := t.TempDir()
			link(t, flights, filepath.Join(root, "flights.json"))
			link(t, guesttest.Build(t, lang, filepath.Join("flights", string(lang))), filepath.Join(root, "movements.wasm"))
			write(t, filepath.Join(root, "pipeline.yaml"), []byte(movementsPipeline))
			if got := counters(t, filepath.Join(root, "pipeline.yaml"))["flights"]; got != flown {
				t.Errorf("it counts %d flights, want %d", got, flown)
			}
			for _, file := range []string{"main", "long_haul"} {
				same(t, file, lines(t, read(t, filepath.Join(root, file+".json"))), want[file])
			}
			same(t, "failed", failures(t, lines(t, read(t, filepath.Join(root, "failed.json")))), want["failed"])
		})
	}
}

// counters runs a pipeline and returns what its operator movements counts.
func counters(t *testing.T, path string) map[string]int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "wasmill", "run", "--json", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.Bytes())
	}
	var progress struct {
		Nodes []struct {
			Name     string
			Counters map[string]int64
		}
	}
	if err := json.Unmarshal(stderr.Bytes(), &progress); err != nil {
		t.Fatalf("%v in %s", err, stderr.Bytes())
	}
	for _, node := range progress.Nodes {
		if node.Name == "movements" {
			return node.Counters
		}
	}
	t.Fatalf("there is no movements in %s", stderr.Bytes())
	return nil
}

// failures returns dead letters as the oracle has them: the row with its line and the reason.
func failures(t *testing.T, letters []string) []string {
	t.Helper()
	var all []string
	for _, text := range letters {
		l := letter(t, text)
		row := map[string]any{}
		decoder := json.NewDecoder(strings.NewReader(l.Row))
		decoder.UseNumber()
		if err := decoder.Decode(&row); err != nil {
			t.Fatal(err)
		}
		row["line"], row["reason"] = l.line(t, "flights.json"), l.Reason
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}
