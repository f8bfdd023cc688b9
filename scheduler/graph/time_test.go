// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"testing"
)

func TestOperatorThatWritesEventTimeMakesItOfRowsThatHaveNone(t *testing.T) {
	const file = `
name: stamps
sources: { prices: { file: x, schema: { price: int64 } } }
operators:
  stamp: { from: prices, wasm: stamp.wasm%s }
  hourly: { from: stamp, window: { tumble: 1h }, aggregate: { n: count() } }
sinks: { out: { from: hourly, stdout: } }
`
	g, problems := Load(t.Context(), "p.yaml", fmt.Appendf(nil, file, ", time: { out_of_order: 5s }"), fakeCatalog())
	if problems != nil {
		t.Fatal(problems)
	}
	if n := g.Nodes[1]; n.Time == nil || n.Time.Column != -1 {
		t.Errorf("its time is %+v, should be of the rows", n.Time)
	}
	_, problems = Load(t.Context(), "p.yaml", fmt.Appendf(nil, file, ""), fakeCatalog())
	const want = `p.yaml:6:34: window "hourly" needs rows with an event time; ` +
		`operator "stamp" writes event times, and nothing makes a watermark of them; add to it time: {out_of_order: 5s}`
	if got := problems.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
