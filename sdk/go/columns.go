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

// Number is a value of fixed width, which a column holds as Go does.
type Number interface {
	int32 | int64 | float64 | Timestamp | Decimal | EventTime
}

// Rows is embedded in the struct of columns that an operator made by MapColumns takes.
type Rows struct {
	call *call
}

// Len returns the number of rows, which all columns have.
func (r *Rows) Len() int { return r.call.rows }

// Keys returns the number of each row's key, in an operator made by Process: numbers run from 0
// without a gap, and mean nothing in another call. It is nil for rows of a broadcast input.
func (r *Rows) Keys() []uint32 { return r.call.groups }

// Select makes a row the one at hand: of its key is the state that is read and written, and from
// it come the rows of an Output.
func (r *Rows) Select(row int) { r.call.selects(row) }

// Fail fails a row: what is emitted for it is not seen.
func (r *Rows) Fail(row int, message string) { r.call.fail(row, message) }

// column is where a column lies in the batch.
type column struct {
	values   unsafe.Pointer // of fixed width, or bits
	rows     int
	offsets  []int32
	bytes    []byte
	validity []byte // nil where no row is null
}

// Null says whether a row is null. Without the option null in the column's tag,
// `wasmill:"name,null"`, none is.
func (c *column) Null(row int) bool {
	return c.validity != nil && c.validity[row>>3]>>(row&7)&1 == 0
}

// Column is a column of numbers. A Column of EventTime is the rows' event times.
type Column[T Number] struct {
	column
	_ [0]T
}

// Values returns the numbers, in the host's batch itself. Under a null lies any number.
func (c *Column[T]) Values() []T { return unsafe.Slice((*T)(c.values), c.rows) }

// BoolColumn is a column of type bool.
type BoolColumn struct{ column }

// At returns the value of a row.
func (c *BoolColumn) At(row int) bool {
	return unsafe.Slice((*byte)(c.values), (c.rows+7)/8)[row>>3]>>(row&7)&1 != 0
}

// StringColumn is a column of type string.
type StringColumn struct{ column }

// At returns the value of a row, in the host's batch itself.
func (c *StringColumn) At(row int) string {
	text := c.bytes[c.offsets[row]:c.offsets[row+1]]
	return unsafe.String(unsafe.SliceData(text), len(text))
}

// BytesColumn is a column of type bytes.
type BytesColumn struct{ column }

// At returns the value of a row, in the host's batch itself.
func (c *BytesColumn) At(row int) []byte {
	begin, end := c.offsets[row], c.offsets[row+1]
	return c.bytes[begin:end:end]
}

// columnField is a column of a struct of columns or of builders.
type columnField struct {
	offset uintptr
	typ    wire.Type
	time   bool // it is the event time
	key    bool // it has the option key
}

// A side says which types make a struct of columns.
type side struct{ numbers, bools, strings, bytes string }

var (
	columns  = side{"Column[", "BoolColumn", "StringColumn", "BytesColumn"}
	builders = side{"Builder[", "BoolBuilder", "StringBuilder", "BytesBuilder"}
)

// columnFields reads the fields of a struct of columns.
func columnFields(t reflect.Type, s side) (fields []wire.Field, time bool, found []columnField, err error) {
	if t.Kind() != reflect.Struct {
		return nil, false, nil, errors.New(t.String() + " is not a struct, whose fields would be the columns")
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.PkgPath != "" || row.Is(f.Type, "Rows") {
			continue
		}
		field, at, err := s.column(f)
		if err != nil {
			return nil, false, nil, errors.New(t.String() + "." + f.Name + ": " + err.Error())
		}
		if found = append(found, at); at.time {
			time = true
		} else {
			fields = append(fields, field)
		}
	}
	return fields, time, found, nil
}

func (s side) column(f reflect.StructField) (wire.Field, columnField, error) {
	name, options := row.Tag(f)
	field := wire.Field{Name: name, Doc: f.Tag.Get("doc"), Required: s == columns}
	at := columnField{offset: f.Offset}
	switch {
	case row.Is(f.Type, s.bools):
		field.Type = wire.Bool
	case row.Is(f.Type, s.strings):
		field.Type = wire.String
	case row.Is(f.Type, s.bytes):
		field.Type = wire.Bytes
	case row.Is(f.Type, s.numbers):
		var err error
		number := f.Type.Field(1).Type.Elem()
		if at.time = row.Is(number, "EventTime"); at.time {
			at.typ = wire.Int64
			return field, at, nil
		}
		if field.Type, field.Scale, options, err = row.Number(number, options); err != nil {
			return field, at, err
		}
	default:
		return field, at, errors.New("a struct of columns has no field of type " + f.Type.String() + "; there are wasmill." +
			s.numbers + "T], wasmill." + s.bools + ", wasmill." + s.strings + " and wasmill." + s.bytes)
	}
	for _, option := range options {
		switch {
		case s == columns && option == "null":
			field.Required = false
		case s == columns && option == "key":
			at.key = true
		default:
			return field, at, errors.New("unknown option \"" + option + "\" in its tag")
		}
	}
	if at.key && !field.Required {
		return field, at, errors.New("a key can't be null")
	}
	at.typ = field.Type
	return field, at, nil
}

