// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"context"
	"encoding/binary"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/table"
)

var (
	_ operator.Retractor = (*countDistinct)(nil)
	_ operator.Sized     = (*countDistinct)(nil)
	_ operator.Retractor = (*countedExtreme)(nil)
	_ operator.Sized     = (*countedExtreme)(nil)
)

// multiset keeps the different values of each slot, and where it is counted how often each was
// added. A value that was taken out more often than it was added has a negative count, until it
// is added as often.
type multiset struct {
	field   abi.Field // of a value, as an item of a list
	counted bool
	seen    table.Table // keys are a slot and an encoded value
	links   []link      // by a key's number
	slots   []valueSet
	key     []byte
	size    int64 // of the keys
}

type link struct {
	next, prev uint32 // the slot's next and previous key plus 1, 0 at the ends
	count      int64
}

type valueSet struct {
	present int64  // values with a count above 0
	first   uint32 // the slot's first key plus 1, 0 for none
}

func (m *multiset) set(slot uint32) *valueSet {
	if int(slot) >= len(m.slots) {
		m.slots = reach(m.slots, []uint32{slot})
	}
	return &m.slots[slot]
}

// begin begins the key of a value of a slot in m.key.
func (m *multiset) begin(slot uint32) { m.key = binary.LittleEndian.AppendUint32(m.key[:0], slot) }

// put adds m.key, which is of a slot, n times.
func (m *multiset) put(slot uint32, n int64) {
	set := m.set(slot)
	number, fresh := m.seen.Put(m.key, table.Hash(m.key))
	if fresh {
		m.size += int64(len(m.key))
		if int(number) >= len(m.links) {
			m.links = reach(m.links, []uint32{number})
		}
		m.links[number] = link{next: set.first}
		if set.first != 0 {
			m.links[set.first-1].prev = number + 1
		}
		set.first = number + 1
	} else if !m.counted {
		return
	}
	l := &m.links[number]
	was := l.count > 0
	l.count += n
	switch is := l.count > 0; {
	case is && !was:
		set.present++
	case was && !is:
		set.present--
	}
	if l.count == 0 {
		m.unlink(set, number)
	}
}

// unlink forgets a key of a slot.
func (m *multiset) unlink(set *valueSet, number uint32) {
	l := m.links[number]
	if l.prev != 0 {
		m.links[l.prev-1].next = l.next
	} else {
		set.first = l.next
	}
	if l.next != 0 {
		m.links[l.next-1].prev = l.prev
	}
	m.forget(number)
}

func (m *multiset) forget(number uint32) {
	m.size -= int64(len(m.seen.Key(number)))
	m.seen.Remove(number)
}

// add adds the values of a column that are not null, n times each.
func (m *multiset) add(c *batch.Column, slots []uint32, n int64) {
	for row, s := range slots {
		if !c.Null(row) {
			m.begin(s)
			m.key = batch.AppendValue(m.key, c, row)
			m.put(s, n)
		}
	}
}

func (m *multiset) merge(into, from []uint32) {
	for i, s := range into {
		for at := m.set(from[i]).first; at != 0; at = m.links[at-1].next {
			m.begin(s)
			m.key = append(m.key, m.seen.Key(at - 1)[4:]...)
			m.put(s, m.links[at-1].count)
		}
	}
}

func (m *multiset) copy(into, from []uint32) {
	m.clear(into)
	m.merge(into, from)
}

func (m *multiset) clear(slots []uint32) {
	for _, s := range slots {
		if int(s) >= len(m.slots) {
			continue
		}
		for at := m.slots[s].first; at != 0; {
			next := m.links[at-1].next
			m.forget(at - 1)
			at = next
		}
		m.slots[s] = valueSet{}
	}
}

// accumulator is a list of values, or of values with their counts.
func (m *multiset) accumulator() abi.Field {
	item := m.field
	if m.counted {
		value := m.field
		value.Name = "value"
		item = abi.Field{Name: m.field.Name, Type: abi.Struct, Children: []abi.Field{value, {Name: "count", Type: abi.Int64}}}
	}
	return abi.Field{Type: abi.List, Children: []abi.Field{item}}
}

func (m *multiset) save(slots []uint32, to *batch.ColumnBuilder) error {
	item := to.Child(0)
	value := item
	if m.counted {
		value = item.Child(0)
	}
	for _, s := range slots {
		for at := m.set(s).first; at != 0; at = m.links[at-1].next {
			if _, err := value.AppendValue(m.seen.Key(at - 1)[4:]); err != nil {
				return err
			}
			if m.counted {
				item.Child(1).AppendInt64(m.links[at-1].count)
				item.EndStruct()
			}
		}
		to.EndList()
	}
	return nil
}

func (m *multiset) load(slots []uint32, from *batch.Column) {
	m.clear(slots)
	values := &from.Children[0]
	var counts []int64
	if m.counted {
		counts = values.Children[1].Int64s()
		values = &values.Children[0]
	}
	for row, s := range slots {
		// Backwards, since each is put first: the order of the list is kept.
		for n := int(from.Offsets[row+1]) - 1; n >= int(from.Offsets[row]); n-- {
			m.begin(s)
			m.key = batch.AppendValue(m.key, values, n)
			if m.counted {
				m.put(s, counts[n])
			} else {
				m.put(s, 1)
			}
		}
	}
}

func (m *multiset) memory() int64 { return m.size + 48*int64(m.seen.Len()) }

// counted keeps how often each value of a column came, a slot: what aggregates have in common that can
// take rows back, and have to know all values for it.
type counted struct {
	stateless
	col    int
	values multiset
}

func (a *counted) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	a.values.add(&b.Columns[a.col], slots, 1)
	return nil
}

// Retract is only of values that are counted.
func (a *counted) Retract(_ context.Context, b *batch.Batch, slots []uint32) error {
	a.values.add(&b.Columns[a.col], slots, -1)
	return nil
}

func (a *counted) Merge(_ context.Context, into, from []uint32) error {
	a.values.merge(into, from)
	a.values.clear(from)
	return nil
}

func (a *counted) Copy(into, from []uint32) { a.values.copy(into, from) }

func (a *counted) Clear(slots []uint32) { a.values.clear(slots) }

func (a *counted) Accumulator() abi.Field { return a.values.accumulator() }

func (a *counted) Save(_ context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	return a.values.save(slots, to)
}

func (a *counted) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	a.values.load(slots, from)
	return nil
}

func (a *counted) Memory() int64 { return a.values.memory() }

// countDistinct counts the different values of a column, exactly: it keeps each, once a slot.
type countDistinct struct{ counted }

func (a *countDistinct) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	for _, s := range slots {
		out[0].AppendInt64(a.values.set(s).present)
	}
	return nil
}

// countedExtreme is the least or the greatest value of a column whose rows may be taken back: it
// keeps all values, and looks for the extreme one when it is asked for it.
type countedExtreme struct {
	counted
	greatest bool
	order    func(a, b []byte) int
}

func (a *countedExtreme) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	m := &a.values
	for _, s := range slots {
		var best []byte
		for at := m.set(s).first; at != 0; at = m.links[at-1].next {
			if m.links[at-1].count <= 0 {
				continue
			}
			v := m.seen.Key(at - 1)[4:]
			if best == nil || a.greatest == (a.order(v, best) > 0) {
				best = v
			}
		}
		if err := appendValue(out[0], best); err != nil {
			return err
		}
	}
	return nil
}
