// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shapeOf describes a JSON value: the keys of objects with their types, in order of name; of an
// array its first element.
func shapeOf(t testing.TB, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return shapeText(v)
}

func shapeText(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+":"+shapeText(v[key]))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return "[" + shapeText(v[0]) + "]"
	case nil:
		return "null"
	}
	return map[string]string{"string": "string", "float64": "number", "bool": "bool"}[fmt.Sprintf("%T", v)]
}

func wantShape(t testing.TB, text, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.Fields(want), strings.Fields(shapeOf(t, text))); diff != "" {
		t.Errorf("shape (-want +got):\n%s", diff)
	}
}

func TestVersionAsJSON(t *testing.T) {
	r := wasmill(t, "version", "--json")
	wantShape(t, r.stdout, "{abi:number go:string platform:string version:string}")
}

const timed = "name: p\nsources:\n  in: {file: in.json, schema: {n: int64, at: timestamp}, time: {column: at}}\n" +
	"operators:\n  o: {from: in, wasm: m.wasm, operator: split, columns: {text: n}}\nsinks:\n  out: {from: o, file: out.json}\n"

func TestRunAsJSON(t *testing.T) {
	folder(t, map[string]string{"m.wasm": guest(t, "c"), "in.json": "{\"text\":\"a b\",\"at\":\"2026-01-01T00:00:00Z\"}\n",
		"p.yaml": strings.NewReplacer("n: int64", "text: string", ", columns: {text: n}", "").Replace(timed)})
	r := wasmill(t, "run", "--json", "p.yaml")
	if r.code != exitDone || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("exit code %d, stdout %q, stderr %q", r.code, r.stdout, r.stderr)
	}
	wantShape(t, r.stderr, "{elapsed_ns:number failed:number late:number"+
		" nodes:[{failed:number lag_ns:null name:string rows_in:number rows_out:{:number}"+
		" splits:[{ended:bool lag_ns:null name:string rows:number watermark:number}] watermark:null}] ok:bool rows_out:number rows_read:number watermark:null}")
	var got ran
	if err := json.Unmarshal([]byte(r.stderr), &got); err != nil {
		t.Fatal(err)
	}
	counters := got.Nodes[1].Counters
	if !got.OK || got.RowsRead != 1 || got.RowsOut != 2 || counters["words"] != 2 || counters["fuel"] == 0 {
		t.Errorf("%s", r.stderr)
	}
}

func TestRunAsJSONSaysWhatWasWrong(t *testing.T) {
	folder(t, map[string]string{"in.json": "{\"n\":1}\n\n{\"n\":true}\n", "p.yaml": copying("in.json", "")})
	r := wasmill(t, "run", "--json", "p.yaml")
	wantShape(t, r.stderr, "{elapsed_ns:number error:string failed:number late:number"+
		" nodes:[{failed:number lag_ns:null name:string rows_in:number rows_out:{:number}"+
		" splits:[{lag_ns:null name:string rows:number watermark:null}] watermark:null}] ok:bool rows_out:number rows_read:number watermark:null}")
	var got ran
	if err := json.Unmarshal([]byte(r.stderr), &got); err != nil {
		t.Fatal(err)
	}
	if r.code != exitFailed || got.OK || got.Error != "in: in.json line 3: n: it has true, a boolean; expected int64" {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}

	write(t, "p.yaml", "name: p\nsource: {}\n")
	r = wasmill(t, "run", "--json", "p.yaml")
	if r.code != exitUser {
		t.Errorf("exit code %d", r.code)
	}
	wantShape(t, r.stderr, "{error:string ok:bool problems:[{column:number file:string hint:string line:number message:string path:string}]}")
}

