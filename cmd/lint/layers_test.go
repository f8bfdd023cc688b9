// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wasmill/wasmill"

// A room is a folder of the repository with what its packages may import of ours, besides
// themselves. The most specific room counts: sdk/go for sdk/go/wasmill, not sdk.
type room struct {
	imports []string
	tests   []string // more, for its tests
}

// everywhere is what any test may import: it gives tests their guests.
const everywhere = "sdk/build/guesttest"

var rooms = map[string]room{
	"abi":       {},
	"state":     {},
	"scheduler": {imports: []string{"state", "abi"}},
	"runtime":   {imports: []string{"scheduler", "state", "abi"}},
	"plugins":   {imports: []string{"scheduler", "state", "abi"}},
	"server":    {imports: []string{"runtime", "plugins", "scheduler", "state", "abi"}},
	"cmd":       {imports: []string{"server", "runtime", "plugins", "scheduler", "state", "abi", "sdk"}},
	"sdk":       {tests: []string{"runtime", "plugins", "scheduler", "state", "abi"}},
	"sdk/go":    {tests: []string{"runtime", "plugins", "scheduler", "state", "abi"}},
	"examples":  {imports: []string{"sdk", "cmd", "runtime", "plugins", "scheduler", "state", "abi"}},
}

// vendors says below which folders a library may be imported. A library that is not here may be
// imported by any room except those of onlyStandard.
var vendors = map[string][]string{
	"github.com/tetratelabs/wazero":         {"runtime"},
	"github.com/google/flatbuffers":         {"abi"},
	"github.com/cockroachdb/pebble":         {"state"},
	"github.com/twmb/franz-go":              {"plugins/kafka", "scheduler/exchange"},
	"go.yaml.in/yaml":                       {"scheduler/graph"},
	"github.com/spf13/cobra":                {"cmd"},
	"github.com/extism/go-sdk":              {"runtime"},
	"gocloud.dev":                           {"state"},
	"github.com/santhosh-tekuri/jsonschema": {"scheduler", "abi"},
}

// onlyStandard lists the rooms whose packages, tests apart, import Go's standard library and
// nothing else: each guest is linked with them.
var onlyStandard = []string{"sdk/go"}

// A goPackage is what "go list" says of a package, for as many platforms as were asked.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImportsGoDownTheLayers(t *testing.T) {
	for _, problem := range layerProblems(listPackages(t)) {
		t.Error(problem)
	}
}

func TestLayerRulesFindEachKindOfViolation(t *testing.T) {
	ours := func(path string) string { return module + "/" + path }
	tests := map[string]struct {
		pkg  goPackage
		want string // "" if the import is fine
	}{
		"abi imports one of ours":          {goPackage{ImportPath: ours("abi"), Imports: []string{ours("state")}}, "abi imports state"},
		"within a room":                    {goPackage{ImportPath: ours("abi/batch"), Imports: []string{ours("abi")}}, ""},
		"down":                             {goPackage{ImportPath: ours("runtime/wasm"), Imports: []string{ours("scheduler/operator")}}, ""},
		"up":                               {goPackage{ImportPath: ours("scheduler/task"), Imports: []string{ours("runtime/wasm")}}, "scheduler/task imports runtime/wasm"},
		"sideways":                         {goPackage{ImportPath: ours("plugins/file"), Imports: []string{ours("runtime/wasm")}}, "plugins/file imports runtime/wasm"},
		"up, by a test":                    {goPackage{ImportPath: ours("scheduler/task"), XTestImports: []string{ours("runtime/wasm")}}, "scheduler/task (test) imports runtime/wasm"},
		"a test builds a guest":            {goPackage{ImportPath: ours("scheduler/task"), TestImports: []string{ours("sdk/build/guesttest")}}, ""},
		"a guest's SDK imports ours":       {goPackage{ImportPath: ours("sdk/go/wasmill"), Imports: []string{ours("abi")}}, "sdk/go/wasmill imports abi"},
		"its test may":                     {goPackage{ImportPath: ours("sdk/go/wasmill"), TestImports: []string{ours("abi")}}, ""},
		"a guest's SDK imports a library":  {goPackage{ImportPath: ours("sdk/go"), Imports: []string{"github.com/google/flatbuffers/go"}}, "standard library"},
		"a folder without rules":           {goPackage{ImportPath: ours("extras")}, "no room"},
		"a name that only starts the same": {goPackage{ImportPath: ours("abiding")}, "no room"},
		"a vendor in its place":            {goPackage{ImportPath: ours("runtime/wasm"), Imports: []string{"github.com/tetratelabs/wazero/api"}}, ""},
		"a vendor elsewhere":               {goPackage{ImportPath: ours("plugins/file"), TestImports: []string{"github.com/tetratelabs/wazero"}}, "wazero"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems := layerProblems([]goPackage{test.pkg})
			switch {
			case test.want == "" && len(problems) > 0:
				t.Errorf("unexpected: %q", problems)
			case test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], test.want)):
				t.Errorf("%q; want one problem that says %q", problems, test.want)
			}
		})
	}
}

