// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package watermark

import (
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// Generator makes the watermark of one stream of rows in order, such as a source's split. It never
// decreases.
//
// Which rows are late must not depend on where one batch ends and the next begins. So Observe stops
// before a row that is earlier than a watermark which was not sent yet: as if one were sent after
// each row, and far fewer are.
type Generator struct {
	bound      abi.EventTime
	punctuated bool
	current    abi.EventTime
	backwards  int64
}

// BoundedOutOfOrderness returns the generator of a stream whose rows come at most so much earlier
// than the latest one before them. With a bound of 0 it is monotonous. Flink has it under the same
// name.
func BoundedOutOfOrderness(bound time.Duration) *Generator {
	return &Generator{bound: abi.EventTime(bound.Microseconds()), current: Min}
}

// Punctuated returns the generator of a stream that says itself, in some rows, what the watermark
// is from the next row on.
func Punctuated() *Generator { return &Generator{punctuated: true, current: Min} }

// Observe takes rows from one on, and returns the number of the first that it has not taken: that
// of a row which is earlier than the watermark by now, where that is later than sent, else how many
// rows there are. times are within MaxEventTime, as are marks: the column with the watermark after
// each row, or null, of a punctuated stream.
func (g *Generator) Observe(times []abi.EventTime, marks *batch.Column, from int, sent abi.EventTime) int {
	if g.punctuated {
		return g.read(times, marks, from, sent)
	}
	current, bound := g.current, g.bound
	for i, t := range times[from:] {
		if t < current && current > sent {
			g.current = current
			return from + i
		}
		if t-bound > current {
			current = t - bound
		}
	}
	g.current = current
	return len(times)
}

func (g *Generator) read(times []abi.EventTime, marks *batch.Column, from int, sent abi.EventTime) int {
	values := marks.EventTimes()
	for i := from; i < len(times); i++ {
		switch {
		case times[i] < g.current && g.current > sent:
			return i
		case marks.Null(i):
		case values[i] < g.current:
			g.backwards++
		default:
			g.current = values[i]
		}
	}
	return len(times)
}

// Current returns the watermark, Min before the first.
func (g *Generator) Current() abi.EventTime { return g.current }

// Backwards returns how many watermarks of the stream were earlier than one before them, and ignored.
func (g *Generator) Backwards() int64 { return g.backwards }
