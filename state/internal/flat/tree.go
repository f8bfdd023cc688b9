// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package flat

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Tree is an order over entries of a Map, by key: a B+ tree whose items hold the first 16 bytes of
// a key, so that most comparisons stay within a node. The zero value is empty.
//
// An inner node has, for each child, the least item below it. A node is freed when it is empty and
// never merged before: what is removed is mostly a run from the front (timers) or all.
type Tree struct {
	nodes []node
	free  []uint32
	root  uint32
	depth int // levels of inner nodes
	size  int
}

const fanout = 32

type item struct {
	hi, lo uint64
	n      uint32
}

type node struct {
	count int32
	items [fanout]item
	kids  [fanout]uint32 // of an inner node
}

const nodeSize = 8 + fanout*28

func itemOf(key []byte, n uint32) item {
	if len(key) >= 16 {
		return item{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:]), n}
	}
	var b [16]byte
	copy(b[:], key)
	return item{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:]), n}
}

// Len returns how many entries are in the order.
func (t *Tree) Len() int { return t.size }

// Bytes returns how much memory the tree holds.
func (t *Tree) Bytes() int64 { return int64(nodeSize*cap(t.nodes) + 4*cap(t.free)) }

// Reset empties the tree and gives its memory back.
func (t *Tree) Reset() { *t = Tree{} }

// compare compares an item with a key, whose own item is k.
func (t *Tree) compare(m *Map, it *item, k *item, key []byte) int {
	switch {
	case it.hi != k.hi:
		if it.hi < k.hi {
			return -1
		}
		return 1
	case it.lo != k.lo:
		if it.lo < k.lo {
			return -1
		}
		return 1
	}
	return bytes.Compare(m.Key(it.n), key)
}

