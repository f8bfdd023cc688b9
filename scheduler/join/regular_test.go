// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operatortest"
)

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
	for seed := range seeds(40) {
		checkRegular(t, seed)
	}
}

func FuzzRegularJoinIsTheJoinOfBothTables(f *testing.F) { f.Fuzz(checkRegular) }

func checkRegular(t *testing.T, seed uint64) {
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

func TestRowsOfARegularJoinExpire(t *testing.T) {
	b := open(t, regular(Inner, time.Hour))
	b.must(b.give(InputLeft, left(1, "k", 0), left(2, "k", 0)))
	b.tick(40 * time.Minute)
	b.must(b.give(InputLeft, left(2, "k", 0)))
	b.tick(19 * time.Minute)
	b.must(b.give(InputRight, right("k", 3, 0)))
	b.want(`+I 1 "k" null "k" 3 @0`, `+I 2 "k" null "k" 3 @0`, `+I 2 "k" null "k" 3 @0`)
	b.now = b.now.Add(time.Minute) // nothing has been cleaned up
	b.must(b.give(InputRight, right("k", 4, 0)))
	b.want(`+I 2 "k" null "k" 4 @0`, `+I 2 "k" null "k" 4 @0`)
	b.must(b.give(InputLeft, row{Kind: batch.Delete, Values: left(1, "k", 0).Values}))
	b.want()
	if n := b.counters.Values()[CounterUnknown]; n != 1 {
		t.Errorf("%d unknown deletions are counted, should be 1", n)
	}
	b.tick(3 * time.Hour)
	if n := b.store.Stats().Entries; n != 0 {
		t.Errorf("%d entries are left after all has expired", n)
	}
}

func TestExpiryNeverTakesBackWhatDidNotComeOut(t *testing.T) {
	for seed := range seeds(25) {
		g := newGenerator(seed)
		script, _ := g.changes(40)
		at := operatortest.Start
		for i := len(script) - 1; i > 0; i-- {
			if g.IntN(3) == 0 {
				script = slices.Insert(script, i, operatortest.Clock(at))
			}
		}
		for i := range script {
			if !script[i].Clock.IsZero() {
				at = at.Add(time.Duration(g.IntN(40)) * time.Second)
				script[i].Clock = at
			}
		}
		for _, typ := range types {
			for _, c := range cases(g, seed, 2) {
				r := operatortest.Run(t, subject(regular(typ, time.Minute)), c, script)
				if _, err := operatortest.Table(r.Port(PortResults)); err != nil {
					t.Fatalf("%v join, %v: %v", typ, c, err)
				}
			}
		}
	}
}
