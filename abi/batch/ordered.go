// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
)

// Strings and bytes in the ordered encoding: a byte 0 is escaped, so that the end is less than
// whatever else may follow.
const (
	orderedZero   = 0xff // after a byte 0: the value has a byte 0 here
	orderedEnd    = 0x01 // after a byte 0: the value ends here
	orderedSign32 = 1 << 31
	orderedSign64 = 1 << 63
)

// AppendOrdered appends one value in a self-delimiting encoding whose bytes compare as the values
// do, and so do several encodings end to end: a byte 0 for null, which comes first; else a byte 1
// and then
//
//	bool             a byte
//	int32            4 bytes, big endian, the sign bit flipped
//	int64, decimal, timestamp   8 bytes, likewise
//	float64          8 bytes, big endian, the sign bit flipped, or all bits of a negative number
//	string, bytes    the bytes, 0 as 0x00 0xff, then 0x00 0x01
//
// -0 is encoded as 0, and every NaN alike, after all numbers. Lists and structs have no such
// encoding: it panics.
func AppendOrdered(dst []byte, c *Column, row int) []byte {
	if c.Null(row) {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	switch c.Type {
	case abi.Bool:
		if c.Bool(row) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case abi.Int32:
		return binary.BigEndian.AppendUint32(dst, uint32(c.Int32s()[row])^orderedSign32)
	case abi.Int64, abi.Decimal, abi.Timestamp:
		return binary.BigEndian.AppendUint64(dst, uint64(c.Int64s()[row])^orderedSign64)
	case abi.Float64:
		return binary.BigEndian.AppendUint64(dst, orderedBits(c.Float64s()[row]))
	case abi.String, abi.Bytes:
		return append(appendEscaped(dst, c.Bytes(row)), 0, orderedEnd)
	}
	panic(fmt.Sprintf("batch: a value of type %s has no order", c.Type))
}

// AppendOrderedPrefix appends what the encodings of all rows begin with that begin with a row: the
// columns of it before the first null are equal, and where the last of these is of type string or
// bytes it is a prefix. A row that begins with null is the beginning of each.
func AppendOrderedPrefix(dst []byte, columns []Column, row int) []byte {
	for i := range columns {
		c := &columns[i]
		switch {
		case c.Null(row):
			return dst
		case c.Type.Variable() && (i+1 == len(columns) || columns[i+1].Null(row)):
			return appendEscaped(append(dst, 1), c.Bytes(row))
		}
		dst = AppendOrdered(dst, c, row)
	}
	return dst
}

func orderedBits(v float64) uint64 {
	bits := canonicalBits(v)
	if bits&orderedSign64 != 0 {
		return ^bits
	}
	return bits | orderedSign64
}

func appendEscaped(dst, v []byte) []byte {
	for {
		zero := bytes.IndexByte(v, 0)
		if zero < 0 {
			return append(dst, v...)
		}
		dst = append(append(dst, v[:zero+1]...), orderedZero)
		v = v[zero+1:]
	}
}

// AppendOrdered appends a value that AppendOrdered encoded from a column of the same type, and
// returns what follows it. An error means that src is not such an encoding; DropRow takes back what
// the column has of the row.
func (c *ColumnBuilder) AppendOrdered(src []byte) ([]byte, error) {
	if len(src) == 0 || src[0] > 1 {
		return nil, c.badValue("it does not begin with 0 or 1")
	}
	null := src[0] == 0
	if src = src[1:]; null {
		c.AppendNull()
		return src, nil
	}
	switch c.typ {
	case abi.Bool:
		if len(src) < 1 || src[0] > 1 {
			return nil, c.badValue("a bool is a byte 0 or 1")
		}
		c.AppendBool(src[0] == 1)
		return src[1:], nil
	case abi.String, abi.Bytes:
		return c.appendEscaped(src)
	case abi.List, abi.Struct:
		return nil, c.badValue("it has no order")
	}
	width := c.typ.Width()
	if len(src) < width {
		return nil, c.badValue("it is cut short")
	}
	switch {
	case width == 4:
		c.AppendInt32(int32(binary.BigEndian.Uint32(src) ^ orderedSign32))
	case c.typ != abi.Float64:
		c.AppendInt64(int64(binary.BigEndian.Uint64(src) ^ orderedSign64))
	default:
		bits := binary.BigEndian.Uint64(src)
		if bits&orderedSign64 != 0 {
			bits ^= orderedSign64
		} else {
			bits = ^bits
		}
		v := math.Float64frombits(bits)
		if canonicalBits(v) != bits {
			return nil, c.badValue("it is no number that is encoded so")
		}
		c.AppendFloat64(v)
	}
	return src[width:], nil
}

// appendEscaped appends the string or bytes that src begins with.
func (c *ColumnBuilder) appendEscaped(src []byte) ([]byte, error) {
	end, zeros := 0, 0
	for {
		zero := bytes.IndexByte(src[end:], 0)
		if zero < 0 || end+zero+1 == len(src) {
			return nil, c.badValue("it is cut short")
		}
		end += zero
		if mark := src[end+1]; mark == orderedEnd {
			break
		} else if mark != orderedZero {
			return nil, c.badValue("a byte 0 in it is followed by neither 0x01 nor 0xff")
		}
		end += 2
		zeros++
	}
	value, rest := src[:end], src[end+2:]
	if zeros == 0 {
		c.AppendBytes(value)
		return rest, nil
	}
	size := c.used + end - zeros
	if size > len(c.values.data) {
		c.values.grow(c.pool, c.used, size)
	}
	for at := c.used; len(value) > 0; {
		n := bytes.IndexByte(value, 0) + 1
		if n == 0 {
			copy(c.values.data[at:], value)
			break
		}
		at += copy(c.values.data[at:], value[:n])
		value = value[n+1:]
	}
	c.used = size
	c.endValue(size)
	return rest, nil
}
