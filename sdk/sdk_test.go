// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// brought returns a setting of the environment, or what .ci/toolchains brought.
func brought(name, byDefault string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	settings, err := os.ReadFile("../.cache/toolchains.env")
	if err != nil {
		return byDefault
	}
	for line := range strings.Lines(string(settings)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return value
		}
	}
	return byDefault
}

// test is the plain command that runs a project's own test.
func test(t *testing.T, dir string, lang build.Language) *exec.Cmd {
	t.Helper()
	if lang == build.AssemblyScript {
		npmInstall(t, dir)
	}
	command := map[build.Language][]string{
		build.Go: {"go", "test", "./..."}, build.Rust: {brought("WASMILL_CARGO", "cargo"), "test", "--quiet"},
		build.C: {"make", "test"}, build.AssemblyScript: {"npm", "test"},
	}[lang]
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "CARGO_NET_OFFLINE=true")
	return cmd
}

// npmInstall does what "npm install" would, with the compiler that is there already.
func npmInstall(t *testing.T, dir string) {
	t.Helper()
	modules := filepath.Join(dir, "node_modules")
	if err := os.MkdirAll(filepath.Join(modules, ".bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	compiler := brought("WASMILL_ASC", "assemblyscript is not installed")
	for link, target := range map[string]string{
		"assemblyscript": compiler, ".bin/asc": filepath.Join(compiler, "bin", "asc.js"), "wasmill": filepath.Join(dir, "wasmill-sdk"),
	} {
		if err := os.Symlink(target, filepath.Join(modules, link)); err != nil && !errors.Is(err, fs.ErrExist) { // the build makes some
			t.Fatal(err)
		}
	}
}

func TestANewProjectBuildsAndPassesItsTest(t *testing.T) {
	for _, lang := range build.Languages() {
		t.Run(string(lang), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new", "project")
			written, err := NewOperator(dir, "long_texts", string(lang))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range written {
				content, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(name, ".tmpl") || !strings.HasPrefix(name, "wasmill-sdk") && strings.Contains(string(content), "{{"+".") {
					t.Errorf("%s has not been filled in", name)
				}
			}
			if !slices.Contains(written, "README.md") {
				t.Errorf("there is no README.md among %v", written)
			}
			guesttest.Build(t, lang, dir)
			if out, err := test(t, dir, lang).CombinedOutput(); err != nil {
				t.Errorf("its test: %v\n%s", err, out)
			}
		})
	}
}

func TestNewOperatorRefusesNamesThatAreNone(t *testing.T) {
	for name, want := range map[string]string{
		"":                      `"" is no name for an operator`,
		"ToEuros":               "; to_euros would do",
		"to-euros":              "; to_euros would do",
		"über":                  "; ber would do",
		"__":                    "at most 64 characters",
		"1st":                   "begins with a letter",
		"func":                  `"func" is no name for an operator: it means something else`,
		"struct":                "struct_rows would do",
		"a/../../b":             "small letters",
		"{{.Name}}":             "small letters",
		"wasmill":               "means something else",
		"a\nb":                  "small letters",
		"trailing_":             "; trailing would do",
		"dou__ble":              "; dou_ble would do",
		strings.Repeat("a", 65): "at most 64 characters",
	} {
		dir := filepath.Join(t.TempDir(), "p")
		_, err := NewOperator(dir, name, "go")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("name %q: got error %v, want one with %q", name, err, want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("name %q: the folder was made", name)
		}
	}
}

func TestNewOperatorNamesTheLanguages(t *testing.T) {
	for lang, want := range map[string]string{
		"golang":        "did you mean go?",
		"Rust":          "did you mean rust?",
		"c++":           "did you mean c?",
		"assembyscript": "did you mean assemblyscript?",
		"typescript":    "did you mean assemblyscript?",
		"cobol":         `there is no SDK for the language "cobol"; there are go, rust, c, assemblyscript`,
		"":              "no language given; there are go, rust, c, assemblyscript",
	} {
		if _, err := NewOperator(t.TempDir(), "words", lang); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("language %q: got error %v, want one with %q", lang, err, want)
		}
	}
}

func TestNewOperatorNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "main.go")
	if err := os.WriteFile(at, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := NewOperator(dir, "words", "go"); err == nil || !strings.Contains(err.Error(), "is not empty (it holds main.go)") {
		t.Errorf("got error %v", err)
	}
	if _, err := NewOperator(at, "words", "go"); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("got error %v", err)
	}
	if content, err := os.ReadFile(at); err != nil || string(content) != "precious" {
		t.Errorf("the file is now %q, %v", content, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder now holds %v, %v", entries, err)
	}
}

func TestProjectsCarryNeitherTestsNorConformanceModulesNorOutputs(t *testing.T) {
	err := fs.WalkDir(files, ".", func(at string, d fs.DirEntry, err error) error {
		if d.IsDir() && slices.Contains([]string{"conformance", "target", "node_modules", "build", "testdata"}, d.Name()) {
			t.Errorf("%s is embedded", at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheOperatorInTheGoREADMEBuilds(t *testing.T) {
	readme, err := os.ReadFile("go/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\npackage main\n")
	code, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no block of Go that is a whole program")
	}
	dir := t.TempDir()
	if _, err := NewOperator(dir, "alarms", "go"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n"+code), 0o644); err != nil {
		t.Fatal(err)
	}
	guesttest.Build(t, build.Go, dir)
}
