// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"iter"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// ListState is a list of each key, in the order in which its items were appended: a field of an
// operator's struct. T is as in ValueState.
type ListState[T any] struct {
	puts
	rows []T // to be put
}

// Append adds an item to the list of the key at hand. Strings and slices in it must not change
// until the call at hand returns.
func (l *ListState[T]) Append(item T) {
	l.write()
	l.rows = append(l.rows, item)
	l.groups = append(l.groups, l.key())
}

// Clear removes all items of the key at hand.
func (l *ListState[T]) Clear() {
	var none T
	l.removed = append(l.removed, len(l.rows))
	l.Append(none)
}

// All returns the items of the key at hand, in order. What is put while a loop ranges over them
// may be seen by it or not.
func (l *ListState[T]) All() iter.Seq[T] { return l.all }

func (l *ListState[T]) all(yield func(T) bool) {
	l.read()
	l.flush()
	s := l.scan(wire.BoundsNone, nil)
	defer l.end(s)
	for l.next(s) {
		for _, item := range unsafe.Slice((*T)(s.rows), s.n) {
			if !yield(item) {
				return
			}
		}
	}
}

// ReducingState is a value of each key into which the host merges what is added, column by column
// as the tag merge says: add, min, max or append. It is a field of an operator's struct. T is as
// in ValueState.
type ReducingState[T any] struct {
	puts
	rows  []T // to be put
	value T   // read last
}

// Add merges a row into the value of the key at hand. Null leaves a column as it is. Strings and
// slices in the row must not change until the call at hand returns.
func (r *ReducingState[T]) Add(row T) {
	r.write()
	r.rows = append(r.rows, row)
	r.groups = append(r.groups, r.key())
	r.known = false
}

// Clear removes the value of the key at hand.
func (r *ReducingState[T]) Clear() {
	var none T
	r.removed = append(r.removed, len(r.rows))
	r.Add(none)
}

// Get returns the value of the key at hand, zero where it has none.
func (r *ReducingState[T]) Get() T {
	r.lookup(unsafe.Pointer(&r.value))
	return r.value
}

// Has says whether the key at hand has a value.
func (r *ReducingState[T]) Has() bool {
	r.lookup(unsafe.Pointer(&r.value))
	return r.has
}

// puts is a ListState or a ReducingState without its type: a state whose rows are put one after
// the other. They follow it in memory.
type puts struct {
	state
	groups  []uint32 // of each row
	removed []int    // which rows remove
	kinds   []byte
	known   bool // of a reducing state: value is that of the key at hand
	has     bool
	of      uint32 // key number of value
}

func (p *puts) begin() {
	p.state.begin()
	p.known = false
}

func (p *puts) held() int { return len(p.groups) }

func (p *puts) pending() *header {
	return (*header)(unsafe.Add(unsafe.Pointer(p), unsafe.Sizeof(*p)))
}

func (p *puts) flush() {
	n := len(p.groups)
	if n == 0 {
		return
	}
	var kinds []byte
	if len(p.removed) > 0 {
		p.kinds = append(p.kinds[:0], make([]byte, n)...)
		for _, at := range p.removed {
			p.kinds[at] = wire.Delete
		}
		kinds = p.kinds
	}
	rows := p.pending()
	p.put(rows.data, p.groups, kinds)
	rows.len, p.groups, p.removed = 0, p.groups[:0], p.removed[:0]
}

// lookup reads the value of the key at hand.
func (p *puts) lookup(value unsafe.Pointer) {
	p.read()
	key := p.key()
	if p.known && p.of == key {
		return
	}
	p.flush()
	m := p.request(1, 0)
	if p.mask != 0 {
		p.groups = append(p.groups[:0], key)
		m.SetGroups(p.groups)
		p.groups = p.groups[:0]
	}
	if p.borrows {
		p.stored.Forget()
	}
	b := p.get(m.Bytes())
	p.stored.Lenient(b, 0, 1, value)
	kinds := b.Kinds()
	p.known, p.of, p.has = true, key, kinds == nil || kinds[0] != wire.Delete
}
