// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestModuleAnswersALookup(t *testing.T) {
	var in, want strings.Builder
	for n := range 3000 {
		key := strings.TrimSpace(strings.Repeat(fmt.Sprintf("w%d ", n%97), n%97%4))
		fmt.Fprintf(&in, "{\"n\":%d,\"key\":%q}\n", n, key)
		words := strings.Fields(key)
		for i, word := range words {
			fmt.Fprintf(&want, "{\"n\":%d,\"key\":%q,\"part\":%q,\"place\":%d}\n", n, key, word, i)
		}
		if len(words) == 0 {
			fmt.Fprintf(&want, "{\"n\":%d,\"key\":%q,\"part\":null,\"place\":null}\n", n, key)
		}
	}
	folder(t, map[string]string{"in.json": in.String(), "guest.wasm": guest(t, "c")})
	for _, how := range []string{"keys: 7", "keys: 10, in_flight: 1, cache: { keys: 50 }", "keys: 3, order: answered, cache: {}"} {
		write(t, "p.yaml", `name: p
sources:
  in: { file: in.json, schema: { n: int64, key: string } }
operators:
  parts: { from: in, lookup: { wasm: guest.wasm, operator: split, on: { key: text }, columns: { part: word, place: index }, `+how+` } }
sinks:
  out: { from: parts, file: out.json }
`)
		if r := wasmill(t, "run", "p.yaml"); r.code != exitDone {
			t.Fatalf("%s: exit code %d, %s", how, r.code, r.stderr)
		}
		got, want := content(t, "out.json"), want.String()
		if strings.Contains(how, "answered") {
			got, want = sortedLines(got), sortedLines(want)
		}
		if got != want {
			t.Errorf("%s: %d bytes came out, should be %d, or others", how, len(got), len(want))
		}
		if err := os.Remove("out.json"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTopOfWhatIsCountedSoFar follows updates through a window, a dedup, a top and a lookup.
func TestTopOfWhatIsCountedSoFar(t *testing.T) {
	var in strings.Builder
	for n := range 2000 {
		fmt.Fprintf(&in, "{\"airport\":\"A%d\",\"at\":\"2026-01-01T00:%02d:00Z\"}\n", min(n%20, n%30, n%11), n/40)
	}
	folder(t, map[string]string{"in.json": in.String(), "airports.csv": "iata,name\nA0,Zero\nA1,One\nA3,Three\n"})
	for _, how := range []string{"updates: retract", "updates: replace"} {
		counts := "counts"
		if strings.Contains(how, "replace") {
			counts = "whole"
		}
		write(t, "p.yaml", `name: p
sources:
  in: { file: in.json, schema: { airport: string, at: timestamp }, time: { column: at } }
operators:
  counts: { from: in, key: airport, window: { tumble: 1h, early_rows: 3, `+how+` }, aggregate: { n: count() } }
  whole: { from: counts, key: [airport, window_end], dedup: { keep: last } }
  top: { from: `+counts+`, top: { rows: 2, by: n desc, rank: place } }
  named: { from: top, lookup: { table: { file: airports.csv, format: csv, schema: { iata: string, name: string } }, on: { airport: iata } } }
sinks:
  out: { from: named, file: out.csv, kinds: kind }
  unused: { from: whole, file: whole.csv, kinds: kind }
options: { parallelism: 2, state: pebble }
`)
		if r := wasmill(t, "run", "p.yaml"); r.code != exitDone {
			t.Fatalf("%s: exit code %d, %s", how, r.code, r.stderr)
		}
		places := map[string]string{}
		for _, line := range strings.Split(strings.TrimSpace(content(t, "out.csv")), "\n")[1:] {
			cells := strings.Split(line, ",") // kind, airport, window_start, window_end, n, place, name
			row := strings.Join([]string{cells[1], cells[4], cells[6]}, " ")
			switch place := cells[5]; cells[0] {
			case "+I", "+U":
				places[place] = row
			default:
				if places[place] != row {
					t.Fatalf("%s: %q is taken back from place %s, which has %q", how, row, place, places[place])
				}
				delete(places, place)
			}
		}
		if len(places) != 2 || !strings.HasPrefix(places["1"], "A0 ") || !strings.HasSuffix(places["1"], " Zero") || !strings.HasPrefix(places["2"], "A1 ") {
			t.Errorf("%s: the top is %q", how, places)
		}
		for _, name := range []string{"out.csv", "whole.csv"} {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}
