// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
)

// AppendValue appends one value in a self-delimiting encoding: a byte 0 for null; else a byte 1
// and then
//
//	bool             a byte
//	int32            4 bytes, little endian
//	int64, float64, decimal, timestamp   8 bytes, little endian
//	string, bytes    uvarint length, bytes
//	list             uvarint length, each item as a value
//	struct           each field as a value
//
// Equal values have equal encodings, so that an encoded key can be compared and hashed; -0 is
// encoded as 0, and every NaN alike.
func AppendValue(dst []byte, c *Column, row int) []byte {
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
		return binary.LittleEndian.AppendUint32(dst, uint32(c.Int32s()[row]))
	case abi.Float64:
		return binary.LittleEndian.AppendUint64(dst, canonicalBits(c.Float64s()[row]))
	case abi.String, abi.Bytes:
		v := c.Bytes(row)
		return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
	case abi.List:
		from, to := c.Offsets[row], c.Offsets[row+1]
		dst = binary.AppendUvarint(dst, uint64(to-from))
		for item := from; item < to; item++ {
			dst = AppendValue(dst, &c.Children[0], int(item))
		}
		return dst
	case abi.Struct:
		for i := range c.Children {
			dst = AppendValue(dst, &c.Children[i], row)
		}
		return dst
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(c.Int64s()[row]))
}

func canonicalBits(v float64) uint64 {
	switch {
	case v != v:
		return math.Float64bits(math.NaN())
	case v == 0:
		return 0
	}
	return math.Float64bits(v)
}

// AppendValue appends a value that AppendValue encoded from a column of the same type, and
// returns what follows it. An error means that src is not such an encoding; the column then holds
// part of a value, which the builder's DropRow takes back.
func (c *ColumnBuilder) AppendValue(src []byte) ([]byte, error) {
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
		n, used := binary.Uvarint(src)
		if used <= 0 || n > uint64(len(src)-used) {
			return nil, c.badValue("it is cut short")
		}
		c.AppendBytes(src[used : used+int(n)])
		return src[used+int(n):], nil
	case abi.List, abi.Struct:
		return c.appendNested(src)
	}
	width := c.typ.Width()
	if len(src) < width {
		return nil, c.badValue("it is cut short")
	}
	if width == 4 {
		c.AppendInt32(int32(binary.LittleEndian.Uint32(src)))
	} else {
		c.AppendInt64(int64(binary.LittleEndian.Uint64(src)))
	}
	return src[width:], nil
}

func (c *ColumnBuilder) appendNested(src []byte) ([]byte, error) {
	var err error
	if c.typ == abi.Struct {
		for i := range c.children {
			if src, err = c.children[i].AppendValue(src); err != nil {
				return nil, err
			}
		}
		c.EndStruct()
		return src, nil
	}
	n, used := binary.Uvarint(src)
	if used <= 0 || n > uint64(len(src)-used) {
		return nil, c.badValue("it is cut short")
	}
	src = src[used:]
	for range n {
		if src, err = c.children[0].AppendValue(src); err != nil {
			return nil, err
		}
	}
	c.EndList()
	return src, nil
}

func (c *ColumnBuilder) badValue(why string) error {
	return fmt.Errorf("batch: encoded value of type %s: %s", c.typ, why)
}
