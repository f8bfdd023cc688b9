// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestTimesThatAreNoneGoToTheDeadLettersAndTheOthersCount(t *testing.T) {
	folder(t, map[string]string{
		"in.json": `{"key":"a","at":"1969-12-31T23:59:59Z"}
{"key":"a","at":null}
{"key":"b","at":"300000-01-01T00:00:00Z"}
{"key":"c","at":9404438400000000000}
{"key":"d","at":-1}
{"key":"d","at":"0000-01-01T00:00:00Z"}
{"key":"e","at":"9999-12-31T23:59:59Z"}
`,
		"p.yaml": strings.NewReplacer(
			"{ column: at }", "{ column: at, out_of_order: 1s }, on_error: dead_letter",
			"file: out.json }", "stdout: }\n  late: { from: counts.late, file: late.json }\n  dead: { from: in.dead_letters, file: dead.json }",
		).Replace(counted("latency: 50ms")),
	})
	r := wasmill(t, "run", "p.yaml")
	want(t, result{r.code, sortedLines(r.stdout), r.stderr}, exitDone, `{"key":"a","window_start":"1969-12-31T23:00:00Z","window_end":"1970-01-01T00:00:00Z","n":1}
{"key":"d","window_start":"1969-12-31T23:00:00Z","window_end":"1970-01-01T00:00:00Z","n":1}
{"key":"e","window_start":"9999-12-31T23:00:00Z","window_end":"+010000-01-01T00:00:00Z","n":1}
`, "")
	if got, want := content(t, "late.json"), "{\"key\":\"d\",\"at\":\"0000-01-01T00:00:00Z\"}\n"; got != want {
		t.Errorf("late rows %s", got)
	}
	var reasons []string
	for line := range strings.Lines(content(t, "dead.json")) {
		_, reason, _ := strings.Cut(line, `"reason":`)
		reason, _, _ = strings.Cut(reason, `,"row":`)
		reasons = append(reasons, reason)
	}
	if got, want := strings.Join(reasons, "\n"), `"at: \"300000-01-01T00:00:00Z\" is no time; expected one like \"2001-01-31T23:59:59Z\""
"at: 9404438400000000000 is no time in the unit of the option timestamps: it is out of range"
"column \"at\", the event time, is null"`; got != want {
		t.Errorf("dead letters\n%s", got)
	}
}

func TestRowsOfOneTimeAreInOneWindowAndNoneIsLate(t *testing.T) {
	var in strings.Builder
	for range 3000 {
		fmt.Fprintln(&in, `{"key":"a","at":"2026-01-01T00:00:00Z"}`)
	}
	folder(t, map[string]string{"in.json": in.String(), "p.yaml": strings.Replace(counted("batch_rows: 7"), "file: out.json", "stdout:", 1)})
	want(t, wasmill(t, "run", "p.yaml"), exitDone, `{"key":"a","window_start":"2026-01-01T00:00:00Z","window_end":"2026-01-01T01:00:00Z","n":3000}`+"\n", "")
}

func TestOperatorThatMakesEventTimeFeedsAWindow(t *testing.T) {
	folder(t, map[string]string{
		"m.wasm":  guest(t, "c"),
		"in.json": "{\"text\":\"a b\",\"at\":\"2026-01-01T00:00:00Z\"}\n{\"text\":\"a\",\"at\":\"2026-01-01T02:00:00Z\"}\n{\"text\":\"b\",\"at\":\"2026-01-01T00:30:00Z\"}\n",
		"p.yaml": `name: p
sources:
  in: { file: in.json, schema: { text: string, at: timestamp } }
operators:
  words: { from: in, wasm: m.wasm, operator: split, time: { column: at } }
  counts: { from: words, window: { tumble: 1h }, aggregate: { n: count() } }
sinks:
  out: { from: counts, stdout: }
  late: { from: counts.late, file: late.json }
`,
	})
	want(t, wasmill(t, "run", "p.yaml"), exitDone, `{"window_start":"2026-01-01T00:00:00Z","window_end":"2026-01-01T01:00:00Z","n":2}
{"window_start":"2026-01-01T02:00:00Z","window_end":"2026-01-01T03:00:00Z","n":1}
`, "")
	if got, want := content(t, "late.json"), `{"text":"b","at":"2026-01-01T00:30:00Z","word":"b","index":0}`+"\n"; got != want {
		t.Errorf("late rows %s", got)
	}
}
