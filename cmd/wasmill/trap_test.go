// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
)

// mapping returns a pipeline with an operator of the module m.wasm over the numbers in in.json.
func mapping(operator, sink string) string {
	return "name: p\nsources:\n  numbers: {file: in.json, schema: {n: int64}}\n" +
		"operators:\n  o: {from: numbers, wasm: m.wasm, operator: " + operator + "}\nsinks:\n  out: {from: o, " + sink + "}\n"
}

const numbers = "{\"n\":1}\n{\"n\":2}\n{\"n\":13}\n{\"n\":14}\n"

// What a panic or a failed assertion of each language looks like: the node, the row, the operator
// and its module, the guest's words, and its stack from the user's function to the export.
func TestATrapSaysWhichRowWhatTheGuestSaidAndItsStack(t *testing.T) {
	tests := map[build.Language]struct{ message, innermost string }{
		"c":              {`assertion failed: value.n != 13 && "unlucky 13"`, "crash_process"},
		"go":             {"panic: unlucky 13\n\tmain.(*Crash).Process main.go:", "main.__Crash_.Process"},
		"rust":           {"unlucky 13 (src/maps.rs:", "maps::Crash"},
		"assemblyscript": {"unlucky 13 (assembly/maps.ts:", "assembly/maps"},
	}
	for lang, test := range tests {
		t.Run(string(lang), func(t *testing.T) {
			folder(t, map[string]string{"m.wasm": guest(t, lang), "in.json": numbers, "p.yaml": mapping("crash", "file: out.json")})
			r := wasmill(t, "run", "p.yaml")
			if r.code != exitFailed || r.stdout != "" {
				t.Errorf("exit code %d, stdout %q", r.code, r.stdout)
			}
			stderr := digest.ReplaceAllString(r.stderr, "MODULE")
			head, stack, _ := strings.Cut(stderr, "\n    at ")
			if start := `wasmill: o: in.json line 3: operator "crash" of module MODULE: `; !strings.HasPrefix(head, start) || !strings.Contains(head, test.message) {
				t.Errorf("it should begin with %q and say %q:\n%s", start, test.message, stderr)
			}
			frames := strings.Split(strings.TrimSpace(stack), "\n    at ")
			if !strings.Contains(frames[0], test.innermost) || !strings.HasSuffix(frames[len(frames)-1], "wasmill_process") {
				t.Errorf("the stack should lead from wasmill_process to %s:\n%s", test.innermost, stack)
			}
			wantFiles(t, "in.json", "m.wasm", "p.yaml")
		})
	}
}

func TestARowThatFailsSaysWhyAndWhere(t *testing.T) {
	folder(t, map[string]string{"m.wasm": guest(t, "c"), "in.json": "{\"n\":2}\n{\"n\":-3}\n", "p.yaml": mapping("route", "file: out.json")})
	want(t, wasmill(t, "run", "p.yaml"), exitFailed, "", "wasmill: o: in.json line 2: n is negative: -3\n")
	wantFiles(t, "in.json", "m.wasm", "p.yaml")
}

func TestAFailureAfterRowsWerePrintedSaysThatTheyAreNotAll(t *testing.T) {
	folder(t, map[string]string{"p.yaml": "name: p\nsources:\n  in: {stdin: , schema: {n: int64}}\nsinks:\n  out: {from: in, stdout: }\noptions: {latency: 1ms}\n"})
	in, typing := io.Pipe()
	out, printing := io.Pipe()
	go func() {
		say(typing, "{\"n\":1}\n")
		_, _ = io.ReadFull(out, make([]byte, len("{\"n\":1}\n")))
		say(typing, "nonsense\n")
		_, _ = io.Copy(io.Discard, out)
	}()
	var stderr bytes.Buffer
	a := &app{stdin: in, stdout: printing, stderr: &stderr}
	code := a.main(t.Context(), []string{"run", "p.yaml"})
	want(t, result{code, "", stderr.String()}, exitFailed, "", "wasmill: in: stdin record 2: bad JSON at byte 1: \"n\" where a value belongs\n"+
		"the rows that were printed before are not the whole result\n")
	closeAll(t, typing, printing)
}
