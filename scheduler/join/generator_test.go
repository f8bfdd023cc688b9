// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// generator makes random rows.
type generator struct {
	*rand.Rand
	ids   int
	span  int // about how far apart times are that come together
	tied  bool
	extra int64 // added to each time
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 7)), span: 1 + int(seed%40)}
	g.tied = seed%3 == 0
	switch seed % 16 {
	case 14:
		g.extra = int64(watermark.MaxEventTime) - 1000
	case 15:
		g.extra = -int64(watermark.MaxEventTime) + 1000
	}
	return g
}

func (g *generator) key() any {
	switch g.IntN(10) {
	case 0:
		return nil
	case 1:
		return ""
	case 2, 3:
		return fmt.Sprint("key ", g.IntN(5))
	}
	return "hot"
}

// values returns the values of a row. A few rows are equal.
func (g *generator) values(input int) []any {
	if g.IntN(4) > 0 {
		g.ids++
	}
	if input == InputRight {
		return []any{g.key(), int64(g.ids)}
	}
	return []any{int64(g.ids), g.key(), nil}
}

func (g *generator) time(around int) abi.EventTime {
	t := around + g.IntN(g.span) - g.span/3
	if g.tied {
		t -= t % 5
	}
	return abi.EventTime(int64(t) + g.extra)
}

// script returns rows of both inputs, some of them late, between watermarks.
func (g *generator) script(steps int) []operatortest.Event {
	var script []operatortest.Event
	at := 0
	for range steps {
		input := g.IntN(2)
		var rows []row
		for range 1 + g.IntN(3) {
			rows = append(rows, operatortest.At(g.time(at), g.values(input)...))
		}
		script = append(script, operatortest.Rows(input, rows...))
		if g.IntN(3) == 0 {
			at += g.IntN(g.span)
			script = append(script, operatortest.Watermark(abi.EventTime(int64(at-g.span/4)+g.extra)))
		}
	}
	return append(script, operatortest.Watermark(watermark.Max))
}

// arrival is a row of a script with the watermark as of which it came.
type arrival struct {
	row
	input int
	mark  abi.EventTime
}

func (a *arrival) key() any { return a.Values[keyColumns[a.input]] }

func arrivals(script []operatortest.Event) []arrival {
	var all []arrival
	mark := watermark.Min
	for _, e := range script {
		if len(e.Rows) == 0 {
			mark = max(mark, e.Watermark)
		}
		for _, r := range e.Rows {
			all = append(all, arrival{r, e.Input, mark})
		}
	}
	return all
}

// joined returns a result's values; a nil side is padded.
func joined(left, right []any, more ...any) []any {
	var values []any
	for input, side := range [][]any{left, right} {
		if side == nil {
			side = make([]any, widths[input])
		}
		values = append(values, side...)
	}
	return append(values, more...)
}

func lines(t testing.TB, rows []row) []string {
	t.Helper()
	return operatortest.Lines(rows)
}

// cases returns some of all cases.
func cases(g *generator, seed uint64, n int) []operatortest.Case {
	all := operatortest.Cases(seed)
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

// seeds is how many seeds a test of all types runs.
func seeds(n uint64) uint64 {
	if testing.Short() {
		return (n + 9) / 10
	}
	return n
}

type label string

func (l label) String() string { return string(l) }
