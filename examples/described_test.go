// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"encoding/json"
	"path"
	"testing"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// TestOperatorsAreDescribedAlike holds the documentation of the operators together that exist in several
// languages: what wasmill inspect shows of one is the same, word for word, whatever it was built from.
func TestOperatorsAreDescribedAlike(t *testing.T) {
	t.Parallel()
	for folder, languages := range inEachLanguage() {
		want := described(t, build.Go, path.Join(folder, "go"))
		for _, lang := range languages {
			t.Run(folder+"/"+string(lang), func(t *testing.T) {
				if got := described(t, lang, path.Join(folder, string(lang))); got != want {
					t.Errorf("it is described as\n%s\nand in Go as\n%s", got, want)
				}
			})
		}
	}
}

// inEachLanguage returns the folders of operators that exist in several languages, and these.
func inEachLanguage() map[string][]build.Language {
	return map[string][]build.Language{
		"flights": build.Languages(),
		"fraud":   build.Languages(),
	}
}

// described returns what wasmill inspect shows of a module's operators.
func described(t *testing.T, lang build.Language, source string) string {
	t.Helper()
	var inspected struct {
		Operators []map[string]any
	}
	if err := json.Unmarshal(run(t, "wasmill", "inspect", "--json", guesttest.Build(t, lang, source)), &inspected); err != nil {
		t.Fatal(err)
	}
	for _, operator := range inspected.Operators {
		delete(operator, "empty_call_fuel")
		key, _ := operator["key"].([]any)
		for _, column := range key {
			delete(column.(map[string]any), "doc") // that of the input's column, which not every SDK says again
		}
	}
	text, err := json.MarshalIndent(inspected.Operators, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
