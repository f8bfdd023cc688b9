// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"errors"
	"reflect"
	"slices"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/guest"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// Process returns an operator with state and timers: fields of its struct of the types ValueState,
// ListState, MapState, ReducingState, EventTimers and ProcessingTimers. parts are its inputs, one
// or two that are keyed and any number of broadcast ones, and what timers that are due are given
// to:
//
//	wasmill.Process("watch", "Accounts that went quiet.",
//		wasmill.Input("", (*Watch).Process), wasmill.OnTimer((*Watch).OnIdle))
//
// State is of the key of the row, or of the timer, at hand. The fields of keyed inputs that have
// the option key, `wasmill:",key"`, are the key, the same ones in both. Where no field has it, the
// pipeline says what the key is.
//
// An error of a method fails its row, or its timer, and no other: the host takes back what the
// call has emitted and put and calls again without it.
func Process[Op any](name, doc string, parts ...Part[Op]) Operator {
	p := &processOperator{name: name, doc: doc, op: reflect.TypeFor[Op]()}
	for _, part := range parts {
		p.parts = append(p.parts, part.part)
	}
	p.open = func() (any, unsafe.Pointer, []partBody) {
		op := new(Op)
		var bodies []partBody
		for _, part := range parts {
			bodies = append(bodies, part.open(op))
		}
		return op, unsafe.Pointer(op), bodies
	}
	return p
}

// Part is a part of an operator made by Process.
type Part[Op any] struct {
	part
	open func(op *Op) partBody
}

// part is a Part without its types.
type part struct {
	name      string
	in        reflect.Type
	byCols    bool // in is a struct of columns
	broadcast bool
	timer     bool
}

// partBody is the part of an open Part that knows its types.
type partBody struct {
	into unsafe.Pointer // an array of chunk rows, or the struct of columns
	each func(c *call, at int, bad []*row.Node)
	all  func() error // of the struct of columns
}

// Input is a keyed input, whose rows process takes one by one. The first input of an operator may
// have the name "". The row, and strings and slices in it, are valid until the call returns.
func Input[Op, In any](name string, process func(*Op, *In) error) Part[Op] {
	return Part[Op]{part{name: name, in: reflect.TypeFor[In]()}, rowsBody(process)}
}

// BroadcastInput is an input whose rows are given to each subtask of the operator. They have no
// key; they may write broadcast state.
func BroadcastInput[Op, In any](name string, process func(*Op, *In) error) Part[Op] {
	return Part[Op]{part{name: name, in: reflect.TypeFor[In](), broadcast: true}, rowsBody(process)}
}

// OnTimer is what takes timers that are due, in the order of their time: see Timer.
func OnTimer[Op, Due any](process func(*Op, *Due) error) Part[Op] {
	return Part[Op]{part{in: reflect.TypeFor[Due](), timer: true}, rowsBody(process)}
}

// InputColumns is Input by the column, as MapColumns is Map. The operator works on values of a
// ValueState by the numbers of Rows.Keys; what has no such methods it reaches by Rows.Select.
func InputColumns[Op, In any](name string, process func(*Op, *In) error) Part[Op] {
	return Part[Op]{part{name: name, in: reflect.TypeFor[In](), byCols: true}, func(op *Op) partBody {
		in := new(In)
		return partBody{into: unsafe.Pointer(in), all: func() error { return process(op, in) }}
	}}
}

// rowsBody gives rows to an operator one by one, as Map does, each with its key.
func rowsBody[Op, In any](process func(*Op, *In) error) func(*Op) partBody {
	return func(op *Op) partBody {
		rows := make([]In, chunk)
		return partBody{into: unsafe.Pointer(unsafe.SliceData(rows)), each: func(c *call, at int, bad []*row.Node) {
			rows := rows[:min(chunk, c.rows-at)]
			for i := range rows {
				if c.selects(at + i); bad != nil && bad[i] != nil {
					continue
				}
				if err := process(op, &rows[i]); err != nil {
					c.fail(at+i, err.Error())
				}
			}
		}}
	}
}

