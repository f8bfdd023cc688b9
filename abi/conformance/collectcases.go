// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi/internal/rows"
)

// do is a row for collect that needs neither number nor bound.
func do(id int64, op string) rows.Row { return rows.Row{id, op, nil, nil, nil, nil} }

// doWith is a row for collect with a name and a number.
func doWith(id int64, op string, name, n any) rows.Row {
	return rows.Row{id, op, name, nil, number(n), nil}
}

// doAt is a row for collect that names an entry, and its number.
func doAt(id int64, op string, name, at, n any) rows.Row {
	return rows.Row{id, op, name, number(at), number(n), nil}
}

// number makes an int64 of an int.
func number(n any) any {
	if n, ok := n.(int); ok {
		return int64(n)
	}
	return n
}

// has is a row that collect emits.
func has(op string, name, at, n any) string {
	return rows.RowText(fields("op", "string", "name", "string", "at", "int64", "n", "int64"), rows.Row{op, name, number(at), number(n)})
}

func commandFailed(row rows.Row, message string) string {
	f := Processes()[2].Inputs[0].Fields
	return "failed " + rows.RowText(f, row) + ": " + message
}

func listCases() []processCase {
	long := processCase{name: "a long list, appended to in several batches"}
	var in []rows.Row
	var want []string
	for i := range 3000 {
		name := any(strings.Repeat("x", i%50))
		if i%7 == 0 {
			name = nil
		}
		in = append(in, doWith(int64(i%2), "append", name, i))
		if i%2 == 1 {
			want = append(want, has("items", name, nil, i))
		}
	}
	long.steps = []step{come(0, in[:1500]), come(0, in[1500:]), come(0, []rows.Row{do(1, "items")}, want...)}
	return []processCase{
		{name: "a list of each key, in order", steps: []step{
			come(0, []rows.Row{do(1, "items"), doWith(1, "append", "a", 1), doWith(2, "append", "b", 2), doWith(1, "append", nil, nil), do(1, "items"), doWith(1, "append", "a", 1)},
				has("items", "a", nil, 1), has("items", nil, nil, nil)),
			come(0, []rows.Row{do(1, "items"), do(2, "items"), do(3, "items")},
				has("items", "a", nil, 1), has("items", nil, nil, nil), has("items", "a", nil, 1), has("items", "b", nil, 2)),
		}},
		{name: "a list that is cleared", steps: []step{
			come(0, []rows.Row{doWith(1, "append", "a", 1), do(1, "clear_items"), do(1, "items"), doWith(1, "append", "b", 2)}),
			come(0, []rows.Row{do(2, "clear_items"), do(1, "items"), do(1, "clear_items")}, has("items", "b", nil, 2)),
			come(0, []rows.Row{do(1, "items")}),
		}},
		long,
		{name: "nothing is left of a row that fails", steps: []step{
			come(0, []rows.Row{doAt(1, "fail", "a", 1, 1), do(1, "entries"), do(1, "items"), do(1, "sums"), doWith(1, "append", "b", 2), doAt(1, "put", "b", 2, 2), doWith(1, "add", "b", 2)},
				commandFailed(doAt(1, "fail", "a", 1, 1), "failed: a")),
			come(0, []rows.Row{doAt(1, "put", "c", 3, 3), doAt(1, "fail", "b", 2, 7), do(1, "entries"), do(1, "items"), do(1, "sums")},
				has("entries", "b", 2, 2), has("entries", "c", 3, 3), has("items", "b", nil, 2), summed(2, 2, "b", "b"),
				commandFailed(doAt(1, "fail", "b", 2, 7), "failed: b")),
			come(0, []rows.Row{do(1, "clear_entries"), do(1, "dance"), do(1, "entries")}, commandFailed(do(1, "dance"), "unknown op: dance")),
		}},
	}
}

// entry is a map key of collect, and its number.
type entry struct{ name, at, n any }

