// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"time"

	"github.com/wasmill/wasmill/scheduler/table"
)

// cacheBytes bounds what the answers in a cache take, however few keys they are of.
const cacheBytes = 64 << 20

// cache keeps answers by encoded key. The zero value of its bounds keeps nothing.
type cache struct {
	most    int
	ttl     time.Duration
	keys    table.Table
	entries []cached // by number
	bytes   int      // of keys and answers
	// The list of entries from the one that was used last to the one that makes room next.
	first, last uint32
}

// cached is an answer: the rows of a key, encoded.
type cached struct {
	answer       []byte
	until        time.Time // zero: for ever
	newer, older uint32
}

func newCache(c Cache) *cache {
	return &cache{most: c.Keys, ttl: c.TTL, first: table.None, last: table.None}
}

// get returns the answer for a key, nil where there is none or it is too old. The cache does not change
// it any more.
func (c *cache) get(key []byte, now time.Time) []byte {
	n := c.keys.Get(key, table.Hash(key))
	if n == table.None {
		return nil
	}
	e := &c.entries[n]
	if !e.until.IsZero() && !now.Before(e.until) {
		c.remove(n)
		return nil
	}
	c.unlink(n)
	c.link(n)
	return e.answer
}

// put keeps a copy of an answer, and makes room for it.
func (c *cache) put(key, answer []byte, now time.Time) {
	if c.most == 0 || len(key)+len(answer) > cacheBytes {
		return
	}
	n, fresh := c.keys.Put(key, table.Hash(key))
	for len(c.entries) < c.keys.Cap() {
		c.entries = append(c.entries, cached{})
	}
	e := &c.entries[n]
	if !fresh {
		c.unlink(n)
		c.bytes -= len(key) + len(e.answer)
	}
	e.answer, e.until = append(make([]byte, 0, len(answer)), answer...), time.Time{}
	if c.ttl > 0 {
		e.until = now.Add(c.ttl)
	}
	c.bytes += len(key) + len(answer)
	c.link(n)
	for c.keys.Len() > c.most || c.bytes > cacheBytes {
		c.remove(c.last)
	}
}

func (c *cache) remove(n uint32) {
	c.unlink(n)
	c.bytes -= len(c.keys.Key(n)) + len(c.entries[n].answer)
	c.entries[n] = cached{}
	c.keys.Remove(n)
}

// link makes an entry the one that was used last.
func (c *cache) link(n uint32) {
	e := &c.entries[n]
	e.newer, e.older = table.None, c.first
	if c.first != table.None {
		c.entries[c.first].newer = n
	} else {
		c.last = n
	}
	c.first = n
}

func (c *cache) unlink(n uint32) {
	e := &c.entries[n]
	if e.newer != table.None {
		c.entries[e.newer].older = e.older
	} else {
		c.first = e.older
	}
	if e.older != table.None {
		c.entries[e.older].newer = e.newer
	} else {
		c.last = e.newer
	}
}
