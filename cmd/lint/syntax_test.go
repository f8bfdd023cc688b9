// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestGoFilesFollowTheHouseRules(t *testing.T) {
	for _, name := range files(t) {
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		problems, err := syntaxProblems(name, read(t, name))
		if err != nil {
			t.Error(err)
		}
		for _, problem := range problems {
			t.Error(problem)
		}
	}
}

func TestHouseRulesFindEachKindOfViolation(t *testing.T) {
	const skips = "package a\nfunc TestA(t *testing.T) { %s }\n"
	tests := map[string]struct{ name, source, want string }{
		"package runtime":      {"a/a.go", "package runtime\n", "hides Go's own"},
		"init":                 {"a/a.go", "package a\nfunc init() {}\n", "init"},
		"init of a guest":      {"sdk/go/template/main.go", "package main\nfunc init() {}\n", ""},
		"init of a program":    {"cmd/wasmill/main.go", "package main\nfunc init() {}\n", "init"},
		"a method named init":  {"a/a.go", "package a\nfunc (a) init() {}\n", ""},
		"a skip":               {"a/a_test.go", fmt.Sprintf(skips, `t.Skip("no")`), "skips"},
		"a skip of short runs": {"a/a_test.go", fmt.Sprintf(skips, `if testing.Short() { t.Skip("slow") }`), ""},
		"the shared skip":      {"sdk/build/guesttest/a.go", fmt.Sprintf(skips, `t.Skip("no")`), ""},
		"Skip of another kind": {"a/a.go", "package a\nfunc f() { r.Skip(4) }\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems, err := syntaxProblems(test.name, []byte(test.source))
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" && len(problems) > 0 || test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], test.want)) {
				t.Errorf("%q; want %q", problems, test.want)
			}
		})
	}
}

// syntaxProblems returns a sentence for each rule of the house that a Go file breaks.
func syntaxProblems(name string, source []byte) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var problems []string
	report := func(at token.Pos, text string) {
		problems = append(problems, set.Position(at).String()+": "+text)
	}
	if file.Name.Name == "runtime" {
		report(file.Package, "the name runtime hides Go's own package; use another, as runtime/wasm does")
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncDecl:
			// A guest has no other place to declare its operators: its main never runs.
			guest := file.Name.Name == "main" && (below(name, "sdk") || below(name, "examples"))
			if node.Name.Name == "init" && node.Recv == nil && !guest {
				report(node.Pos(), "init runs behind everybody's back; make the value where the program is put together")
			}
		case *ast.IfStmt:
			return !callsShort(node.Cond)
		case *ast.SelectorExpr:
			skip := slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, node.Sel.Name)
			if skip && strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "sdk/build/guesttest/") {
				report(node.Pos(), "a test skips only for a missing toolchain (sdk/build/guesttest) or if testing.Short()")
			}
		}
		return true
	})
	return problems, nil
}

// callsShort tells whether a condition asks testing.Short.
func callsShort(condition ast.Expr) bool {
	found := false
	ast.Inspect(condition, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok && selector.Sel.Name == "Short" {
			found = true
		}
		return true
	})
	return found
}
