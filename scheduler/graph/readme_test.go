// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/wasmill/wasmill/scheduler/aggregate"
)

func TestThePageNamesEachKeyOfAPipelineFile(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`[a-z_]+`).FindAllString(string(text), -1) {
		words[word] = true
	}
	for _, of := range []any{Source{}, EventTime{}, Align{}, Operator{}, Input{}, Window{}, Join{}, Within{}, JoinWindow{}, Sink{}, Options{}, State{}} {
		for _, f := range structFields(reflect.TypeOf(of)) {
			if !words[f.key] {
				t.Errorf("the page does not name the key %q of a %T", f.key, of)
			}
		}
	}
	for name := range aggregate.Usage() {
		if !words[name] {
			t.Errorf("the page does not name the aggregate %q", name)
		}
	}
}

func TestPipelinesOfThePageAreSound(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 2 {
		t.Fatalf("the page has %d pipelines", len(blocks))
	}
	for _, block := range blocks {
		if _, problems := Load(t.Context(), "README.md", []byte(block[1]), fakeCatalog()); problems != nil {
			t.Errorf("%v\n%s", problems, block[1])
		}
	}
}
