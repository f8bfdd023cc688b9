// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package dedup keeps one row of each key, as Flink SQL's deduplication does: the first or the last, by
// order of arrival or by event time.
//
//	keep   by       emits
//	first  arrival  the first row of a key, or the first Rows ones, and nothing else
//	last   arrival  each row; the one before it is taken back
//	first  time     a row that is earlier than the one before it, which is taken back; of rows of one
//	                time the one that came first
//	                with Final: the earliest row, when the watermark has passed it, and nothing else
//	last   time     a row that is not earlier than the one before it, which is taken back
//
// The last by arrival may be that of a changelog by the same key: an insert or an update after is a row,
// a deletion takes the row of its key back, an update before says nothing. So a changelog whose updates
// come without the row that they replace gets it.
//
// What is taken back follows as update before and update after, each with the event time of its own row.
//
// With a time to live a key is forgotten so long after the row that it has: by processing time where
// rows are told apart by arrival, by the watermark where they are by time. The next row is its first one
// then. A row that comes when it would be forgotten already is late, as is, with Final, one that the
// watermark has passed and that is not known to be a duplicate: these go to the late output.
//
// What is known of a key lies in the store, under the key:
//
//	| stamp 8 | row: time 8, columns |
//
// The stamp is the event time of the row, or, by arrival, when it came. The row is not there where it is
// not needed any more; where several are kept their number, a uvarint, is in its place.
package dedup

import (
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/state"
)

// Keep says which row of a key is kept.
type Keep uint8

// The rows that can be kept.
const (
	First Keep = iota
	Last
)

// Clock says what first and last are counted by.
type Clock uint8

// The clocks.
const (
	Arrival Clock = iota
	Time
)

// UnmarshalText reads first or last.
func (k *Keep) UnmarshalText(text []byte) error {
	switch string(text) {
	case "first":
		*k = First
	case "last":
		*k = Last
	default:
		return fmt.Errorf("expected first or last, not %q", text)
	}
	return nil
}

func (k Keep) String() string { return [...]string{"first", "last"}[k] }

// UnmarshalText reads arrival or time.
func (c *Clock) UnmarshalText(text []byte) error {
	switch string(text) {
	case "arrival":
		*c = Arrival
	case "time":
		*c = Time
	default:
		return fmt.Errorf("expected arrival or time, not %q", text)
	}
	return nil
}

func (c Clock) String() string { return [...]string{"arrival", "time"}[c] }

// Spec is a deduplication.
type Spec struct {
	Input *abi.Schema
	Key   []int // one column at least
	Timed bool  // rows have an event time
	Keep  Keep
	By    Clock
	// Final says that nothing is emitted that may be taken back. Only of First by Time.
	Final bool
	TTL   time.Duration // 0: for ever
	// Rows is how many rows of a key are kept, 0 for 1. More are possible only of First by Arrival.
	Rows int
	// Changelog says that the input may take rows back, by the same key. Only of Last by Arrival.
	Changelog bool
}

// Changes says whether a deduplication takes rows back.
func (s *Spec) Changes() bool { return s.Keep == Last || s.By == Time && !s.Final }

// Late says whether rows may come too late.
func (s *Spec) Late() bool { return s.By == Time && (s.Final || s.TTL > 0) }

// MaxTTL is the longest time to live: 250 years, which a time.Duration still holds.
const MaxTTL = 250 * 365 * 24 * time.Hour

// MaxRows is the most that Rows can be.
const MaxRows = 1_000_000

// The output ports.
const (
	PortKept = 0
	PortLate = 1 // where Spec.Late: rows that came too late, as they came in
)

// kept is the state of what is known of a key.
const kept = state.FirstReserved + 0x30
