// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/table"
)

// index finds the slot of a key. Keys have places, from 0 in the order in which they came; none is
// ever removed. A key of one column of an integer type is compared as a number, and lies in the hash
// table itself: with many keys, one look into memory finds it. Other keys are encoded by
// batch.AppendValue.
type index struct {
	key    *keyColumns
	slots  []uint32 // by place
	null   uint32   // of a number: the place of null plus 1, 0 where it has not come
	cells  []cell   // of numbers: open addressing, linear probing
	values []int64  // of numbers, by place
	texts  table.Table
}

type cell struct {
	value int64
	place uint32 // plus 1, 0 for none
	slot  uint32
}

// keyColumns are the columns of a key.
type keyColumns struct {
	columns []int
	types   []abi.Type
	number  bool // one column of an integer type
	seed    uint64
	scratch []int64
	text    []byte
}

func newKeyColumns(schema *abi.Schema, columns []int) *keyColumns {
	// Keys may be chosen to collide; the order of results does not depend on the seed.
	k := &keyColumns{columns: columns, seed: rand.Uint64() | 1}
	for _, col := range columns {
		k.types = append(k.types, schema.Fields[col].Type)
	}
	if len(columns) == 1 {
		switch k.types[0] {
		case abi.Int32, abi.Int64, abi.Decimal, abi.Timestamp:
			k.number = true
		}
	}
	return k
}

