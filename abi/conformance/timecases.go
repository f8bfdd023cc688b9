// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// set is a row for alarm: an op, a time in microseconds, and a namespace, "" for null.
func set(id int64, op string, at int64, space string) rows.Row {
	if space == "" {
		return rows.Row{id, op, at, nil}
	}
	return rows.Row{id, op, at, []byte(space)}
}

// rang is a row that alarm emits when a timer is due, with its event time.
func rang(id, at int64, space string, pending, watermark, time int64) string {
	line := rows.RowText(rung(), rows.Row{id, at, []byte(space), pending, watermark})
	return timed(line, time)
}

// counted is the row of the op count.
func counted(id, pending, watermark int64) string {
	return rows.RowText(rung(), rows.Row{id, nil, nil, pending, watermark})
}

func timed(line string, time int64) string {
	if time == 0 {
		return line
	}
	return fmt.Sprintf("%s at %d", line, time)
}

// timerFailed is what came of a timer that failed.
func timerFailed(at int64, space string, id int64) string {
	return "failed " + rows.RowText(fields("time", "timestamp", "namespace", "bytes", "id", "int64"), rows.Row{at, []byte(space), id}) + ": timer failed"
}

func alarmCases() []processCase {
	const s = second
	count := func(id int64) []rows.Row { return []rows.Row{set(id, "count", 0, "")} }
	return append([]processCase{
		{name: "timers of event time come in order of time, with the state of their key", steps: []step{
			come(0, count(1), counted(1, 0, math.MinInt64)),
			come(0, []rows.Row{set(1, "event", 30*s, "a"), set(1, "event", 10*s, ""), set(2, "event", 20*s, "b"), set(1, "event", 31*s, "")}),
			watermark(9 * s),
			watermark(10*s, rang(1, 10*s, "", 3, 10*s, 10*s)),
			come(0, []rows.Row{set(1, "event", 15*s, "late set"), set(1, "count", 0, "")}, counted(1, 4, 10*s)),
			watermark(30*s, rang(1, 15*s, "late set", 4, 30*s, 15*s), rang(2, 20*s, "b", 1, 30*s, 20*s), rang(1, 30*s, "a", 4, 30*s, 30*s)),
			clock(100 * s),
			watermark(math.MaxInt64, rang(1, 31*s, "", 4, math.MaxInt64, 31*s)),
		}},
		{name: "a timer is one for its key, time and namespace, and can be deleted", steps: []step{
			come(0, []rows.Row{set(1, "event", 10*s, ""), set(1, "event", 10*s, ""), set(1, "event", 11*s, "a"), set(1, "event", 11*s, "a"), set(1, "event", 12*s, "a"), set(2, "event", 13*s, "")}),
			come(0, []rows.Row{set(1, "event", 11*s, "a"), set(1, "cancel_event", 12*s, "a"), set(2, "cancel_event", 11*s, "a"), set(1, "cancel_event", 10*s, "a"), set(1, "cancel_processing", 10*s, "")}),
			watermark(20*s, rang(1, 10*s, "", 6, 20*s, 10*s), rang(1, 11*s, "a", 6, 20*s, 11*s), rang(2, 13*s, "", 1, 20*s, 13*s)),
			come(0, []rows.Row{set(1, "event", 25*s, ""), set(1, "cancel_event", 25*s, ""), set(1, "event", 26*s, "b"), set(1, "cancel_event", 26*s, "c")}),
			watermark(30*s, rang(1, 26*s, "b", 8, 30*s, 26*s)),
		}},
		{name: "a timer that is due when it is set waits for the next watermark", steps: []step{
			watermark(100 * s), clock(50 * s),
			come(0, []rows.Row{set(1, "event", 100*s, "")}),
			come(0, []rows.Row{set(1, "event", -5*s, "x")}),
			come(0, []rows.Row{set(1, "processing", 50*s, "")}, "processing "+rang(1, 50*s, "", 3, 100*s, 100*s)),
			come(0, []rows.Row{set(1, "event", 100*s+1, "")}),
			watermark(101*s, rang(1, -5*s, "x", 4, 101*s, -5*s), rang(1, 100*s, "", 4, 101*s, 100*s), rang(1, 100*s+1, "", 4, 101*s, 100*s+1)),
		}},
		{name: "a row that fails sets no timer", steps: []step{
			come(0, []rows.Row{set(1, "dance", 10*s, ""), set(1, "event", 11*s, "")}, alarmFailed(set(1, "dance", 10*s, ""), "unknown op: dance")),
			watermark(20*s, rang(1, 11*s, "", 1, 20*s, 11*s)),
		}},
	}, moreAlarmCases()...)
}

