// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

func TestWhatIsMistypedGetsTheNearestNameAndCodeTwo(t *testing.T) {
	folder(t, map[string]string{"p.yaml": "name: p\n"})
	tests := map[string]struct {
		args []string
		want string
	}{
		"command":         {[]string{"rum"}, `wasmill has no command "rum"; did you mean "run"?`},
		"subcommand":      {[]string{"new", "oprator"}, `wasmill new has no command "oprator"; did you mean "operator"?`},
		"no command":      {[]string{"zzzzzzzz"}, `wasmill has no command "zzzzzzzz"; there are check, inspect, new, run, test, version`},
		"file":            {[]string{"p.yaml"}, `"p.yaml" is a file, not a command of wasmill; to run a pipeline: wasmill run p.yaml`},
		"flag":            {[]string{"run", "--jsn", "p.yaml"}, `unknown flag: --jsn; did you mean "--json"?; see: wasmill run --help`},
		"short flag":      {[]string{"run", "-j", "p.yaml"}, `unknown shorthand flag: 'j' in -j; see: wasmill run --help`},
		"no file":         {[]string{"run"}, `wasmill run takes the path of a pipeline file, not 0 arguments; see: wasmill run --help`},
		"two files":       {[]string{"check", "a", "b"}, `wasmill check takes the path of a pipeline file, not 2 arguments; see: wasmill check --help`},
		"no module":       {[]string{"inspect"}, `wasmill inspect takes the path of a module, not 0 arguments; see: wasmill inspect --help`},
		"version of what": {[]string{"version", "x"}, `wasmill version takes no arguments, not 1 arguments; see: wasmill version --help`},
		"no language":     {[]string{"new", "operator", "x"}, `say in which language: --lang go, rust, c or assemblyscript`},
		"other language":  {[]string{"new", "operator", "x", "--lang", "perl"}, `there is no SDK for the language "perl"; there are go, rust, c, assemblyscript`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want(t, wasmill(t, test.args...), exitUser, "", "wasmill: "+test.want+"\n")
		})
	}
}

func TestHelpNamesExitCodesAndTheCache(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"help"}} {
		r := wasmill(t, args...)
		for _, part := range []string{"Exit codes: 0 done; 1", "WASMILL_CACHE", "WASMILL_COMPILE_TIME", "check ", "inspect ", "new ", "run ", "version "} {
			if !strings.Contains(r.stdout, part) {
				t.Errorf("%q lacks %q:\n%s", args, part, r.stdout)
			}
		}
		if r.code != exitDone || r.stderr != "" {
			t.Errorf("%q: exit code %d, stderr %q", args, r.code, r.stderr)
		}
	}
}

func TestEachCommandHelps(t *testing.T) {
	for _, args := range []string{"run", "check", "inspect", "new", "new operator", "version"} {
		r := wasmill(t, append(strings.Fields(args), "--help")...)
		if usage := "Usage:\n  wasmill " + args; r.code != exitDone || !strings.Contains(r.stdout, usage) {
			t.Errorf("%s: exit code %d, without %q: %s", args, r.code, usage, r.stdout)
		}
	}
}

func TestVersionIsALine(t *testing.T) {
	line := "wasmill " + currentVersions().Version + ", abi 1, "
	for _, args := range []string{"version", "--version"} {
		if r := wasmill(t, args); r.code != exitDone || !strings.HasPrefix(r.stdout, line) || strings.Count(r.stdout, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", args, r.code, r.stdout)
		}
	}
}

func TestNewWritesAProject(t *testing.T) {
	folder(t, nil)
	r := wasmill(t, "new", "operator", "to_euros", "--lang", "c", "--dir", "there")
	if r.code != exitDone || !strings.HasSuffix(r.stdout, " files to there; there/README.md says how to build, test and run it\n") {
		t.Errorf("exit code %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	if text := content(t, "there/README.md"); !strings.Contains(text, "to_euros") {
		t.Errorf("README.md: %s", text)
	}
	r = wasmill(t, "new", "operator", "to_euros", "--lang", "c", "--dir", "there")
	if r.code != exitUser || !strings.Contains(r.stderr, "there") {
		t.Errorf("over what is there: exit code %d, %q", r.code, r.stderr)
	}
}

func TestACompileTimeThatIsNoneIsRefused(t *testing.T) {
	t.Setenv("WASMILL_COMPILE_TIME", "soon")
	var stderr bytes.Buffer
	a := &app{compiler: compiler, stdout: io.Discard, stderr: &stderr, signals: make(chan os.Signal, 2)}
	code := a.main(t.Context(), []string{"check", "p.yaml"})
	const text = "wasmill: WASMILL_COMPILE_TIME is \"soon\"; it is how long a module may take to compile, such as 30s\n"
	if code != exitUser || stderr.String() != text {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
}