func TestCheckAsJSON(t *testing.T) {
	folder(t, map[string]string{"p.yaml": "name: p\nsuorces: {}\n"})
	r := wasmill(t, "check", "--json", "p.yaml")
	if r.code != exitUser || r.stderr != "" {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
	wantShape(t, r.stdout, "{ok:bool problems:[{column:number file:string hint:string line:number message:string path:string}]}")

	write(t, "p.yaml", copying("in.json", ""))
	r = wasmill(t, "check", "--json", "p.yaml")
	if r.code != exitDone || r.stderr != "" {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
	wantShape(t, r.stdout, "{ok:bool plan:{batch_rows:number latency:string name:string"+
		" nodes:[{about:string kind:string line:number name:string on_error:string outputs:[{schema:[{name:string type:string}]}] parallelism:number}]"+
		" parallelism:number seed:number} problems:[]}")
}

func TestInspectAsJSON(t *testing.T) {
	folder(t, map[string]string{"m.wasm": guest(t, "c")})
	r := wasmill(t, "inspect", "--json", "m.wasm")
	if r.code != exitDone || r.stderr != "" {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
	wantShape(t, r.stdout, "{abi:number bytes:number compile_ns:number digest:string exports:[{kind:string name:string}] functions:number"+
		" imports:[{kind:string module:string name:string type:string}] memory:{least_bytes:number most_bytes:number} name:string"+
		" operators:[{doc:string empty_call_fuel:number inputs:[{columns:[{name:string type:string}] name:string}] kind:string name:string"+
		" outputs:[{columns:[{name:string type:string}] name:string}]}] sdk:string sections:[{name:string size:number}]}")
}

func TestConformanceAsTextAndJSON(t *testing.T) {
	folder(t, map[string]string{"m.wasm": guest(t, "c")})
	r := wasmill(t, "inspect", "--conformance", "m.wasm")
	checks := strings.Count(r.stdout, "\n") - 1
	if last := fmt.Sprintf("\n%d of %[1]d checks passed\n", checks); r.code != exitDone || checks < 10 || !strings.HasSuffix(r.stdout, last) {
		t.Errorf("exit code %d, %s", r.code, r.stdout)
	}
	r = wasmill(t, "inspect", "--conformance", "--json", "m.wasm")
	wantShape(t, r.stdout, "[{name:string ok:bool}]")
}

func TestInspectPrintsWhatAModuleHolds(t *testing.T) {
	folder(t, map[string]string{"m.wasm": guest(t, "c")})
	r := wasmill(t, "inspect", "m.wasm")
	for _, line := range []string{
		`(?m)^module    m\.wasm$`, `(?m)^digest    [0-9a-f]{64}$`, `(?m)^contract  version 1, `, `(?m)^memory    from [0-9,]+ to 268,435,456 bytes$`,
		`(?m)^imports$`, `(?m)^  wasmill\.emit \(i32, i32\) -> nothing$`, `(?m)^map split: Makes a row of each word of a text\.$`,
		`(?m)^    separator  string  default " "  What stands between two words$`, `(?m)^    st  struct<a: int64, b: string>$`, `(?m)^  counters  words$`, `(?m)^aggregate mean`, `(?m)^  an empty batch costs [0-9,]+ fuel$`,
	} {
		if !regexp.MustCompile(line).MatchString(r.stdout) {
			t.Errorf("no line %s in:\n%s", line, r.stdout)
		}
	}
}

func TestAnInferredSchemaWorksWhereItIsPasted(t *testing.T) {
	const head, sink = "name: p\nsources:\n  in:\n    file: in.json\n", "sinks:\n  out: {from: in, file: out.json}\n"
	const data = `{"n":1,"at":"2001-01-01T00:00:00Z","tags":["a"],"o":{"x":1.5,"yes":true},"a name":null,"on":"1e3"}` + "\n"
	folder(t, map[string]string{"in.json": data, "p.yaml": head})
	r := wasmill(t, "check", "--infer", "p.yaml")
	if r.code != exitDone || r.stderr != "" {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
	wantSchema := "# source in\nschema:\n  n: int64\n  at: timestamp\n  tags: list<string>\n  o: 'struct<x: float64, yes: bool>'\n  a name: string\n  on: string\n"
	if diff := cmp.Diff(wantSchema, r.stdout); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	indented := "    " + strings.ReplaceAll(strings.TrimSpace(r.stdout), "\n", "\n    ") + "\n"
	write(t, "p.yaml", head+indented+sink)
	want(t, wasmill(t, "run", "p.yaml"), exitDone, "", "")
	if got := content(t, "out.json"); got != data {
		t.Errorf("%s, want %s", got, data)
	}
	if r := wasmill(t, "check", "--infer", "p.yaml"); r.code != exitDone || r.stdout != "" {
		t.Errorf("with a schema: exit code %d, %q", r.code, r.stdout)
	}
	if err := os.Remove("in.json"); err != nil {
		t.Fatal(err)
	}
	write(t, "p.yaml", head)
	want(t, wasmill(t, "check", "--infer", "p.yaml"), exitUser, "", "wasmill: p.yaml:4:11: there is no file DIR/in.json; did you mean \"out.json\"?\n")
}
