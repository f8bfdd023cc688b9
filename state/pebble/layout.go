// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"bytes"
	"encoding/binary"

	"github.com/wasmill/wasmill/state"
)

// MaxOperator is the greatest number of an operator.
const MaxOperator = 1<<32 - 2

const (
	operatorSize = 4
	groupSize    = 2
	unkeyedFrom  = 0x8000 // the least group that is a store's unkeyed state
)

// layout is where the keys of a store lie in a tree.
type layout struct {
	operator uint32
	groups   state.Groups
}

// unkeyedEnd is behind all unkeyed keys, for the last number is of no state.
var unkeyedEnd = []byte{0xff, 0xff, 0xff, 0xff}

// appendKey appends what a stored key, or the bound of a span, is in a tree.
func (l *layout) appendKey(dst, key []byte) []byte {
	dst = append(binary.BigEndian.AppendUint32(dst, l.operator), key...)
	if group := dst[len(dst)-len(key):]; len(group) >= groupSize && group[0] == 0xff && group[1] == 0xff {
		binary.BigEndian.PutUint16(group, unkeyedFrom|uint16(l.groups.From))
	}
	return dst
}

// span is a range in a tree that is a range of stored keys.
type span struct {
	low, end []byte
	unkeyed  bool
}

// spans are where the keys of a store in [from, to) lie: key groups, then unkeyed state.
func (l *layout) spans(from, to []byte) []span {
	var spans []span
	add := func(first, end []byte, unkeyed bool) {
		if bytes.Compare(from, first) > 0 {
			first = from
		}
		if bytes.Compare(to, end) < 0 {
			end = to
		}
		if bytes.Compare(first, end) < 0 {
			spans = append(spans, span{l.appendKey(nil, first), l.appendKey(nil, end), unkeyed})
		}
	}
	add(l.groups.From.Prefix(), l.groups.To.Prefix(), false)
	add(state.Unkeyed.Prefix(), unkeyedEnd, true)
	return spans
}

// all are the spans of everything that a store has.
func (l *layout) all() []span { return l.spans(l.groups.From.Prefix(), unkeyedEnd) }
