// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// compare runs a script in some cases and compares what comes out of the ports.
func compare(t *testing.T, g *generator, seed uint64, s Spec, script []operatortest.Event, want [3][]row) {
	t.Helper()
	for _, c := range cases(g, seed, 3) {
		r := operatortest.Run(t, subject(s), c, script)
		for port, rows := range want {
			about := label(fmt.Sprintf("%v join, port %d, %v", s.Type, port, c))
			operatortest.Same(t, about, lines(t, r.Port(port)), lines(t, rows))
		}
	}
}

// inIntervals is the oracle of an interval join: all pairs of rows that are not late.
func inIntervals(typ Type, from, to int64, all []arrival) [3][]row {
	var want [3][]row
	met := make([]bool, len(all))
	for i := range all {
		if all[i].Time < all[i].mark {
			want[1+all[i].input] = append(want[1+all[i].input], all[i].row)
		}
	}
	on := func(a *arrival, input int) bool { return a.Time >= a.mark && a.input == input }
	for i := range all {
		for j := range all {
			l, r := &all[i], &all[j]
			apart := int64(r.Time - l.Time)
			if on(l, 0) && on(r, 1) && l.key() != nil && l.key() == r.key() && from <= apart && apart <= to {
				met[i], met[j] = true, true
				if typ <= Full {
					want[0] = append(want[0], row{Time: max(l.Time, r.Time), Values: joined(l.Values, r.Values)})
				}
			}
		}
	}
	for i := range all {
		a := &all[i]
		lastLeft, lastRight := a.Time+abi.EventTime(max(0, to)), a.Time+abi.EventTime(max(0, -from))
		switch {
		case on(a, 0) && (typ == Semi && met[i] || typ == Anti && !met[i]):
			want[0] = append(want[0], row{Time: lastLeft, Values: a.Values})
		case on(a, 0) && !met[i] && keepsLeft[typ]:
			want[0] = append(want[0], row{Time: lastLeft, Values: joined(a.Values, nil)})
		case on(a, 1) && !met[i] && keepsRight[typ]:
			want[0] = append(want[0], row{Time: lastRight, Values: joined(nil, a.Values)})
		}
	}
	return want
}

func TestIntervalJoinGivesAllPairsInTheIntervalAndWhatHasNone(t *testing.T) {
	for seed := range seeds(40) {
		checkInterval(t, seed)
	}
}

func FuzzIntervalJoinGivesAllPairsInTheIntervalAndWhatHasNone(f *testing.F) { f.Fuzz(checkInterval) }

func checkInterval(t *testing.T, seed uint64) {
	g := newGenerator(seed)
	script := g.script(25)
	from := g.IntN(2*g.span) - g.span
	to := from + g.IntN(g.span)
	for _, typ := range types {
		s := spec(typ)
		s.Interval = &Interval{micros(from), micros(to)}
		compare(t, g, seed, s, script, inIntervals(typ, int64(from), int64(to), arrivals(script)))
	}
}

// inWindows is the oracle of a window join: window by window.
func inWindows(typ Type, size, slide, offset int64, all []arrival) [3][]row {
	type group struct {
		end int64
		key any
	}
	var want [3][]row
	groups := map[group]*[2][]row{}
	var order []group
	for i := range all {
		a := &all[i]
		late := true
		t := int64(a.Time)
		first := (t-offset)/slide*slide + offset + 2*slide // a begin that is not before the last one
		for begin := first; begin > t-size; begin -= slide {
			end := begin + size
			if begin > t || end <= int64(a.mark) {
				continue
			}
			late = false
			key := a.key()
			if key == nil {
				key = fmt.Sprintf("null of %d", a.input)
			}
			w := group{end, key}
			if groups[w] == nil {
				groups[w] = &[2][]row{}
				order = append(order, w)
			}
			groups[w][a.input] = append(groups[w][a.input], a.row)
		}
		if late {
			want[1+a.input] = append(want[1+a.input], a.row)
		}
	}
	for _, w := range order {
		left, right := groups[w][0], groups[w][1]
		give := func(values []any) {
			want[0] = append(want[0], row{Time: abi.EventTime(w.end - 1), Values: append(slices.Clone(values), w.end-size, w.end)})
		}
		for _, l := range left {
			for _, r := range right {
				if typ <= Full {
					give(joined(l.Values, r.Values))
				}
			}
			switch {
			case typ == Semi && len(right) > 0, typ == Anti && len(right) == 0:
				give(l.Values)
			case len(right) == 0 && keepsLeft[typ]:
				give(joined(l.Values, nil))
			}
		}
		for _, r := range right {
			if len(left) == 0 && keepsRight[typ] {
				give(joined(nil, r.Values))
			}
		}
	}
	return want
}

func TestWindowJoinGivesEachWindowWhenItEnds(t *testing.T) {
	for seed := range seeds(40) {
		checkWindow(t, seed)
	}
}

func FuzzWindowJoinGivesEachWindowWhenItEnds(f *testing.F) { f.Fuzz(checkWindow) }

func checkWindow(t *testing.T, seed uint64) {
	g := newGenerator(seed)
	script := g.script(25)
	size := 1 + g.IntN(g.span)
	slide := size
	if seed%2 == 0 {
		slide = 1 + g.IntN(size)
	}
	offset := g.IntN(50) - 25
	for _, typ := range types {
		s := spec(typ)
		s.Window = &Window{Size: micros(size), Slide: micros(slide), Offset: micros(offset)}
		compare(t, g, seed, s, script, inWindows(typ, int64(size), int64(slide), int64(offset), arrivals(script)))
	}
}

