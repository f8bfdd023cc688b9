// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

const visitsPipeline = `
name: visits
sources: { visits: { file: nowhere.json, format: json, schema: { page: string, at: timestamp }, time: { column: at } } }
operators:
  hourly: { from: visits, key: [page], window: { tumble: 1h }, aggregate: { visits: count() } }
sinks: { out: { from: hourly, stdout: } }
`

const visitsTests = `pipeline: visits.yaml
tests:
  a count for each hour:
    steps:
      - rows: {visits: [{page: home, at: 2001-01-01T00:10:00Z}, {page: home, at: 2001-01-01T00:20:00Z}]}
      - watermark: 2001-01-01T01:00:00Z
        expect: {out: [{page: home, visits: 2}]}
`

func TestTestsOfAPipelineNeedNoneOfItsInput(t *testing.T) {
	t.Chdir(folder(t, map[string]string{"visits.yaml": visitsPipeline, "visits.test.yaml": visitsTests}))
	got := wasmill(t, "test", "--verbose", "visits.test.yaml")
	if got.code != 0 || !strings.HasPrefix(got.stdout, "ok    a count for each hour\n1 passed, 0 failed, ") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestTestThatFailsShowsADiffAndUpdateMendsIt(t *testing.T) {
	t.Chdir(folder(t, map[string]string{"visits.yaml": visitsPipeline, "visits.test.yaml": strings.Replace(visitsTests, "visits: 2", "visits: 3", 1)}))
	got := wasmill(t, "test", "visits.test.yaml")
	const fault = `FAIL  a count for each hour
visits.test.yaml:6: sink out: - expected, + came out
  - {page: "home", visits: 3}
  + {page: "home", visits: 2}
0 passed, 1 failed, `
	if got.code != 1 || !strings.HasPrefix(got.stdout, fault) {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	want(t, wasmill(t, "test", "--update", "visits.test.yaml"), 0, "visits.test.yaml: written anew\n", "")
	if got := wasmill(t, "test", "visits.test.yaml"); got.code != 0 {
		t.Errorf("exit code %d after an update\n%s%s\n%s", got.code, got.stdout, got.stderr, content(t, "visits.test.yaml"))
	}
}

func TestTestsThatAreWrongAreNotRun(t *testing.T) {
	t.Chdir(folder(t, map[string]string{"visits.yaml": visitsPipeline, "visits.test.yaml": strings.Replace(visitsTests, "page: home, v", "pge: home, v", 1)}))
	want(t, wasmill(t, "test", "visits.test.yaml"), 2, "",
		"wasmill: visits.test.yaml:7:25: there is no column \"pge\"; did you mean \"page\"?\n")
}

func TestTestSaysWhatItTakes(t *testing.T) {
	want(t, wasmill(t, "test"), 2, "", "wasmill: wasmill test takes the paths of files of tests, not 0 arguments; see: wasmill test --help\n")
}