// search returns the first place in a node whose item is not less than the key.
func (t *Tree) search(m *Map, nd *node, k *item, key []byte) (at int, equal bool) {
	low, high := 0, int(nd.count)
	for low < high {
		mid := (low + high) / 2
		switch c := t.compare(m, &nd.items[mid], k, key); {
		case c == 0:
			return mid, true
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// step is a place in a node on the way down.
type step struct {
	node uint32
	at   int
}

type path [16]step

// descend fills the path of inner nodes to the leaf where a key belongs, and returns the leaf.
func (t *Tree) descend(m *Map, p *path, k *item, key []byte) uint32 {
	id := t.root
	for level := range t.depth {
		nd := &t.nodes[id]
		at, equal := t.search(m, nd, k, key)
		if !equal && at > 0 {
			at--
		}
		p[level] = step{id, at}
		id = nd.kids[at]
	}
	return id
}

// Insert adds an entry that is not in the tree.
func (t *Tree) Insert(m *Map, n uint32) {
	key := m.Key(n)
	k := itemOf(key, n)
	if len(t.nodes) == 0 {
		t.root = t.alloc()
	}
	var p path
	leaf := t.descend(m, &p, &k, key)
	at, _ := t.search(m, &t.nodes[leaf], &k, key)
	if at == 0 {
		t.setLeast(&p, t.depth, k)
	}
	t.put(&p, t.depth, leaf, at, k, 0)
	t.size++
}

// setLeast says that the node below a level of the path begins with an item.
func (t *Tree) setLeast(p *path, level int, k item) {
	for level--; level >= 0; level-- {
		t.nodes[p[level].node].items[p[level].at] = k
		if p[level].at > 0 {
			return
		}
	}
}

// put inserts an item into a node of a level, and splits the node where it is full.
func (t *Tree) put(p *path, level int, id uint32, at int, k item, kid uint32) {
	if t.nodes[id].count == fanout {
		half := fanout / 2
		if at == fanout {
			half = fanout - 1 // keys that come in order leave full nodes behind
		}
		right := t.alloc()
		l, r := &t.nodes[id], &t.nodes[right]
		copy(r.items[:], l.items[half:])
		copy(r.kids[:], l.kids[half:])
		l.count, r.count = int32(half), int32(fanout-half)
		least := r.items[0]
		if level == 0 {
			root := t.alloc()
			t.nodes[root].count = 1
			t.nodes[root].items[0], t.nodes[root].kids[0] = t.nodes[id].items[0], id
			if at == 0 {
				t.nodes[root].items[0] = k
			}
			t.root = root
			t.depth++
			*p = path{{root, 0}}
			t.put(p, 0, root, 1, least, right)
		} else {
			t.put(p, level-1, p[level-1].node, p[level-1].at+1, least, right)
		}
		if at > half {
			id, at = right, at-half
		}
	}
	nd := &t.nodes[id]
	copy(nd.items[at+1:nd.count+1], nd.items[at:nd.count])
	copy(nd.kids[at+1:nd.count+1], nd.kids[at:nd.count])
	nd.items[at], nd.kids[at] = k, kid
	nd.count++
}

func (t *Tree) alloc() uint32 {
	if last := len(t.free) - 1; last >= 0 {
		id := t.free[last]
		t.free = t.free[:last]
		t.nodes[id].count = 0
		return id
	}
	t.nodes = append(t.nodes, node{})
	return uint32(len(t.nodes) - 1)
}

// Remove takes an entry out, which must be in the tree. Its key must still be in the map.
func (t *Tree) Remove(m *Map, n uint32) {
	key := m.Key(n)
	k := itemOf(key, n)
	var p path
	id := t.descend(m, &p, &k, key)
	at, equal := t.search(m, &t.nodes[id], &k, key)
	if !equal {
		panic("flat: an entry to remove is not in the tree")
	}
	t.size--
	for level := t.depth; ; level-- {
		nd := &t.nodes[id]
		copy(nd.items[at:], nd.items[at+1:nd.count])
		copy(nd.kids[at:], nd.kids[at+1:nd.count])
		nd.count--
		if nd.count > 0 {
			if at == 0 {
				t.setLeast(&p, level, nd.items[0])
			}
			return
		}
		if level == 0 {
			t.Reset()
			return
		}
		t.free = append(t.free, id)
		id, at = p[level-1].node, p[level-1].at
	}
}

// Cursor walks over a tree that does not change meanwhile.
type Cursor struct {
	tree *Tree
	path path
	leaf step
	done bool
}

// Seek returns a cursor at the first entry whose key is not less than key.
func (t *Tree) Seek(m *Map, key []byte) Cursor {
	c := Cursor{tree: t, done: t.size == 0}
	if c.done {
		return c
	}
	k := itemOf(key, None)
	c.leaf.node = t.descend(m, &c.path, &k, key)
	c.leaf.at, _ = t.search(m, &t.nodes[c.leaf.node], &k, key)
	c.settle()
	return c
}

// Entry returns the entry at the cursor, None at the end.
func (c *Cursor) Entry() uint32 {
	if c.done {
		return None
	}
	return c.tree.nodes[c.leaf.node].items[c.leaf.at].n
}

// Next moves to the next entry.
func (c *Cursor) Next() {
	c.leaf.at++
	c.settle()
}

// settle moves from behind a leaf's last item to the next leaf.
func (c *Cursor) settle() {
	t := c.tree
	if c.leaf.at < int(t.nodes[c.leaf.node].count) {
		return
	}
	level := t.depth - 1
	for level >= 0 && c.path[level].at+1 == int(t.nodes[c.path[level].node].count) {
		level--
	}
	if level < 0 {
		c.done = true
		return
	}
	c.path[level].at++
	id := t.nodes[c.path[level].node].kids[c.path[level].at]
	for level++; level < t.depth; level++ {
		c.path[level] = step{id, 0}
		id = t.nodes[id].kids[0]
	}
	c.leaf = step{id, 0}
}

// Sort sorts entries by key.
func Sort(m *Map, entries []uint32) {
	items := make([]item, len(entries))
	for i, n := range entries {
		items[i] = itemOf(m.Key(n), n)
	}
	slices.SortFunc(items, func(a, b item) int {
		switch {
		case a.hi != b.hi:
			if a.hi < b.hi {
				return -1
			}
			return 1
		case a.lo != b.lo:
			if a.lo < b.lo {
				return -1
			}
			return 1
		}
		return bytes.Compare(m.Key(a.n), m.Key(b.n))
	})
	for i := range items {
		entries[i] = items[i].n
	}
}
