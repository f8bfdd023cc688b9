// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Pipeline is a pipeline that nobody has checked yet: what a file says, or a Go program. Field for
// field it is the file, so that whatever one can say, the other can.
type Pipeline struct {
	Name      string     `yaml:"name"`
	Sources   []Source   `yaml:"sources"`
	Operators []Operator `yaml:"operators"`
	Sinks     []Sink     `yaml:"sinks"`
	Options   Options    `yaml:"options"` // a zero has the default

	// Folder is where relative paths count from. Default: the working directory; of a file its
	// folder.
	Folder string `yaml:"-"`
}

// Literal is a value as a pipeline file has it: nil, a scalar, a list, or a map with keys of type
// string.
type Literal any

// Source is where rows come from.
type Source struct {
	Name      string      `yaml:"-"`
	Connector string      `yaml:"-"` // in a file the key that is none of the others,
	Options   Literal     `yaml:"-"` // with the options as its value
	Format    Format      `yaml:"format"`
	Schema    *abi.Schema `yaml:"schema"` // nil: the connector's or the format's own
	Time      *EventTime  `yaml:"time"`   // nil: rows have no event time
	// OnError is what becomes of records that are no rows, and of rows without an event time.
	OnError     operator.Policy `yaml:"on_error"`
	Parallelism int             `yaml:"parallelism"` // 0: that of the pipeline's options

	noConnector bool // a problem has been reported with its connector
}

// Format is a format with its options. A file may give the name alone.
type Format struct {
	Name    string // empty: the connector chooses
	Options Literal
}

// EventTime says where event time comes from, and how the watermark behind it is made.
type EventTime struct {
	Column     string        `yaml:"column"`       // of type timestamp; of an operator empty where rows have a time already
	OutOfOrder time.Duration `yaml:"out_of_order"` // how much earlier than the latest so far a row may be; 0: not at all
	// Watermark is a column of type timestamp whose value is the watermark after its row, where it is
	// not null. It replaces OutOfOrder. One that goes backwards is ignored and counted.
	Watermark string        `yaml:"watermark"`
	Idle      time.Duration `yaml:"idle"`  // a split, or an operator's subtask, without rows for so long holds up nothing; 0 never
	Align     *Align        `yaml:"align"` // of a source: its splits wait for slower ones
}

// Operator is a module's map or process, where Wasm.Path is set, a window, where Window is, or what
// the one of Join, Lookup, Dedup, Top and Sort makes it that is set.
type Operator struct {
	Name string   `yaml:"-"`
	From []string `yaml:"from"` // outputs: NODE for the main one, NODE.PORT for others; not of a Join, nor with Inputs

	Wasm      `yaml:",inline"`
	Partition *Partition `yaml:"partition"` // of a map; nil: Hash where Key is set, else Forward
	Inputs    []Input    `yaml:"inputs"`    // of a process that has several
	// TTL is how long states of a process are remembered, by their names, where that is not what the module says; 0 is for
	// ever.
	TTL map[string]time.Duration `yaml:"ttl"`

	Join   *Join   `yaml:"join"`
	Lookup *Lookup `yaml:"lookup"`
	Dedup  *Dedup  `yaml:"dedup"`
	Top    *Top    `yaml:"top"`
	Sort   *Sort   `yaml:"sort"`

	Window     *Window     `yaml:"window"`
	Aggregates []Aggregate `yaml:"aggregate"` // of a window, in this order after its key and its bounds

	// Time makes event time and the watermark anew from the rows of a module's operator; nil: those of
	// its inputs hold.
	Time *EventTime `yaml:"time"`

	Key         []string        `yaml:"key"`
	OnError     operator.Policy `yaml:"on_error"`
	Parallelism int             `yaml:"parallelism"` // 0: that of the pipeline's options
}

// Wasm is an operator of a module.
type Wasm struct {
	Path     string  `yaml:"wasm"`
	Operator string  `yaml:"operator"` // empty: the only one
	Config   Literal `yaml:"config"`
	// Columns maps columns that the operator reads to those of the stream, where their names differ.
	Columns map[string]string `yaml:"columns"`
}

// Aggregate is a column that a window produces: by a built-in call or by a module. A file may give
// the call alone.
type Aggregate struct {
	Name string `yaml:"-"`
	Call string `yaml:"-"` // max(price)
	Wasm `yaml:",inline"`
}

// SetScalar takes the short form.
func (a *Aggregate) SetScalar(text string) error {
	a.Call = text
	return nil
}

// Sink is where rows go.
type Sink struct {
	Name        string   `yaml:"-"`
	From        []string `yaml:"from"`
	Connector   string   `yaml:"-"` // as of a Source
	Options     Literal  `yaml:"-"`
	Format      Format   `yaml:"format"`
	Parallelism int      `yaml:"parallelism"` // 0: 1, so that there is one output
	// Kinds is the name of a column that is written before the others: the row's kind, which is +I for
	// an insert, -U and +U for a row before and after an update, -D for a delete. Empty: there is no
	// such column, and what is read has inserts only.
	Kinds string `yaml:"kinds"`

	noConnector bool
}

func (s *Source) setName(name string)    { s.Name = name }
func (o *Operator) setName(name string)  { o.Name = name }
func (s *Sink) setName(name string)      { s.Name = name }
func (a *Aggregate) setName(name string) { a.Name = name }