type processOperator struct {
	name, doc string
	op        reflect.Type
	parts     []part
	open      func() (op any, at unsafe.Pointer, bodies []partBody)
}

// reader reads the rows of a part.
type reader struct {
	rows    *row.Codec
	columns []columnField
	key     []int // which fields have the option key
}

func (p *processOperator) declare() (*declaration, []reader, error) {
	d, err := declare(p.name, p.doc, wire.Process, p.op, keeps{})
	if err != nil {
		return nil, nil, err
	}
	readers := make([]reader, len(p.parts))
	for i := range p.parts {
		if part := &p.parts[i]; !part.timer {
			if readers[i], err = d.processInput(part); err != nil {
				return nil, nil, d.wrap(errors.New("input \"" + part.name + "\": " + err.Error()))
			}
		}
	}
	timers := 0
	for i := range p.parts {
		if part := &p.parts[i]; part.timer {
			timers++
			if readers[i], err = d.due(part.in); err != nil {
				return nil, nil, d.wrap(err)
			}
		}
	}
	return d, readers, d.complete(timers)
}

// processInput adds an input, and its key to the operator's.
func (d *declaration) processInput(p *part) (r reader, err error) {
	port := wire.Port{Name: p.name, Broadcast: p.broadcast}
	if p.byCols {
		if port, r.columns, err = columnInput(p.in); err != nil {
			return r, err
		}
		port.Name = p.name
		at := 0
		for _, c := range r.columns {
			if c.key {
				r.key = append(r.key, at)
			}
			if !c.time {
				at++
			}
		}
	} else {
		if r.rows, err = row.Of(p.in, row.Input, nil); err != nil {
			return r, err
		}
		port.Fields, port.Time, r.key = r.rows.Fields, r.rows.Time, r.rows.Keys
	}
	first := len(d.wire.Inputs) == 0 || keyedInputs(d.wire.Inputs) == 0
	d.wire.Inputs = append(d.wire.Inputs, port)
	if p.broadcast {
		return r, nil
	}
	var key []wire.Field
	for _, at := range r.key {
		f := port.Fields[at]
		key = append(key, wire.Field{Name: f.Name, Type: f.Type, Scale: f.Scale})
	}
	if first {
		d.wire.Key = key
		return r, nil
	}
	return r, sameKey(key, d.wire.Key)
}

func keyedInputs(ports []wire.Port) int {
	n := 0
	for i := range ports {
		if !ports[i].Broadcast {
			n++
		}
	}
	return n
}

// sameKey returns an error where the key of an input is not that of the first one, in any order.
func sameKey(key, first []wire.Field) error {
	for i := range first {
		if !slices.ContainsFunc(key, func(k wire.Field) bool { return sameField(&k, &first[i]) }) {
			return errors.New("it lacks " + first[i].Name + " of type " + first[i].TypeString() + " with the option key, which the first input has")
		}
	}
	if len(key) != len(first) {
		return errors.New("it has more fields with the option key than the first input")
	}
	return nil
}

// due reads the struct that timers are given as.
func (d *declaration) due(t reflect.Type) (r reader, err error) {
	if !row.Is(t, "Timer") && (t.Kind() != reflect.Struct || t.NumField() == 0 || !t.Field(0).Anonymous || !row.Is(t.Field(0).Type, "Timer")) {
		return r, errors.New("OnTimer: " + t.String() + " must begin with wasmill.Timer, embedded")
	}
	if r.rows, err = row.Of(t, row.Output, nil); err != nil {
		return r, errors.New("OnTimer: " + err.Error())
	}
	if r.rows.Time {
		return r, errors.New("OnTimer: " + t.String() + " has an EventTime; the time of a timer is its Timer's")
	}
	const own = 2 // time and namespace
	var places []int
	for i := range r.rows.Fields[own:] {
		f := &r.rows.Fields[own+i]
		at := slices.IndexFunc(d.wire.Key, func(k wire.Field) bool { return sameField(&k, f) })
		if at < 0 {
			return r, errors.New("OnTimer: " + t.String() + " has " + f.Name + " of type " + f.TypeString() +
				"; behind wasmill.Timer it can have the fields of the inputs that have the option key")
		}
		places = append(places, own+at)
	}
	r.rows.Renumber(own, places)
	return r, nil
}

