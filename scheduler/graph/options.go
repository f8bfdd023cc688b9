// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"context"
	"strings"

	"github.com/wasmill/wasmill/scheduler/operator"
)

// ParseOptions reads YAML as the options of a connector or a format, which stand in a pipeline
// file of folder: for whoever makes one without a pipeline, as its tests do.
func ParseOptions(text, folder string) (operator.Config, error) {
	const key = "options"
	out := &reporter{}
	out.root = document([]byte(key+":\n  "+strings.ReplaceAll(text, "\n", "\n  ")), out)
	if len(out.problems) > 0 {
		return nil, out.sorted()
	}
	c := newChecker(context.Background(), &Pipeline{Folder: folder}, Catalog{}, out)
	return &config{checker: c, value: out.root.entries[0].value, where: at(key)}, nil
}
