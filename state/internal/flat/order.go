// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package flat

import (
	"bytes"
	"encoding/binary"
)

// headSize is how many bytes of a stored key are its group and its state.
const headSize = 4

// Order is a tree over those entries of a Map whose state was ever asked for in order, so that what
// is only looked up by key does not pay for it. Keys are stored keys: the state is bytes 2 and 3.
// The zero value orders nothing.
type Order struct {
	tree   Tree
	states [1 << 16 / 64]uint64 // which are in the order, a bit each
	all    bool                 // are in the order
}

func stateOf(key []byte) uint16 { return binary.BigEndian.Uint16(key[2:]) }

// Bytes returns how much memory the order holds.
func (o *Order) Bytes() int64 { return o.tree.Bytes() }

// orders says whether a key belongs into the order.
func (o *Order) orders(key []byte) bool {
	id := stateOf(key)
	return o.all || o.states[id/64]>>(id%64)&1 == 1
}

// Insert adds an entry that is not in the order, where its state is ordered.
func (o *Order) Insert(m *Map, n uint32) {
	if o.orders(m.Key(n)) {
		o.tree.Insert(m, n)
	}
}

// Remove takes out an entry that Insert was called for, or that Cover was told of. Its key must
// still be in the map.
func (o *Order) Remove(m *Map, n uint32) {
	if o.orders(m.Key(n)) {
		o.tree.Remove(m, n)
	}
}

// Clear takes out all entries. What Insert is called for from now on is ordered as before.
func (o *Order) Clear() { o.tree.Reset() }

// Seek returns a cursor at the first entry in order whose key is not less than key.
func (o *Order) Seek(m *Map, key []byte) Cursor { return o.tree.Seek(m, key) }

// Cover brings the states of a range in order: one, or all where the range has several. member says
// which entries belong into the order at all.
func (o *Order) Cover(m *Map, from, to []byte, member func(n uint32) bool) {
	one := len(from) >= headSize && len(to) >= headSize && bytes.Equal(from[:2], to[:2]) && stateOf(to)-stateOf(from) <= 1
	if o.all || one && o.orders(from) && (len(to) == headSize || o.orders(to)) {
		return
	}
	var missing []uint32
	for n := range uint32(m.Cap()) {
		if !m.Has(n) || !member(n) {
			continue
		}
		key := m.Key(n)
		if !o.orders(key) && (!one || stateOf(key) == stateOf(from) || stateOf(key) == stateOf(to)) {
			missing = append(missing, n)
		}
	}
	Sort(m, missing)
	for _, n := range missing {
		o.tree.Insert(m, n)
	}
	if !one {
		o.all = true
		return
	}
	for _, id := range []uint16{stateOf(from), stateOf(to)} {
		o.states[id/64] |= 1 << (id % 64)
	}
}
