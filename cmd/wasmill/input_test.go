// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// copying returns a pipeline that copies a file; more goes into its source.
func copying(file, more string) string {
	return "name: p\nsources:\n  in: {file: " + file + ", schema: {n: int64, s: string}" + more + "}\n" +
		"sinks:\n  out: {from: in, file: out.json}\n"
}

func TestAPipelineFileThatIsNoneSaysWhatItIs(t *testing.T) {
	folder(t, map[string]string{
		"empty.yaml": "", "comment.yaml": "# nothing\n", "utf16.yaml": "\xff\xfen\x00", "list.yaml": "- a\n",
		"module.wasm": "\x00asm\x01\x00\x00\x00", "tab.yaml": "name: p\nsources:\n\tin: 1\n", "large.yaml": strings.Repeat("# long\n", 1<<20),
		"deep.yaml": "name: " + strings.Repeat("[", 100_000), "two.yaml": "name: p\n---\nname: q\n",
	})
	tests := map[string]string{
		"no.yaml":      ": there is no such file",
		".":            ": this is a directory; name the pipeline file in it",
		"empty.yaml":   ":1:1: the file is empty; a pipeline has name, sources, operators and sinks",
		"comment.yaml": ":1:1: the file is empty; a pipeline has name, sources, operators and sinks",
		"utf16.yaml":   ":1:1: this is not UTF-8; save the file in UTF-8",
		"list.yaml":    ":1:1: this is a list; a pipeline has name, sources, operators and sinks",
		"module.wasm":  ": this is a WebAssembly module, not a pipeline file; a pipeline names it, as in wasm: module.wasm; what it holds says: wasmill inspect module.wasm",
		"tab.yaml":     ":3:1: the line is indented by a tab; YAML is indented by spaces",
		"large.yaml":   ": the file has more than 1048576 bytes; is it a pipeline file?",
		"deep.yaml":    ":1:1: this is not YAML: exceeded max depth of 10000",
		"two.yaml":     ":2:1: a second document begins; a file holds one pipeline",
	}
	for path, message := range tests {
		for _, command := range []string{"run", "check"} {
			want(t, wasmill(t, command, path), exitUser, "", "wasmill: "+path+message+"\n")
		}
	}
}

func TestAPipelineThatIsWrongNamesThePlace(t *testing.T) {
	const generator = "name: p\nsources:\n  in: {generator: {rows: 3, columns: {n: {sequence: {}}}}}\n"
	tests := map[string]struct{ pipeline, want string }{
		"two operators of a name": {
			generator + "operators:\n  a: {from: in, wasm: c.wasm, operator: crash}\n  a: {from: in, wasm: c.wasm, operator: crash}\nsinks:\n  out: {from: a, stdout: }\n",
			`p.yaml:6:3: the key "a" is there twice, first on line 5; keep one of them`,
		},
		"an operator of a source's name": {
			generator + "operators:\n  in: {from: in, wasm: c.wasm, operator: crash}\nsinks:\n  out: {from: in, stdout: }\n",
			`p.yaml:5:3: the name "in" is taken by a source; sources, operators and sinks share one set of names`,
		},
		"a cycle": {
			generator + "operators:\n  a: {from: b, wasm: c.wasm, operator: crash}\n  b: {from: a, wasm: c.wasm, operator: crash}\nsinks:\n  out: {from: in, stdout: }\n",
			`p.yaml:6:13: the nodes go round in a cycle: a -> b -> a; no operator may read its own output`,
		},
		"an operator that the module lacks": {
			generator + "operators:\n  a: {from: in, wasm: c.wasm, operator: rout}\nsinks:\n  out: {from: a, stdout: }\n",
			`p.yaml:5:41: c.wasm has no operator "rout"; did you mean "route"?`,
		},
		"an operator that is not named": {
			generator + "operators:\n  a: {from: in, wasm: c.wasm}\nsinks:\n  out: {from: a, stdout: }\n",
			`p.yaml:5:3: c.wasm has 15 operators; add operator: NAME; there are everything, split, route, shift, refuse, crash, say, mean and 7 more`,
		},
		"a configuration that the operator refuses": {
			generator + "operators:\n  a: {from: in, wasm: c.wasm, operator: refuse, config: {limit: -1}}\nsinks:\n  out: {from: a, stdout: }\n",
			`a: operator "refuse" refuses to open: limit must be positive, not -1`,
		},
		"a module that is missing": {
			generator + "operators:\n  a: {from: in, wasm: d.wasm, operator: crash}\nsinks:\n  out: {from: a, stdout: }\n",
			`p.yaml:5:23: DIR/d.wasm: there is no such file; it is what the build of an operator writes`,
		},
		"two sinks on one terminal": {
			generator + "sinks:\n  out: {from: in, stdout: }\n  again: {from: in, stdout: }\n",
			`again: two sinks write to standard output; let one of them write to a file`,
		},
	}
	module := guest(t, "c")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder(t, map[string]string{"p.yaml": test.pipeline, "c.wasm": module})
			want(t, wasmill(t, "run", "p.yaml"), exitUser, "", "wasmill: "+test.want+"\n")
			wantFiles(t, "c.wasm", "p.yaml")
		})
	}
}

