// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package std reads standard input and writes standard output. Both are handed in, with what is
// known of the terminal, so that the package itself touches nothing of the process.
//
// Standard input ends with EOF; waiting for it can be interrupted. It is one stream: of two
// sources, the second is refused.
//
// Standard output is NDJSON in a pipe and an aligned table at a terminal, unless the pipeline
// names a format. Rows are shown at every Flush. The subtasks of one sink share it; a second sink
// is refused. Where the reader of a pipe has gone, the error is ErrClosed: the job is over, and
// nobody is left to be told.
package std

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/plugins/stream"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// InputOptions are the options of the source.
type InputOptions struct {
	// MaxRecord is how long a record may be; longer ones are rejected. Default 16 MiB.
	MaxRecord operator.Size `yaml:"max_record"`
}

// Stdin returns the connector "stdin", which reads in. The format is json unless the pipeline
// names one.
func Stdin(in io.Reader) operator.Connector {
	var taken atomic.Bool
	return operator.Connector{Name: "stdin", Source: func(c operator.Config, spec operator.SourceSpec) (operator.Source, error) {
		s := &source{opts: InputOptions{MaxRecord: stream.DefaultMaxRecord}, in: in, taken: &taken, schema: spec.Schema, format: spec.Format}
		if err := c.Decode(&s.opts); err != nil {
			return nil, err
		}
		var err error
		if s.format, err = orJSON(s.format); err != nil {
			return nil, err
		}
		if s.schema == nil {
			return nil, errors.New("standard input can't be looked at in advance: declare a schema, as in schema: {price: int64}")
		}
		_, err = s.format.NewDecoder(s.schema) // says whether the format can hold the schema
		return s, err
	}}
}

func orJSON(f operator.Format) (operator.Format, error) {
	if f != nil {
		return f, nil
	}
	return json.New(json.Options{})
}

type source struct {
	opts   InputOptions
	in     io.Reader
	taken  *atomic.Bool
	schema *abi.Schema
	format operator.Format
}

var _ operator.Source = (*source)(nil)

// Schema returns the schema of the rows.
func (s *source) Schema() *abi.Schema { return s.schema }

// Bounded says that standard input ends.
func (s *source) Bounded() bool { return true }

// Splits returns the one split.
func (s *source) Splits(context.Context) ([]operator.Split, error) {
	unit := "line"
	if f, ok := s.format.(interface{ Unit(sample []byte) string }); ok {
		unit = f.Unit(nil)
	}
	return []operator.Split{{Name: "stdin", Unit: unit}}, nil
}

// Read begins to read.
func (s *source) Read(_ context.Context, split operator.Split, opts operator.ReadOptions) (operator.Reader, error) {
	if s.taken.Swap(true) {
		return nil, &operator.Error{Fault: operator.FaultConfig, Err: errors.New("standard input is read already; it is one stream, for one source")}
	}
	in := stream.NewPump(func() (io.ReadCloser, error) { return io.NopCloser(named{s.in}), nil })
	return stream.NewReader(in, stream.Options{
		ReadOptions: opts, Name: split.Name, Format: s.format, Schema: s.schema, MaxRecord: s.opts.MaxRecord,
	})
}

// named says in errors what was being read.
type named struct{ io.Reader }

func (n named) Read(p []byte) (int, error) {
	count, err := n.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading standard input: %w", err)
	}
	return count, err
}
