// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sdk holds the SDKs of all languages, and makes new operator projects of them. The SDKs
// themselves lie in the folders beside this file; each is code of its language and shares nothing
// with the host but the contract in abi. The command "wasmill new operator" drives NewOperator.
package sdk

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// What a project gets. Patterns name what users need, so that neither build outputs nor tests and
// conformance modules come along.
//
//go:embed all:*/template
//go:embed */README.md
//go:embed go/*.go go/internal go/wasmilltest
//go:embed c/*.h
//go:embed rust/Cargo.toml rust/src
//go:embed assemblyscript/*.ts assemblyscript/*.json assemblyscript/assembly assemblyscript/testing
var files embed.FS

// A language is one that has an SDK.
type language struct {
	name  string
	names []string // other names that people type
	// sdk is where the SDK's files go in a project.
	sdk string
}

// languages is in the order in which the documentation names them.
func languages() []language {
	return []language{
		{name: "go", names: []string{"golang"}, sdk: "wasmill-sdk/sdk/go"},
		{name: "rust", names: []string{"rs"}, sdk: "wasmill-sdk"},
		{name: "c", names: []string{"c99", "c++", "cpp"}, sdk: "wasmill-sdk"},
		{name: "assemblyscript", names: []string{"as", "asc", "ts", "typescript"}, sdk: "wasmill-sdk"},
	}
}

// Languages returns the languages in which NewOperator makes projects.
func Languages() []string {
	var names []string
	for _, l := range languages() {
		names = append(names, l.name)
	}
	return names
}

// NewOperator writes a project with an operator of that name, in that language, into the folder
// dir, which is made where there is none and must be empty. The project has a test, a copy of the
// SDK, and a README that says how to build it. It returns the files that it wrote, relative to
// dir. It never overwrites a file; where it fails, it removes what it wrote.
func NewOperator(dir, name, lang string) (written []string, err error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	l, err := find(lang)
	if err != nil {
		return nil, err
	}
	project, err := render(l, name)
	if err != nil {
		return nil, fmt.Errorf("new operator %s: %w", name, err)
	}
	if err := checkFolder(dir); err != nil {
		return nil, fmt.Errorf("new operator %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			for _, file := range written {
				err = errors.Join(err, os.Remove(filepath.Join(dir, file)))
			}
			written, err = nil, fmt.Errorf("new operator %s: %w", name, err)
		}
	}()
	for _, f := range project {
		at := filepath.Join(dir, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return written, err
		}
		if err := write(at, f.content); err != nil {
			return written, err
		}
		written = append(written, filepath.FromSlash(f.path))
	}
	return written, nil
}

func write(at string, content []byte) error {
	f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

const maxName = 64

// reserved are names that some language or the projects themselves use for something else, apart
// from Go's keywords. A name is good in all languages or in none, so that an operator can be
// written again in another one.
func reserved() []string {
	return strings.Fields(`
		as async await break char const continue crate do double dyn else enum extends extern false
		float for fn if impl implements in instanceof int let long loop match mod move mut new null
		number pub ref register return self short signed sizeof static string struct super switch
		this throw trait true try typedef typeof union unsafe unsigned use void volatile where while
		with yield class export import delete
		alloc core main std test tests wasmill`)
}

func checkName(name string) error {
	switch {
	case !snakeCase.MatchString(name) || len(name) > maxName:
		hint := ""
		if s := suggest(name); snakeCase.MatchString(s) && len(s) <= maxName {
			hint = fmt.Sprintf("; %s would do", s)
		}
		return fmt.Errorf("%q is no name for an operator: it has small letters, digits and single underscores, begins with a letter, and has at most %d characters%s", name, maxName, hint)
	case token.IsKeyword(name) || slices.Contains(reserved(), name):
		return fmt.Errorf("%q is no name for an operator: it means something else in one of the languages %s; %s_rows would do", name, strings.Join(Languages(), ", "), name)
	}
	return nil
}

// suggest makes snake_case of a name in another case.
func suggest(name string) string {
	var out []rune
	previous := '_'
	for _, r := range name {
		switch {
		case r > unicode.MaxASCII, r == '-', r == ' ', r == '.', r == '_':
			r = '_'
		case unicode.IsUpper(r) && (unicode.IsLower(previous) || unicode.IsDigit(previous)):
			out = append(out, '_')
		}
		if previous = r; r != '_' || len(out) > 0 && out[len(out)-1] != '_' {
			out = append(out, unicode.ToLower(r))
		}
	}
	return strings.TrimRight(string(out), "_")
}

// camelCase makes a type's name of an operator's.
func camelCase(name string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		out.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return out.String()
}

// find returns the language of that name.
func find(lang string) (language, error) {
	known := strings.Join(Languages(), ", ")
	if lang == "" {
		return language{}, fmt.Errorf("no language given; there are %s", known)
	}
	typed, nearest, distance := strings.ToLower(lang), "", 3
	for _, l := range languages() {
		if l.name == lang {
			return l, nil
		}
		for _, other := range append(l.names, l.name) {
			if d := levenshtein.ComputeDistance(typed, other); d < distance && d < max(len(other), 2) {
				nearest, distance = l.name, d
			}
		}
	}
	if nearest == "" {
		return language{}, fmt.Errorf("there is no SDK for the language %q; there are %s", lang, known)
	}
	return language{}, fmt.Errorf("there is no SDK for the language %q; did you mean %s? There are %s", lang, nearest, known)
}

// checkFolder returns an error unless dir is an empty folder, or nothing yet.
func checkFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
			return fmt.Errorf("%s is a file; name a new or an empty folder", dir)
		}
		return err
	case len(entries) > 0:
		return fmt.Errorf("the folder %s is not empty (it holds %s); name a new or an empty one", dir, entries[0].Name())
	}
	return nil
}

// file is a file of a project, its path relative and with slashes.
type file struct {
	path    string
	content []byte
}

// render returns the files of a project.
func render(l language, name string) ([]file, error) {
	values := struct{ Name, Type string }{name, camelCase(name)}
	var project []file
	err := fs.WalkDir(files, l.name, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(at)
		if err != nil {
			return err
		}
		to, isTemplate := strings.CutPrefix(at, l.name+"/template/")
		if !isTemplate {
			if !strings.HasSuffix(at, "_test.go") {
				project = append(project, file{path.Join(l.sdk, strings.TrimPrefix(at, l.name+"/")), content})
			}
			return nil
		}
		if stem, ok := strings.CutSuffix(to, ".tmpl"); ok {
			to = stem
			if content, err = fill(at, string(content), values); err != nil {
				return err
			}
		}
		project = append(project, file{to, content})
		return nil
	})
	slices.SortFunc(project, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return project, err
}

func fill(name, text string, values any) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, values)
	return out.Bytes(), err
}