// asOf is the oracle of a temporal join without late right rows: the last of all versions that are
// not later than the left row.
func asOf(typ Type, all []arrival) [3][]row {
	var want [3][]row
	for i := range all {
		l := &all[i]
		switch {
		case l.input == InputRight:
			continue
		case l.Time < l.mark:
			want[1] = append(want[1], l.row)
			continue
		}
		var version *arrival
		for j := range all {
			r := &all[j]
			if r.input == InputRight && r.Kind != batch.UpdateBefore && r.key() != nil && r.key() == l.key() && r.Time <= l.Time &&
				(version == nil || r.Time >= version.Time) {
				version = r
			}
		}
		switch {
		case version != nil && version.Kind != batch.Delete:
			want[0] = append(want[0], row{Time: l.Time, Values: joined(l.Values, version.Values)})
		case typ == Left:
			want[0] = append(want[0], row{Time: l.Time, Values: joined(l.Values, nil)})
		}
	}
	return want
}

func TestTemporalJoinSeesTheVersionAsOfTheLeftRow(t *testing.T) {
	for seed := range seeds(80) {
		checkTemporal(t, seed)
	}
}

func FuzzTemporalJoinSeesTheVersionAsOfTheLeftRow(f *testing.F) { f.Fuzz(checkTemporal) }

func checkTemporal(t *testing.T, seed uint64) {
	g := newGenerator(seed)
	script := g.script(25)
	mark := watermark.Min
	for i := range script {
		e := &script[i]
		if len(e.Rows) == 0 {
			mark = max(mark, e.Watermark)
		}
		for n := range e.Rows {
			if r := &e.Rows[n]; e.Input == InputRight {
				r.Time = max(r.Time, mark)
				r.Kind = []batch.RowKind{batch.Insert, batch.Insert, batch.UpdateAfter, batch.UpdateBefore, batch.Delete}[g.IntN(5)]
			}
		}
	}
	for _, typ := range []Type{Inner, Left} {
		s := spec(typ)
		s.Temporal = true
		compare(t, g, seed, s, script, asOf(typ, arrivals(script)))
	}
}

func TestLateVersionsAreTheSameInEachRun(t *testing.T) {
	for seed := range seeds(80) {
		g := newGenerator(seed)
		script := g.script(25)
		for i := range script {
			for n := range script[i].Rows {
				if r := &script[i].Rows[n]; script[i].Input == InputRight {
					r.Kind = []batch.RowKind{batch.Insert, batch.UpdateAfter, batch.Delete}[g.IntN(3)]
				}
			}
		}
		var want [3][]string
		for n, c := range cases(g, seed, 4) {
			r := operatortest.Run(t, subject(temporal(Left)), c, script)
			for port := range want {
				got := operatortest.Lines(r.Port(port))
				if n == 0 {
					want[port] = got
				}
				operatortest.Same(t, label(fmt.Sprintf("port %d, %v", port, c)), got, want[port])
			}
		}
	}
}

// TestInterleavingOfTheInputsDoesNotMatter lets each input have rows that are never behind its own
// watermark; the watermark over both is the lesser of the two.
func TestInterleavingOfTheInputsDoesNotMatter(t *testing.T) {
	specs := func(g *generator, typ Type) []Spec {
		w, i, a := spec(typ), spec(typ), spec(typ)
		size := 2 + g.IntN(g.span)
		w.Window = &Window{Size: micros(size), Slide: micros(1 + size/2)}
		i.Interval = &Interval{From: -micros(g.IntN(g.span)), To: micros(g.IntN(g.span))}
		a.Temporal = true
		if typ == Inner || typ == Left {
			return []Spec{w, i, a}
		}
		return []Spec{w, i}
	}
	for seed := range seeds(12) {
		g := newGenerator(seed)
		sides := [2][]operatortest.Event{}
		for input := range sides {
			at := 0
			for range 15 {
				mark := int64(at)
				at += g.IntN(g.span)
				var rows []row
				for range 1 + g.IntN(2) {
					r := operatortest.At(g.time(at), g.values(input)...)
					r.Time = max(r.Time, abi.EventTime(mark+g.extra))
					rows = append(rows, r)
				}
				sides[input] = append(sides[input], operatortest.Rows(input, rows...), operatortest.Watermark(abi.EventTime(int64(at)+g.extra)))
			}
		}
		for _, typ := range types {
			for _, s := range specs(g, typ) {
				var want []string
				for n := range 4 {
					c := cases(g, seed, 1)[0]
					r := operatortest.Run(t, subject(s), c, interleave(g, sides))
					if n == 0 {
						want = lines(t, r.Port(PortResults))
					}
					operatortest.Same(t, label(fmt.Sprintf("%v join %+v, %v", typ, s, c)), lines(t, r.Port(PortResults)), want)
					if late := len(r.Port(PortLateLeft)) + len(r.Port(PortLateRight)); late > 0 {
						t.Fatalf("%v join, %v: %d rows are late", typ, c, late)
					}
				}
			}
		}
	}
}

func interleave(g *generator, sides [2][]operatortest.Event) []operatortest.Event {
	var script []operatortest.Event
	marks := [2]abi.EventTime{watermark.Min, watermark.Min}
	for len(sides[0])+len(sides[1]) > 0 {
		input := g.IntN(2)
		if len(sides[input]) == 0 {
			input = 1 - input
		}
		e := sides[input][0]
		if sides[input] = sides[input][1:]; len(e.Rows) > 0 {
			script = append(script, e)
		} else {
			marks[input] = e.Watermark
			script = append(script, operatortest.Watermark(min(marks[0], marks[1])))
		}
	}
	return append(script, operatortest.Watermark(watermark.Max))
}
