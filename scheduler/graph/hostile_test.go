// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// longPipeline has n maps one after the other, four lines each.
func longPipeline(n int) string {
	var s strings.Builder
	s.WriteString("name: long\nsources:\n  o0: { numbers: }\noperators:\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&s, "  o%d:\n    from: o%d\n    wasm: many.wasm\n    operator: typed\n", i, i-1)
	}
	fmt.Fprintf(&s, "sinks:\n  out: { from: o%d, stdout: }\n", n)
	return s.String()
}

func TestLongPipelineIsChecked(t *testing.T) {
	text := longPipeline(5000)
	if lines := strings.Count(text, "\n"); lines < 10_000 {
		t.Fatalf("only %d lines", lines)
	}
	g := load(t, "p.yaml", text)
	if len(g.Nodes) != 5002 || g.Nodes[5001].Name != "out" || g.Nodes[1].Name != "o1" {
		t.Errorf("%d nodes, the last %q", len(g.Nodes), g.Nodes[len(g.Nodes)-1].Name)
	}
}

// Each of these asks for far more than it has bytes. That they end is the test.
func TestHostileFilesEndInProblems(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	const head = "name: a\nsources: { s: { numbers: } }\n"
	billion := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'k'; c++ {
		billion += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, many(fmt.Sprintf("*%c,", c-1), 9), c-1)
	}
	merged := "a: &a { x: 1 }\n"
	for c := 'b'; c <= 'z'; c++ {
		merged += fmt.Sprintf("%c: &%c { <<: [*%c, *%c], k%c: 1 }\n", c, c, c-1, c-1, c)
	}
	cycles := head + "operators:\n"
	for i := range 5000 {
		cycles += fmt.Sprintf("  o%d: { from: [o%d, o0], wasm: many.wasm, operator: typed }\n", i, i+1)
	}
	wrong := head + "operators:\n"
	for i := range 5000 {
		wrong += fmt.Sprintf("  operator%d: { from: operatr%d, wasm: many.wasm, operator: typd }\n", i, i+20_000)
	}
	for name, text := range map[string]string{
		"a billion laughs":       billion,
		"merges of merges":       merged,
		"an alias many times":    "name: [&a x, " + many("*a, ", 250_000) + "]",
		"deep flow":              many("[", 1<<20),
		"deep flow that ends":    many("[", 5000) + many("]", 5000),
		"deep blocks":            many("- ", 1<<19),
		"deep keys":              many("? ", 1<<19),
		"many items":             "name: [" + many("a,", 500_000) + "]",
		"many sources read":      head + "sinks: { k: { stdout: , from: [" + many("s,", 100_000) + "] } }",
		"many keys in a key":     head + "operators: { o: { from: s, wasm: many.wasm, operator: typed, key: [" + many("n,", 100_000) + "] } }",
		"many unknown keys":      head + manyNumbered("k%d: 1\n", 30_000),
		"many unknown names":     wrong,
		"many cycles":            cycles,
		"many columns":           "name: a\nsources: { s: { file: x, schema: {" + manyNumbered("c%d: int64,", 30_000) + "} } }\nsinks: { k: { from: s, stdout: } }",
		"a deeply nested type":   "name: a\nsources: { s: { file: x, schema: { c: \"" + many("list<", 100_000) + "\" } } }",
		"a very long name":       "name: " + many("n", 1<<20-100),
		"a very long unknown":    head + many("k", 100_000) + ": 1\n",
		"a very wide aggregate":  head + "operators: { o: { from: s, window: { tumble: 1s }, aggregate: { a: \"top(3" + many(",n", 400_000) + ")\" } } }",
		"a duration of digits":   head + "options: { latency: " + many("9", 100_000) + "d }",
		"NUL":                    "name: a\x00b",
		"control characters":     "name: \"a\x01\"",
		"UTF-16":                 "\xff\xfen\x00a\x00m\x00e\x00",
		"not UTF-8":              "name: a\nx: \xc3\x28\n",
		"only a byte order mark": "\xef\xbb\xbf",
		"a directive":            "%YAML 9.9\n---\nname: a\n",
	} {
		t.Run(name, func(t *testing.T) {
			g, problems := Load(t.Context(), "p.yaml", []byte(text), fakeCatalog())
			if g != nil || len(problems) == 0 || len(problems) > maxProblems+1 {
				t.Fatalf("graph %v, %d problems", g, len(problems))
			}
			for _, p := range problems {
				if len(p.String()) > 4000 || !utf8.ValidString(p.String()) {
					t.Errorf("a problem of %d bytes: %.200q", len(p.String()), p.String())
				}
			}
		})
	}
}

func manyNumbered(format string, n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, format, i)
	}
	return s.String()
}

func TestInvalidTextIsFoundByLineAndColumn(t *testing.T) {
	_, problems := Load(t.Context(), "p.yaml", []byte("name: a\n# caf\xc3\xa9 \xe9\n"), fakeCatalog())
	if want := "p.yaml:2:8: this is not UTF-8; save the file in UTF-8"; problems.Error() != want {
		t.Errorf("%q, want %q", problems.Error(), want)
	}
}

func TestByteOrderMarkIsNoProblem(t *testing.T) {
	load(t, "p.yaml", "\xef\xbb\xbf"+strings.TrimPrefix(whole, "\n"))
	load(t, "p.yaml", strings.ReplaceAll(whole, "\n", "\r\n"))
}

func FuzzLoad(f *testing.F) {
	scripts, err := filepath.Glob("testdata/*")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(whole))
	for _, path := range scripts {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			continue
		}
		script, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(script), "\n\n") {
			_, pipeline, _ := strings.Cut(part, "\n")
			pipeline, _, _ = strings.Cut(pipeline, "\n----")
			f.Add([]byte(pipeline))
		}
	}
	catalog := fakeCatalog()
	f.Fuzz(func(t *testing.T, data []byte) {
		g, problems := Load(t.Context(), "p.yaml", data, catalog)
		if (g == nil) != (len(problems) > 0) {
			t.Fatalf("graph %v with problems %v", g, problems)
		}
		for _, p := range problems {
			if p.Message == "" || p.File != "p.yaml" || p.Line > 1+strings.Count(string(data), "\n") {
				t.Errorf("problem %+v", p)
			}
		}
		if g == nil {
			return
		}
		_ = g.Plan().String()
		place := map[*Node]int{}
		for i, n := range g.Nodes {
			place[n] = i
			for _, in := range n.Inputs {
				if from, ok := place[in.From]; !ok || in.Port >= len(g.Nodes[from].Outputs) {
					t.Fatalf("%s reads port %d of %s, which is not before it or has no such port", n.Name, in.Port, in.From.Name)
				}
				for _, col := range in.Key {
					if col >= len(in.From.Outputs[in.Port].Schema.Fields) {
						t.Fatalf("%s is partitioned by column %d of %s", n.Name, col, in.From.Outputs[in.Port].Schema)
					}
				}
			}
			for _, port := range n.Outputs {
				if port.Schema == nil {
					t.Fatalf("%s has an output %q without a schema", n.Name, port.Name)
				}
			}
		}
	})
}
