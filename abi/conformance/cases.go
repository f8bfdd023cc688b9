// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// mapCases returns batches for one of README.md's maps, each with exactly what must come of it.
func mapCases(operator string) []mapCase {
	switch operator {
	case "everything":
		return everythingCases()
	case "split":
		return splitCases()
	case "route":
		return routeCases()
	case "shift":
		return shiftCases()
	case "refuse":
		return refuseCases()
	case "crash":
		return []mapCase{
			{name: "rows without a 13", input: numbers(12, 14, -13), want: output{n(12, 0), n(14, 1), n(-13, 2)}},
			{name: "a 13", input: numbers(12, 13), panics: "unlucky 13"},
		}
	case "say":
		return []mapCase{{name: "logs",
			input: input{rows: []rows.Row{{int32(0), "fine"}, {int32(1), "größer 日本 🎈"}, {int32(2), "careful"}, {int32(3), "wrong"}}},
			want:  output{"logged at 0: fine", "logged at 1: größer 日本 🎈", "logged at 2: careful", "logged at 3: wrong"}}}
	}
	return nil
}

// changes are the kinds of three rows that are no inserts.
func changes() []batch.RowKind {
	return []batch.RowKind{batch.UpdateBefore, batch.UpdateAfter, batch.Delete}
}

func splitCases() []mapCase {
	long := strings.Repeat("0123456789", 50_000)
	// A row of more words than a batch may have rows.
	const count = abi.MaxRows + 5000
	many := mapCase{name: "more words than a batch has room for", input: texts(strings.Repeat("w ", count))}
	for i := range count {
		many.want = append(many.want, word("w", i, 0))
	}
	many.want = append(many.want, fmt.Sprintf("counted words: %d", count))
	return []mapCase{
		{name: "parts between spaces", input: texts("to be or", "", " not  to be ", "größe 日本", "x"),
			want: output{word("to", 0, 0), word("be", 1, 0), word("or", 2, 0), word("not", 0, 2), word("to", 1, 2),
				word("be", 2, 2), word("größe", 0, 3), word("日本", 1, 3), word("x", 0, 4), "counted words: 9"}},
		{name: "parts between configured separators", config: rows.Row{"→ "}, input: texts("a→ b→ c", "a→b", "→ →  x"),
			want: output{word("a", 0, 0), word("b", 1, 0), word("c", 2, 0), word("a→b", 0, 1), word(" x", 0, 2), "counted words: 5"}},
		{name: "nothing of no words", input: texts("", " ", "   "), want: nil},
		{name: "a long text", config: rows.Row{","}, input: texts(long), want: output{word(long, 0, 0), "counted words: 1"}},
		many,
		{name: "keeps the kinds of a changelog", input: input{rows: texts("a b", "c", "d").rows, kinds: changes()},
			want: output{word("a", 0, 0) + " kind 1", word("b", 1, 0) + " kind 1", word("c", 0, 1) + " kind 2", word("d", 0, 2) + " kind 3", "counted words: 4"}},
	}
}

func routeCases() []mapCase {
	return []mapCase{
		{name: "even, odd, null and negative", input: numbers(0, 1, nil, 2, -3, 3, math.MaxInt64, -1, math.MinInt64, math.MaxInt64-1),
			want: output{n(0, 0), n(2, 3), n(math.MaxInt64-1, 9), "odd " + n(1, 1), "odd " + n(3, 5), "odd " + n(math.MaxInt64, 6),
				"failed 4: n is negative: -3", "failed 7: n is negative: -1", "failed 8: n is negative: -9223372036854775808"}},
		{name: "only nulls", input: numbers(nil, nil), want: nil},
		{name: "only failures", input: numbers(-1, -2), want: output{"failed 0: n is negative: -1", "failed 1: n is negative: -2"}},
		{name: "all odd", input: numbers(1, 3), want: output{"odd " + n(1, 0), "odd " + n(3, 1)}},
	}
}

func shiftCases() []mapCase {
	return []mapCase{
		{name: "event times", config: rows.Row{int64(1_000_000)},
			input: input{rows: numbers(1, nil, 3).rows, times: []abi.EventTime{0, -2_000_000, 978_307_200_000_000}},
			want:  output{n(1, 0) + " at 1000000", `{"n": null} from 1 at -1000000`, n(3, 2) + " at 978307201000000"}},
		{name: "backwards, of a changelog", config: rows.Row{int64(-7)},
			input: input{rows: numbers(1, 2, 3).rows, times: []abi.EventTime{7, 0, 1}, kinds: changes()},
			want:  output{n(1, 0) + " kind 1 at 0", n(2, 1) + " kind 2 at -7", n(3, 2) + " kind 3 at -6"}},
	}
}

func refuseCases() []mapCase {
	most := mapCase{name: "as many rows as a batch may have", config: rows.Row{int64(1)}}
	for i := range abi.MaxRows {
		most.input.rows = append(most.input.rows, rows.Row{int64(i)})
		most.want = append(most.want, n(int64(i), i))
	}
	return []mapCase{
		{name: "a negative limit", config: rows.Row{int64(-1)}, refuses: "limit must be positive, not -1"},
		{name: "a limit of 0", config: rows.Row{int64(0)}, refuses: "limit must be positive, not 0"},
		{name: "a positive limit opens", config: rows.Row{int64(5)}, input: numbers(-1, nil, 9),
			want: output{n(-1, 0), `{"n": null} from 1`, n(9, 2)}},
		most,
	}
}

