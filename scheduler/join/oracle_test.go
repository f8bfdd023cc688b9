// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

type row = operatortest.Row

// The key of a left row is its second column, that of a right row its first.
var (
	leftSchema = &abi.Schema{Fields: []abi.Field{
		{Name: "id", Type: abi.Int64}, {Name: "key", Type: abi.String}, {Name: "note", Type: abi.String},
	}}
	rightSchema = &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.String}, {Name: "id", Type: abi.Int64}}}
	keyColumns  = [2]int{1, 0}
	widths      = [2]int{3, 2}
)

func spec(typ Type) Spec {
	return Spec{Type: typ, Inputs: [2]Input{{Schema: leftSchema, Key: []int{1}}, {Schema: rightSchema, Key: []int{0}}}}
}

func subject(s Spec) operatortest.Subject {
	return operatortest.Subject{
		Inputs: []operatortest.Input{{Schema: leftSchema, Key: []int{1}}, {Schema: rightSchema, Key: []int{0}}},
		New: func(ctx operator.Context) (operator.Operator, error) {
			return New(ctx, s)
		},
	}
}

// micros is a duration of so many microseconds.
func micros(n int) time.Duration { return time.Duration(n) * time.Microsecond }

var types = []Type{Inner, Left, Right, Full, Semi, Anti}

// outerOf and the like say in the oracle's own words what a type is.
var (
	keepsLeft  = map[Type]bool{Left: true, Full: true}
	keepsRight = map[Type]bool{Right: true, Full: true}
)

// rows of a random stream.
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

type label string

func (l label) String() string { return string(l) }

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
	for seed := range seeds(60) {
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
	for seed := range seeds(60) {
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
	for seed := range seeds(120) {
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
}

// whole is the oracle of a regular join: the join of what the changelogs have made of both tables.
func whole(typ Type, tables [2][]row) []string {
	var rows []row
	met := map[*row]bool{}
	for i := range tables[0] {
		for k := range tables[1] {
			l, r := &tables[0][i], &tables[1][k]
			if l.Values[1] != nil && l.Values[1] == r.Values[0] {
				met[l], met[r] = true, true
				if typ <= Full {
					rows = append(rows, row{Values: joined(l.Values, r.Values)})
				}
			}
		}
	}
	for i := range tables[0] {
		switch l := &tables[0][i]; {
		case typ == Semi && met[l], typ == Anti && !met[l]:
			rows = append(rows, row{Values: l.Values})
		case keepsLeft[typ] && !met[l]:
			rows = append(rows, row{Values: joined(l.Values, nil)})
		}
	}
	for i := range tables[1] {
		if r := &tables[1][i]; keepsRight[typ] && !met[r] {
			rows = append(rows, row{Values: joined(nil, r.Values)})
		}
	}
	table, err := operatortest.Table(rows)
	if err != nil {
		panic(err)
	}
	return table
}

// changes returns a random changelog of both inputs, with the tables that it makes. Deletions take
// back rows that are there.
func (g *generator) changes(steps int) (script []operatortest.Event, tables [2][]row) {
	for range steps {
		input := g.IntN(2)
		var rows []row
		for range 1 + g.IntN(3) {
			table := &tables[input]
			if n := len(*table); n > 0 && g.IntN(5) < 2 {
				i := g.IntN(n)
				gone := (*table)[i]
				*table = slices.Delete(*table, i, i+1)
				gone.Kind = []batch.RowKind{batch.UpdateBefore, batch.Delete}[g.IntN(2)]
				rows = append(rows, gone)
				continue
			}
			r := row{Kind: []batch.RowKind{batch.Insert, batch.UpdateAfter}[g.IntN(2)], Values: g.values(input)}
			*table = append(*table, r)
			rows = append(rows, r)
		}
		script = append(script, operatortest.Rows(input, rows...))
	}
	return script, tables
}

func TestRegularJoinIsTheJoinOfBothTables(t *testing.T) {
	for seed := range seeds(60) {
		g := newGenerator(seed)
		script, tables := g.changes(30)
		for _, typ := range types {
			s := spec(typ)
			s.Regular = &Regular{}
			s.Inputs[0].Changes, s.Inputs[1].Changes = true, true
			want := whole(typ, tables)
			for _, c := range cases(g, seed, 3) {
				r := operatortest.Run(t, subject(s), c, script)
				got, err := operatortest.Table(r.Port(PortResults))
				if err != nil {
					t.Fatalf("%v join, %v: %v", typ, c, err)
				}
				operatortest.Same(t, label(fmt.Sprintf("%v join, %v", typ, c)), got, want)
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
	for seed := range seeds(16) {
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
