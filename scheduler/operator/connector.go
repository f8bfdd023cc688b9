// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// Config is what a pipeline file says to a connector or a format.
type Config interface {
	// Decode reads the options into a struct with yaml tags. Keys that the struct lacks are an
	// error, as are values of the wrong type; errors name the line.
	Decode(into any) error
	// Path makes a path of the pipeline file absolute: relative ones count from its folder.
	Path(path string) string
}

// Connector makes sources and sinks of one kind. Source or Sink is nil where the connector can't
// be one.
type Connector struct {
	Name   string
	Source func(Config, SourceSpec) (Source, error)
	Sink   func(Config, SinkSpec) (Sink, error)
}

// SourceSpec is what the pipeline says of a source besides the connector's own options.
type SourceSpec struct {
	Schema *abi.Schema // of the rows that it is to produce; nil where the pipeline declares none
	Format Format      // nil where the pipeline names none
}

// SinkSpec is what the pipeline says of a sink besides the connector's own options.
type SinkSpec struct {
	Schema *abi.Schema // of the rows that it is given
	Format Format      // nil where the pipeline names none
}

// Source reads rows from outside, split by split. Its methods may be called from any goroutine.
type Source interface {
	// Schema returns the schema of the rows.
	Schema() *abi.Schema
	// Bounded says whether every split ends.
	Bounded() bool
	// Splits lists what there is to read, in a fixed order. An empty list is an error that says
	// what was looked for.
	Splits(ctx context.Context) ([]Split, error)
	// Read begins to read a split.
	Read(ctx context.Context, split Split, opts ReadOptions) (Reader, error)
}

// Split is a part of a source that is read in order, by one reader, with a watermark of its own.
type Split struct {
	Name string // for people: a file's path
	Unit string // what the offset of a Position counts: "line", "row"
}

// ReadOptions are the engine's wishes to a reader.
type ReadOptions struct {
	Number int // of the split in its job, for batch.At
	Pool   *batch.Pool
	Rows   int           // most rows of a batch
	Bytes  int           // about how many bytes a batch may have
	Wait   time.Duration // longest wait for the next row while the batch is not empty
	Now    func() time.Time
	Seed   uint64
	// Reject is given a record that is no row, its position, and why. An error ends the read.
	// record is valid until Reject returns.
	Reject func(record []byte, at batch.Position, reason error) error
}

// Reader reads one split. One goroutine makes all calls.
type Reader interface {
	// Next returns the next rows, with positions, and nil and io.EOF itself at the end of the split.
	// It waits until there is a row or ctx is done; with rows at hand it waits no longer than
	// ReadOptions.Wait for more. When ctx is done it returns the rows at hand, else an error that
	// is ctx.Err(); another call with another ctx may follow. The caller owns the batch.
	Next(ctx context.Context) (*batch.Batch, error)
	// Close stops reading.
	Close() error
}

// Sink writes rows to the outside.
type Sink interface {
	// Open makes the writer of a subtask. Two sinks, of one job or of two, that would write the
	// same place are an error of the second.
	Open(ctx context.Context, subtask, parallelism int) (Writer, error)
}

// Writer writes the rows of one subtask. One goroutine makes all calls: Write and Flush in any
// order, then Commit or Abort, once.
type Writer interface {
	// Write takes rows, which are valid until it returns.
	Write(ctx context.Context, b *batch.Batch) error
	// Flush shows readers what has been written, where the sink shows anything before Commit.
	Flush(ctx context.Context) error
	// Commit makes all that was written visible and durable: the input has ended.
	Commit(ctx context.Context) error
	// Abort leaves no trace of what is not visible yet: the job has failed.
	Abort() error
}

// FormatType makes formats of one kind.
type FormatType struct {
	Name string
	New  func(Config) (Format, error)
}

// Format turns bytes into rows and back. Its methods may be called from any goroutine.
type Format interface {
	// Infer returns a schema that fits the sample, the beginning of a stream. atEnd says that it
	// is the whole.
	Infer(sample []byte, atEnd bool) (*abi.Schema, error)
	// NewDecoder returns a decoder of a stream into rows of the schema.
	NewDecoder(schema *abi.Schema) (Decoder, error)
	// NewEncoder returns an encoder of rows of the schema.
	NewEncoder(schema *abi.Schema) (Encoder, error)
	// Extension is how files of the format end, with the dot.
	Extension() string
}

// Decoder turns one stream of bytes into rows. One goroutine makes all calls.
type Decoder interface {
	// Decode appends rows of the records that lie whole at the beginning of data, and returns how
	// many bytes it has used up. It stops when rows has room for no more. With atEnd, data is the
	// rest of the stream and its last record is whole. When it uses nothing up and rows has room,
	// the caller comes back with more data, as far as a record may be long.
	//
	// A record that is no row goes to rows.Reject. An error means that the stream can't be read
	// on; it says at which line or row.
	Decode(data []byte, atEnd bool, rows *Rows) (int, error)
}

// Rows is where a decoder puts what it reads.
type Rows struct {
	*batch.Builder
	Split  int // the number for batch.At
	Max    int // rows that the builder is to hold at most
	Bytes  int // about the bytes that it is to hold at most
	Reject func(record []byte, at batch.Position, reason error) error
}

// Full says whether the rows are a batch.
func (r *Rows) Full() bool { return r.Rows() >= r.Max || r.Builder.Bytes() >= r.Bytes }

// Encoder turns rows into one stream of bytes. One goroutine makes all calls.
type Encoder interface {
	// Begin appends what precedes the first row: a header.
	Begin(dst []byte) []byte
	// Append appends rows.
	Append(dst []byte, b *batch.Batch) ([]byte, error)
	// End appends what follows the last row.
	End(dst []byte) []byte
}
