// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

// accumulators keeps an encoded value for each slot, none being a null accumulator. It holds no
// pointers but to its two arrays, so that the garbage collector need not look at millions of them.
//
// Values lie one after the other in data. One that outgrows its room moves to the end and leaves a
// hole; when half of data is holes, it is packed.
type accumulators struct {
	data  []byte
	slots []place
	holes int
}

// place is where a value lies: size bytes, of room that are its own.
type place struct {
	at   int
	size uint32
	room uint32
}

// packAbove spares small tables the packing.
const packAbove = 64 << 10

// get returns the value of a slot, empty where there is none. It is valid until the next set.
func (a *accumulators) get(slot uint32) []byte {
	if int(slot) >= len(a.slots) {
		return nil
	}
	p := a.slots[slot]
	return a.data[p.at : p.at+int(p.size)]
}

// set gives a slot a value.
func (a *accumulators) set(slot uint32, value []byte) {
	for int(slot) >= len(a.slots) {
		a.slots = append(a.slots, place{})
	}
	p := &a.slots[slot]
	if len(value) > int(p.room) {
		a.release(p)
		a.pack()
		p.at, p.room = len(a.data), uint32(len(value))
		a.data = append(a.data, value...)
	}
	p.size = uint32(copy(a.data[p.at:p.at+int(p.room)], value))
}

// clear empties a slot.
func (a *accumulators) clear(slot uint32) {
	if int(slot) < len(a.slots) {
		a.release(&a.slots[slot])
	}
}

func (a *accumulators) release(p *place) {
	a.holes += int(p.room)
	*p = place{}
}

// pack closes the holes where they are more than half.
func (a *accumulators) pack() {
	if a.holes < packAbove || 2*a.holes < len(a.data) {
		return
	}
	packed := make([]byte, 0, len(a.data)-a.holes)
	for i := range a.slots {
		p := &a.slots[i]
		at := len(packed)
		packed = append(packed, a.data[p.at:p.at+int(p.room)]...)
		p.at = at
	}
	a.data, a.holes = packed, 0
}