func (k *keyColumns) hash(v int64) uint64 {
	hi, lo := bits.Mul64(uint64(v)^k.seed, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

// numbers returns the values of the key's column.
func (k *keyColumns) numbers(b *batch.Batch) []int64 {
	c := &b.Columns[k.columns[0]]
	if c.Type != abi.Int32 {
		return c.Int64s()
	}
	k.scratch = k.scratch[:0]
	for _, v := range c.Int32s() {
		k.scratch = append(k.scratch, int64(v))
	}
	return k.scratch
}

// encode returns the encoded key of a row, valid until the next call.
func (k *keyColumns) encode(b *batch.Batch, row int) []byte {
	k.text = k.text[:0]
	for _, col := range k.columns {
		k.text = batch.AppendValue(k.text, &b.Columns[col], row)
	}
	return k.text
}

// reset forgets all keys.
func (x *index) reset() {
	clear(x.cells)
	x.texts.Reset()
	x.slots, x.values, x.null = x.slots[:0], x.values[:0], 0
}

// len returns how many keys there are.
func (x *index) len() int { return len(x.slots) }

// memory returns about how many bytes the keys take.
func (x *index) memory() int64 {
	n := int64(16*len(x.cells) + 8*len(x.values) + 4*len(x.slots))
	if !x.key.number {
		n += 48*int64(x.texts.Len()) + int64(x.texts.Bytes())
	}
	return n
}

// assign appends the slot of the key of each of rows [from, to), which for a new key is one that
// fresh returns.
func (x *index) assign(b *batch.Batch, from, to int, slots []uint32, fresh func() uint32) []uint32 {
	k := x.key
	if len(k.columns) == 0 {
		only := x.putText(nil, fresh)
		for range to - from {
			slots = append(slots, only)
		}
		return slots
	}
	if !k.number {
		for row := from; row < to; row++ {
			slots = append(slots, x.putText(k.encode(b, row), fresh))
		}
		return slots
	}
	values := k.numbers(b)
	if c := &b.Columns[k.columns[0]]; c.Nulls > 0 {
		for row := from; row < to; row++ {
			if c.Null(row) {
				slots = append(slots, x.putNull(fresh))
			} else {
				slots = append(slots, x.putNumber(values[row], fresh))
			}
		}
		return slots
	}
	for _, v := range values[from:to] {
		if mask := uint64(len(x.cells) - 1); len(x.cells) > 0 {
			if c := &x.cells[k.hash(v)&mask]; c.value == v && c.place != 0 {
				slots = append(slots, c.slot)
				continue
			}
		}
		slots = append(slots, x.putNumber(v, fresh))
	}
	return slots
}

func (x *index) putNumber(v int64, fresh func() uint32) uint32 {
	if 2*(len(x.values)+1) > len(x.cells) {
		x.rehash(max(16, 2*len(x.cells)))
	}
	c := x.cell(v)
	if c.place != 0 {
		return c.slot
	}
	slot := fresh()
	x.slots, x.values = append(x.slots, slot), append(x.values, v)
	*c = cell{v, uint32(len(x.slots)), slot}
	return slot
}

// cell returns where a number is or would be.
func (x *index) cell(v int64) *cell {
	mask := len(x.cells) - 1
	for at := int(x.key.hash(v)) & mask; ; at = (at + 1) & mask {
		if c := &x.cells[at]; c.place == 0 || c.value == v {
			return c
		}
	}
}

func (x *index) rehash(size int) {
	old := x.cells
	x.cells = make([]cell, size)
	for _, c := range old {
		if c.place != 0 {
			*x.cell(c.value) = c
		}
	}
}

func (x *index) putNull(fresh func() uint32) uint32 {
	if x.null == 0 {
		x.slots, x.values = append(x.slots, fresh()), append(x.values, 0)
		x.null = uint32(len(x.slots))
	}
	return x.slots[x.null-1]
}

func (x *index) putText(key []byte, fresh func() uint32) uint32 {
	place, isNew := x.texts.Put(key, table.Hash(key))
	if isNew {
		x.slots = append(x.slots, fresh())
	}
	return x.slots[place]
}

// put returns the slot of an encoded key.
func (x *index) put(key []byte, fresh func() uint32) (uint32, error) {
	if !x.key.number {
		return x.putText(key, fresh), nil
	}
	switch {
	case len(key) == 1 && key[0] == 0:
		return x.putNull(fresh), nil
	case len(key) == 9 && key[0] == 1 && x.key.types[0] != abi.Int32:
		return x.putNumber(int64(binary.LittleEndian.Uint64(key[1:])), fresh), nil
	case len(key) == 5 && key[0] == 1 && x.key.types[0] == abi.Int32:
		return x.putNumber(int64(int32(binary.LittleEndian.Uint32(key[1:]))), fresh), nil
	}
	return 0, fmt.Errorf("window: %x is stored as a key of type %s and is none", key, x.key.types[0])
}

// find returns the place of the key that has a place in another index of the same columns; ok is
// false where there is none.
func (x *index) find(other *index, place int) (at int, ok bool) {
	switch {
	case !x.key.number:
		key := other.texts.Key(uint32(place))
		n := x.texts.Get(key, table.Hash(key))
		return int(n), n != table.None
	case int(other.null) == place+1:
		return int(x.null) - 1, x.null != 0
	case len(x.cells) == 0:
		return 0, false
	}
	c := x.cell(other.values[place])
	return int(c.place) - 1, c.place != 0
}

// putOther returns the slot of the key that has a place in another index of the same columns.
func (x *index) putOther(other *index, place int, fresh func() uint32) uint32 {
	switch {
	case !x.key.number:
		return x.putText(other.texts.Key(uint32(place)), fresh)
	case int(other.null) == place+1:
		return x.putNull(fresh)
	}
	return x.putNumber(other.values[place], fresh)
}

// appendKey appends the encoded key of a place.
func (x *index) appendKey(dst []byte, place int) []byte {
	switch {
	case !x.key.number:
		return append(dst, x.texts.Key(uint32(place))...)
	case int(x.null) == place+1:
		return append(dst, 0)
	case x.key.types[0] == abi.Int32:
		return binary.LittleEndian.AppendUint32(append(dst, 1), uint32(x.values[place]))
	}
	return binary.LittleEndian.AppendUint64(append(dst, 1), uint64(x.values[place]))
}

// appendValue appends the key of a place to columns of a batch.
func (x *index) appendValue(to *batch.Builder, columns []int, place int) error {
	switch {
	case !x.key.number:
		return appendKeyValues(to, columns, x.texts.Key(uint32(place)))
	case int(x.null) == place+1:
		to.Column(columns[0]).AppendNull()
	case x.key.types[0] == abi.Int32:
		to.Column(columns[0]).AppendInt32(int32(x.values[place]))
	default:
		to.Column(columns[0]).AppendInt64(x.values[place])
	}
	return nil
}

// appendKeyValues appends an encoded key to columns of a batch.
func appendKeyValues(to *batch.Builder, columns []int, key []byte) error {
	var err error
	for _, column := range columns {
		if key, err = to.Column(column).AppendValue(key); err != nil {
			return err
		}
	}
	if len(key) > 0 {
		return fmt.Errorf("window: a key has %d bytes more than its columns", len(key))
	}
	return nil
}
