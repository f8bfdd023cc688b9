// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// port makes batches of an output stream from what a guest emits: it joins what the guest wrote
// with what passes by on the host.
type port struct {
	pool    *batch.Pool
	name    string
	time    bool
	forward bool
	written *abi.Schema // what the guest emits
	out     *abi.Schema // of the stream
	from    []int       // see operator.Forward
	passing []int       // columns of the input that pass by, by their number in the schema carried
	carried *abi.Schema // of the passing columns

	parts []batch.Part
	keep  []uint32 // rows of the message
	rows  []uint32 // their rows of the input
}

func newPort(pool *batch.Pool, d *describe.Port, in, out *abi.Schema) (*port, error) {
	p := &port{pool: pool, name: d.Name, time: d.Time, forward: d.Forward, written: d.Schema(), out: out}
	want := p.written
	if d.Forward {
		want, p.from = operator.Forward(in, d.Fields)
	} else {
		for i := range d.Fields {
			p.from = append(p.from, -1-i)
		}
	}
	if !want.Equal(out) {
		return nil, fmt.Errorf("output %q has the columns %s, its place in the pipeline %s", d.Name, want, out)
	}
	p.carried = &abi.Schema{}
	for i, col := range p.from {
		if col >= 0 {
			p.from[i] = len(p.passing)
			p.passing = append(p.passing, col)
			p.carried.Fields = append(p.carried.Fields, in.Fields[col])
		}
	}
	return p, nil
}

// resolve turns a message into a batch of the stream, without the rows that came from failed ones.
// It returns nil where no row is left. The caller keeps its references to in and m.Batch.
func (p *port) resolve(in *batch.Batch, m *batch.Message, failed []bool, spent *allowance) (*batch.Batch, error) {
	if err := p.check(in, m); err != nil {
		return nil, err
	}
	if m.Batch.Rows() == 0 {
		return nil, nil
	}
	if m.Origin == nil && failed == nil {
		return p.join(in, p.passing, m.Batch), nil
	}
	all := p.trace(m, failed)
	if len(p.rows) == 0 {
		return nil, nil
	}
	for _, col := range p.passing {
		if err := spent.spend(rowsBytes(&in.Columns[col], p.rows)); err != nil {
			return nil, err
		}
	}
	written := m.Batch
	if !all {
		written = p.pool.Take(m.Batch, p.keep)
		defer written.Release()
	}
	carried := p.gather(in)
	defer carried.Release()
	return p.join(carried, nil, written), nil
}

// check holds what the message says of its rows against the input and the description.
func (p *port) check(in *batch.Batch, m *batch.Message) error {
	rows := m.Batch.Rows()
	switch {
	case m.Group != nil:
		return breachf("it emitted a batch with groups, which only the host writes")
	case m.Origin == nil && rows != in.Rows() && !(rows == 0 && len(m.Failures) > 0):
		return breachf("it emitted %d rows for output %q without saying which of the %d rows of the input they came from", rows, p.name, in.Rows())
	case p.time && m.Batch.Times == nil && rows > 0:
		return breachf("it emitted rows for output %q without an event time; its description says that it writes one", p.name)
	case !p.time && m.Batch.Times != nil:
		return breachf("it emitted event times for output %q; its description does not say that it writes them", p.name)
	}
	for i, row := range m.Origin {
		if uint64(row) >= uint64(in.Rows()) {
			return breachf("row %d that it emitted for output %q came from row %d of an input of %d rows", i, p.name, row, in.Rows())
		}
	}
	return nil
}

// trace fills in p.keep and p.rows, and says whether all rows of the message stay.
func (p *port) trace(m *batch.Message, failed []bool) bool {
	if m.Origin != nil && failed == nil {
		p.rows = append(p.rows[:0], m.Origin...)
		return true
	}
	p.keep, p.rows = p.keep[:0], p.rows[:0]
	for i := range m.Batch.Rows() {
		row := uint32(i)
		if m.Origin != nil {
			row = m.Origin[i]
		}
		if !failed[row] {
			p.keep = append(p.keep, uint32(i))
			p.rows = append(p.rows, row)
		}
	}
	return len(p.rows) == m.Batch.Rows()
}

// gather returns the passing columns of the rows in p.rows.
func (p *port) gather(in *batch.Batch) *batch.Batch {
	p.parts = p.parts[:0]
	for _, col := range p.passing {
		p.parts = append(p.parts, batch.Part{From: in, Column: col})
	}
	view := p.pool.Compose(p.carried, in, p.parts)
	defer view.Release()
	return p.pool.Take(view, p.rows)
}

// join returns the columns of the stream, from carried and from what the guest wrote. columns says
// where carried has the passing ones; nil means in their order. Per row, what the guest wrote goes
// before what is carried.
func (p *port) join(carried *batch.Batch, columns []int, written *batch.Batch) *batch.Batch {
	p.parts = p.parts[:0]
	for _, from := range p.from {
		switch {
		case from < 0:
			p.parts = append(p.parts, batch.Part{From: written, Column: -1 - from})
		case columns != nil:
			p.parts = append(p.parts, batch.Part{From: carried, Column: columns[from]})
		default:
			p.parts = append(p.parts, batch.Part{From: carried, Column: from})
		}
	}
	out := p.pool.Compose(p.out, carried, p.parts)
	if written.Times != nil || written.Kinds != nil {
		out.Hold(written)
		if written.Times != nil {
			out.Times = written.Times
		}
		if written.Kinds != nil {
			out.Kinds = written.Kinds
		}
	}
	return out
}

// rowsBytes returns the memory of the given rows of a column.
func rowsBytes(c *batch.Column, rows []uint32) int64 {
	n := int64(0)
	switch c.Type {
	case abi.String, abi.Bytes:
		n = 5 * int64(len(rows))
		for _, row := range rows {
			n += int64(c.Offsets[row+1] - c.Offsets[row])
		}
	case abi.List, abi.Struct:
		for _, row := range rows {
			n += rangeBytes(c, int(row), int(row)+1)
		}
	default:
		n = int64(len(rows)) * int64(max(1, c.Type.Width()))
	}
	return n
}

// rangeBytes returns the memory of rows of a column that lie one after the other.
func rangeBytes(c *batch.Column, from, to int) int64 {
	n := int64(to-from) * int64(max(1, c.Type.Width()))
	switch c.Type {
	case abi.String, abi.Bytes:
		return n + 4*int64(to-from) + int64(c.Offsets[to]-c.Offsets[from])
	case abi.List:
		return n + 4*int64(to-from) + rangeBytes(&c.Children[0], int(c.Offsets[from]), int(c.Offsets[to]))
	case abi.Struct:
		for i := range c.Children {
			n += rangeBytes(&c.Children[i], from, to)
		}
	}
	return n
}
