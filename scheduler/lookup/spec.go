// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package lookup adds columns of a table to the rows of a stream, by key.
//
// A table lies in memory whole (Table), or is an operator.Lookup that takes its time (Remote). The latter
// is asked by requests of several keys each, of which several are in
// flight at a time, each with a timeout and tried again where it fails. A batch is done when all
// its rows are answered: nothing is in flight when a watermark or a snapshot comes, so that neither
// has to wait for an answer or to keep a question. Ordered, the rows go on as they came; else those of a
// request go on as soon as it is answered.
//
// A row goes on once for each row of the table with its key; where there is none, or a column of the
// key is null, it goes on once with nulls, or, with Inner, not at all. A row whose key could not be
// answered fails. Time, kind and position of a row stay.
//
// Answers are cached where the Spec says so, also that there is no row: the least recently used ones make
// room. The cache is no state: after a restart it is empty.
package lookup

import (
	"fmt"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Spec is a lookup.
type Spec struct {
	Input *abi.Schema
	On    []int       // columns of the input: the key
	Keys  *abi.Schema // of the requests: the same columns, as the table calls them
	Rows  *abi.Schema // of the answers
	// Columns are those of Rows that are added, in order; of the same number are their Names.
	Columns []int
	Names   []string
	Inner   bool

	Table *Table // a table in memory, of Columns alone; nil where Remote is not
	// Remote says how a table is asked that New makes for a subtask.
	Remote *Remote
	New    func(operator.Context) (operator.Lookup, error)
}

// Remote says how a table is asked that takes its time.
type Remote struct {
	InFlight int           // most requests at a time, at least 1
	Keys     int           // most keys of a request, at least 1
	Timeout  time.Duration // of a request; 0: none
	Retries  int           // how often a request is tried again
	Backoff  time.Duration // before the first retry; twice as long before each one after
	// Unordered says that rows go on as soon as they are answered.
	Unordered bool
	Cache     Cache
}

// Cache bounds what is kept of answers. The zero value keeps nothing.
type Cache struct {
	Keys int           // most keys
	TTL  time.Duration // how long an answer is good, by processing time; 0: for ever
}

// The bounds of a Remote.
const (
	MaxInFlight  = 256
	MaxKeys      = abi.MaxRows
	MaxRetries   = 100
	MaxCacheKeys = 10_000_000
	maxBackoff   = time.Minute
)

// PortJoined is the output port.
const PortJoined = 0

// Output returns the schema of the results: the columns of the input, then those that are added. An error
// says which is not possible.
func (s *Spec) Output() (*abi.Schema, error) {
	out := &abi.Schema{Fields: slices.Clone(s.Input.Fields)}
	out.Fields = append(out.Fields, s.added().Fields...)
	if err := out.Check(); err != nil {
		return nil, fmt.Errorf("with what the lookup adds: %w", err)
	}
	return out, nil
}

// added returns the schema of the columns that are added.
func (s *Spec) added() *abi.Schema {
	out := &abi.Schema{}
	for i, col := range s.Columns {
		f := s.Rows.Fields[col]
		f.Name = s.Names[i]
		out.Fields = append(out.Fields, f)
	}
	return out
}
