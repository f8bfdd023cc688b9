// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package row

import (
	"errors"
	"reflect"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// Part is a part of a state's row: the columns that a struct has as its fields, or the one column
// of another type.
type Part struct {
	Type    reflect.Type
	Offset  uintptr  // in the row
	Name    string   // of the column where there is one
	Options []string // of its tag
	Merge   string
}

// OfParts returns the codec of rows that are stride bytes from each other and hold the columns of
// all parts, one part after the other.
func OfParts(stride uintptr, parts ...Part) (*Codec, error) {
	c := &Codec{stride: stride}
	b := builder{codec: c, role: Output}
	for _, p := range parts {
		nodes, err := b.part(p)
		if err != nil {
			return nil, err
		}
		c.Nodes = append(c.Nodes, nodes...)
	}
	if c.Time {
		return nil, errors.New("a row of a state has no event time: use a wasmill.Timestamp")
	}
	for _, n := range c.Nodes {
		c.Fields = append(c.Fields, n.Field)
	}
	return c, nil
}

func (b *builder) part(p Part) ([]*Node, error) {
	if p.Type.Kind() == reflect.Struct && !Is(p.Type, "Null[") {
		return b.fields(p.Type, p.Offset, true)
	}
	var tg tag
	tg.scale, tg.scaled, _ = scaleOf(p.Options)
	n, err := b.node(p.Type, p.Offset, tg)
	if err != nil {
		return nil, err
	}
	n.Name, n.Merge = p.Name, p.Merge
	return []*Node{n}, nil
}

// Behind returns a codec that reads the same rows without their first fields, which it leaves as
// they are.
func (c *Codec) Behind(fields int) *Codec {
	return &Codec{Fields: c.Fields[fields:], Nodes: c.Nodes[fields:], columns: c.columns, stride: c.stride}
}

// Renumber says where in a batch the fields from one on lie, none of which is nested.
func (c *Codec) Renumber(from int, places []int) {
	for i, n := range c.Nodes[from:] {
		n.column = places[i]
	}
}

// Scalar says whether no field is a list or a struct.
func (c *Codec) Scalar() bool {
	for _, n := range c.Nodes {
		if !n.scalar() {
			return false
		}
	}
	return true
}

func (n *Node) scalar() bool { return n.Type != wire.List && n.Type != wire.Struct }

// Borrows says whether rows that were read point into memory that is not their own: the batch, or
// the items of lists.
func (c *Codec) Borrows() bool { return c.Has(wire.String) || c.Has(wire.Bytes) || c.Has(wire.List) }

// Has says whether there is a column of a type, nested ones counted.
func (c *Codec) Has(t wire.Type) bool {
	for _, n := range c.Nodes {
		if n.has(t) {
			return true
		}
	}
	return false
}

func (n *Node) has(t wire.Type) bool {
	for _, child := range n.children {
		if child.has(t) {
			return true
		}
	}
	return n.Type == t
}

// Forget makes the next Read use new memory for the items of lists, so that those that were read
// before stay as they are.
func (c *Codec) Forget() {
	for _, n := range c.Nodes {
		n.forget()
	}
}

func (n *Node) forget() {
	n.items, n.room = nil, 0
	for _, child := range n.children {
		child.forget()
	}
}

// Nullable says whether a field may be null.
func (c *Codec) Nullable() bool {
	for _, n := range c.Nodes {
		if n.null {
			return true
		}
	}
	return false
}

// Zero makes all nulls of a row alike: zero is what lies under them.
func (c *Codec) Zero(row unsafe.Pointer) {
	for _, n := range c.Nodes {
		if n.null && !*(*bool)(unsafe.Add(row, n.valid)) {
			n.zero(row)
		}
	}
}

// WriteAt is Write of the rows with the given numbers of an array, in that order.
func (c *Codec) WriteAt(m *wire.Message, rows unsafe.Pointer, numbers []uint32, limit int) bool {
	c.runs = c.runs[:0]
	for begin := 0; begin < len(numbers); {
		end := begin + 1
		for end < len(numbers) && numbers[end] == numbers[end-1]+1 {
			end++
		}
		c.runs = append(c.runs, segment{unsafe.Add(rows, uintptr(numbers[begin])*c.stride), end - begin})
		begin = end
	}
	ok := c.write(m, c.runs, len(numbers), limit)
	clear(c.runs)
	return ok
}
