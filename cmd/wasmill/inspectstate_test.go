// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInspectPrintsTheStateOfAProcess(t *testing.T) {
	folder(t, map[string]string{"m.wasm": guest(t, "go")})
	r := wasmill(t, "inspect", "m.wasm")
	for _, lines := range []string{
		"\n  key\n    id  int64\n  state items (list of each key)\n    name  string\n    n     int64\n  state entries (map of each key)\n    name  string, key\n    at    int64, key\n    n     int64\n",
		"\n  state sums (reducing of each key)\n    added  int64, add\n    least  int64, min\n    most   string, max\n    text   string, append\n",
		"\n  state used (value of each key, forgotten 10s after the last write or read, by processing time)\n",
		"\n  state by_event (value of each key, forgotten 10s after the last write, by event time)\n",
		"\n  input rules (broadcast)\n", "\n  state limits (map, broadcast)\n", "\n  state names (list of the operator)\n",
	} {
		if !strings.Contains(r.stdout, lines) {
			t.Errorf("not printed:%s", lines)
		}
	}
	var report struct{ Operators []map[string]any }
	if err := json.Unmarshal([]byte(wasmill(t, "inspect", "--json", "m.wasm").stdout), &report); err != nil {
		t.Fatal(err)
	}
	for _, op := range report.Operators {
		if op["name"] != "forget" {
			continue
		}
		want := map[string]any{
			"name": "used", "kind": "value", "scope": "key", "columns": []any{map[string]any{"name": "value", "type": "int64"}},
			"ttl": map[string]any{"after": "10s", "renew": "read_and_write", "time": "processing"},
		}
		if diff := cmp.Diff(want, op["states"].([]any)[2]); diff != "" {
			t.Errorf("state used (-want +got):\n%s", diff)
		}
	}
}
