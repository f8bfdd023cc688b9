// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"bytes"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/internal/flat"
)

// cursor walks over entries in order of key.
type cursor interface {
	valid() bool
	key() []byte            // a stored key, valid until next
	value() ([]byte, error) // valid until next; nil where the entry says that the key is absent
	next() error
}

// merge visits each key that a cursor has, in order, with what the first cursor that has it says of
// it. It ends early where visit says so.
func merge(cursors []cursor, visit func(key, value []byte) (more bool, err error)) error {
	for {
		var least cursor
		for _, c := range cursors {
			if c.valid() && (least == nil || bytes.Compare(c.key(), least.key()) < 0) {
				least = c
			}
		}
		if least == nil {
			return nil
		}
		value, err := least.value()
		if err != nil {
			return err
		}
		if more, err := visit(least.key(), value); err != nil || !more {
			return err
		}
		for _, c := range cursors {
			if c != least && c.valid() && bytes.Equal(c.key(), least.key()) {
				if err := c.next(); err != nil {
					return err
				}
			}
		}
		if err := least.next(); err != nil {
			return err
		}
	}
}

// orderCursor walks over dirty entries in order up to a key.
type orderCursor struct {
	cache *flat.Map
	at    flat.Cursor
	to    []byte
	entry uint32
}

func newOrderCursor(cache *flat.Map, order *flat.Order, from, to []byte) *orderCursor {
	c := &orderCursor{cache: cache, at: order.Seek(cache, from), to: to}
	c.settle()
	return c
}

func (c *orderCursor) settle() {
	c.entry = c.at.Entry()
	if c.entry != flat.None && bytes.Compare(c.cache.Key(c.entry), c.to) >= 0 {
		c.entry = flat.None
	}
}

func (c *orderCursor) valid() bool            { return c.entry != flat.None }
func (c *orderCursor) key() []byte            { return c.cache.Key(c.entry) }
func (c *orderCursor) value() ([]byte, error) { return cached(c.cache, c.entry), nil }

func (c *orderCursor) next() error {
	c.at.Next()
	c.settle()
	return nil
}

// listCursor walks over a sorted list of entries.
type listCursor struct {
	cache   *flat.Map
	entries []uint32
}

func (c *listCursor) valid() bool            { return len(c.entries) > 0 }
func (c *listCursor) key() []byte            { return c.cache.Key(c.entries[0]) }
func (c *listCursor) value() ([]byte, error) { return cached(c.cache, c.entries[0]), nil }

func (c *listCursor) next() error {
	c.entries = c.entries[1:]
	return nil
}

// cached returns the value of an entry, nil where it says that there is none.
func cached(cache *flat.Map, n uint32) []byte {
	if cache.Flags(n)&flat.Absent != 0 {
		return nil
	}
	return cache.Value(n)
}

// collector fills the lists of a scan.
type collector struct {
	limit        state.Limit
	keys, values *state.Strings
	more         bool
}

func (c *collector) visit(key, value []byte) (bool, error) {
	if value == nil {
		return true, nil
	}
	if c.keys.Len() > 0 && c.limit.Reached(c.keys, c.values) {
		c.more = true
		return false, nil
	}
	c.keys.Append(key)
	c.values.Append(value)
	return true, nil
}
