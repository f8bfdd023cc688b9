// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"encoding/json"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Each script has pipelines with what Load answers: "check" prints the problems or ok, "plan" the
// plan as text, "json" the plan or the problems as JSON.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			g, problems := Load(t.Context(), "p.yaml", []byte(d.Input+"\n"), fakeCatalog())
			if (g == nil) != (len(problems) > 0) {
				t.Fatalf("%s: graph %v with problems %v", d.Pos, g, problems)
			}
			switch {
			case d.Cmd == "json" && g == nil:
				return asJSON(t, problems)
			case d.Cmd == "json":
				return asJSON(t, g.Plan())
			case g == nil:
				return problems.Error()
			case d.Cmd == "check":
				return "ok"
			case d.Cmd == "plan":
				return g.Plan().String()
			}
			t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			return ""
		})
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
