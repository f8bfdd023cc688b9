// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package row

import (
	"math/bits"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// segment is a run of rows, or of a list's items, that lie next to each other.
type segment struct {
	base unsafe.Pointer
	n    int
}

// Columns returns the number of columns, nested ones counted.
func (c *Codec) Columns() int { return c.columns }

// Stride returns the bytes from one row to the next.
func (c *Codec) Stride() uintptr { return c.stride }

// Write appends the columns of n rows to a message that has been begun. It returns false, having
// written some, where the message would grow past limit bytes.
func (c *Codec) Write(m *wire.Message, rows unsafe.Pointer, n, limit int) bool {
	c.segment[0] = segment{rows, n}
	return c.write(m, c.segment[:], n, limit)
}

func (c *Codec) write(m *wire.Message, segs []segment, n, limit int) bool {
	w := writer{m: m, limit: limit}
	for _, node := range c.Nodes {
		node.write(&w, segs, c.stride, n)
	}
	if c.Time && !w.over {
		m.SetTimes(store[int64](&w, segs, c.stride, c.time, n, 8))
	}
	return !w.over
}

type writer struct {
	m     *wire.Message
	limit int
	over  bool
}

func (n *Node) write(w *writer, segs []segment, stride uintptr, rows int) {
	if w.over = w.over || w.m.Len() > w.limit; w.over {
		return
	}
	c := wire.Column{Rows: uint32(rows)}
	n.writeNulls(w, segs, stride, rows, &c)
	switch n.Type {
	case wire.Bool:
		n.writeBools(w, segs, stride, rows, &c)
	case wire.Int32:
		c.Values, c.Size = uint32(store[int32](w, segs, stride, n.offset, rows, 4)), uint32(4*rows)
	case wire.Int64, wire.Decimal, wire.Timestamp, wire.Float64:
		c.Values, c.Size = uint32(store[int64](w, segs, stride, n.offset, rows, 8)), uint32(8*rows)
	case wire.String, wire.Bytes:
		n.writeStrings(w, segs, stride, rows, &c)
	case wire.List:
		n.writeList(w, segs, stride, rows, &c)
	case wire.Struct:
		for _, child := range n.children {
			child.write(w, segs, stride, rows)
		}
	}
	w.m.SetColumn(n.column, c)
}

// writeNulls writes the validity of a Null column, unless all its rows are valid.
func (n *Node) writeNulls(w *writer, segs []segment, stride uintptr, rows int, c *wire.Column) {
	if !n.null {
		return
	}
	at := w.m.Reserve((rows + 7) / 8)
	valid := setBits(wire.At[byte](w.m, at, (rows+7)/8), segs, stride, n.valid)
	if c.Nulls = uint32(rows - valid); c.Nulls == 0 {
		w.m.Truncate(at)
		return
	}
	c.Validity = uint32(at)
}

func (n *Node) writeBools(w *writer, segs []segment, stride uintptr, rows int, c *wire.Column) {
	at := w.m.Reserve((rows + 7) / 8)
	setBits(wire.At[byte](w.m, at, (rows+7)/8), segs, stride, n.offset)
	c.Values, c.Size = uint32(at), uint32((rows+7)/8)
}

// setBits gathers a bool of each row into bits and returns how many are true.
func setBits(out []byte, segs []segment, stride, offset uintptr) (trues int) {
	row, b := 0, byte(0)
	for _, s := range segs {
		off, n := offset, s.n
		for ; row&7 == 0 && n >= 8; n -= 8 { // a bool is the byte 0 or 1
			p := unsafe.Add(s.base, off)
			whole := *(*byte)(p) | *(*byte)(unsafe.Add(p, stride))<<1 | *(*byte)(unsafe.Add(p, 2*stride))<<2 |
				*(*byte)(unsafe.Add(p, 3*stride))<<3 | *(*byte)(unsafe.Add(p, 4*stride))<<4 | *(*byte)(unsafe.Add(p, 5*stride))<<5 |
				*(*byte)(unsafe.Add(p, 6*stride))<<6 | *(*byte)(unsafe.Add(p, 7*stride))<<7
			out[row>>3] = whole
			trues += bits.OnesCount8(whole)
			row += 8
			off += 8 * stride
		}
		for range n {
			v := *(*byte)(unsafe.Add(s.base, off))
			off += stride
			trues += int(v)
			b |= v << (row & 7)
			if row++; row&7 == 0 {
				out[row>>3-1] = b
				b = 0
			}
		}
	}
	if row&7 != 0 {
		out[row>>3] = b
	}
	return trues
}

// store gathers a value of fixed width of each row and returns where they lie.
func store[T wire.Fixed](w *writer, segs []segment, stride, offset uintptr, rows, width int) int {
	at := w.m.Reserve(rows * width)
	values := wire.At[T](w.m, at, rows)
	for _, s := range segs {
		gather(values[:s.n], s.base, offset, stride)
		values = values[s.n:]
	}
	return at
}

// gather copies values that lie stride bytes from each other, the first at an offset from base.
func gather[T wire.Fixed](values []T, base unsafe.Pointer, off, stride uintptr) {
	for len(values) >= 8 {
		v, p := (*[8]T)(values), unsafe.Add(base, off)
		v[0] = *(*T)(p)
		v[1] = *(*T)(unsafe.Add(p, stride))
		v[2] = *(*T)(unsafe.Add(p, 2*stride))
		v[3] = *(*T)(unsafe.Add(p, 3*stride))
		v[4] = *(*T)(unsafe.Add(p, 4*stride))
		v[5] = *(*T)(unsafe.Add(p, 5*stride))
		v[6] = *(*T)(unsafe.Add(p, 6*stride))
		v[7] = *(*T)(unsafe.Add(p, 7*stride))
		values = values[8:]
		off += 8 * stride
	}
	for i := range values {
		values[i] = *(*T)(unsafe.Add(base, off))
		off += stride
	}
}

// writeStrings also writes bytes: a slice begins as a string does.
func (n *Node) writeStrings(w *writer, segs []segment, stride uintptr, rows int, c *wire.Column) {
	at := w.m.Reserve(4 * (rows + 1))
	size := n.ends(wire.At[int32](w.m, at, rows+1), segs, stride)
	if w.over = w.m.Len()+size > w.limit; w.over {
		return
	}
	c.Offsets, c.Values, c.Size = uint32(at), uint32(w.m.Reserve(size)), uint32(size)
	to := unsafe.Pointer(unsafe.SliceData(wire.At[byte](w.m, int(c.Values), size)))
	for _, s := range segs {
		to = copyTexts(to, unsafe.Add(s.base, n.offset), stride, s.n)
	}
}

// ends writes where each string ends, after where the first begins, and returns the last.
func (n *Node) ends(offsets []int32, segs []segment, stride uintptr) int {
	offsets[0] = 0
	size, ends := 0, offsets[1:]
	for _, s := range segs {
		off, rows := n.offset, s.n
		for ; rows >= 4; rows -= 4 {
			p, e := unsafe.Add(s.base, off), (*[4]int32)(ends)
			a := size + (*text)(p).len
			b := a + (*text)(unsafe.Add(p, stride)).len
			c := b + (*text)(unsafe.Add(p, 2*stride)).len
			size = c + (*text)(unsafe.Add(p, 3*stride)).len
			e[0], e[1], e[2], e[3] = int32(a), int32(b), int32(c), int32(size)
			ends = ends[4:]
			off += 4 * stride
		}
		for i := range ends[:rows] {
			size += (*text)(unsafe.Add(s.base, off)).len
			ends[i] = int32(size)
			off += stride
		}
		ends = ends[rows:]
	}
	return size
}

// copyTexts copies n strings, whose headers lie stride bytes from each other, to one place, and
// returns where that ends. Most strings are short, and a few loads and stores, which may overlap,
// cost less than a call of memory.copy, which copy is.
func copyTexts(to, headers unsafe.Pointer, stride uintptr, n int) unsafe.Pointer {
	for i := range uintptr(n) {
		t := (*text)(unsafe.Add(headers, i*stride))
		from, size := t.data, t.len
		switch {
		case size > 16:
			copy(unsafe.Slice((*byte)(to), size), unsafe.Slice((*byte)(from), size))
		case size > 8:
			last := *(*uint64)(unsafe.Add(from, size-8))
			*(*uint64)(to) = *(*uint64)(from)
			*(*uint64)(unsafe.Add(to, size-8)) = last
		case size >= 4:
			last := *(*uint32)(unsafe.Add(from, size-4))
			*(*uint32)(to) = *(*uint32)(from)
			*(*uint32)(unsafe.Add(to, size-4)) = last
		case size > 0:
			*(*byte)(to) = *(*byte)(from)
			*(*byte)(unsafe.Add(to, size>>1)) = *(*byte)(unsafe.Add(from, size>>1))
			*(*byte)(unsafe.Add(to, size-1)) = *(*byte)(unsafe.Add(from, size-1))
		}
		to = unsafe.Add(to, size)
	}
	return to
}

func (n *Node) writeList(w *writer, segs []segment, stride uintptr, rows int, c *wire.Column) {
	at := w.m.Reserve(4 * (rows + 1))
	offsets := wire.At[int32](w.m, at, rows+1)
	n.segments = n.segments[:0]
	offsets[0] = 0
	items, row := 0, 1
	for _, s := range segs {
		off := n.offset
		for range s.n {
			list := (*slice)(unsafe.Add(s.base, off))
			if list.len > 0 {
				n.segments = append(n.segments, segment{list.data, list.len})
				items += list.len
			}
			offsets[row] = int32(items)
			row++
			off += stride
		}
	}
	c.Offsets = uint32(at)
	n.children[0].write(w, n.segments, n.stride, items)
	clear(n.segments)
}
