// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package topn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/scheduler/table"
	"github.com/wasmill/wasmill/state"
)

// head is the first rows of a key, encoded, in order, each as often as it is there. It holds no pointers
// but two slices.
type head struct {
	rows    []span
	data    []byte
	garbage int  // bytes of data that belong to no row
	whole   bool // there are no rows behind
}

type span struct{ at, size uint32 }

func (h *head) reset() { *h = head{rows: h.rows[:0], data: h.data[:0]} }

func (h *head) len() int { return len(h.rows) }

// at returns a row, valid until the head is changed.
func (h *head) at(i int) []byte {
	r := h.rows[i]
	return h.data[r.at : r.at+r.size]
}

// end returns the place behind the rows that are not greater than row.
func (h *head) end(row []byte) int {
	return sort.Search(len(h.rows), func(i int) bool { return bytes.Compare(h.at(i), row) > 0 })
}

// copies returns how many rows before a place are equal to row.
func (h *head) copies(place int, row []byte) uint64 {
	n := uint64(0)
	for place--; place >= 0 && bytes.Equal(h.at(place), row); place-- {
		n++
	}
	return n
}

func (h *head) insert(place int, row []byte) {
	if h.garbage > len(h.data)/2 {
		h.compact()
	}
	h.rows = append(h.rows, span{})
	copy(h.rows[place+1:], h.rows[place:])
	h.rows[place] = span{uint32(len(h.data)), uint32(len(row))}
	h.data = append(h.data, row...)
}

func (h *head) remove(place int) {
	h.garbage += int(h.rows[place].size)
	h.rows = append(h.rows[:place], h.rows[place+1:]...)
}

func (h *head) compact() {
	data := make([]byte, 0, 2*(len(h.data)-h.garbage))
	for i := range h.rows {
		row := h.at(i)
		h.rows[i].at = uint32(len(data))
		data = append(data, row...)
	}
	h.data, h.garbage = data, 0
}

func (h *head) bytes() int { return len(h.data) + 8*cap(h.rows) + 64 }

// heads are the heads of the keys that came last, by the prefix of their rows in the store. A head is
// never newer or older than the store.
type heads struct {
	store        state.Store
	most         int // rows of a head
	bound        int // of bytes
	table        table.Table
	heads        []head
	bytes        int // what the heads take, at most
	to           []byte
	keys, values state.Strings
}

// cacheBytes bounds what heads take between two rows.
const cacheBytes = 16 << 20

// get returns the head of the rows with a prefix, read where it is not at hand. It is valid until the
// next call.
func (c *heads) get(prefix []byte) (*head, error) {
	n, fresh := c.table.Put(prefix, table.Hash(prefix))
	for len(c.heads) < c.table.Cap() {
		c.heads = append(c.heads, head{})
	}
	h := &c.heads[n]
	if fresh {
		if err := c.read(h, prefix); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// read fills a head with the first rows that the store has.
func (c *heads) read(h *head, prefix []byte) error {
	h.reset()
	defer func() { c.bytes += h.bytes() }()
	c.to = state.AppendEnd(c.to[:0], prefix)
	more, err := c.store.Scan(prefix, c.to, state.Limit{Entries: c.most}, &c.keys, &c.values)
	if err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	h.whole = !more
	for i := range c.keys.Len() {
		copies, err := parseCopies(c.values.At(i))
		if err != nil {
			return err
		}
		row := c.keys.At(i)[len(prefix):]
		for range copies {
			if h.len() == c.most {
				h.whole = false
				return nil
			}
			h.insert(h.len(), row)
		}
	}
	return nil
}

// insert puts a row into a head.
func (c *heads) insert(h *head, place int, row []byte) {
	h.insert(place, row)
	c.bytes += len(row) + 8
}

// trim forgets the heads where they take too much. One alone may: to read it for each row would take
// for ever.
func (c *heads) trim() {
	if c.bytes > c.bound && c.table.Len() > 1 {
		c.clear()
	}
}

func (c *heads) clear() {
	c.table, c.heads, c.bytes = table.Table{}, nil, 0
}

func parseCopies(value []byte) (uint64, error) {
	n, size := binary.Uvarint(value)
	if size != len(value) || n == 0 {
		return 0, rows.ErrEncoding
	}
	return n, nil
}
