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

// Aggregate returns an operator that makes one value, the accumulator, of the rows of a group,
// and result rows of that. Grouping and windows are the host's: an accumulator travels between
// calls and machines as a column of type Acc, which may be whatever a column's field may be.
//
//	type Sum struct{ Total float64; Count int64 }
//
//	func (*Mean) Add(acc *Sum, r *Reading) error    // takes in a row; begins with a zero Sum
//	func (*Mean) Merge(acc, other *Sum) error       // takes in another accumulator's rows
//	func (m *Mean) Result(acc *Sum) error           // emits rows to m.Out
//
//	wasmill.Aggregate("mean", "Mean of the readings.", (*Mean).Add, (*Mean).Merge, (*Mean).Result)
//
// Merge must be associative. An error of Add fails the row and leaves the accumulator as it was,
// except for items of a slice that were written over. The operator's struct has one Output.
func Aggregate[Op, In, Acc any](
	name, doc string, add func(*Op, *Acc, *In) error, merge func(op *Op, acc, other *Acc) error, result func(*Op, *Acc) error,
) Operator {
	var s slot[Acc]
	a := &aggregateOperator{
		name: name, doc: doc, op: reflect.TypeFor[Op](), in: reflect.TypeFor[In](), acc: reflect.TypeFor[Acc](),
		stride: unsafe.Sizeof(s), valid: unsafe.Offsetof(s.valid),
	}
	a.body = func() aggregateBody {
		op, rows := new(Op), make([]In, chunk)
		return aggregateBody{
			op: op, at: unsafe.Pointer(op), rows: unsafe.Pointer(unsafe.SliceData(rows)),
			slots: func(n int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]slot[Acc], n))) },
			add: func(accs unsafe.Pointer, group uint32, row int) error {
				s := (*slot[Acc])(unsafe.Add(accs, uintptr(group)*unsafe.Sizeof(slot[Acc]{})))
				before := s.value
				err := add(op, &s.value, &rows[row])
				if err != nil {
					s.value = before
				} else {
					s.valid = true
				}
				return err
			},
			merge: func(acc, other unsafe.Pointer) error {
				s, o := (*slot[Acc])(acc), (*slot[Acc])(other)
				if !o.valid {
					return nil
				}
				if !s.valid {
					*s = *o
					return nil
				}
				return merge(op, &s.value, &o.value)
			},
			result: func(acc unsafe.Pointer) error { return result(op, (*Acc)(acc)) },
		}
	}
	return a
}

// slot is an accumulator as a row of its own. One that has had no row is null.
type slot[Acc any] struct {
	value Acc
	valid bool
}

type aggregateOperator struct {
	name, doc     string
	op, in, acc   reflect.Type
	stride, valid uintptr // of a slot
	body          func() aggregateBody
}

// aggregateBody is the part of an open aggregate that knows its types. Pointers are to slots.
type aggregateBody struct {
	op     any
	at     unsafe.Pointer // the same
	rows   unsafe.Pointer // an array of chunk rows
	slots  func(n int) unsafe.Pointer
	add    func(slots unsafe.Pointer, group uint32, row int) error
	merge  func(acc, other unsafe.Pointer) error
	result func(acc unsafe.Pointer) error
}

func (a *aggregateOperator) declare() (d *declaration, in, acc *row.Codec, err error) {
	if d, err = declare(a.name, a.doc, wire.Aggregate, a.op, nil); err != nil {
		return nil, nil, nil, err
	}
	if in, err = d.input(a.in); err != nil {
		return nil, nil, nil, err
	}
	if len(d.outputs) != 1 || d.outputs[0].byCols || d.wire.Outputs[0].Forward || d.wire.Outputs[0].Time {
		return nil, nil, nil, d.wrap(errors.New("an aggregate has one output, of type wasmill.Output, that neither forwards nor has an event time"))
	}
	if acc, err = row.OfValue(a.acc, "accumulator", a.stride, a.valid); err != nil {
		return nil, nil, nil, d.wrap(errors.New("accumulator: " + err.Error()))
	}
	d.wire.Accumulator = &acc.Fields[0]
	return d, in, acc, nil
}

