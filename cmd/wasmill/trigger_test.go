// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// TestModuleTriggersWindows has windows whose results come at each second row of a key, at the last one before they are
// purged, and by timers, which are due when the input ends.
func TestModuleTriggersWindows(t *testing.T) {
	folder(t, map[string]string{
		"guest.wasm": string(guesttest.Module(t, "go", filepath.Join(repository, "cmd", "wasmill", "testdata", "trigger"))),
		"in.json": `{"name":"a","last":false,"at":"2026-01-01T00:00:00Z"}
{"name":"b","last":false,"at":"2026-01-01T00:00:03Z"}
{"name":"a","last":false,"at":"2026-01-01T00:00:05Z"}
{"name":"a","last":true,"at":"2026-01-01T00:00:10Z"}
{"name":"a","last":false,"at":"2026-01-01T00:00:12Z"}
{"name":"a","last":false,"at":"2026-01-01T00:00:50Z"}
`,
	})
	for windows, want := range map[string][]string{
		"session: 20s, lateness: 1h": {
			"+I a 00:00 00:25 2", "-D a 00:00 00:25 2", "+I a 00:00 00:30 3", "+I a 00:00 00:32 1", "+I a 00:50 01:10 1", "+I b 00:03 00:23 1",
		},
		"tumble: 20s, lateness: 1h": {
			"+I a 00:00 00:20 2", "+U a 00:00 00:20 3", "+I a 00:00 00:20 1", "+I a 00:40 01:00 1", "+I b 00:00 00:20 1",
		},
		"global: true": {"+I a null null 2", "+U a null null 3", "+I a null null 1", "+U a null null 2", "+I b null null 1"},
	} {
		for _, options := range []string{"batch_rows: 1", "parallelism: 3", "parallelism: 2, state: { backend: pebble, dir: disk, memory: 8MiB }"} {
			write(t, "p.yaml", `name: p
options: { `+options+` }
sources:
  in: { file: in.json, schema: { name: string, last: bool, at: timestamp }, time: { column: at }, parallelism: 1 }
operators:
  counts:
    from: in
    key: name
    window: { `+windows+`, updates: replace, trigger: { wasm: guest.wasm, config: { rows: 2, pause: 3600 }, columns: { user: name } } }
    aggregate: { n: count() }
sinks:
  out: { from: counts, file: out.json, kinds: kind, parallelism: 1 }
`)
			if r := wasmill(t, "run", "p.yaml"); r.code != exitDone {
				t.Fatalf("%s, %s: exit code %d, %s", windows, options, r.code, r.stderr)
			}
			var lines strings.Builder
			for _, line := range want {
				f := strings.Fields(line)
				for i := 2; i < 4; i++ {
					if f[i] != "null" {
						f[i] = `"2026-01-01T00:` + f[i] + `Z"`
					}
				}
				lines.WriteString(`{"kind":"` + f[0] + `","name":"` + f[1] + `","window_start":` + f[2] + `,"window_end":` + f[3] + `,"n":` + f[4] + "}\n")
			}
			if diff := cmp.Diff(sortedLines(lines.String()), sortedLines(content(t, "out.json"))); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", windows, options, diff)
			}
		}
	}
}
