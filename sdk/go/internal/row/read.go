// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package row

import (
	"math/bits"
	"reflect"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// span is a run of rows of a column, and the Go values that they are read into.
type span struct {
	at, n  int
	base   unsafe.Pointer
	stride uintptr
	bad    []*Node // nil, or a place for each row that can't be read
}

// slice is how a slice lies in memory, whatever its items.
type slice struct {
	data     unsafe.Pointer
	len, cap int
}

// Read reads n rows of a batch, the first being row at, into an array of Go values. It returns
// nil, or for each row the column that is null in it though its Go type can't be.
func (c *Codec) Read(b *wire.Batch, at, n int, rows unsafe.Pointer) []*Node {
	s := span{at: at, n: n, base: rows, stride: c.stride}
	var bad []*Node
	for _, node := range c.Nodes {
		if s.bad = nil; node.strict(b) {
			if bad == nil {
				bad = cleared(&c.bad, n)
			}
			s.bad = bad
		}
		node.read(b, s)
	}
	c.readTime(b, s)
	return bad
}

// Lenient is Read where a null that the Go type does not allow is its zero value.
func (c *Codec) Lenient(b *wire.Batch, at, n int, rows unsafe.Pointer) {
	s := span{at: at, n: n, base: rows, stride: c.stride}
	for _, node := range c.Nodes {
		node.read(b, s)
	}
	c.readTime(b, s)
}

// readTime reads the event times. A batch without them, though the port asks for them, is of a
// stream that has none.
func (c *Codec) readTime(b *wire.Batch, s span) {
	if times := b.Times(); c.Time && times != nil {
		load(times, s, c.time)
	}
}

// strict says whether there is a null in the column, or in one below it, that is no Null in Go.
func (n *Node) strict(b *wire.Batch) bool {
	if !n.null && b.Column(n.column).Nulls > 0 {
		return true
	}
	for _, child := range n.children {
		if child.strict(b) {
			return true
		}
	}
	return false
}

func cleared(scratch *[]*Node, n int) []*Node {
	if len(*scratch) < n {
		*scratch = make([]*Node, n)
	}
	clear((*scratch)[:n])
	return (*scratch)[:n]
}

func (n *Node) read(b *wire.Batch, s span) {
	c := b.Column(n.column)
	switch n.Type {
	case wire.Bool:
		values, off := b.Bits(c), n.offset
		for row := s.at; row < s.at+s.n; row++ {
			*(*bool)(unsafe.Add(s.base, off)) = bit(values, row)
			off += s.stride
		}
	case wire.Int32:
		load(wire.Values[int32](b, c), s, n.offset)
	case wire.Int64, wire.Decimal, wire.Timestamp:
		load(wire.Values[int64](b, c), s, n.offset)
	case wire.Float64:
		load(wire.Values[float64](b, c), s, n.offset)
	case wire.String:
		n.readStrings(b, c, s)
	case wire.Bytes:
		n.readBytes(b, c, s)
	case wire.List:
		n.readList(b, c, s)
	case wire.Struct:
		n.readStruct(b, c, s)
	}
	n.readNulls(b.Validity(c), s)
}

// load is the loop that most columns take. Go's compiler for WebAssembly makes each jump a jump
// through a table, about as dear as four of these assignments: hence the unrolling, here and in
// its likes.
func load[T wire.Fixed](values []T, s span, off uintptr) {
	values, stride := values[s.at:s.at+s.n], s.stride
	for len(values) >= 8 {
		v, p := (*[8]T)(values), unsafe.Add(s.base, off)
		*(*T)(p) = v[0]
		*(*T)(unsafe.Add(p, stride)) = v[1]
		*(*T)(unsafe.Add(p, 2*stride)) = v[2]
		*(*T)(unsafe.Add(p, 3*stride)) = v[3]
		*(*T)(unsafe.Add(p, 4*stride)) = v[4]
		*(*T)(unsafe.Add(p, 5*stride)) = v[5]
		*(*T)(unsafe.Add(p, 6*stride)) = v[6]
		*(*T)(unsafe.Add(p, 7*stride)) = v[7]
		values = values[8:]
		off += 8 * stride
	}
	for _, v := range values {
		*(*T)(unsafe.Add(s.base, off)) = v
		off += stride
	}
}

// text is how a string lies in memory.
type text struct {
	data unsafe.Pointer
	len  int
}

func (n *Node) readStrings(b *wire.Batch, c wire.Column, s span) {
	if s.n == 0 {
		return
	}
	offsets, values := b.Offsets(c)[s.at:s.at+s.n+1], b.Bytes(c)
	// The contract has offsets never decrease: with the last one in bounds, all are.
	base, off, stride := unsafe.Pointer(unsafe.SliceData(values[:offsets[s.n]])), n.offset, s.stride
	for len(offsets) > 4 {
		o, p := (*[5]int32)(offsets), unsafe.Add(s.base, off)
		*(*text)(p) = text{unsafe.Add(base, o[0]), int(o[1] - o[0])}
		*(*text)(unsafe.Add(p, stride)) = text{unsafe.Add(base, o[1]), int(o[2] - o[1])}
		*(*text)(unsafe.Add(p, 2*stride)) = text{unsafe.Add(base, o[2]), int(o[3] - o[2])}
		*(*text)(unsafe.Add(p, 3*stride)) = text{unsafe.Add(base, o[3]), int(o[4] - o[3])}
		offsets = offsets[4:]
		off += 4 * stride
	}
	begin := offsets[0]
	for _, end := range offsets[1:] {
		*(*text)(unsafe.Add(s.base, off)) = text{unsafe.Add(base, begin), int(end - begin)}
		begin = end
		off += stride
	}
}

func (n *Node) readBytes(b *wire.Batch, c wire.Column, s span) {
	if s.n == 0 {
		return
	}
	offsets, values, off := b.Offsets(c)[s.at:s.at+s.n+1], b.Bytes(c), n.offset
	begin := offsets[0]
	for _, end := range offsets[1:] {
		*(*[]byte)(unsafe.Add(s.base, off)) = values[begin:end:end]
		begin = end
		off += s.stride
	}
}

// readList reads the items of all rows together with those of the first ones: rows that have been
// read before refer to them until the next batch.
func (n *Node) readList(b *wire.Batch, c wire.Column, s span) {
	if s.n == 0 {
		return
	}
	offsets := b.Offsets(c)
	if s.at == 0 {
		n.readItems(b, int(offsets[c.Rows]), s.bad != nil)
	}
	offsets = offsets[s.at : s.at+s.n+1]
	off, begin := n.offset, uintptr(offsets[0])
	for _, end := range offsets[1:] {
		list := slice{data: n.items} // not behind the last item, where something else may lie
		if items := int(end) - int(begin); items > 0 {
			list = slice{unsafe.Add(n.items, begin*n.stride), items, items}
		}
		*(*slice)(unsafe.Add(s.base, off)) = list
		begin = uintptr(end)
		off += s.stride
	}
	if s.bad == nil {
		return
	}
	validity := b.Validity(c)
	for i := range s.n {
		for _, bad := range n.bad[offsets[i]:offsets[i+1]] {
			if bad != nil && (validity == nil || bit(validity, s.at+i)) {
				s.bad[i] = bad
			}
		}
	}
}

// readItems reads all items of a list column.
func (n *Node) readItems(b *wire.Batch, count int, strict bool) {
	if n.items == nil || count > n.room {
		n.room = max(count, 2*n.room, 64)
		n.items = unsafe.Pointer(reflect.MakeSlice(n.slice, n.room, n.room).Index(0).UnsafeAddr())
	}
	items := span{n: count, base: n.items, stride: n.stride}
	if strict {
		items.bad = cleared(&n.bad, count)
	}
	n.children[0].read(b, items)
}

func (n *Node) readStruct(b *wire.Batch, c wire.Column, s span) {
	validity, own := b.Validity(c), s
	if s.bad != nil && validity != nil { // what lies under a null does not count
		own.bad = cleared(&n.bad, s.n)
	}
	for _, child := range n.children {
		child.read(b, own)
	}
	if s.bad == nil || validity == nil {
		return
	}
	for i, bad := range own.bad {
		if bad != nil && bit(validity, s.at+i) {
			s.bad[i] = bad
		}
	}
}

// readNulls makes null rows zero and sets the flags of a Null.
func (n *Node) readNulls(validity []byte, s span) {
	if validity == nil {
		if n.null {
			setFlags(s, n.valid)
		}
		return
	}
	i, off, stride := 0, uintptr(0), s.stride
	for ; n.null && (s.at+i)&7 == 0 && i+8 <= s.n; i += 8 {
		v, p := validity[(s.at+i)>>3], unsafe.Add(s.base, n.valid+off)
		*(*byte)(p) = v & 1 // a bool is the byte 0 or 1
		*(*byte)(unsafe.Add(p, stride)) = v >> 1 & 1
		*(*byte)(unsafe.Add(p, 2*stride)) = v >> 2 & 1
		*(*byte)(unsafe.Add(p, 3*stride)) = v >> 3 & 1
		*(*byte)(unsafe.Add(p, 4*stride)) = v >> 4 & 1
		*(*byte)(unsafe.Add(p, 5*stride)) = v >> 5 & 1
		*(*byte)(unsafe.Add(p, 6*stride)) = v >> 6 & 1
		*(*byte)(unsafe.Add(p, 7*stride)) = v >> 7
		for nulls := ^v; nulls != 0; nulls &= nulls - 1 {
			n.zero(unsafe.Add(s.base, off+uintptr(bits.TrailingZeros8(nulls))*stride))
		}
		off += 8 * stride
	}
	for ; i < s.n; i++ {
		switch valid := bit(validity, s.at+i); {
		case !valid:
			n.zero(unsafe.Add(s.base, off))
			if s.bad != nil && !n.null {
				s.bad[i] = n
			}
		case n.null:
			*(*bool)(unsafe.Add(s.base, n.valid+off)) = true
		}
		off += stride
	}
}

// setFlags sets a flag of each row.
func setFlags(s span, off uintptr) {
	n, stride := s.n, s.stride
	for ; n >= 8; n -= 8 {
		p := unsafe.Add(s.base, off)
		*(*bool)(p) = true
		*(*bool)(unsafe.Add(p, stride)) = true
		*(*bool)(unsafe.Add(p, 2*stride)) = true
		*(*bool)(unsafe.Add(p, 3*stride)) = true
		*(*bool)(unsafe.Add(p, 4*stride)) = true
		*(*bool)(unsafe.Add(p, 5*stride)) = true
		*(*bool)(unsafe.Add(p, 6*stride)) = true
		*(*bool)(unsafe.Add(p, 7*stride)) = true
		off += 8 * stride
	}
	for range n {
		*(*bool)(unsafe.Add(s.base, off)) = true
		off += stride
	}
}

func bit(bits []byte, row int) bool { return bits[row>>3]>>(row&7)&1 != 0 }

// zero makes the value in a row its zero value.
func (n *Node) zero(row unsafe.Pointer) {
	p := unsafe.Add(row, n.offset)
	switch n.Type {
	case wire.Bool:
		*(*bool)(p) = false
	case wire.Int32:
		*(*int32)(p) = 0
	case wire.String:
		*(*string)(p) = ""
	case wire.Bytes, wire.List:
		*(*slice)(p) = slice{}
	case wire.Struct:
		for _, child := range n.children {
			child.zero(row)
		}
	default:
		*(*int64)(p) = 0
	}
	if n.null {
		*(*bool)(unsafe.Add(row, n.valid)) = false
	}
}
