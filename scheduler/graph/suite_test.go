// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// visits is a graph of a source and a sink.
func visits() *Graph {
	schema := &abi.Schema{Fields: fields("page: string, n: int64, cost: decimal(2), at: timestamp, tags: list<struct<k: string, v: float64>>")}
	source := &Node{
		Name: "visits", Outputs: []Port{{Schema: schema}},
		Source: &SourceNode{Source: &fakeSource{schema: schema}, Time: &Time{Column: 3}},
	}
	return &Graph{Nodes: []*Node{source, {Name: "out", Inputs: []Edge{{From: source}}, Sink: &fakeSink{}}}}
}

func TestSuiteSaysWhatIsWrongWithATest(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                {"", "t.yaml:1:1: the file is empty; a pipeline has name, sources, operators and sinks"},
		"no tests":               {"pipeline: p.yaml", `t.yaml:1:1: there are no tests; add tests: {NAME: {steps: [...]}}`},
		"no steps":               {"tests: {a: {steps: []}}", `t.yaml:1:20: test "a" does nothing; add steps: [{rows: ...}, {expect: ...}]`},
		"an unknown source":      {"tests: {a: {steps: [{rows: {visit: []}}]}}", `t.yaml:1:29: there is no source "visit"; did you mean "visits"?`},
		"a sink is no source":    {"tests: {a: {steps: [{rows: {out: []}}]}}", `t.yaml:1:29: there is no source "out"; there are visits`},
		"an unknown column":      {"tests: {a: {steps: [{rows: {visits: [{pag: x}]}}]}}", `t.yaml:1:39: there is no column "pag"; did you mean "page"?`},
		"a wrong type":           {"tests: {a: {steps: [{rows: {visits: [{n: x}]}}]}}", `t.yaml:1:42: expected a whole number of type int64, not the string "x"`},
		"a field of a struct":    {"tests: {a: {steps: [{rows: {visits: [{tags: [{w: x}]}]}}]}}", `t.yaml:1:45: item 1: there is no field "w"; there are k, v`},
		"no row":                 {"tests: {a: {steps: [{expect: {out: [1]}}]}}", `t.yaml:1:37: expected a row, not the number 1; write {COLUMN: VALUE}`},
		"no list of rows":        {"tests: {a: {steps: [{expect: {out: {n: 1}}}]}}", `t.yaml:1:36: expected a list of rows, not a mapping; write [{COLUMN: VALUE}]`},
		"no kind":                {"tests: {a: {steps: [{expect: {out: [{$kind: x}]}}]}}", `t.yaml:1:45: the string "x" is no kind of a row; write "+I", "-U", "+U" or "-D"`},
		"no time":                {"tests: {a: {steps: [{watermark: soon}]}}", `t.yaml:1:33: expected a timestamp like 2001-01-31T23:59:59Z, not the string "soon"`},
		"a clock that goes back": {"tests: {a: {steps: [{clock: -1s}]}}", `t.yaml:1:29: the clock can't go back`},
		"a failure of nobody":    {"tests: {a: {steps: [{failures: [{operator: x}]}]}}", `t.yaml:1:34: there is no source or operator "x"; there are visits`},
		"an unknown key":         {"tests: {a: {steps: [{expct: {}}]}}", `t.yaml:1:22: unknown key "expct"; did you mean "expect"?`},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := ParseSuite("t.yaml", []byte(c.text), visits())
			if diff := cmp.Diff(c.want, problems.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSuiteNeedsAPipelineOrAnOperator(t *testing.T) {
	for text, want := range map[string]string{
		"tests: {a: {steps: [{end: true}]}}":                                     "t.yaml:1:1: the file does not say what the tests are of; add pipeline: PATH, or operator: {wasm: PATH}",
		"{pipeline: a, operator: {wasm: b}, tests: {a: {steps: [{end: true}]}}}": "t.yaml:1:15: the tests are of a pipeline and of an operator; keep one",
		"{operator: {operator: b}, tests: {a: {steps: [{end: true}]}}}":          "t.yaml:1:2: the operator is of no module; add wasm: PATH",
		"{pipeline: nowhere.yaml, tests: {a: {steps: [{end: true}]}}}":           "nowhere.yaml: there is no such file",
	} {
		_, problems := LoadSuite(t.Context(), "t.yaml", []byte(text), Catalog{})
		if got := problems.Error(); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestRowsAreReadAndWrittenAlike(t *testing.T) {
	const row = `{page: "a \"b\"\n", n: -3, cost: -0.05, at: 2001-01-31T12:00:00.5Z, tags: [{k: "x", v: 1.5}, {k: null, v: .inf}]}`
	suite, problems := ParseSuite("t.yaml", []byte("tests: {a: {steps: [{expect: {out: ["+row+", {$kind: +U, n: null}]}}]}}"), visits())
	if problems != nil {
		t.Fatal(problems)
	}
	e := suite.Tests[0].Steps[0].Expect[0]
	if diff := cmp.Diff(row, RowText(e.Rows, 0, e.Columns)); diff != "" {
		t.Error(diff)
	}
	if got := RowText(e.Rows, 1, []int{1}); got != `{$kind: "+U", n: null}` || e.Rows.Kinds[1] != batch.UpdateAfter {
		t.Errorf("got %s", got)
	}
}

func TestUpdateKeepsWhatItDoesNotReplace(t *testing.T) {
	const file = `# the tests
pipeline: p.yaml
tests:
  a:
    steps:
      - end: true # now
        expect: {out: [{n: 1}]}
      - clock: 1s
`
	got, err := UpdateSuite([]byte(file), []Outcome{{Test: 0, Step: 0, Rows: map[string][]string{"out": {"{n: 2}", "{n: 3}"}}}})
	want := strings.Replace(file, "expect: {out: [{n: 1}]}", "expect:\n          out:\n            - {n: 2}\n            - {n: 3}", 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}
