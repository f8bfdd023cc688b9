// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/wasmill/wasmill/state"
)

// The states of a join: rows of the left and of the right input.
const (
	stateLeft  = state.FirstReserved + 0x20
	stateRight = state.FirstReserved + 0x21
)

func stateOf(input int) state.ID { return stateLeft + state.ID(input) }

// page is how much of a key's rows is read at a time.
var page = state.Limit{Entries: 256, Bytes: 64 << 10}

// entry is what a store holds of a row:
//
//	| copies, uvarint | alone, uvarint | expires 8, little endian |
//
// expires is not there where the row does not expire.
type entry struct {
	copies  uint64
	alone   uint64 // copies that have not met a partner, where the type tracks it
	expires int64  // microseconds of processing time; math.MaxInt64: never
}

var errEntry = errors.New("join: a value in the store is not one of a row")

func parseEntry(src []byte) (entry, error) {
	copies, n := binary.Uvarint(src)
	if n <= 0 {
		return entry{}, errEntry
	}
	alone, m := binary.Uvarint(src[n:])
	if m <= 0 {
		return entry{}, errEntry
	}
	e := entry{copies, alone, math.MaxInt64}
	switch rest := src[n+m:]; len(rest) {
	case 0:
	case 8:
		e.expires = int64(binary.LittleEndian.Uint64(rest))
	default:
		return entry{}, errEntry
	}
	if alone > copies {
		return entry{}, errEntry
	}
	return e, nil
}

func (e *entry) append(dst []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, e.copies), e.alone)
	if e.expires != math.MaxInt64 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(e.expires))
	}
	return dst
}

// cursor reads a range of a store page by page. What next returns is valid until the next call. The
// store may change meanwhile: what is written behind the page at hand is seen.
type cursor struct {
	store        state.Store
	limit        state.Limit
	keys, values state.Strings
	from, to     []byte
	at           int
	more         bool
}

// seek goes to the beginning of a range.
func (c *cursor) seek(from, to []byte) {
	c.from, c.to = append(c.from[:0], from...), append(c.to[:0], to...)
	c.keys.Reset()
	c.at, c.more = 0, true
}

// next returns the next entry, and a nil key at the end.
func (c *cursor) next() (key, value []byte, err error) {
	if c.at == c.keys.Len() {
		if ok, err := c.turn(); !ok || err != nil {
			return nil, nil, err
		}
	}
	c.at++
	return c.keys.At(c.at - 1), c.values.At(c.at - 1), nil
}

// turn reads the next page into keys and values, false at the end.
func (c *cursor) turn() (bool, error) {
	if !c.more {
		return false, nil
	}
	var err error
	if c.more, err = c.store.Scan(c.from, c.to, c.limit, &c.keys, &c.values); err != nil {
		return false, fmt.Errorf("join: reading rows: %w", err)
	}
	c.at = 0
	n := c.keys.Len()
	if n == 0 {
		return false, nil
	}
	c.from = state.AppendNext(c.from[:0], c.keys.At(n-1))
	return true, nil
}