func (a *aggregateOperator) Describe() (*wire.Operator, error) {
	d, _, _, err := a.declare()
	if err != nil {
		return nil, err
	}
	return &d.wire, nil
}

func (a *aggregateOperator) Open(config []byte) (guest.Instance, error) {
	d, in, acc, err := a.declare()
	if err != nil {
		return nil, err
	}
	body := a.body()
	c, err := d.open(body.op, body.at, config)
	if err != nil {
		return nil, err
	}
	i := &aggregateInstance{closing: closing{body.op}, aggregateBody: body, call: c, in: in, codec: acc, stride: a.stride}
	if !row.Is(a.acc, "Null[") {
		return i, nil
	}
	i.always, i.valid = true, a.valid
	return i, nil
}

// aggregateInstance is an open aggregate.
type aggregateInstance struct {
	closing
	aggregateBody
	call   *call
	in     *row.Codec
	codec  *row.Codec // of slots
	stride uintptr
	always bool    // the accumulator is a Null itself: a slot of one is always valid
	valid  uintptr // where it says so
	first  accumulators
	second accumulators
}

// accumulators is memory for slots, used again by the next call.
type accumulators struct {
	slots unsafe.Pointer
	n     int
}

func (a *aggregateInstance) Process([]byte) error {
	return errors.New("the operator is an aggregate, not a map")
}

func (a *aggregateInstance) Aggregate(step int, first, second []byte) error {
	b := a.call.begin(first)
	switch step {
	case guest.StepAdd:
		accs := a.call.read(1, second)
		a.addRows(b, a.read(accs, &a.first), accs.Rows)
	case guest.StepMerge:
		others := a.call.read(1, second)
		a.mergeAll(a.read(b, &a.first), a.read(others, &a.second), min(b.Rows, others.Rows))
	case guest.StepResult:
		slots := a.read(b, &a.first)
		for i := range b.Rows {
			a.call.row = uint32(i)
			if err := a.result(unsafe.Add(slots, uintptr(i)*a.stride)); err != nil {
				a.call.fail(i, err.Error())
			}
		}
		a.call.end(true)
	default:
		return errors.New("the host asks for a step of an aggregate that does not exist")
	}
	return nil
}

// read reads a batch of accumulators.
func (a *aggregateInstance) read(b *wire.Batch, into *accumulators) unsafe.Pointer {
	if into.n < b.Rows {
		into.n = max(b.Rows, 2*into.n)
		into.slots = a.slots(into.n)
	}
	a.codec.Lenient(b, 0, b.Rows, into.slots)
	for i := 0; a.always && i < b.Rows; i++ {
		*(*bool)(unsafe.Add(into.slots, uintptr(i)*a.stride+a.valid)) = true
	}
	return into.slots
}

// emit hands accumulators back.
func (a *aggregateInstance) emit(slots unsafe.Pointer, n int) {
	a.call.end(false)
	m := &a.call.message
	m.Begin(wire.SchemaAccumulator, n, a.codec.Columns(), a.call.known())
	a.codec.Write(m, slots, n, maxInt)
	a.call.handOver(m)
}

func (a *aggregateInstance) addRows(b *wire.Batch, slots unsafe.Pointer, n int) {
	groups := b.Groups()
	for at := 0; at < b.Rows; at += chunk {
		bad := a.call.readRows(a.in, b, at, a.rows)
		for i := range min(chunk, b.Rows-at) {
			group := groups[at+i]
			if int(group) >= n || bad != nil && bad[i] != nil {
				continue
			}
			if err := a.add(slots, group, i); err != nil {
				a.call.fail(at+i, err.Error())
			}
		}
	}
	a.emit(slots, n)
}

func (a *aggregateInstance) mergeAll(slots, others unsafe.Pointer, n int) {
	for i := range n {
		offset := uintptr(i) * a.stride
		if err := a.merge(unsafe.Add(slots, offset), unsafe.Add(others, offset)); err != nil {
			a.call.fail(i, err.Error())
		}
	}
	a.emit(slots, n)
}