func TestAYAMLBombIsRefusedAtOnce(t *testing.T) {
	folder(t, map[string]string{"p.yaml": bomb()})
	r := wasmill(t, "run", "p.yaml")
	if line := `wasmill: p.yaml:1:1: unknown key "a0"; there are name, sources, operators, sinks, options` + "\n"; r.code != exitUser || !strings.HasPrefix(r.stderr, line) {
		t.Errorf("exit code %d, stderr %.1000s", r.code, r.stderr)
	}
	write(t, "p.yaml", strings.Replace(bomb(), "a11: &a11", "name:", 1))
	r = wasmill(t, "run", "p.yaml")
	if r.code != exitUser || len(r.stderr) > 100_000 {
		t.Errorf("exit code %d, %d bytes of stderr", r.code, len(r.stderr))
	}
}

// bomb is a file of a kilobyte whose aliases stand for 10^12 values.
func bomb() string {
	var s strings.Builder
	s.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&s, "a%d: &a%[1]d [%s]\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return s.String()
}

func TestAPipelineOfTenThousandLinesRuns(t *testing.T) {
	const operators = 9_990
	var s strings.Builder
	s.WriteString("name: p\nsources:\n  o0: {generator: {rows: 3, columns: {at: {time: {start: 2026-01-01T00:00:00Z, step: 1s}}}}, time: {column: at}}\noperators:\n")
	for i := range operators {
		fmt.Fprintf(&s, "  o%d: {from: o%d, window: {tumble: 1h}, aggregate: {n: count()}}\n", i+1, i)
	}
	fmt.Fprintf(&s, "sinks:\n  out: {from: o%d, stdout: }\n", operators)
	folder(t, map[string]string{"p.yaml": s.String()})
	want(t, wasmill(t, "run", "p.yaml"), exitDone, `{"window_start":"2026-01-01T00:00:00Z","window_end":"2026-01-01T01:00:00Z","n":1}`+"\n", "")
}

func TestInputThatIsWrongNamesTheRow(t *testing.T) {
	const good = "{\"n\":1,\"s\":\"a\"}\n"
	tests := map[string]struct{ pipeline, data, want string }{
		"no file":               {copying("no.json", ""), good, `in: there is no file DIR/no.json; did you mean "in.json"?`},
		"no file of a pattern":  {copying("'no*.json'", ""), good, `in: no file matches DIR/no*.json; there are 2 entries in DIR`},
		"a directory":           {copying("{path: .}", ", format: json"), good, `in: DIR is a directory; to read the files in it, write *.json`},
		"invalid in the middle": {copying("in.json", ""), good + "{\"n\":2,\"s\":\n" + good, `in: in.json line 2: the record ends too early: a value is missing`},
		"cut off":               {copying("in.json", ""), good + "{\"n\":2,\"s\":\"a", `in: in.json line 2: the record ends too early: the closing quote of a string is missing`},
		"no JSON":               {copying("in.json", ""), "n,s\n1,a\n", `in: in.json line 1: bad JSON at byte 1: "n" where a value belongs`},
		"no UTF-8":              {copying("in.json", ""), "{\"s\":\"\xff\"}\n", `in: in.json line 1: bad JSON at byte 7: the byte 0xff where a string in UTF-8 belongs`},
		"past int64":            {copying("in.json", ""), "{\"n\":9223372036854775808}\n", `in: in.json line 1: n: 9223372036854775808 is past int64`},
		"below int64":           {copying("in.json", ""), "{\"n\":-9223372036854775809}\n", `in: in.json line 1: n: -9223372036854775809 is past int64`},
		"a fraction":            {copying("in.json", ""), "{\"n\":1.5}\n", `in: in.json line 1: n: 1.5 is no whole number; expected int64`},
		"another type":          {copying("in.json", ""), "{\"n\":\"1\"}\n", `in: in.json line 1: n: it has "1", a string; expected int64`},
		"a name twice":          {copying("in.json", ""), "{\"n\":1,\"n\":2}\n", `in: in.json line 1: n: the name is there twice`},
		"a null event time":     {strings.Replace(copying("in.json", ", time: {column: at}"), "s: string", "at: timestamp", 1), "{\"n\":1}\n", `in: in.json line 1: column "at", the event time, is null`},
		"not gzip":              {copying("{path: in.json, compression: gzip}", ""), good, `in: DIR/in.json is no good gzip data, at or a little before byte 16 of 16: gzip: invalid header`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder(t, map[string]string{"p.yaml": test.pipeline, "in.json": test.data})
			want(t, wasmill(t, "run", "p.yaml"), exitFailed, "", "wasmill: "+test.want+"\n")
			wantFiles(t, "in.json", "p.yaml")
		})
	}
}

