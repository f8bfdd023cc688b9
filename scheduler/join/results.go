// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// A batch of results has at most so many rows, and is sent when it has about so many bytes.
const (
	resultRows  = 1024
	resultBytes = 256 << 10
)

// results collects what a join produces and sends it in batches of bounded size.
type results struct {
	builder *batch.Builder
	width   [2]int // columns of an input's rows
	timed   bool
	changes bool
	start   int // the column window_start, -1 where there is none
	end     int
	bytes   int // about what builder holds
}

// result is a row to send, copies times. A row of an input is encoded (appendRow); nil is all null,
// or not there where the results have no columns of the input.
type result struct {
	rows   [2][]byte
	at     abi.EventTime
	window [2]abi.EventTime // begin and end, of a window join
	kind   batch.RowKind
	copies uint64
}

func newResults(pool *batch.Pool, spec *Spec, schema *abi.Schema) results {
	r := results{
		builder: pool.NewBuilder(schema), timed: spec.Late(), changes: spec.Changes(), start: -1, end: -1,
		width: [2]int{len(spec.Inputs[InputLeft].Schema.Fields), 0},
	}
	if spec.Type.pairs() {
		r.width[InputRight] = len(spec.Inputs[InputRight].Schema.Fields)
	}
	for i := r.width[InputLeft] + r.width[InputRight]; i < len(schema.Fields); i++ {
		if schema.Fields[i].Name == ColumnStart {
			r.start = i
		} else {
			r.end = i
		}
	}
	return r
}

// add appends a result, and sends a batch when one is full.
func (r *results) add(ctx context.Context, out operator.Output, res *result) error {
	for range res.copies {
		column := 0
		for input, row := range res.rows {
			if row != nil && r.width[input] > 0 {
				if err := r.decode(column, r.width[input], row); err != nil {
					return err
				}
				r.bytes += len(row)
			}
			column += r.width[input]
		}
		if r.start >= 0 {
			r.builder.Column(r.start).AppendInt64(int64(res.window[0]))
		}
		if r.end >= 0 {
			r.builder.Column(r.end).AppendInt64(int64(res.window[1]))
		}
		if r.timed {
			r.builder.AppendTime(res.at)
		}
		if r.changes {
			r.builder.AppendKind(res.kind)
		}
		r.builder.EndRow()
		if r.builder.Rows() >= resultRows || r.bytes >= resultBytes {
			if err := r.flush(ctx, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// decode appends an encoded row to columns.
func (r *results) decode(first, width int, row []byte) error {
	var err error
	for i := range width {
		if row, err = r.builder.Column(first + i).AppendValue(row); err != nil {
			return fmt.Errorf("join: a row in the store: %w", err)
		}
	}
	if len(row) > 0 {
		return fmt.Errorf("join: a row in the store has %d bytes too many", len(row))
	}
	return nil
}

// flush sends what is left.
func (r *results) flush(ctx context.Context, out operator.Output) error {
	r.bytes = 0
	if r.builder.Rows() == 0 {
		return nil
	}
	return out.Emit(ctx, PortResults, r.builder.Finish())
}