// everythingCases are rows of each type, which come back unchanged.
func everythingCases() []mapCase {
	fields := Operators().Operators[0].Inputs[0].Fields
	c := func(name string, in input) mapCase {
		var want output
		for i, r := range in.rows {
			line := fmt.Sprintf("%s from %d", rows.RowText(fields, r), i)
			if in.kinds != nil && in.kinds[i] != batch.Insert {
				line += fmt.Sprintf(" kind %d", in.kinds[i])
			}
			want = append(want, line)
		}
		return mapCase{name: name, input: in, want: want}
	}
	null := make(rows.Row, len(fields))
	text := strings.Repeat("日本", 100_000)
	items := make(rows.Row, 10_000)
	for i := range items {
		items[i] = "item"
	}
	long := rows.Row{true, int32(1), int64(1), 1.0, int64(1), text, []byte(text), int64(1), items, rows.Row{int64(1), text}}
	random := func(seed uint64, n int) []rows.Row { return rows.Random(rand.New(rand.NewPCG(seed, 0)), fields, n) }
	changed := input{rows: random(3, 100)}
	for i := range changed.rows {
		changed.kinds = append(changed.kinds, batch.RowKind(i%4))
	}
	return []mapCase{
		c("no rows", input{}),
		c("one null row", input{rows: []rows.Row{null}}),
		c("limits and nulls of each type", input{rows: random(1, 1000)}),
		c("a row of nulls between others", input{rows: append(append(random(2, 8), null), random(4, 9)...)}),
		c("long values", input{rows: []rows.Row{long, null, long}}),
		c("a changelog", changed),
	}
}

// aggregateCases returns rows for one of README.md's aggregates, in one or several batches.
func aggregateCases(operator string) []aggregateCase {
	switch operator {
	case "mean":
		return meanCases()
	case "longest":
		return longestCases()
	}
	return nil
}

func meanCases() []aggregateCase {
	none := `{"mean": null, "count": "0"}`
	return []aggregateCase{
		{name: "groups", groups: 3, inputs: []input{grouped([]uint32{0, 2, 0, 0}, 1.0, 5.0, 2.5, 4.0)},
			want: output{`{"mean": 2.5, "count": "3"}`, none, `{"mean": 5, "count": "1"}`}},
		{name: "several batches", groups: 2,
			inputs: []input{grouped([]uint32{0, 1}, 1.0, 10.0), grouped([]uint32{1}, 20.0), grouped([]uint32{0, 0}, 2.0, 6.0)},
			want:   output{`{"mean": 3, "count": "3"}`, `{"mean": 15, "count": "2"}`}},
		{name: "nulls count for nothing", groups: 2, inputs: []input{grouped([]uint32{0, 1, 0}, nil, nil, 3.0), grouped([]uint32{1}, nil)},
			want: output{`{"mean": 3, "count": "1"}`, none}},
		{name: "a row that fails counts for nothing", groups: 1, inputs: []input{grouped([]uint32{0, 0, 0}, 1.0, -2.0, 3.0)},
			want: output{"failed 1: x is negative", `{"mean": 2, "count": "2"}`}},
		{name: "no rows", groups: 2, inputs: []input{{}}, want: output{none, none}},
		{name: "no groups", inputs: []input{{}}},
	}
}

func longestCases() []aggregateCase {
	return []aggregateCase{
		{name: "by bytes, the first of equals", groups: 3, inputs: []input{grouped([]uint32{0, 0, 0, 1, 2}, "abc", "日", "xyz", "", nil)},
			want: output{`{"longest": "abc"}`, `{"longest": ""}`, `{"longest": null}`}},
		{name: "several batches", groups: 2,
			inputs: []input{grouped([]uint32{0, 1}, "one", "a"), grouped([]uint32{0}, "two"), grouped([]uint32{0, 1}, "three", nil), grouped([]uint32{0, 1}, "seven", "b")},
			want:   output{`{"longest": "three"}`, `{"longest": "a"}`}},
		{name: "long values", groups: 1, inputs: []input{grouped([]uint32{0, 0}, strings.Repeat("x", 300_000), strings.Repeat("ü", 150_000))},
			want: output{`{"longest": "` + strings.Repeat("x", 300_000) + `"}`}},
	}
}

func texts(values ...string) input {
	var in input
	for _, v := range values {
		in.rows = append(in.rows, rows.Row{v})
	}
	return in
}

// numbers takes ints and nil.
func numbers(values ...any) input {
	var in input
	for _, v := range values {
		if v, ok := v.(int); ok {
			in.rows = append(in.rows, rows.Row{int64(v)})
			continue
		}
		in.rows = append(in.rows, rows.Row{nil})
	}
	return in
}

func grouped(group []uint32, values ...any) input {
	in := input{group: group}
	for _, v := range values {
		in.rows = append(in.rows, rows.Row{v})
	}
	return in
}

func word(text string, index, from int) string {
	return fmt.Sprintf(`{"word": %s, "index": %d} from %d`, rows.Quote(text), index, from)
}

func n(value int64, from int) string { return fmt.Sprintf(`{"n": "%d"} from %d`, value, from) }
