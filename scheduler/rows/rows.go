// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package rows is rows as native operators keep them in state: how one is encoded, an index of
// them by time, and the way back out in batches of bounded size.
//
// It promises that what Append encoded Decode gives back, and that the time index reads only what
// is due. It leaves to the operators what they keep, under which key, and when they emit it.
package rows

import (
	"context"
	"errors"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
)

// A batch that an operator emits has about so many rows and bytes at most; so much of a store is read
// at a time.
const (
	maxRows  = 1024
	maxBytes = 256 << 10
)

// Page is how much an operator reads of its state at a time.
var Page = state.Limit{Entries: maxRows, Bytes: maxBytes}

// ErrEncoding is the error of bytes in a store that are not what the operator put there.
var ErrEncoding = errors.New("a value in the store is no row")

// timeSize is the size of a row's time.
const timeSize = 8

// Time returns the event time of a row; 0 where the stream has none.
func Time(b *batch.Batch, row int) abi.EventTime {
	if b.Times == nil {
		return 0
	}
	return b.Times[row]
}

// Append appends a row: its event time as 8 bytes, then each column as batch.AppendValue has it.
func Append(dst []byte, b *batch.Batch, row int) []byte {
	dst = state.AppendTime(dst, int64(Time(b, row)))
	for i := range b.Columns {
		dst = batch.AppendValue(dst, &b.Columns[i], row)
	}
	return dst
}

// Output collects rows of an output port into batches. It belongs to one operator. A row is begun by
// appending to the columns and ended by End.
type Output struct {
	*batch.Builder
	port    int
	timed   bool // rows have an event time
	changes bool // rows have a kind
}

// NewOutput returns the output of a port. timed says that its rows have an event time, changes that
// they may be other than inserts.
func NewOutput(pool *batch.Pool, schema *abi.Schema, port int, timed, changes bool) *Output {
	return &Output{Builder: pool.NewBuilder(schema), port: port, timed: timed, changes: changes}
}

// End ends a row with its time and kind.
func (o *Output) End(t abi.EventTime, kind batch.RowKind) {
	if o.timed {
		o.AppendTime(t)
	}
	if o.changes {
		o.AppendKind(kind)
	}
	o.EndRow()
}

// Copy appends a row of a batch, whose columns are the first ones of the output. The caller ends it.
func (o *Output) Copy(b *batch.Batch, row int) {
	for i := range b.Columns {
		o.Column(i).AppendRow(&b.Columns[i], row)
	}
}

// Decode appends a row that Append encoded from the output's first columns, so many of them, and
// returns its time. The caller ends the row.
func (o *Output) Decode(src []byte, columns int) (abi.EventTime, error) {
	if len(src) < timeSize {
		return 0, ErrEncoding
	}
	t, src := abi.EventTime(state.Time(src)), src[timeSize:]
	for i := range columns {
		var err error
		if src, err = o.Column(i).AppendValue(src); err != nil {
			return 0, err
		}
	}
	if len(src) > 0 {
		return 0, ErrEncoding
	}
	return t, nil
}

// Full says whether the rows are a batch.
func (o *Output) Full() bool { return o.Rows() >= maxRows || o.Bytes() >= maxBytes }

// Send emits the rows, if there are any.
func (o *Output) Send(ctx context.Context, out operator.Output) error {
	if o.Rows() == 0 {
		return nil
	}
	return out.Emit(ctx, o.port, o.Finish())
}

// SendFull emits the rows where they are a batch.
func (o *Output) SendFull(ctx context.Context, out operator.Output) error {
	if !o.Full() {
		return nil
	}
	return o.Send(ctx, out)
}
