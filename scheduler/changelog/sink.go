// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package changelog makes a stream of changes one of plain rows: the kind of each row, which an
// operator that updates its results gives it, becomes a column. So any sink can take changes, and
// whoever reads what it wrote can apply them. What a change does to the table behind it is for
// that reader.
package changelog

import (
	"context"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// The kinds of rows as text, which Flink writes too.
var kindNames = [...]string{batch.Insert: "+I", batch.UpdateBefore: "-U", batch.UpdateAfter: "+U", batch.Delete: "-D"}

// Schema returns the schema of rows of s behind a column with their kind.
func Schema(s *abi.Schema, column string) *abi.Schema {
	return &abi.Schema{Fields: append([]abi.Field{{Name: column, Type: abi.String}}, s.Fields...)}
}

// Sink gives a sink each row behind its kind.
type Sink struct {
	To     operator.Sink
	Schema *abi.Schema // that To was made for: what Schema returns
}

var _ operator.Sink = (*Sink)(nil)

// Open makes the writer of a subtask.
func (s *Sink) Open(ctx context.Context, subtask, parallelism int) (operator.Writer, error) {
	w, err := s.To.Open(ctx, subtask, parallelism)
	if err != nil {
		return nil, err
	}
	pool := &batch.Pool{}
	return &writer{
		Writer: w, schema: s.Schema, pool: pool, parts: make([]batch.Part, len(s.Schema.Fields)),
		kinds: pool.NewBuilder(&abi.Schema{Fields: s.Schema.Fields[:1]}),
	}, nil
}

type writer struct {
	operator.Writer
	schema *abi.Schema
	pool   *batch.Pool
	kinds  *batch.Builder
	parts  []batch.Part // scratch
}

// Write writes rows behind their kind.
func (w *writer) Write(ctx context.Context, b *batch.Batch) error {
	for row := range b.Rows() {
		kind := batch.Insert
		if b.Kinds != nil {
			kind = b.Kinds[row]
		}
		w.kinds.Column(0).AppendString(kindNames[kind])
	}
	w.kinds.EndRows(b.Rows())
	kinds := w.kinds.Finish()
	defer kinds.Release()
	w.parts[0] = batch.Part{From: kinds}
	for i := range b.Columns {
		w.parts[1+i] = batch.Part{From: b, Column: i}
	}
	out := w.pool.Compose(w.schema, b, w.parts)
	defer out.Release()
	return w.Writer.Write(ctx, out)
}