func sameField(a, b *wire.Field) bool {
	return a.Name == b.Name && a.TypeString() == b.TypeString()
}

// complete returns an error where parts are missing or too many.
func (d *declaration) complete(timers int) error {
	sets := false
	for i := range d.states {
		sets = sets || d.states[i].timer != 0
	}
	keyed := keyedInputs(d.wire.Inputs)
	switch {
	case keyed == 0 || keyed > 2:
		return d.wrap(errors.New("a process has one or two parts made by wasmill.Input"))
	case timers > 1:
		return d.wrap(errors.New("it has several parts made by wasmill.OnTimer; one takes all timers"))
	case sets && timers == 0:
		return d.wrap(errors.New("it sets timers, and no part made by wasmill.OnTimer takes them"))
	}
	return nil
}

func (p *processOperator) Describe() (*wire.Operator, error) {
	d, _, err := p.declare()
	if err != nil {
		return nil, err
	}
	return &d.wire, nil
}

func (p *processOperator) Open(config []byte) (guest.Instance, error) {
	d, readers, err := p.declare()
	if err != nil {
		return nil, err
	}
	op, at, bodies := p.open()
	c, err := d.open(op, at, config)
	if err != nil {
		return nil, err
	}
	i := &processInstance{closing: closing{op}, call: c}
	for n := range bodies {
		part := openPart{part: p.parts[n], partBody: bodies[n], reader: readers[n]}
		if part.byCols {
			(*Rows)(part.into).call = c
		}
		if part.timer {
			i.timer = &part
		} else {
			i.inputs = append(i.inputs, part)
		}
	}
	return i, nil
}

// openPart is a part of an open process.
type openPart struct {
	part
	partBody
	reader
}

// processInstance is an open process.
type processInstance struct {
	closing
	call   *call
	inputs []openPart
	timer  *openPart // nil where the operator has none
}

func (p *processInstance) Process(batch []byte) error {
	b := p.call.begin(batch)
	if int(b.Schema) >= len(p.inputs) {
		return errors.New("the host sent rows of an input that the operator does not have")
	}
	return p.run(&p.inputs[b.Schema], b)
}

func (p *processInstance) Timer(batch []byte) error {
	if p.timer == nil {
		return p.closing.Timer(batch)
	}
	return p.run(p.timer, p.call.begin(batch))
}

func (p *processInstance) Aggregate(int, []byte, []byte) error {
	return errors.New("the operator is a process, not an aggregate")
}

// run gives rows to a part.
func (p *processInstance) run(to *openPart, b *wire.Batch) error {
	c := p.call
	c.groups, c.keyed, c.broadcast = nil, !to.broadcast, to.broadcast
	if c.keyed && b.Rows > 0 {
		if c.groups = b.Groups(); c.groups == nil {
			return errors.New("the host sent rows of a keyed input without the numbers of their keys")
		}
		c.selects(0)
	}
	if to.byCols {
		viewColumns(to.into, to.columns, b)
		if err := to.all(); err != nil {
			return err
		}
		c.end(true)
		return nil
	}
	for at := 0; at < b.Rows; at += chunk {
		bad := c.readRows(to.rows, b, at, to.into)
		if to.timer {
			to.setClocks(b.Schema, min(chunk, b.Rows-at))
		}
		to.each(c, at, bad)
		c.relieve()
	}
	c.end(true)
	return nil
}

// setClocks says of the timers that were read by what clock they are.
func (p *openPart) setClocks(schema uint32, n int) {
	clock := ByEventTime
	if schema == wire.SchemaProcessingTimer {
		clock = ByProcessingTime
	}
	for i := range uintptr(n) {
		(*Timer)(unsafe.Add(p.into, i*p.rows.Stride())).Clock = clock
	}
}
