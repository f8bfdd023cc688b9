// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package topn keeps the first rows of each key by an order: the ten airports with the most flights,
// the three highest bids of each auction. Without a key it is the first of all rows.
//
// Rows are ordered by the columns that the Spec names, then by the others from left to right, then by
// event time, so that which rows are first does not depend on the order in which they came.
//
// Without a window the top is a changelog: when a row comes in, the one that it pushes out is deleted. With
// a rank column, whose first is 1, each rank that has another row than before is updated. The input
// may be a changelog too: then all rows of a key are kept, and when one is taken back the next one
// moves up; a row that is taken back and is not there is counted as "unknown_deletions". Of inserts
// only those of the top are kept.
//
// With a window, rows are those of one window of event time, and the top is given once, when the
// watermark reaches its end, in order, with the event time end - 1 us. A row that comes when
// its window has been given is late: it goes to the late output, as it came. The input has
// inserts only.
//
// What is kept lies in the store:
//
//	| group 2 | state 2 | size, uvarint | key | row, in order | time 8 |  ->  | how often, uvarint |
//	| group 2 | state 2 | 0x00 | window end 8 | size, uvarint | key | row, in order | time 8 |  ->  likewise
//
// The first rows of the keys that came last are held in memory too, up to a bound (cacheBytes).
package topn

import (
	"fmt"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/state"
)

// Spec is a top.
type Spec struct {
	Input   *abi.Schema
	Key     []int // columns; none for one top of all rows
	Rows    int   // how many are first: 1 to MaxRows
	By      []rows.By
	Rank    string  // the name of a column with the rank; "" for none
	Changes bool    // the input is a changelog
	Timed   bool    // rows have an event time
	Window  *Window // nil for none
}

// MaxRows is the most rows of a top.
const MaxRows = 10_000

// Window says which rows have a top together.
type Window struct {
	// End is a timestamp column that says when the row's window ends, as a window before it has
	// written; -1 for tumbling windows of the row's event time.
	End int
	// Size and Offset are those of the tumbling windows, in whole microseconds.
	Size, Offset time.Duration
}

// MaxSize is the longest tumbling window: 250 years, which a time.Duration still holds.
const MaxSize = 250 * 365 * 24 * time.Hour

// The columns that a tumbling window adds.
const (
	ColumnStart = "window_start"
	ColumnEnd   = "window_end"
)

// The output ports.
const (
	PortTop  = 0
	PortLate = 1 // with a window: rows that came too late, as they came in
)

// The states.
const (
	stateRows    = state.FirstReserved + 0x32
	stateWindows = state.FirstReserved + 0x33
)

// tumbling says whether the operator makes windows of its own.
func (s *Spec) tumbling() bool { return s.Window != nil && s.Window.End < 0 }

// Output returns the schema of the top: the columns of the input, those of a tumbling window, the rank. An
// error says which is not possible.
func (s *Spec) Output() (*abi.Schema, error) {
	out := &abi.Schema{Fields: slices.Clone(s.Input.Fields)}
	if s.tumbling() {
		out.Fields = append(out.Fields, abi.Field{Name: ColumnStart, Type: abi.Timestamp}, abi.Field{Name: ColumnEnd, Type: abi.Timestamp})
	}
	if s.Rank != "" {
		out.Fields = append(out.Fields, abi.Field{Name: s.Rank, Type: abi.Int64})
	}
	if err := out.Check(); err != nil {
		return nil, fmt.Errorf("with what the top adds: %w", err)
	}
	return out, nil
}