// MapColumns returns an operator like Map's that works on whole columns, where a row at a time is
// too slow. In is a struct that embeds Rows and has a column in each other field; the columns are
// valid until process returns.
//
//	type Bids struct {
//		wasmill.Rows
//		Price wasmill.Column[int64]
//	}
//
// The operator writes to fields of type ColumnOutput. An error that process returns fails the
// operator; Rows.Fail fails a row.
func MapColumns[Op, In any](name, doc string, process func(*Op, *In) error) Operator {
	return &columnsOperator{name, doc, reflect.TypeFor[Op](), reflect.TypeFor[In](), func() columnsBody {
		op, in := new(Op), new(In)
		return columnsBody{op, unsafe.Pointer(op), unsafe.Pointer(in), func() error { return process(op, in) }}
	}}
}

type columnsOperator struct {
	name, doc string
	op, in    reflect.Type
	body      func() columnsBody
}

// columnsBody is the part of an open operator of columns that knows its types.
type columnsBody struct {
	op      any
	at      unsafe.Pointer // the same
	in      unsafe.Pointer // the struct of columns
	process func() error
}

func (m *columnsOperator) declare() (*declaration, []columnField, error) {
	d, err := declare(m.name, m.doc, wire.Map, m.op, nil)
	if err != nil {
		return nil, nil, err
	}
	for i, out := range d.outputs {
		if !out.byCols {
			return nil, nil, d.wrap(errors.New("output \"" + d.wire.Outputs[i].Name + "\" must be a wasmill.ColumnOutput"))
		}
	}
	port, found, err := columnInput(m.in)
	if err != nil {
		return nil, nil, d.wrap(err)
	}
	d.wire.Inputs = []wire.Port{port}
	return d, found, nil
}

// columnInput reads a struct of columns that an operator takes.
func columnInput(t reflect.Type) (wire.Port, []columnField, error) {
	fields, time, found, err := columnFields(t, columns)
	if err == nil && (t.NumField() == 0 || !row.Is(t.Field(0).Type, "Rows")) {
		err = errors.New(t.String() + " must begin with wasmill.Rows, embedded")
	}
	return wire.Port{Fields: fields, Time: time}, found, err
}

func (m *columnsOperator) Describe() (*wire.Operator, error) {
	d, _, err := m.declare()
	if err != nil {
		return nil, err
	}
	return &d.wire, nil
}

func (m *columnsOperator) Open(config []byte) (guest.Instance, error) {
	d, found, err := m.declare()
	if err != nil {
		return nil, err
	}
	body := m.body()
	c, err := d.open(body.op, body.at, config)
	if err != nil {
		return nil, err
	}
	(*Rows)(body.in).call = c
	return &columnsInstance{closing: closing{body.op}, columnsBody: body, call: c, columns: found}, nil
}

// columnsInstance is an open operator of columns.
type columnsInstance struct {
	closing
	columnsBody
	call    *call
	columns []columnField
}

func (m *columnsInstance) Process(batch []byte) error {
	viewColumns(m.in, m.columns, m.call.begin(batch))
	if err := m.process(); err != nil {
		return err
	}
	m.call.end(true)
	return nil
}

// viewColumns makes a struct of columns that of a batch.
func viewColumns(in unsafe.Pointer, fields []columnField, b *wire.Batch) {
	next := 0
	for _, f := range fields {
		into := (*column)(unsafe.Add(in, f.offset))
		if f.time {
			times := b.Times()
			*into = column{values: unsafe.Pointer(unsafe.SliceData(times)), rows: len(times)}
			continue
		}
		into.view(b, b.Column(next), f.typ)
		next++
	}
}

func (m *columnsInstance) Aggregate(int, []byte, []byte) error {
	return errors.New("the operator is a map, not an aggregate")
}

func (c *column) view(b *wire.Batch, at wire.Column, typ wire.Type) {
	*c = column{rows: b.Rows, validity: b.Validity(at)}
	switch typ {
	case wire.Bool:
		c.values = unsafe.Pointer(unsafe.SliceData(b.Bits(at)))
	case wire.Int32:
		c.values = unsafe.Pointer(unsafe.SliceData(wire.Values[int32](b, at)))
	case wire.String, wire.Bytes:
		c.offsets, c.bytes = b.Offsets(at), b.Bytes(at)
	default:
		c.values = unsafe.Pointer(unsafe.SliceData(wire.Values[int64](b, at)))
	}
}
