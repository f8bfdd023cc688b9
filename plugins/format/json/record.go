// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// parser reads records out of data.
type parser struct {
	data       []byte
	unitDigits int
	room       int    // bytes that items of the record's lists may yet take in their columns
	scratch    []byte // a string whose escapes are resolved
	binary     []byte // a string that was base64
	fault      fault
}

// object is an object of the schema: a record or a struct.
type object struct {
	columns []column
	rows    int // that its columns had before the object
	// keys are the names that have been met, declared or not, each with the one that followed it
	// the last time: most records have the same names in the same order, so that a name is found
	// by one comparison. The first stands for names that are not kept.
	keys   []key
	first  int32
	byName map[string]int32
}

type key struct {
	head, mask [2]uint64 // of the first bytes of quoted
	quoted     string    // as JSON writes it; "" where it needs escapes
	column     int32     // -1 where the schema lacks it
	next       int32
}

const headSize = 16

// newKey returns the key of a name. Its first bytes are kept as two words, as a comparison of
// words is cheaper than a call to compare strings.
func newKey(name string, column int32) key {
	k := key{column: column}
	if plainWide([]byte(name), 0) != len(name) {
		return k
	}
	k.quoted = `"` + name + `"`
	var head, mask [headSize]byte
	for i := range copy(head[:], k.quoted) {
		mask[i] = 0xff
	}
	for i := range k.head {
		k.head[i] = binary.LittleEndian.Uint64(head[8*i:])
		k.mask[i] = binary.LittleEndian.Uint64(mask[8*i:])
	}
	return k
}

// at says whether the name, in quotes, is at data[at:].
func (k *key) at(data []byte, at int) bool {
	if at+headSize > len(data) {
		return k.quoted != "" && bytes.HasPrefix(data[at:], []byte(k.quoted))
	}
	first := binary.LittleEndian.Uint64(data[at:]) ^ k.head[0]
	second := binary.LittleEndian.Uint64(data[at+8:]) ^ k.head[1]
	if first&k.mask[0]|second&k.mask[1] != 0 {
		return false
	}
	if len(k.quoted) > headSize {
		return bytes.HasPrefix(data[at:], []byte(k.quoted))
	}
	return k.quoted != ""
}

// Names that the schema lacks are kept as far as this, so that a stream can't fill the memory.
const (
	maxKeys    = 256
	maxKeyName = abi.MaxName
)

// column is a node of the schema, and where its values go.
type column struct {
	*batch.ColumnBuilder
	typ    abi.Type
	field  *abi.Field
	size   int     // bytes that a null takes, about
	items  *column // of a list
	fields *object // of a struct
}

func newObject(fields []abi.Field) *object {
	o := &object{
		columns: make([]column, len(fields)),
		keys:    make([]key, 1, 1+len(fields)+maxKeys),
		byName:  make(map[string]int32, len(fields)),
	}
	o.keys[0].column = -1
	for i := range fields {
		o.columns[i] = newColumn(&fields[i])
		o.remember(fields[i].Name, int32(i))
	}
	return o
}

func newColumn(f *abi.Field) column {
	c := column{typ: f.Type, field: f, size: max(f.Type.Width(), 4)}
	switch f.Type {
	case abi.List:
		items := newColumn(&f.Children[0])
		c.items = &items
	case abi.Struct:
		c.fields = newObject(f.Children)
		for i := range c.fields.columns {
			c.size += c.fields.columns[i].size
		}
	}
	return c
}

// remember adds a name to those that are known.
func (o *object) remember(name string, column int32) int32 {
	at := int32(len(o.keys))
	o.keys = append(o.keys, newKey(name, column))
	o.byName[name] = at
	return at
}

// bind says where the values go.
func (o *object) bind(child func(int) *batch.ColumnBuilder) {
	for i := range o.columns {
		o.columns[i].bind(child(i))
	}
}

func (c *column) bind(b *batch.ColumnBuilder) {
	c.ColumnBuilder = b
	switch c.typ {
	case abi.List:
		c.items.bind(b.Child(0))
	case abi.Struct:
		c.fields.bind(b.Child)
	}
}

// object reads the object whose brace is at hand into columns that hold rows rows.
func (p *parser) object(o *object, rows, at int) int {
	o.rows = rows
	data := p.data
	c, at := next(data, at+1)
	if c == '}' {
		return at + 1
	}
	for slot := &o.first; ; {
		k := &o.keys[*slot]
		if k.at(data, at) {
			at += len(k.quoted)
		} else {
			var n int32
			if n, at = p.name(o, at); at == failed {
				return failed
			}
			*slot = n
			k = &o.keys[n]
		}
		slot = &k.next
		if c, at = next(data, at); c != ':' {
			return p.want(at, "a colon")
		}
		c, at = next(data, at+1)
		if k.column >= 0 {
			at = p.member(o, int(k.column), c, at)
		} else if c == '{' || c == '[' {
			at = p.skipNested(at)
		} else {
			at = p.scalar(c, at)
		}
		if at == failed {
			return failed
		}
		if c, at = next(data, at); c == '}' {
			return at + 1
		} else if c != ',' {
			return p.want(at, "a comma or }")
		}
		_, at = next(data, at+1)
	}
}

// name reads a name that is not the expected one, and returns its key.
func (p *parser) name(o *object, at int) (number int32, end int) {
	if at >= len(p.data) || p.data[at] != '"' {
		return 0, p.want(at, "a name in quotes")
	}
	name, end := p.text(at)
	if end == failed {
		// A lone surrogate is no fault in a name that nobody declares.
		if p.fault.kind == faultSyntax {
			p.fault = fault{}
			end = p.skipText(at)
		}
		return 0, end
	}
	if k, ok := o.byName[string(name)]; ok {
		return k, end
	}
	if len(o.keys) == cap(o.keys) || len(name) > maxKeyName {
		return 0, end
	}
	return o.remember(string(name), -1), end
}

// member reads the value of a declared member, whose first byte c is at hand.
func (p *parser) member(o *object, number int, c byte, at int) int {
	col := &o.columns[number]
	if col.Rows() != o.rows {
		p.refuse(errors.New("the name is there twice"))
	} else if end := p.value(col, c, at); end != failed {
		return end
	}
	if p.fault.kind == faultValue {
		p.fault.path = append(p.fault.path, col.field.Name)
	}
	return failed
}
