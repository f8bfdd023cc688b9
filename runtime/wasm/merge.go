// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
)

// combine appends what a row of a reducing state becomes when another is merged into it, all three as they are stored.
// Fields that the old one lacks are null.
func (k *keptState) combine(dst, old, added []byte) ([]byte, error) {
	for i := range k.d.Fields {
		f := &k.d.Fields[i]
		was, had := []byte{0}, len(old) > 0
		var err error
		if had {
			if was, old, err = cutValue(f, old); err != nil {
				return dst, &storeError{fmt.Errorf("state %q, field %q: %w", k.d.Name, f.Name, err)}
			}
		}
		var is []byte
		if is, added, err = cutValue(f, added); err != nil {
			return dst, fmt.Errorf("state %q, field %q: %w", k.d.Name, f.Name, err)
		}
		switch {
		case is[0] == 0:
			dst = append(dst, was...)
		case was[0] == 0:
			dst = append(dst, is...)
		default:
			if dst, err = mergeValues(dst, f, k.d.Merge[i], was, is); err != nil {
				return dst, breachf("state %q, field %q: %w", k.d.Name, f.Name, err)
			}
		}
	}
	return dst, nil
}

// mergeValues appends what becomes of two encoded values of a field, neither of them null.
func mergeValues(dst []byte, f *abi.Field, m describe.Merge, a, b []byte) ([]byte, error) {
	switch m {
	case describe.MergeMin, describe.MergeMax:
		if order := compareValues(f, a, b); order > 0 == (m == describe.MergeMin) && order != 0 {
			return append(dst, b...), nil
		}
		return append(dst, a...), nil
	case describe.MergeAppend:
		return appendValues(dst, a, b), nil
	}
	return addValues(dst, f, a, b)
}

// appendValues appends two strings or lists end to end: both are encoded as a length, of bytes or of
// items, and what has it.
func appendValues(dst, a, b []byte) []byte {
	n, usedA := binary.Uvarint(a[1:])
	m, usedB := binary.Uvarint(b[1:])
	dst = binary.AppendUvarint(append(dst, 1), n+m)
	return append(append(dst, a[1+usedA:]...), b[1+usedB:]...)
}

func addValues(dst []byte, f *abi.Field, a, b []byte) ([]byte, error) {
	le := binary.LittleEndian
	dst = append(dst, 1)
	switch f.Type {
	case abi.Int32:
		sum := int64(int32(le.Uint32(a[1:]))) + int64(int32(le.Uint32(b[1:])))
		if sum != int64(int32(sum)) {
			return dst, fmt.Errorf("the sum %d is no int32", sum)
		}
		return le.AppendUint32(dst, uint32(sum)), nil
	case abi.Float64:
		sum := math.Float64frombits(le.Uint64(a[1:])) + math.Float64frombits(le.Uint64(b[1:]))
		return le.AppendUint64(dst, math.Float64bits(sum)), nil
	}
	x, y := int64(le.Uint64(a[1:])), int64(le.Uint64(b[1:]))
	sum := x + y
	if (x < 0) == (y < 0) && (sum < 0) != (x < 0) {
		return dst, fmt.Errorf("the sum of %d and %d is no int64", x, y)
	}
	if f.Type == abi.Decimal && (sum >= abi.DecimalAbsLimit || sum <= -abi.DecimalAbsLimit) {
		return dst, fmt.Errorf("the sum has more than %d digits", abi.DecimalDigits)
	}
	return le.AppendUint64(dst, uint64(sum)), nil
}

// compareValues compares two encoded values of a field, neither of them null: false before true, strings and
// bytes byte by byte, NaN after all other numbers.
func compareValues(f *abi.Field, a, b []byte) int {
	le := binary.LittleEndian
	switch f.Type {
	case abi.Bool:
		return cmp.Compare(a[1], b[1])
	case abi.Int32:
		return cmp.Compare(int32(le.Uint32(a[1:])), int32(le.Uint32(b[1:])))
	case abi.Float64:
		return -cmp.Compare(-math.Float64frombits(le.Uint64(a[1:])), -math.Float64frombits(le.Uint64(b[1:])))
	case abi.String, abi.Bytes:
		_, usedA := binary.Uvarint(a[1:])
		_, usedB := binary.Uvarint(b[1:])
		return bytes.Compare(a[1+usedA:], b[1+usedB:])
	}
	return cmp.Compare(int64(le.Uint64(a[1:])), int64(le.Uint64(b[1:])))
}

// cutValue takes the encoded value of a field off the front of src.
func cutValue(f *abi.Field, src []byte) (value, rest []byte, err error) {
	rest, err = skipValue(f, src)
	if err != nil {
		return nil, nil, err
	}
	return src[:len(src)-len(rest)], rest, nil
}

func skipValue(f *abi.Field, src []byte) ([]byte, error) {
	if len(src) == 0 || src[0] > 1 {
		return nil, fmt.Errorf("an encoded value does not begin with 0 or 1")
	}
	null := src[0] == 0
	if src = src[1:]; null {
		return src, nil
	}
	size := uint64(f.Type.Width())
	switch f.Type {
	case abi.Bool:
		size = 1
	case abi.String, abi.Bytes, abi.List:
		n, used := binary.Uvarint(src)
		if used <= 0 {
			return nil, fmt.Errorf("an encoded value is cut short")
		}
		if src = src[used:]; f.Type == abi.List {
			return skipItems(f, n, src)
		}
		size = n
	case abi.Struct:
		for i := range f.Children {
			var err error
			if src, err = skipValue(&f.Children[i], src); err != nil {
				return nil, err
			}
		}
		return src, nil
	}
	if size > uint64(len(src)) {
		return nil, fmt.Errorf("an encoded value is cut short")
	}
	return src[size:], nil
}

func skipItems(f *abi.Field, n uint64, src []byte) ([]byte, error) {
	var err error
	for ; n > 0; n-- {
		if src, err = skipValue(&f.Children[0], src); err != nil {
			return nil, err
		}
	}
	return src, nil
}
