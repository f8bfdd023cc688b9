// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// repository is the folder that packages are named from.
const repository = ".."

// pages returns the pages of this folder and of those below, by their names in the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".md" {
			return err
		}
		text, err := os.ReadFile(name)
		all["scheduler/"+filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil || len(all) < 2 {
		t.Fatalf("there are %d pages: %v", len(all), err)
	}
	return all
}

var declaration = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// tests returns the tests of a package, nil where there is none.
func tests(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository, filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]bool
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range declaration.FindAllStringSubmatch(string(text), -1) {
			if all == nil {
				all = map[string]bool{}
			}
			all[found[1]] = true
		}
	}
	return all
}

// A named test may have its package before it. Names behind it are of the same package or of the
// page's own, until another package comes or the statement ends.
var named = regexp.MustCompile("(?:([a-z][a-z/]*)`?:\\s+`?)?\\b(Test[A-Z]\\w+)")

// statements returns what a page states: its items, rows of tables and paragraphs.
func statements(page string) []string {
	var all []string
	open := false
	for line := range strings.Lines(page) {
		text := strings.TrimSpace(line)
		begins := strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "|") || strings.HasPrefix(text, "#")
		if open && !begins && text != "" {
			all[len(all)-1] += " " + text
			continue
		}
		if open = text != ""; open {
			all = append(all, text)
		}
	}
	return all
}

func TestEveryNamedTestExists(t *testing.T) {
	known := map[string]map[string]bool{}
	has := func(folder, name string) bool {
		if known[folder] == nil {
			known[folder] = tests(t, folder)
		}
		return known[folder][name]
	}
	for name, page := range pages(t) {
		for _, statement := range statements(page) {
			own := path.Dir(name)
			folder := own
			for _, found := range named.FindAllStringSubmatch(statement, -1) {
				switch {
				case found[1] == "":
				case tests(t, path.Join("scheduler", found[1])) != nil:
					folder = path.Join("scheduler", found[1])
				default:
					folder = found[1]
				}
				if !has(folder, found[2]) && (found[1] != "" || !has(own, found[2])) {
					t.Errorf("%s: there is no %s in %s, which holds: %s", name, found[2], folder, statement)
				}
			}
		}
	}
}

// TestEveryStatementIsHeld looks at the items and rows of SEMANTICS.md: each names a test, or links the
// page that does.
func TestEveryStatementIsHeld(t *testing.T) {
	held := 0
	header := ""
	for _, statement := range statements(pages(t)["scheduler/SEMANTICS.md"]) {
		row := strings.HasPrefix(statement, "|")
		switch {
		case row && header == "":
			header = statement
		case row && strings.HasPrefix(statement, "|---"), !row && !strings.HasPrefix(statement, "- "):
		case named.MatchString(statement) || strings.Contains(statement, "README.md)"):
			held++
		default:
			t.Errorf("nothing holds: %s", statement)
		}
		if !row {
			header = ""
		}
	}
	if held < 50 {
		t.Errorf("%d statements are held", held)
	}
}

// TestSemanticsLinkEveryPage finds pages of operators that SEMANTICS.md forgot.
func TestSemanticsLinkEveryPage(t *testing.T) {
	all := pages(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		link := "](" + strings.TrimPrefix(name, "scheduler/") + ")"
		if name != "scheduler/SEMANTICS.md" && !strings.Contains(all["scheduler/SEMANTICS.md"], link) {
			t.Errorf("SEMANTICS.md does not link %s", name)
		}
	}
}

func TestStatementsOfAPage(t *testing.T) {
	got := statements("# a\n\none\ntwo\n- three\n  four\n| x |\n|---|\n| y |\n\nfive\n")
	want := []string{"# a", "one two", "- three four", "| x |", "|---|", "| y |", "five"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