func TestInputThatIsOddIsRead(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"empty":               {"", ""},
		"empty lines":         {"\n\n  \n", ""},
		"BOM and CRLF":        {"\xef\xbb\xbf{\"n\":1,\"s\":\"a\"}\r\n{\"n\":2}\r\n", "{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"s\":null}\n"},
		"nulls":               {`{"n":null,"s":null}`, "{\"n\":null,\"s\":null}\n"},
		"missing fields":      {`{}`, "{\"n\":null,\"s\":null}\n"},
		"extra fields":        {`{"x":[1,{"y":[]}],"s":"a","z":1e999}`, "{\"n\":null,\"s\":\"a\"}\n"},
		"the ends of int64":   {"{\"n\":9223372036854775807}\n{\"n\":-9223372036854775808}\n", "{\"n\":9223372036854775807,\"s\":null}\n{\"n\":-9223372036854775808,\"s\":null}\n"},
		"no newline at last":  {`{"n":1}`, "{\"n\":1,\"s\":null}\n"},
		"an array of objects": {`[{"n":1},{"n":2}]`, "{\"n\":1,\"s\":null}\n{\"n\":2,\"s\":null}\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder(t, map[string]string{"p.yaml": copying("in.json", ""), "in.json": test.data})
			want(t, wasmill(t, "run", "p.yaml"), exitDone, "", "")
			if got := content(t, "out.json"); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			wantFiles(t, "in.json", "out.json", "p.yaml")
		})
	}
}

func TestBadRowsGoAsOnErrorSays(t *testing.T) {
	const data = "{\"n\":1}\nnonsense\n{\"n\":3}\n"
	folder(t, map[string]string{"in.json": data, "p.yaml": copying("in.json", ", on_error: drop")})
	want(t, wasmill(t, "run", "p.yaml"), exitDone, "", "")
	if got, want := content(t, "out.json"), "{\"n\":1,\"s\":null}\n{\"n\":3,\"s\":null}\n"; got != want {
		t.Errorf("dropped: %s, want %s", got, want)
	}
	write(t, "p.yaml", copying("in.json", ", on_error: dead_letter")+"  bad: {from: in.dead_letters, file: bad.json}\n")
	want(t, wasmill(t, "run", "p.yaml"), exitDone, "", "")
	if got, want := content(t, "bad.json"), `{"operator":"in","position":"in.json line 2","reason":"bad JSON at byte 1: \"n\" where a value belongs","row":"nonsense"}`+"\n"; got != want {
		t.Errorf("dead letters: %s, want %s", got, want)
	}
}

func TestModulesThatAreNoneSayWhatTheyAre(t *testing.T) {
	tests := map[string]struct{ module, want string }{
		"empty":            {"", `not a WebAssembly module: the file is empty: did the build fail?`},
		"text":             {"name: p\n", `not a WebAssembly module: this looks like text ("name: p\n"): give the .wasm file that the build wrote`},
		"text format":      {"(module)", `not a WebAssembly module: this is WebAssembly's text format: translate it first (wat2wasm)`},
		"zip":              {"PK\x03\x04", `not a WebAssembly module: this is a zip archive: unpack it first (unzip)`},
		"component":        {"\x00asm\x0d\x00\x01\x00", `not a WebAssembly module: this is a component (WASI 0.2 and later), but a core module is wanted: build for wasm32-wasip1 or wasm32-unknown-unknown, without componentizing`},
		"binary version 2": {"\x00asm\x02\x00\x00\x00", `not a WebAssembly module: unknown binary version 2, but only version 1 is known: rebuild it with a current toolchain`},
		"cut off":          {"\x00asm\x01\x00\x00\x00\x01\x05\x01\x60", `module malformed: unexpected end: the section is to have 5 bytes, but only 2 are left (type section, offset 0xa)`},
		"nothing in it":    {"\x00asm\x01\x00\x00\x00", `it exports no function of wasmill's (wasmill_version, wasmill_describe, ...): operators are written with an SDK, see sdk/go, sdk/rust, sdk/c and sdk/assemblyscript`},
		"another ABI":      {future(t), `the module is built for version 7 of the contract, this host runs version 1: rebuild it with an SDK of this wasmill, or use a wasmill that runs version 7`},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		test := tests[name]
		t.Run(name, func(t *testing.T) {
			folder(t, map[string]string{"m.wasm": test.module, "p.yaml": "name: p\nsources:\n  in: {generator: {rows: 3, columns: {n: {sequence: {}}}}}\n" +
				"operators:\n  o: {from: in, wasm: m.wasm}\nsinks:\n  out: {from: o, file: out.json}\n"})
			want(t, wasmill(t, "inspect", "m.wasm"), exitUser, "", "wasmill: m.wasm: "+test.want+"\n")
			want(t, wasmill(t, "run", "p.yaml"), exitUser, "", "wasmill: p.yaml:5:23: DIR/m.wasm: "+test.want+"\n")
			wantFiles(t, "m.wasm", "p.yaml")
		})
	}
}
