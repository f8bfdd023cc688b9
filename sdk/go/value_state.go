// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"encoding/binary"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// ValueState is a value of each key: a field of an operator's struct. T is a struct, whose fields
// are the columns, or of a column's type.
//
// The values of all keys of a batch are read together when the first one is asked for, and those
// that changed are written together at the end of the call.
type ValueState[T any] struct {
	valueState
	values []T // by key number
}

// Get returns the value of the key at hand, zero where it has none.
func (v *ValueState[T]) Get() T { return v.values[v.at()] }

// Has says whether the key at hand has a value.
func (v *ValueState[T]) Has() bool { return v.flags[v.at()]&present != 0 }

// Set sets the value of the key at hand. Strings and slices in it must not change until the call
// at hand returns.
func (v *ValueState[T]) Set(value T) { *v.Update() = value }

// Update returns the value of the key at hand, zero where it has none, to be changed in place
// until the call at hand returns.
func (v *ValueState[T]) Update() *T {
	key := v.edit()
	v.flags[key] = present | changed
	return &v.values[key]
}

// Clear removes the value of the key at hand.
func (v *ValueState[T]) Clear() { v.ClearAt(v.key()) }

// Values returns the values of all keys of the call at hand by key number, zero where there is
// none. PutAt or PutAll write back those that were changed.
func (v *ValueState[T]) Values() []T {
	if !v.loaded {
		v.load()
	}
	return v.values[:v.n]
}

// HasAt says whether the key with a number has a value.
func (v *ValueState[T]) HasAt(key uint32) bool {
	if !v.loaded {
		v.load()
	}
	return v.flags[key]&present != 0
}

// PutAt makes what lies in Values the value of the key with a number.
func (v *ValueState[T]) PutAt(key uint32) {
	if !v.edited {
		v.open()
	}
	v.flags[key] = present | changed
}

// PutAll makes what lies in Values the values of all keys of the call at hand.
func (v *ValueState[T]) PutAll() {
	if !v.edited {
		v.open()
	}
	fill(v.flags, v.n, present|changed)
	v.cleared = false
}

// ClearAt removes the value of the key with a number.
func (v *ValueState[T]) ClearAt(key uint32) {
	if !v.edited {
		v.open()
	}
	var zero T
	v.flags[key], v.values[key], v.cleared = changed, zero, true
}

// What is known of a key's value.
const (
	present = 1
	changed = 2
)

// valueState is a ValueState without its type. The values follow it in memory.
type valueState struct {
	state
	loaded  bool
	edited  bool // something has changed
	cleared bool // something has been removed
	n       int  // keys of the call at hand
	flags   []byte
	numbers []uint32
	kinds   []byte
}

// Both are small enough to be inlined.

func (v *valueState) at() uint32 {
	if !v.loaded {
		v.load()
	}
	return v.call.key & v.mask
}

func (v *valueState) edit() uint32 {
	if !v.edited {
		v.open()
	}
	return v.call.key & v.mask
}

func (v *valueState) begin() {
	v.state.begin()
	v.loaded, v.edited, v.cleared = false, false, false
}

func (v *valueState) held() int { return 0 } // no more than keys of the batch

func (v *valueState) header() *header {
	return (*header)(unsafe.Add(unsafe.Pointer(v), unsafe.Sizeof(*v)))
}

func (v *valueState) open() {
	v.write()
	if !v.loaded {
		v.load()
	}
	v.edited = true
}

// load reads the values of all keys.
func (v *valueState) load() {
	v.read()
	memory := &v.call.memory
	mark := memory.mark()
	b := v.get(nil)
	v.n = b.Rows
	if h := v.header(); h.len < v.n {
		n := max(v.n, 2*h.len, 64)
		*h = header{v.rowsOf(n), n, n}
		v.flags = wire.Words(n)
	}
	v.stored.Lenient(b, 0, v.n, v.header().data)
	fill(v.flags, v.n, present)
	for i, kind := range b.Kinds() {
		if kind == wire.Delete {
			v.flags[i] = 0
		}
	}
	if !v.borrows {
		memory.release(mark)
	}
	v.loaded = true
}

// fill sets the first n bytes of an array that has room for whole words.
func fill(data []byte, n int, value byte) {
	word := uint64(value) * 0x0101010101010101
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(unsafe.Slice(unsafe.SliceData(data), i+8)[i:], word)
	}
}

// flush hands over the values that have changed.
func (v *valueState) flush() {
	if !v.edited {
		return
	}
	numbers := v.changes()
	var kinds []byte
	if v.cleared {
		v.kinds = v.kinds[:0]
		for _, key := range numbers {
			v.kinds = append(v.kinds, (v.flags[key]&present^present)*wire.Delete)
		}
		kinds = v.kinds
	}
	if rows := v.header().data; len(numbers) == v.n {
		v.put(rows, numbers, kinds)
	} else {
		v.putAt(rows, numbers, numbers, kinds)
	}
	v.edited, v.cleared = false, false
}

// changes returns the numbers of the keys whose values have changed, and forgets that they have.
func (v *valueState) changes() []uint32 {
	if len(v.numbers) < v.n {
		v.numbers = make([]uint32, len(v.flags))
	}
	numbers, n := v.numbers[:v.n], 0
	for key, flags := range v.flags[:v.n] { // no branch: Go's WebAssembly is slow at them
		numbers[n] = uint32(key)
		n += int(flags / changed)
		v.flags[key] = flags & present
	}
	return numbers[:n]
}
