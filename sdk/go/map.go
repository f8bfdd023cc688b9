// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"errors"
	"reflect"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/guest"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// chunk is how many rows are read out of the columns at a time: as many as stay in the cache
// while the operator works on them.
const chunk = 256

// Map returns an operator that makes any number of rows of each row. process is a method of the
// operator's struct: Map("alarms", "Readings above a limit.", (*Alarms).Process). doc is one line.
//
// An error that process returns fails the row and no other: nothing that was emitted for it is
// seen, and the pipeline decides what becomes of it. The row, and strings and slices in it, are
// valid until process returns; strings.Clone keeps one for longer.
func Map[Op, In any](name, doc string, process func(*Op, *In) error) Operator {
	return &mapOperator{name, doc, reflect.TypeFor[Op](), reflect.TypeFor[In](), func() mapBody {
		op, rows := new(Op), make([]In, chunk)
		return mapBody{op, unsafe.Pointer(op), unsafe.Pointer(unsafe.SliceData(rows)), func(c *call, at int, bad []*row.Node) {
			rows := rows[:min(chunk, c.rows-at)]
			for i := range rows {
				if c.row = uint32(at + i); bad != nil && bad[i] != nil {
					continue
				}
				if err := process(op, &rows[i]); err != nil {
					c.fail(at+i, err.Error())
				}
			}
		}}
	}}
}

type mapOperator struct {
	name, doc string
	op, in    reflect.Type
	body      func() mapBody
}

// mapBody is the part of an open map operator that knows its types.
type mapBody struct {
	op      any
	at      unsafe.Pointer // the same
	rows    unsafe.Pointer // an array of chunk rows
	process func(c *call, at int, bad []*row.Node)
}

func (m *mapOperator) declare() (*declaration, *row.Codec, error) {
	d, err := declare(m.name, m.doc, wire.Map, m.op, nil)
	if err != nil {
		return nil, nil, err
	}
	in, err := d.input(m.in)
	return d, in, err
}

// input adds an input of rows of a type.
func (d *declaration) input(t reflect.Type) (*row.Codec, error) {
	in, err := row.Of(t, row.Input, nil)
	if err != nil {
		return nil, d.wrap(err)
	}
	d.wire.Inputs = []wire.Port{{Fields: in.Fields, Time: in.Time}}
	return in, nil
}

func (m *mapOperator) Describe() (*wire.Operator, error) {
	d, _, err := m.declare()
	if err != nil {
		return nil, err
	}
	return &d.wire, nil
}

func (m *mapOperator) Open(config []byte) (guest.Instance, error) {
	d, in, err := m.declare()
	if err != nil {
		return nil, err
	}
	body := m.body()
	c, err := d.open(body.op, body.at, config)
	if err != nil {
		return nil, err
	}
	return &mapInstance{closing: closing{body.op}, mapBody: body, call: c, in: in}, nil
}

// mapInstance is an open map operator.
type mapInstance struct {
	closing
	mapBody
	call *call
	in   *row.Codec
}

func (m *mapInstance) Process(batch []byte) error {
	b := m.call.begin(batch)
	for at := 0; at < b.Rows; at += chunk {
		m.process(m.call, at, m.call.readRows(m.in, b, at, m.rows))
		m.call.relieve()
	}
	m.call.end(true)
	return nil
}

func (m *mapInstance) Aggregate(int, []byte, []byte) error {
	return errors.New("the operator is a map, not an aggregate")
}

// readRows reads the rows from at on, at most chunk. It returns nil, or which of them have failed:
// they have a null where their type has no room for one.
func (c *call) readRows(in *row.Codec, b *wire.Batch, at int, rows unsafe.Pointer) []*row.Node {
	bad := in.Read(b, at, min(chunk, b.Rows-at), rows)
	for i, node := range bad {
		if node != nil {
			c.fail(at+i, node.Name+" is null inside a column of the row; the operator can't take that, because its type there is no wasmill.Null")
		}
	}
	return bad
}
