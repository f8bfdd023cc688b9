// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The first byte of each value in scratch says whether the key has one: a removal has to be seen
// there, for main may have the key.
const (
	tagAbsent  = 0
	tagPresent = 1
)

// tree is main or scratch as a store reads it. Iterators stay open until the store's part of the
// tree changes, which only the store does.
type tree struct {
	db     pebble.Reader
	tagged bool
	holds  bool // there may be keys of the store
	points *pebble.Iterator
	ranges *pebble.Iterator
}

// release closes the iterators, which are made anew when they are needed.
func (t *tree) release() error {
	var errs []error
	for _, it := range []**pebble.Iterator{&t.points, &t.ranges} {
		if *it != nil {
			errs = append(errs, (*it).Close())
			*it = nil
		}
	}
	return errors.Join(errs...)
}

// get returns the value of a key in the tree, nil where it is absent, valid until the next get.
// known is false where the tree has nothing to say.
func (t *tree) get(key []byte) (value []byte, known bool, err error) {
	if !t.holds {
		return nil, false, nil
	}
	if t.points == nil {
		if t.points, err = t.db.NewIter(&pebble.IterOptions{UseL6Filters: true}); err != nil {
			return nil, false, err
		}
	}
	if !t.points.SeekPrefixGE(key) || !bytes.Equal(t.points.Key(), key) {
		return nil, false, t.points.Error()
	}
	value, err = valueAt(t.points, t.tagged)
	return value, true, err
}

// valueAt returns the value at an iterator, nil where it says that there is none.
func valueAt(it *pebble.Iterator, tagged bool) ([]byte, error) {
	value, err := it.ValueAndErr()
	switch {
	case err != nil:
		return nil, err
	case !tagged && value == nil:
		return []byte{}, nil
	case !tagged:
		return value, nil
	case len(value) > 0 && value[0] == tagPresent:
		return value[1:], nil
	case len(value) == 1 && value[0] == tagAbsent:
		return nil, nil
	}
	return nil, fmt.Errorf("the value of %x in scratch has no mark", it.Key())
}

// seek returns a cursor at the beginning of the first of some spans, which ascend. It is the only
// one of the tree.
func (t *tree) seek(spans []span) (cursor, error) {
	if t.ranges == nil {
		var err error
		if t.ranges, err = t.db.NewIter(nil); err != nil {
			return nil, err
		}
	}
	c := &treeCursor{it: t.ranges, tagged: t.tagged, spans: spans}
	return c, c.nextSpan()
}

// treeCursor walks over spans in a tree.
type treeCursor struct {
	it     *pebble.Iterator
	tagged bool
	done   bool
	in     span   // where it is
	spans  []span // that are to come
	stored []byte
	own    []byte // of a key of unkeyed state
}

func (c *treeCursor) valid() bool            { return !c.done }
func (c *treeCursor) key() []byte            { return c.stored }
func (c *treeCursor) value() ([]byte, error) { return valueAt(c.it, c.tagged) }

func (c *treeCursor) next() error {
	if c.it.Next() {
		c.settle()
		return nil
	}
	return c.nextSpan()
}

// nextSpan moves to the first key of the spans that are to come.
func (c *treeCursor) nextSpan() error {
	for {
		c.done = len(c.spans) == 0 || c.it.Error() != nil
		if c.done {
			return c.it.Error()
		}
		c.in, c.spans = c.spans[0], c.spans[1:]
		c.it.SetBounds(c.in.low, c.in.end)
		if c.it.First() {
			c.settle()
			return nil
		}
	}
}

// settle takes the stored key out of the tree's.
func (c *treeCursor) settle() {
	key := c.it.Key()[operatorSize:]
	if c.in.unkeyed {
		c.own = append(append(c.own[:0], 0xff, 0xff), key[groupSize:]...)
		c.stored = c.own
		return
	}
	c.stored = key
}
