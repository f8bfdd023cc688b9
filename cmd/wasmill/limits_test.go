// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// limited runs an operator of testdata/limits over rows, a row at a time (of a batch only the last value of a key is kept), over both backends, and returns what it emitted and why rows failed.
func limited(t *testing.T, operator, rows string) (out, dead string) {
	t.Helper()
	module := string(guesttest.Module(t, "go", filepath.Join(repository, "cmd", "wasmill", "testdata", "limits")))
	for i, backend := range []string{"memory", "pebble"} {
		folder(t, map[string]string{"in.json": rows, "m.wasm": module, "p.yaml": `name: p
sources:
  in: { file: in.json, schema: { key: string, n: int64 } }
operators:
  op: { from: in, wasm: m.wasm, operator: ` + operator + `, on_error: dead_letter, parallelism: 2 }
sinks:
  out: { from: op, stdout: }
  dead: { from: op.dead_letters, file: dead.json }
options: { state: ` + backend + `, batch_rows: 1 }
`})
		r := wasmill(t, "run", "p.yaml")
		if r.code != exitDone {
			t.Fatalf("%s: exit code %d, %s", backend, r.code, r.stderr)
		}
		if i > 0 && sortedLines(r.stdout) != out {
			t.Errorf("%s: what came out differs from that of state in memory", backend)
		}
		out, dead = sortedLines(r.stdout), content(t, "dead.json")
	}
	return out, dead
}

func TestKeysOfNoBytesAndOfAMegabyteHaveStateOfTheirOwn(t *testing.T) {
	large := strings.Repeat("k", 1<<20)
	var rows strings.Builder
	for _, key := range []string{"", large, large + "2", "", large, ""} {
		fmt.Fprintf(&rows, "{\"key\":%q,\"n\":1}\n", key)
	}
	out, dead := limited(t, "keep", rows.String())
	const want = `{"rows":1}
{"rows":1}
{"rows":1}
{"rows":2}
{"rows":2}
{"rows":3}
`
	if out != want || dead != "" {
		t.Errorf("came out:\n%s%d bytes of dead letters", out, len(dead))
	}
}

func TestAValueOverItsLimitFailsItsRowAndIsNotKept(t *testing.T) {
	out, dead := limited(t, "keep", `{"key":"a","n":10}
{"key":"a","n":5000000}
{"key":"b","n":3000000}
{"key":"a","n":20}
`)
	if want := "{\"rows\":1}\n{\"rows\":1}\n{\"rows\":2}\n"; out != want {
		t.Errorf("came out:\n%s", out)
	}
	if strings.Count(dead, "\n") != 1 || !strings.Contains(dead, `"in.json line 2"`) || !strings.Contains(dead, `a row of state \"text\" would have 5000005 bytes; at most 4194304 are possible`) {
		t.Errorf("dead letters:\n%s", dead)
	}
}

func TestAListThatGrowsForEverNamesTheKeyAndOtherKeysGoOn(t *testing.T) {
	out, dead := limited(t, "gather", strings.Repeat("{\"key\":\"hot\",\"n\":400000}\n", 4)+"{\"key\":\"cold\",\"n\":3}\n")
	if want := "{\"rows\":3}\n{\"rows\":400000}\n{\"rows\":400000}\n"; out != want {
		t.Errorf("came out:\n%s", out)
	}
	if strings.Count(dead, "\n") != 2 || !strings.Contains(dead, `list \"rows\" has 1048576 rows of the key {key: \"hot\"}, the most there can be`) {
		t.Errorf("dead letters:\n%s", dead)
	}
}
