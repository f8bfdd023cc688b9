// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/table"
)

// Join is the operator of a Spec.
type Join struct {
	spec   Spec
	ctx    operator.Context
	schema *abi.Schema
	parts  []batch.Part
	remote *remote // nil where the table lies in memory
	opened bool
	batch  *batch.Batch // the one in hand
	key    []byte

	// What is to be sent: rows of the batch, and what they are joined with.
	origin []uint32
	added  *batch.Builder
}

// none is the number of no key.
const none = table.None

// A batch of results has about so many rows and bytes at most.
const (
	resultRows  = 1024
	resultBytes = 256 << 10
)

var _ operator.Clocked = (*Join)(nil)

// New returns the operator of a spec that Output accepted.
func New(ctx operator.Context, spec Spec) (*Join, error) {
	schema, err := spec.Output()
	if err != nil {
		return nil, err
	}
	j := &Join{spec: spec, ctx: ctx, schema: schema, added: ctx.Pool.NewBuilder(spec.added())}
	if spec.Remote != nil {
		j.remote, err = newRemote(ctx, &spec)
	}
	return j, err
}

// Open opens the table.
func (j *Join) Open(ctx context.Context) error {
	if j.remote != nil {
		return j.remote.lookup.Open(ctx)
	}
	err := j.spec.Table.open(ctx, &j.ctx)
	j.opened = err == nil
	return err
}

// Close closes the table.
func (j *Join) Close(ctx context.Context) error {
	if j.remote != nil {
		return j.remote.lookup.Close(ctx)
	}
	if j.opened {
		j.spec.Table.close()
	}
	return nil
}

// Watermark does nothing: no row waits.
func (j *Join) Watermark(context.Context, abi.EventTime, operator.Output) error { return nil }

// Process looks the rows of a batch up, and sends them.
func (j *Join) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	j.batch = b
	defer func() { j.batch = nil }()
	if j.remote != nil {
		return j.ask(ctx, out)
	}
	t := j.spec.Table.acquire()
	defer t.rows.Release()
	for row := range b.Rows() {
		if err := j.read(ctx, t, row, out); err != nil {
			return err
		}
	}
	return j.send(ctx, out)
}

// read appends the results of a row from a table in memory.
func (j *Join) read(ctx context.Context, t *content, row int, out operator.Output) error {
	if j.null(row) {
		return j.miss(ctx, row, out)
	}
	match := t.find(j.encode(row))
	if match == none {
		return j.miss(ctx, row, out)
	}
	for ; match != none; match = t.next[match] {
		for i := range t.rows.Columns {
			j.added.Column(i).AppendRow(&t.rows.Columns[i], int(match))
		}
		if err := j.end(ctx, row, out); err != nil {
			return err
		}
	}
	return nil
}

// encode returns the encoded key of a row, valid until the next call.
func (j *Join) encode(row int) []byte {
	j.key = j.key[:0]
	for _, col := range j.spec.On {
		j.key = batch.AppendValue(j.key, &j.batch.Columns[col], row)
	}
	return j.key
}

// null says whether a column of a row's key is null.
func (j *Join) null(row int) bool {
	for _, col := range j.spec.On {
		if j.batch.Columns[col].Null(row) {
			return true
		}
	}
	return false
}

// miss appends the result of a row that the table has nothing for.
func (j *Join) miss(ctx context.Context, row int, out operator.Output) error {
	if j.spec.Inner {
		return nil
	}
	return j.end(ctx, row, out) // columns without a value are null
}

// end ends a result of a row, whose added columns have been appended.
func (j *Join) end(ctx context.Context, row int, out operator.Output) error {
	j.added.EndRow()
	j.origin = append(j.origin, uint32(row))
	if n := len(j.origin); n < resultRows && (n&63 != 0 || j.added.Bytes() < resultBytes) {
		return nil
	}
	return j.send(ctx, out)
}

// send sends the results.
func (j *Join) send(ctx context.Context, out operator.Output) error {
	if len(j.origin) == 0 {
		return nil
	}
	added := j.added.Finish()
	base := j.ctx.Pool.Take(j.batch, j.origin)
	j.origin, j.parts = j.origin[:0], j.parts[:0]
	for i := range j.batch.Columns {
		j.parts = append(j.parts, batch.Part{From: base, Column: i})
	}
	for i := range added.Columns {
		j.parts = append(j.parts, batch.Part{From: added, Column: i})
	}
	joined := j.ctx.Pool.Compose(j.schema, base, j.parts)
	base.Release()
	added.Release()
	return out.Emit(ctx, PortJoined, joined)
}

// Next returns when the table is to be read anew.
func (j *Join) Next() time.Time {
	if j.remote != nil {
		return time.Time{}
	}
	return j.spec.Table.due()
}

// Tick reads the table anew.
func (j *Join) Tick(ctx context.Context, now time.Time, _ operator.Output) error {
	if j.remote != nil {
		return nil
	}
	return j.spec.Table.reload(ctx, &j.ctx, now)
}
