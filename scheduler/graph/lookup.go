// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
)

// Lookup adds columns of a table to each row, by key; a null is in no table. The table is Table, or what a
// map of a module answers: it is given keys as rows, and gives rows of the table.
type Lookup struct {
	Table *LookupTable `yaml:"table"`

	Path     string  `yaml:"wasm"`
	Operator string  `yaml:"operator"` // empty: the only one
	Config   Literal `yaml:"config"`

	On []On `yaml:"on"` // stream columns and the table's, or the module's inputs; at least one
	// Columns are those that are added, by their names in the stream. Default: all but those of On.
	Columns []LookupColumn `yaml:"columns"`
	// Type is left (default): a row that the table has nothing for goes on with nulls; or inner: it does
	// not.
	Type LookupType `yaml:"type"`

	// How a module is asked.
	InFlight int           `yaml:"in_flight"` // most requests at a time, each with an instance; default 4
	Keys     int           `yaml:"keys"`      // most keys of a request; default 256
	Timeout  time.Duration `yaml:"timeout"`   // of a request; default 10s
	Retries  int           `yaml:"retries"`   // how often a request that fails is tried again
	Backoff  time.Duration `yaml:"backoff"`   // before the first retry, twice as long before each one after; default 100ms
	Order    LookupOrder   `yaml:"order"`
	Cache    *LookupCache  `yaml:"cache"`
}

// LookupTable is a bounded source that is read whole and held in memory.
type LookupTable struct {
	Connector string        `yaml:"-"` // as of a Source
	Options   Literal       `yaml:"-"`
	Format    Format        `yaml:"format"`
	Schema    *abi.Schema   `yaml:"schema"`
	Reload    time.Duration `yaml:"reload"` // how often it is read anew, by processing time; 0: never

	noConnector bool
}

// connect takes the connector of a table.
func (t *LookupTable) connect(d *decoder, extra []entry, known []string, where place) {
	t.noConnector = d.connector(extra, known, d.sources, where, &t.Connector, &t.Options)
}

// LookupColumn is a column that a lookup adds. A file has the name as a key and the table's column as its
// value.
type LookupColumn struct {
	Name string `yaml:"-"`
	From string `yaml:"-"`
}

func (l *LookupColumn) setName(name string) { l.Name = name }

// UnmarshalText takes the table's column.
func (l *LookupColumn) UnmarshalText(text []byte) error {
	l.From = string(text)
	return nil
}

// LookupCache bounds what is kept of a module's answers, also that there is none.
type LookupCache struct {
	Keys int           `yaml:"keys"` // most keys; default 10,000
	TTL  time.Duration `yaml:"ttl"`  // how long an answer is good, by processing time; 0: for ever
}

// LookupType says what becomes of a row that the table has nothing for.
type LookupType uint8

// The types.
const (
	LookupLeft LookupType = iota
	LookupInner
)

// UnmarshalText reads left or inner.
func (t *LookupType) UnmarshalText(text []byte) error {
	switch string(text) {
	case "left":
		*t = LookupLeft
	case "inner":
		*t = LookupInner
	default:
		return fmt.Errorf("expected left or inner, not %.40q", text)
	}
	return nil
}

// LookupOrder says in which order rows go on.
type LookupOrder uint8

// The orders.
const (
	OrderKept     LookupOrder = iota // as they came
	OrderAnswered                    // as they are answered
)

// UnmarshalText reads kept or answered.
func (o *LookupOrder) UnmarshalText(text []byte) error {
	switch string(text) {
	case "kept":
		*o = OrderKept
	case "answered":
		*o = OrderAnswered
	default:
		return fmt.Errorf("expected kept or answered, not %.40q", text)
	}
	return nil
}
