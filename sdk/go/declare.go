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

// Version is the version of this SDK.
const Version = "0.1.0"

// Operator is what Map, MapColumns, Process and Aggregate return and Register takes. Package wasmilltest
// runs one in a test.
type Operator interface{ guest.Operator }

// declaration is what reflection finds in the types of an operator.
type declaration struct {
	wire     wire.Operator
	config   *row.Codec
	outputs  []outputField
	counters []uintptr // offsets
	states   []stateField
	keep     keeping // nil where the operator has no state: a module of such operators has no code for it
}

// keeping is how a process takes in fields that are its states, and opens them.
type keeping interface {
	declare(d *declaration, f reflect.StructField) error
	open(d *declaration, c *call, op unsafe.Pointer)
}

// outputField is an Output or a ColumnOutput of an operator.
type outputField struct {
	offset  uintptr
	rows    *row.Codec    // of an Output
	columns []columnField // of a ColumnOutput
	byCols  bool
}

// declare reads the fields of an operator's struct.
func declare(name, doc string, kind wire.Kind, op reflect.Type, keep keeping) (*declaration, error) {
	d := &declaration{wire: wire.Operator{Name: name, Kind: kind, Doc: doc}, keep: keep}
	config, err := row.Of(op, row.Config, func(t reflect.Type) bool {
		return row.Is(t, "Output[") || row.Is(t, "ColumnOutput[") || row.Is(t, "Counter") || isState(t)
	})
	if err != nil {
		return nil, d.wrap(err)
	}
	if config.Time {
		return nil, d.wrap(errors.New(op.String() + " has an EventTime among its configuration; that is part of a row"))
	}
	d.config, d.wire.Config = config, config.Fields
	if err := d.fields(op, 0); err != nil {
		return nil, d.wrap(err)
	}
	if len(d.outputs) == 0 {
		return nil, d.wrap(errors.New(op.String() + " has no field of type wasmill.Output"))
	}
	return d, nil
}

func (d *declaration) wrap(err error) error {
	return errors.New("operator " + d.wire.Name + ": " + err.Error())
}

// fields takes in the outputs, counters and states of an operator, and of what is embedded in it.
func (d *declaration) fields(t reflect.Type, at uintptr) error {
	for i := range t.NumField() {
		f := t.Field(i)
		f.Offset += at
		var err error
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Type.PkgPath() != row.SDK:
			err = d.fields(f.Type, f.Offset)
		case f.PkgPath == "":
			if err = d.field(f); err != nil {
				err = errors.New(t.String() + "." + f.Name + ": " + err.Error())
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// field takes in a field that is an output, a counter or a state.
func (d *declaration) field(f reflect.StructField) error {
	switch {
	case !isState(f.Type):
	case d.keep == nil:
		return errors.New("only an operator made by wasmill.Process has state and timers")
	default:
		return d.keep.declare(d, f)
	}
	name, options := row.Tag(f)
	isRows, isColumns := row.Is(f.Type, "Output["), row.Is(f.Type, "ColumnOutput[")
	switch {
	case row.Is(f.Type, "Counter"):
		d.wire.Counters = append(d.wire.Counters, name)
		d.counters = append(d.counters, f.Offset)
		return nil
	case !isRows && !isColumns:
		return nil
	}
	port := wire.Port{Name: name}
	if len(d.outputs) == 0 {
		port.Name = ""
	}
	for _, option := range options {
		if option != "forward" {
			return errors.New("unknown option \"" + option + "\" in its tag; there is forward")
		}
		port.Forward = true
	}
	out := outputField{offset: f.Offset, byCols: isColumns}
	var err error
	if isRows {
		if out.rows, err = row.Of(f.Type.Field(1).Type.Elem(), row.Output, nil); err != nil {
			return err
		}
		port.Fields, port.Time = out.rows.Fields, out.rows.Time
	} else if port.Fields, port.Time, out.columns, err = columnFields(f.Type.Field(1).Type, builders); err != nil {
		return err
	}
	d.outputs = append(d.outputs, out)
	d.wire.Outputs = append(d.wire.Outputs, port)
	return nil
}

// open fills in the operator's configuration, lets it look at it, and hands it its outputs.
func (d *declaration) open(op any, at unsafe.Pointer, config []byte) (*call, error) {
	c := &call{aggregate: d.wire.Kind == wire.Aggregate}
	for i, out := range d.outputs {
		if out.byCols {
			o := (*columnOutput)(unsafe.Add(at, out.offset))
			o.call, o.port, o.fields = c, uint32(i), out.columns
			c.outputs = append(c.outputs, o)
		} else {
			o := (*output)(unsafe.Add(at, out.offset))
			o.call, o.port, o.codec = c, uint32(i), out.rows
			c.outputs = append(c.outputs, o)
		}
	}
	for _, offset := range d.counters {
		c.counters = append(c.counters, (*Counter)(unsafe.Add(at, offset)))
	}
	if d.keep != nil {
		d.keep.open(d, c, at)
	}
	own := wire.Words(len(config)) // the host writes its next input over config
	copy(own, config)
	b := wire.Read(own)
	d.config.Lenient(&b, 0, 1, at)
	if o, ok := op.(interface{ Open() error }); ok {
		if err := o.Open(); err != nil {
			return nil, err
		}
	}
	for _, o := range c.outputs {
		if o.held() > 0 {
			return nil, d.wrap(errors.New("its method Open emits a row; there is no row of the input yet that it could come from"))
		}
	}
	return c, nil
}

// closing is the Close of every instance, and what it answers to calls that are not of its kind.
type closing struct{ op any }

func (closing) Timer([]byte) error {
	return errors.New("the operator has no method that timers are given to: a process is made with wasmill.OnTimer for that")
}

func (c closing) Close() error {
	if op, ok := c.op.(interface{ Close() error }); ok {
		return op.Close()
	}
	return nil
}
