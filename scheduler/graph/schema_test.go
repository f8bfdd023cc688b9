// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/wasmill/wasmill/scheduler/aggregate"
)

const schemaFile = "pipeline.schema.json"

func compileSchema(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asEditorsDo reads YAML into what a validator of JSON takes.
func asEditorsDo(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return instance
}

func TestSchemaAcceptsWhatLoadAccepts(t *testing.T) {
	schema, tests, accepted := compileSchema(t, schemaFile), compileSchema(t, "suite.schema.json"), 0
	check := func(where, text string) {
		accepted++
		if err := schema.Validate(asEditorsDo(t, text)); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if g, _ := Load(t.Context(), "p.yaml", []byte(d.Input+"\n"), fakeCatalog()); g != nil {
				check(d.Pos, d.Input)
			}
			return d.Expected
		})
	})
	examples, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, ".test.yaml") {
			check(path, string(text))
		} else if err := tests.Validate(asEditorsDo(t, string(text))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if accepted < 5 {
		t.Errorf("only %d pipelines were there to accept", accepted)
	}
}

func TestSchemaRejectsWhatEditorsShouldMark(t *testing.T) {
	const good = `
name: a
sources: { s: { file: x, schema: { v: int64 }, time: { column: at, idle: 1d } } }
operators:
  o: { from: s, wasm: o.wasm, config: { a: 1 } }
  w: { from: [o, s.late], key: k, window: { tumble: 10s }, aggregate: { n: count() }, on_error: drop }
sinks: { k: { from: w, stdout: } }
options: { parallelism: 2, latency: 5ms }
`
	schema := compileSchema(t, schemaFile)
	if err := schema.Validate(asEditorsDo(t, good)); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"an unknown key of the pipeline":    {"name: a", "name: a\ncheckpoint: {}"},
		"no name":                           {"name: a", ""},
		"a name with capitals":              {"name: a", "name: A"},
		"a name of a node with a dot":       {"  w: {", "  w.x: {"},
		"no sinks":                          {"sinks: { k: { from: w, stdout: } }", ""},
		"an unknown key of an operator":     {"config:", "confg:"},
		"an operator that reads nothing":    {"from: s, wasm", "wasm"},
		"a window that is a module's":       {"key: k,", "wasm: x,"},
		"a window without aggregates":       {"aggregate: { n: count() },", ""},
		"an unknown aggregate":              {"count()", "coutn()"},
		"a number for an aggregate":         {"count()", "5"},
		"a duration without a unit":         {"10s", "10"},
		"a duration that is none":           {"10s", "soon"},
		"a window without a size":           {"tumble:", "lateness:"},
		"an unknown key of event time":      {"idle:", "idel:"},
		"event time without a column":       {"column: at, ", ""},
		"an unknown policy":                 {"drop", "ignore"},
		"too much parallelism":              {"parallelism: 2", "parallelism: 200"},
		"a string for a number":             {"parallelism: 2", `parallelism: "2"`},
		"an unknown option":                 {"latency", "latencyy"},
		"a type that is no string":          {"int64", "64"},
		"a number for a connector":          {"file: x", "file: 5"},
		"a source without a connector":      {"s: { file: x, schema: { v: int64 }, time: { column: at, idle: 1d } }", "s: {}"},
		"a sink without a connector":        {", stdout:", ""},
		"a sink with a schema":              {"stdout:", "stdout: , schema: { a: int64 }"},
		"a mapping for what an input reads": {"from: s", "from: { s: 1 }"},
	} {
		if !strings.Contains(good, change[0]) {
			t.Errorf("%s: nothing to change", what)
		}
		if schema.Validate(asEditorsDo(t, strings.Replace(good, change[0], change[1], 1))) == nil {
			t.Errorf("accepted: %s", what)
		}
	}
}

func TestSchemaHasTheKeysOfThePipeline(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]any `json:"properties"`
	}
	var schema struct {
		object
		Defs map[string]struct {
			object
			OneOf []struct {
				object
				Pattern string `json:"pattern"`
			} `json:"oneOf"`
			Enum []any `json:"enum"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got []string, goType reflect.Type) {
		var want []string
		for _, f := range structFields(goType) {
			want = append(want, f.key)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("keys of %s (-Go +schema):\n%s", what, diff)
		}
	}
	keys := func(o object) []string { return slices.Sorted(maps.Keys(o.Properties)) }
	same("pipeline", keys(schema.object), reflect.TypeFor[Pipeline]())
	same("source", keys(schema.Defs["source"].object), reflect.TypeFor[Source]())
	same("time", keys(schema.Defs["time"].object), reflect.TypeFor[EventTime]())
	same("operator", keys(schema.Defs["operator"].object), reflect.TypeFor[Operator]())
	same("join", keys(schema.Defs["join"].object), reflect.TypeFor[Join]())
	same("join window", keys(schema.Defs["join_window"].object), reflect.TypeFor[JoinWindow]())
	same("window", keys(schema.Defs["window"].object), reflect.TypeFor[Window]())
	same("aggregate", keys(schema.Defs["aggregate"].OneOf[1].object), reflect.TypeFor[Aggregate]())
	same("dedup", keys(schema.Defs["dedup"].object), reflect.TypeFor[Dedup]())
	same("lookup", keys(schema.Defs["lookup"].object), reflect.TypeFor[Lookup]())
	same("lookup table", keys(schema.Defs["lookup_table"].object), reflect.TypeFor[LookupTable]())
	same("top", keys(schema.Defs["top"].object), reflect.TypeFor[Top]())
	same("sort", keys(schema.Defs["sort"].object), reflect.TypeFor[Sort]())
	same("sink", keys(schema.Defs["sink"].object), reflect.TypeFor[Sink]())
	same("options", keys(schema.Defs["options"].object), reflect.TypeFor[Options]())

	for _, policy := range policyNames {
		if !slices.Contains(schema.Defs["on_error"].Enum, any(policy)) {
			t.Errorf("the schema lacks on_error: %s", policy)
		}
	}
	partitions, _ := json.Marshal(schema.Defs["operator"].Properties["partition"])
	for _, name := range partitionNames {
		if !bytes.Contains(partitions, []byte(`"`+name+`"`)) {
			t.Errorf("the schema lacks partition: %s", name)
		}
	}
	for name := range aggregate.Usage() {
		calls := strings.FieldsFunc(schema.Defs["aggregate"].OneOf[0].Pattern, func(r rune) bool { return strings.ContainsRune("(|)", r) })
		if !slices.Contains(calls, name) {
			t.Errorf("the schema lacks the aggregate %s", name)
		}
	}
}
