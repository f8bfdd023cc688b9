// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"testing"

	"github.com/wasmill/wasmill/abi"
)

func TestSinkTakesChangesOnlyWithAColumnForTheirKind(t *testing.T) {
	for _, c := range []struct {
		kinds   string
		changes bool
		want    string
	}{
		{"", false, ""},
		{"op", false, ""},
		{"op", true, ""},
		{"", true, `sinks.out.from: sink "out" takes no changes, and what it reads updates or deletes rows that came before; ` +
			`add kinds: COLUMN to write each row's kind (+I, -U, +U, -D) as the first column, or have inserts only come here`},
	} {
		p := &Pipeline{Name: "a", Sinks: []Sink{{Name: "out", From: []string{"top"}, Connector: "stdout", Kinds: c.kinds}}}
		checker := newChecker(t.Context(), p, fakeCatalog(), &reporter{})
		from := &draft{name: "top", kind: "operator", node: &Node{}, streams: []*stream{{
			schema: &abi.Schema{Fields: fields("n: int64")}, origins: []string{"top"}, changes: c.changes,
		}}}
		d := &draft{name: "out", kind: "sink", where: at("sinks", "out"), node: &Node{}}
		d.inputs = []*link{{from: from, text: "top", where: d.where.under("from")}}
		checker.sink(d, &p.Sinks[0])
		if got := checker.sorted().Error(); got != c.want {
			t.Errorf("kinds %q, changes %v: got %s", c.kinds, c.changes, got)
		}
	}
}