func alarmFailed(row rows.Row, message string) string {
	return "failed " + rows.RowText(Processes()[3].Inputs[0].Fields, row) + ": " + message
}

func moreAlarmCases() []processCase {
	const s = second
	many := processCase{name: "thousands of timers", steps: []step{{}, {kind: watermarkMoves, to: 5000 * s}, {kind: watermarkMoves, to: math.MaxInt64}}}
	for i := range int64(4000) {
		at := i * 7919 % 4001 * 2 * s
		many.steps[0].input.rows = append(many.steps[0].input.rows, set(i, "event", at, "n"))
	}
	for at := int64(0); at < 4001; at++ { // of each time at most one is set, so that their order is known
		i := at * inverse(7919, 4001) % 4001
		n := 1
		if at*2 > 5000 {
			n = 2
		}
		if i < 4000 {
			many.steps[n].want = append(many.steps[n].want, rang(i, at*2*s, "n", 1, many.steps[n].to, at*2*s))
		}
	}
	return []processCase{
		many,
		{name: "timers of processing time", steps: []step{
			watermark(7 * s),
			come(0, []rows.Row{set(1, "processing", 30*s, ""), set(1, "processing", 10*s, "a"), set(2, "processing", 20*s, "")}),
			watermark(25 * s),
			clock(20*s, "processing "+rang(1, 10*s, "a", 2, 25*s, 25*s), "processing "+rang(2, 20*s, "", 1, 25*s, 25*s)),
			come(0, []rows.Row{set(1, "cancel_event", 30*s, "")}),
			clock(30*s, "processing "+rang(1, 30*s, "", 2, 25*s, 25*s)),
			clock(40 * s),
		}},
		{name: "a timer that sets another", steps: []step{
			watermark(0),
			come(0, []rows.Row{set(1, "event", 10*s, "again"), set(1, "processing", 10*s, "again"), set(2, "event", 20*s+1, "again")}),
			watermark(10*s, rang(1, 10*s, "again", 2, 10*s, 10*s)),
			watermark(11*s, rang(1, 11*s, "", 2, 11*s, 11*s)),
			watermark(30*s, rang(2, 20*s+1, "again", 1, 30*s, 20*s+1), rang(2, 21*s+1, "", 1, 30*s, 21*s+1)),
			clock(30*s, "processing "+rang(1, 10*s, "again", 2, 30*s, 30*s), "processing "+rang(1, 11*s, "", 2, 30*s, 30*s)),
		}},
		{name: "a timer writes the state of its key", steps: []step{
			come(0, []rows.Row{set(1, "event", 10*s, "stop"), set(1, "event", 11*s, ""), set(2, "event", 12*s, "")}),
			watermark(20*s, rang(1, 10*s, "stop", 2, 20*s, 10*s), rang(1, 11*s, "", 0, 20*s, 11*s), rang(2, 12*s, "", 1, 20*s, 12*s)),
			come(0, []rows.Row{set(1, "count", 0, ""), set(2, "count", 0, "")}, counted(1, 0, 20*s), counted(2, 1, 20*s)),
		}},
		{name: "nothing is left of a timer that fails, and it does not come again", steps: []step{
			come(0, []rows.Row{set(1, "event", 10*s, "fail"), set(1, "event", 11*s, ""), set(2, "event", 9*s, ""), set(2, "event", 12*s, "stop")}),
			watermark(20*s, rang(2, 9*s, "", 2, 20*s, 9*s), rang(1, 11*s, "", 2, 20*s, 11*s), rang(2, 12*s, "stop", 2, 20*s, 12*s), timerFailed(10*s, "fail", 1)),
			watermark(30 * s),
			come(0, []rows.Row{set(1, "count", 0, ""), set(2, "count", 0, "")}, counted(1, 2, 30*s), counted(2, 0, 30*s)),
		}},
	}
}

