// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package stream turns streams of bytes into rows: the part that files and standard input have in
// common. A connector opens an Input; the Reader feeds what it reads to a format's decoder, makes
// batches, and bounds the memory that a record may take.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// ErrRestart is what Input.Read returns where the stream has ended and another one begins.
var ErrRestart = errors.New("another stream begins")

// Input is a stream of bytes. One goroutine makes all calls.
type Input interface {
	// Read reads into p, which is not empty. It waits until something is there, the stream ends
	// (io.EOF), or ctx is done; where wait is not negative, it waits no longer than that and then
	// returns 0 and nil.
	Read(ctx context.Context, p []byte, wait time.Duration) (int, error)
	// Close stops reading.
	Close() error
}

// DefaultMaxRecord is how long a record may be where nobody says.
const DefaultMaxRecord operator.Size = 16 << 20

const (
	chunk   = 256 << 10 // bytes that the buffer begins with
	sampled = 1 << 10   // bytes shown of a record that is too long
)

// skipper is a decoder that can go on behind a record that is too long to hold. After the call it
// uses up what belongs to that record, head included, as it comes.
type skipper interface {
	TooLong(head []byte, limit string, rows *operator.Rows) error
}

// Options are what a Reader needs to know.
type Options struct {
	operator.ReadOptions
	Name      string // of the stream, for messages
	Format    operator.Format
	Schema    *abi.Schema
	MaxRecord operator.Size // default DefaultMaxRecord
}

// Reader reads rows from an Input.
type Reader struct {
	in       Input
	opts     Options
	decoder  operator.Decoder
	rows     *operator.Rows
	data     []byte // what is read and not used lies at [begin:end]
	begin    int
	end      int
	ended    bool // the input has no more for this decoder
	restart  bool // and then begins anew
	rejected error
	failed   error // what the next call returns
}

var _ operator.Reader = (*Reader)(nil)

// NewReader returns a reader, which closes in.
func NewReader(in Input, opts Options) (*Reader, error) {
	if opts.MaxRecord == 0 {
		opts.MaxRecord = DefaultMaxRecord
	}
	decoder, err := opts.Format.NewDecoder(opts.Schema)
	if err != nil {
		return nil, err
	}
	r := &Reader{in: in, opts: opts, decoder: decoder, data: make([]byte, min(chunk, int(opts.MaxRecord)))}
	r.rows = &operator.Rows{
		Builder: opts.Pool.NewBuilder(opts.Schema), Split: opts.Number, Max: opts.Rows, Bytes: opts.Bytes,
		Reject: func(record []byte, at batch.Position, reason error) error {
			r.rejected = opts.Reject(record, at, reason)
			return r.rejected
		},
	}
	return r, nil
}

// Close closes the input.
func (r *Reader) Close() error { return r.in.Close() }

// Next returns the next rows.
func (r *Reader) Next(ctx context.Context) (*batch.Batch, error) {
	var deadline time.Time // of the first row
	for r.failed == nil {
		if err := r.decode(); err != nil {
			r.failed = err
			break
		}
		if r.rows.Full() {
			return r.rows.Finish(), nil
		}
		if r.ended {
			if err := r.next(); err != nil {
				r.failed = err
			}
			continue
		}
		wait := time.Duration(-1)
		if r.rows.Rows() > 0 {
			now := r.opts.Now()
			if deadline.IsZero() {
				deadline = now.Add(r.opts.Wait)
			}
			wait = max(0, deadline.Sub(now))
		}
		n, err := r.fill(ctx, wait)
		switch {
		case err == io.EOF || errors.Is(err, ErrRestart):
			r.ended, r.restart = true, err != io.EOF
		case err != nil && !errors.Is(err, ctx.Err()):
			r.failed = err
		case ctx.Err() != nil && r.rows.Rows() > 0:
			return r.rows.Finish(), nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case n == 0 && r.rows.Rows() > 0:
			return r.rows.Finish(), nil
		}
	}
	if r.rows.Rows() > 0 {
		return r.rows.Finish(), nil
	}
	return nil, r.failed
}

// decode gives the decoder what is there.
func (r *Reader) decode() error {
	used, err := r.decoder.Decode(r.data[r.begin:r.end], r.ended, r.rows)
	r.begin += used
	if err == nil && r.ended && r.begin < r.end && used == 0 && !r.rows.Full() {
		err = fmt.Errorf("the format has left %d bytes at the end", r.end-r.begin)
	}
	return r.fault(err)
}

// fault gives an error of the decoder the stream's name. Errors of Reject pass as they are.
func (r *Reader) fault(err error) error {
	if err == nil || r.rejected != nil {
		return err
	}
	return &operator.Error{Fault: operator.FaultRow, Err: fmt.Errorf("%s: %w", r.opts.Name, err)}
}

// next goes on after the end of a stream has been decoded.
func (r *Reader) next() error {
	if r.begin < r.end {
		return nil // the rows were full for a moment
	}
	if !r.restart {
		return io.EOF
	}
	decoder, err := r.opts.Format.NewDecoder(r.opts.Schema)
	r.decoder, r.ended, r.restart = decoder, false, false
	return err
}

// fill reads more, after making room for it.
func (r *Reader) fill(ctx context.Context, wait time.Duration) (int, error) {
	switch pending := r.end - r.begin; {
	case pending == 0:
		r.begin, r.end = 0, 0
		if len(r.data) > chunk {
			r.data = make([]byte, chunk) // a long record is over
		}
	case r.end < len(r.data):
	case r.begin > 0:
		copy(r.data, r.data[r.begin:r.end])
		r.begin, r.end = 0, pending
	case pending >= int(r.opts.MaxRecord):
		return r.skip()
	default:
		bigger := make([]byte, min(2*pending, int(r.opts.MaxRecord)))
		copy(bigger, r.data)
		r.data = bigger
	}
	n, err := r.in.Read(ctx, r.data[r.end:], wait)
	r.end += n
	if n > 0 || err == nil {
		return n, nil // an error comes again
	}
	if err != io.EOF && !errors.Is(err, ErrRestart) {
		err = &operator.Error{Fault: operator.FaultEnvironment, Err: err}
	}
	return 0, err
}

// skip rejects the record that fills the buffer.
func (r *Reader) skip() (int, error) {
	s, ok := r.decoder.(skipper)
	if !ok {
		return 0, r.fault(fmt.Errorf("a record is longer than %s (max_record)", r.opts.MaxRecord))
	}
	head := r.data[r.begin:r.end]
	if err := s.TooLong(head[:min(len(head), sampled)], r.opts.MaxRecord.String(), r.rows); err != nil {
		return 0, r.fault(err)
	}
	return len(head), nil
}