// compareEntries compares map keys: nulls first, then by bytes and by number.
func compareEntries(a, b entry) int {
	text := func(v any) (int, string) {
		s, ok := v.(string)
		return truth(ok), s
	}
	num := func(v any) (int, int64) {
		n, ok := number(v).(int64)
		return truth(ok), n
	}
	aThere, aName := text(a.name)
	bThere, bName := text(b.name)
	aNum, aAt := num(a.at)
	bNum, bAt := num(b.at)
	return cmp.Or(cmp.Compare(aThere, bThere), cmp.Compare(aName, bName), cmp.Compare(aNum, bNum), cmp.Compare(aAt, bAt))
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// someEntries are entries in order, and rows that put them, in another.
func someEntries() (sorted []entry, puts []rows.Row) {
	for i, name := range []any{nil, "", "\x00", "a", "a\x00", "a\x00b", "ab", "abc", "b", "z", "é", "日本"} {
		for j, at := range []any{nil, math.MinInt64, -1, 0, 255, 256, math.MaxInt64} {
			sorted = append(sorted, entry{name, at, 10*i + j})
		}
	}
	for _, i := range rand.New(rand.NewPCG(1, 4)).Perm(len(sorted)) {
		puts = append(puts, doAt(1, "put", sorted[i].name, sorted[i].at, sorted[i].n))
	}
	return sorted, puts
}

// chosen are the rows that an op emits of those entries that keep says.
func chosen(op string, sorted []entry, keep func(e entry) bool) []string {
	var out []string
	for _, e := range sorted {
		if keep(e) {
			out = append(out, has(op, e.name, e.at, e.n))
		}
	}
	return out
}

// rangeOf is a step that asks for a range, and prefixOf one that asks for a prefix.
func rangeOf(sorted []entry, name, at, to any) step {
	return come(0, []rows.Row{{int64(1), "range", name, number(at), nil, to}}, chosen("range", sorted, func(e entry) bool {
		return (name == nil || compareEntries(e, entry{name: name, at: at}) >= 0) && (to == nil || compareEntries(e, entry{name: to}) < 0)
	})...)
}

func prefixOf(sorted []entry, name any) step {
	return come(0, []rows.Row{doWith(1, "prefix", name, nil)}, chosen("prefix", sorted, func(e entry) bool {
		s, ok := e.name.(string)
		return name == nil || ok && strings.HasPrefix(s, name.(string))
	})...)
}

func mapCasesOfCollect() []processCase {
	sorted, puts := someEntries()
	all := func(entry) bool { return true }
	large := processCase{name: "a map of thousands of entries"}
	var in []rows.Row
	var many []entry
	for i := range 2500 {
		in = append(in, doAt(1, "put", fmt.Sprintf("name %d", i%250), i, i))
		many = append(many, entry{fmt.Sprintf("name %d", i%250), i, i})
	}
	slices.SortFunc(many, compareEntries)
	large.steps = []step{come(0, in), come(0, []rows.Row{do(1, "entries")}, chosen("entries", many, all)...), rangeOf(many, "name 20", 7, "name 3"), prefixOf(many, "name 12")}
	return []processCase{
		{name: "a map in the order of its keys", steps: []step{come(0, puts), come(0, []rows.Row{do(2, "entries"), do(1, "entries")}, chosen("entries", sorted, all)...)}},
		{name: "ranges of a map", steps: []step{come(0, puts),
			rangeOf(sorted, "a", 0, "ab"), rangeOf(sorted, "", nil, "a"), rangeOf(sorted, "aa", 5, nil), rangeOf(sorted, nil, 5, "abc"), rangeOf(sorted, nil, nil, nil),
			rangeOf(sorted, "b", nil, "a"), rangeOf(sorted, "a", nil, "a"), rangeOf(sorted, "z", math.MaxInt64, "zz"), rangeOf(sorted, "日本", 1, nil)}},
		{name: "prefixes of a map", steps: []step{come(0, puts),
			prefixOf(sorted, "a"), prefixOf(sorted, ""), prefixOf(sorted, "a\x00"), prefixOf(sorted, "日"), prefixOf(sorted, "nothing"), prefixOf(sorted, nil)}},
		{name: "entries that are set, read and removed", steps: []step{
			come(0, []rows.Row{doAt(1, "get", "a", 1, nil), doAt(1, "put", "a", 1, 5), doAt(1, "get", "a", 1, nil), doAt(1, "put", "a", 1, 6), doAt(2, "put", "a", 1, 7), doAt(1, "put", "a", nil, nil), doAt(1, "get", "a", 1, nil)},
				has("get", "a", 1, 5), has("get", "a", 1, 6)),
			come(0, []rows.Row{doAt(1, "get", "a", nil, nil), doAt(2, "get", "a", 1, nil), doAt(1, "remove", "a", 1, nil), doAt(1, "remove", "b", 1, nil), doAt(1, "get", "a", 1, nil)},
				has("get", "a", nil, nil), has("get", "a", 1, 7)),
			come(0, []rows.Row{do(1, "entries"), do(1, "clear_entries"), do(1, "entries"), doAt(1, "put", "c", 0, 0), do(1, "entries"), do(2, "entries")},
				has("entries", "a", nil, nil), has("entries", "c", 0, 0), has("entries", "a", 1, 7)),
		}},
		large,
	}
}

// summed is a row of sums.
func summed(added, least, most, text any) string {
	return "sums " + rows.RowText(fields("added", "int64", "least", "int64", "most", "string", "text", "string"),
		rows.Row{number(added), number(least), most, text})
}

func sumsCases() []processCase {
	return []processCase{
		{name: "what is put into a reducing state is merged", steps: []step{
			come(0, []rows.Row{do(1, "sums"), doWith(1, "add", "b", 5), do(1, "sums"), doWith(2, "add", "x", 1), doWith(1, "add", "ab", -7), do(1, "sums")},
				summed(5, 5, "b", "b"), summed(-2, -7, "b", "bab")),
			come(0, []rows.Row{doWith(1, "add", nil, 4), do(1, "sums"), doWith(1, "add", "ü", nil), do(1, "sums"), doWith(1, "add", "", 0), do(2, "sums")},
				summed(2, -7, "b", "bab"), summed(2, -7, "ü", "babü"), summed(1, 1, "x", "x")),
			come(0, []rows.Row{do(1, "clear_sums"), do(1, "sums"), doWith(1, "add", nil, 3), do(1, "sums")}, summed(3, 3, nil, nil)),
			come(0, []rows.Row{doWith(1, "add", "z", nil), do(1, "sums")}, summed(3, 3, "z", "z")),
		}},
	}
}
