// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/wasmill/wasmill/abi"
)

// Random returns n rows of the columns, the same for the same state of r: nulls where a column is
// not required, limits of each type, empty and longer strings and lists.
func Random(r *rand.Rand, fields []abi.Field, n int) []Row {
	out := make([]Row, n)
	for i := range out {
		out[i] = randomRow(r, fields)
	}
	return out
}

func randomRow(r *rand.Rand, fields []abi.Field) Row {
	row := make(Row, len(fields))
	for i := range fields {
		row[i] = randomValue(r, &fields[i])
	}
	return row
}

func randomValue(r *rand.Rand, f *abi.Field) any {
	if !f.Required && r.IntN(5) == 0 {
		return nil
	}
	switch f.Type {
	case abi.Bool:
		return r.IntN(2) == 0
	case abi.Int32:
		return choose(r, []int32{0, 1, -1, math.MaxInt32, math.MinInt32}, r.Int32N(2000)-1000)
	case abi.Float64:
		return choose(r, []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.MaxFloat64,
			math.SmallestNonzeroFloat64, math.Float64frombits(0x7ff8 << 48)}, r.NormFloat64())
	case abi.Decimal:
		return choose(r, []int64{0, 1, -1, abi.DecimalAbsLimit - 1, 1 - abi.DecimalAbsLimit}, r.Int64N(2000)-1000)
	case abi.String:
		return randomText(r)
	case abi.Bytes:
		return choose(r, [][]byte{{}, {0}, {0xff, 0xfe}, {0xc3}}, []byte(randomText(r)))
	case abi.List:
		items := Row{}
		for range r.IntN(4) {
			items = append(items, randomValue(r, &f.Children[0]))
		}
		return items
	case abi.Struct:
		return randomRow(r, f.Children)
	}
	return choose(r, []int64{0, 1, -1, math.MaxInt64, math.MinInt64}, r.Int64N(2_000_000)-1_000_000)
}

// choose returns one of the limits, or more often the other value.
func choose[T any](r *rand.Rand, limits []T, other T) any {
	if r.IntN(4) == 0 {
		return limits[r.IntN(len(limits))]
	}
	return other
}

func randomText(r *rand.Rand) string {
	words := []string{"", "a", "JFK", "größer", "日本語", "🎈", " ", "\x00\n\"", "Frankfurt am Main"}
	if r.IntN(30) == 0 {
		return strings.Repeat(words[r.IntN(len(words))], 50)
	}
	return words[r.IntN(len(words))] + words[r.IntN(len(words))]
}
