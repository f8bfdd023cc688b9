// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/join"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// BenchmarkIntervalJoin is two streams joined by key where times are within keys/2 microseconds of each other, so that each row
// meets one of the other stream on average; a row of each input a microsecond, and a watermark after each batch. A plain Go map
// of lists does the same beside it.
func BenchmarkIntervalJoin(b *testing.B) {
	for _, keys := range []int64{1000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d/%s", keys, goMap), func(b *testing.B) { benchmarkJoin(b, newMapJoin(keys/2), keys) })
		b.Run(fmt.Sprintf("keys=%d/%s", keys, native), func(b *testing.B) {
			c := keyedSurroundings(b)
			op, err := newJoin(c, keys/2)
			if err == nil {
				err = op.Open(b.Context())
			}
			if err != nil {
				b.Fatal(err)
			}
			out := &sink{}
			benchmarkJoin(b, joiner{
				add: func(input int, keys []int64, start int64) error {
					in := c.Pool.NewBuilder(numbers("k"))
					for row, key := range keys {
						in.Column(0).AppendInt64(key)
						in.AppendTime(abi.EventTime(start + int64(row)))
						in.EndRow()
					}
					rows := in.Finish()
					defer rows.Release()
					return op.Process(b.Context(), input, rows, out)
				},
				advance: func(to int64) error { return op.Watermark(b.Context(), abi.EventTime(to), out) },
				results: func() int64 { return out.rows },
			}, keys)
			if err := op.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func newJoin(c operator.Context, within int64) (operator.Operator, error) {
	in := join.Input{Schema: numbers("k"), Key: []int{0}}
	span := time.Duration(within) * micros
	return join.New(c, join.Spec{Inputs: [2]join.Input{in, in}, Interval: &join.Interval{From: -span, To: span}})
}

// joiner is who joins: rows of an input, a microsecond apart from a time on; then the watermark.
type joiner struct {
	add     func(input int, keys []int64, start int64) error
	advance func(to int64) error
	results func() int64
}

func benchmarkJoin(b *testing.B, j joiner, keys int64) {
	b.Helper()
	r, at, rows := rand.New(rand.NewPCG(1, 2)), int64(0), make([]int64, rowsPerBatch)
	step := func() error {
		for input := range 2 {
			for i := range rows {
				rows[i] = r.Int64N(keys)
			}
			if err := j.add(input, rows, at); err != nil {
				return err
			}
		}
		at += rowsPerBatch
		return j.advance(at)
	}
	for at < 2*keys { // until as many rows leave as come
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	before, steps := j.results(), int64(0)
	measureAll(b, 2*rowsPerBatch, func() error { steps++; return step() })
	b.ReportMetric(float64(j.results()-before)/float64(steps*2*rowsPerBatch), "results/row")
}

// newMapJoin returns a joiner in plain Go, which counts results and emits none.
func newMapJoin(within int64) joiner {
	type row struct{ key, at int64 }
	var sides [2]map[int64][]int64 // times by key, in order
	var queues [2][]row            // in order of time
	results := int64(0)
	for i := range sides {
		sides[i] = map[int64][]int64{}
	}
	return joiner{
		add: func(input int, keys []int64, start int64) error {
			own, other := sides[input], sides[1-input]
			for i, key := range keys {
				at := start + int64(i)
				for _, t := range other[key] {
					if t >= at-within && t <= at+within {
						results++
					}
				}
				own[key] = append(own[key], at)
				queues[input] = append(queues[input], row{key, at})
			}
			return nil
		},
		advance: func(to int64) error {
			for i, q := range queues {
				for ; len(q) > 0 && q[0].at+within < to; q = q[1:] {
					if rest := sides[i][q[0].key][1:]; len(rest) > 0 {
						sides[i][q[0].key] = rest
					} else {
						delete(sides[i], q[0].key)
					}
				}
				queues[i] = q
			}
			return nil
		},
		results: func() int64 { return results },
	}
}