// layerProblems returns a sentence for each import that breaks a rule.
func layerProblems(packages []goPackage) []string {
	var problems []string
	for _, pkg := range packages {
		from := strings.TrimPrefix(pkg.ImportPath, module+"/")
		name, ok := roomOf(from)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s lies in no room: give its folder a line in rooms, and its reason in README.md", from))
			continue
		}
		allowed := append([]string{name}, rooms[name].imports...)
		problems = append(problems, importProblems(from, "", pkg.Imports, allowed, slices.Contains(onlyStandard, name))...)
		allowed = append(append(allowed, everywhere), rooms[name].tests...)
		for _, imports := range [][]string{pkg.TestImports, pkg.XTestImports} {
			problems = append(problems, importProblems(from, " (test)", imports, allowed, false)...)
		}
	}
	return problems
}

func importProblems(from, suffix string, imports, allowed []string, standard bool) []string {
	var problems []string
	for _, path := range imports {
		to, ours := strings.CutPrefix(path, module+"/")
		host, _, _ := strings.Cut(path, "/")
		switch vendor, places := vendorOf(path); {
		case ours && !belowAny(to, allowed):
			problems = append(problems, fmt.Sprintf("%s%s imports %s, but may import only %s: move what both need down, or let the caller hand it in", from, suffix, to, strings.Join(allowed, ", ")))
		case !ours && standard && strings.Contains(host, "."):
			problems = append(problems, fmt.Sprintf("%s%s imports %s, but every guest is linked with it: use the standard library", from, suffix, path))
		case vendor != "" && !belowAny(from, places):
			problems = append(problems, fmt.Sprintf("%s%s imports %s, which belongs below %s: use what that folder offers", from, suffix, path, strings.Join(places, ", ")))
		}
	}
	return problems
}

// roomOf returns the most specific room that holds a package.
func roomOf(path string) (string, bool) {
	best, found := "", false
	for name := range rooms {
		if below(path, name) && len(name) > len(best) {
			best, found = name, true
		}
	}
	return best, found
}

func vendorOf(path string) (vendor string, places []string) {
	for vendor, places := range vendors {
		if below(path, vendor) {
			return vendor, places
		}
	}
	return "", nil
}

func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func belowAny(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return below(path, folder) })
}

// listPackages returns the packages of the module as the host sees them and, for what only guests
// compile, as wasip1 does.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	merged := map[string]goPackage{}
	for _, env := range [][]string{nil, {"GOOS=wasip1", "GOARCH=wasm"}} {
		cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", cmd, err)
		}
		for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
			var pkg goPackage
			if err := decoder.Decode(&pkg); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", cmd, err)
			}
			merged[pkg.ImportPath] = union(merged[pkg.ImportPath], pkg)
		}
	}
	if len(merged) < 2 {
		t.Fatalf("go list finds only %v", slices.Collect(maps.Keys(merged)))
	}
	return slices.SortedFunc(maps.Values(merged), func(a, b goPackage) int { return strings.Compare(a.ImportPath, b.ImportPath) })
}

func union(a, b goPackage) goPackage {
	both := func(x, y []string) []string {
		all := slices.Concat(x, y)
		slices.Sort(all)
		return slices.Compact(all)
	}
	return goPackage{b.ImportPath, both(a.Imports, b.Imports), both(a.TestImports, b.TestImports), both(a.XTestImports, b.XTestImports)}
}
