// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"strconv"
)

// Kind is the kind of an operator.
type Kind uint8

// The kinds that this SDK makes.
const (
	Map       Kind = 1
	Process   Kind = 2
	Aggregate Kind = 3
)

// Field is a column, or a node inside a nested one.
type Field struct {
	Name     string
	Type     Type
	Scale    uint8
	Required bool
	Children []Field
	Default  string
	Doc      string
}

// TypeString returns the type as a pipeline file writes it.
func (f *Field) TypeString() string {
	switch f.Type {
	case Decimal:
		return "decimal(" + strconv.Itoa(int(f.Scale)) + ")"
	case List:
		return "list<" + f.Children[0].TypeString() + ">"
	case Struct:
		text := "struct<"
		for i := range f.Children {
			if i > 0 {
				text += ", "
			}
			text += f.Children[i].Name + ": " + f.Children[i].TypeString()
		}
		return text + ">"
	}
	return f.Type.String()
}

// Port is an input or an output.
type Port struct {
	Name      string
	Fields    []Field
	Forward   bool
	Time      bool
	Broadcast bool
}

// Operator is what an operator says of itself.
type Operator struct {
	Name        string
	Kind        Kind
	Doc         string
	Inputs      []Port
	Outputs     []Port
	Config      []Field
	Accumulator *Field
	Counters    []string
	Key         []Field // of a process
	States      []State
}

// Describe writes the Module message.
func Describe(sdk string, operators []*Operator) []byte {
	w := writer{buf: make([]byte, 4, 4096)}
	root := w.table(scalar(1), text(sdk), vector(len(operators), func(i int) int { return w.operator(operators[i]) }))
	binary.LittleEndian.PutUint32(w.buf, uint32(root))
	return w.buf
}

func (w *writer) operator(op *Operator) int {
	accumulator := slot{}
	if op.Accumulator != nil {
		accumulator.write = func(w *writer) int { return w.field(op.Accumulator) }
	}
	return w.table(text(op.Name), scalar(uint32(op.Kind)), text(op.Doc), w.ports(op.Inputs), w.ports(op.Outputs),
		w.fields(op.Config), accumulator, vector(len(op.Counters), func(i int) int { return w.string(op.Counters[i]) }),
		w.fields(op.Key), vector(len(op.States), func(i int) int { return w.state(&op.States[i]) }))
}

func (w *writer) ports(ports []Port) slot {
	return vector(len(ports), func(i int) int {
		p := &ports[i]
		return w.table(text(p.Name), w.fields(p.Fields), flag(p.Forward), flag(p.Time), flag(p.Broadcast))
	})
}

func (w *writer) fields(fields []Field) slot {
	return vector(len(fields), func(i int) int { return w.field(&fields[i]) })
}

func (w *writer) field(f *Field) int {
	return w.table(text(f.Name), scalar(uint32(f.Type)), scalar(uint32(f.Scale)), flag(f.Required),
		w.fields(f.Children), text(f.Default), text(f.Doc))
}

// writer writes FlatBuffers front to back: a table first, then what it refers to, so that each
// reference is filled in when its target's place is known.
type writer struct{ buf []byte }

// slot is a field of a table, 4 bytes whatever its type, 8 where it is wide: a scalar, or a
// reference to what write writes. The zero slot is an absent field.
type slot struct {
	scalar uint32
	high   uint32 // of a wide scalar
	wide   bool
	write  func(*writer) int // returns the place
}

func scalar(v uint32) slot { return slot{scalar: v} }

func wide(v int64) slot { return slot{scalar: uint32(v), high: uint32(v >> 32), wide: v != 0} }

func flag(v bool) slot {
	if v {
		return scalar(1)
	}
	return slot{}
}

func text(s string) slot {
	if s == "" {
		return slot{}
	}
	return slot{write: func(w *writer) int { return w.string(s) }}
}

// vector is a vector of references to tables or strings.
func vector(n int, write func(i int) int) slot {
	if n == 0 {
		return slot{}
	}
	return slot{write: func(w *writer) int {
		at := w.aligned()
		w.u32(uint32(n))
		for range n {
			w.u32(0)
		}
		for i := range n {
			w.refer(at+4+4*i, write(i))
		}
		return at
	}}
}

// bytes is a vector of bytes.
func bytes(data []byte) slot {
	if len(data) == 0 {
		return slot{}
	}
	return slot{write: func(w *writer) int {
		at := w.aligned()
		w.u32(uint32(len(data)))
		w.buf = append(w.buf, data...)
		return at
	}}
}

// place returns where in a table that begins at 4 past a multiple of 8 each slot lies, and the
// table's size. An absent slot lies at 0.
func place(slots []slot) (offsets []int, size int) {
	size = 4
	for _, s := range slots {
		offset := 0
		switch {
		case s.wide:
			offset = (size-4+7)&^7 + 4
			size = offset + 8
		case s.write != nil || s.scalar != 0:
			offset = size
			size += 4
		}
		offsets = append(offsets, offset)
	}
	return offsets, size
}

func (w *writer) table(slots ...slot) int {
	offsets, size := place(slots)
	vtable := w.aligned()
	w.u16(4 + 2*len(slots))
	w.u16(size)
	for _, offset := range offsets {
		w.u16(offset)
	}
	for w.aligned()%8 != 4 {
		w.buf = append(w.buf, 0)
	}
	at := len(w.buf)
	w.buf = append(w.buf, make([]byte, size)...)
	le := binary.LittleEndian
	le.PutUint32(w.buf[at:], uint32(at-vtable))
	for i, s := range slots {
		switch {
		case s.write != nil:
			w.refer(at+offsets[i], s.write(w))
		case s.wide:
			le.PutUint32(w.buf[at+offsets[i]+4:], s.high)
			fallthrough
		case s.scalar != 0:
			le.PutUint32(w.buf[at+offsets[i]:], s.scalar)
		}
	}
	return at
}

func (w *writer) string(s string) int {
	at := w.aligned()
	w.u32(uint32(len(s)))
	w.buf = append(append(w.buf, s...), 0)
	return at
}

func (w *writer) refer(at, target int) {
	binary.LittleEndian.PutUint32(w.buf[at:], uint32(target-at))
}

func (w *writer) aligned() int {
	for len(w.buf)%4 != 0 {
		w.buf = append(w.buf, 0)
	}
	return len(w.buf)
}

func (w *writer) u16(v int)    { w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(v)) }
func (w *writer) u32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
