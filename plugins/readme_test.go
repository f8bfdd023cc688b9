// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package plugins_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/plugins/file"
	"github.com/wasmill/wasmill/plugins/format/csv"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/plugins/generator"
	"github.com/wasmill/wasmill/plugins/plugintest"
	"github.com/wasmill/wasmill/plugins/std"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// TestExamplesOfTheReadmeAreTaken makes of each block what its first line says.
func TestExamplesOfTheReadmeAreTaken(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, name := range []string{"flights.json", "logs/a.ndjson.gz", "app.log"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	connectors := map[string]operator.Connector{}
	for _, c := range []operator.Connector{file.Connector(), std.Stdin(strings.NewReader("")), std.Stdout(nil, 0), generator.Connector()} {
		connectors[c.Name] = c
	}
	formats := map[string]operator.FormatType{}
	for _, f := range []operator.FormatType{json.Type(), csv.Type()} {
		formats[f.Name] = f
	}
	blocks := regexp.MustCompile("(?s)```yaml (\\w+) (\\w+)\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) < 9 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		name, kind := string(block[1]), string(block[2])
		config := plugintest.Config{YAML: string(block[3]), Folder: folder}
		schema := formattest.Schema(t, "value", "string")
		var err error
		switch kind {
		case "source":
			if name == "generator" {
				schema = nil
			}
			_, err = connectors[name].Source(config, operator.SourceSpec{Schema: schema})
		case "sink":
			_, err = connectors[name].Sink(config, operator.SinkSpec{Schema: schema})
		case "format":
			_, err = formats[name].New(config)
		default:
			t.Errorf("a block for a %s", kind)
		}
		if err != nil {
			t.Errorf("%s:\n%s%v", name, block[3], err)
		}
	}
}