// inverse returns the number whose product with a is 1 modulo m, a prime.
func inverse(a, m int64) int64 {
	result := int64(1)
	for range m - 2 {
		result = result * a % m
	}
	return result
}

// remembered is a row that forget emits: the four values, -1 where one is null, and two counts.
func remembered(values ...int64) string {
	r := rows.Row{}
	for i, v := range values {
		if i < 4 && v < 0 {
			r = append(r, nil)
		} else {
			r = append(r, v)
		}
	}
	return rows.RowText(Processes()[4].Outputs[0].Fields, r)
}

func forgetCases() []processCase {
	const s = second
	sets := func(id, n int64) step { return come(0, []rows.Row{{id, "set", n}}) }
	reads := func(id int64, values ...int64) step {
		return come(0, []rows.Row{{id, "read", nil}}, remembered(values...))
	}
	both := step{input: input{rows: []rows.Row{{int64(1), "set", int64(1)}, {int64(1), "read", nil}, {int64(1), "set", int64(2)}, {int64(1), "read", nil}}, times: make([]abi.EventTime, 4)},
		want: output{remembered(1, 1, 1, 1, 1, 1), remembered(2, 2, 2, 2, 2, 2)}}
	return []processCase{
		{name: "by processing time", steps: []step{
			reads(1, -1, -1, -1, -1, 0, 0),
			clock(100 * s), sets(1, 5), reads(1, 5, 5, 5, 5, 1, 1),
			clock(105 * s), sets(1, 6), sets(2, 7),
			clock(109 * s), reads(1, 6, 6, 6, 6, 2, 2),
			clock(110 * s), reads(1, -1, 6, 6, 6, 1, 1),
			clock(115*s - 1), reads(1, -1, 6, 6, 6, 1, 1), reads(2, 7, 7, 7, 7, 1, 1),
			clock(115 * s), reads(1, -1, -1, 6, 6, 0, 0), reads(2, -1, -1, 7, 7, 0, 0),
			clock(124 * s), reads(1, -1, -1, 6, 6, 0, 0),
			sets(1, 8), reads(1, 8, 8, 8, 8, 1, 1),
			clock(1000 * s), reads(1, -1, -1, -1, 8, 0, 0), both,
		}},
		{name: "by event time", steps: []step{
			clock(1), sets(1, 1),
			watermark(1000 * s), reads(1, 1, 1, 1, 1, 1, 1),
			watermark(1005 * s), sets(2, 2),
			watermark(1010*s - 1), reads(1, 1, 1, 1, 1, 1, 1),
			watermark(1010 * s), reads(1, 1, 1, 1, -1, 1, 1), reads(2, 2, 2, 2, 2, 1, 1),
			sets(2, 3),
			watermark(1019 * s), reads(2, 3, 3, 3, 3, 2, 2),
			watermark(math.MaxInt64), reads(2, 3, 3, 3, 3, 2, 2),
		}},
		{name: "rows of a map and a list each have their own", steps: []step{
			clock(10 * s), sets(1, 1), clock(12 * s), sets(1, 2), clock(14 * s), sets(1, 1),
			reads(1, 1, 1, 1, 1, 3, 2),
			clock(20 * s), reads(1, -1, 1, 1, 1, 2, 2),
			clock(22 * s), reads(1, -1, 1, 1, 1, 1, 1),
			sets(1, 4), reads(1, 4, 4, 4, 4, 2, 2),
			clock(24 * s), reads(1, 4, 4, 4, 4, 1, 1),
		}},
		{name: "what fails is unknown", steps: []step{
			come(0, []rows.Row{{int64(1), "dance", nil}}, "failed "+rows.RowText(Processes()[4].Inputs[0].Fields, rows.Row{int64(1), "dance", nil})+": unknown op: dance"),
		}},
	}
}
