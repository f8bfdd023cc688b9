// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package batch holds rows as columns, in Arrow's memory layout, and carries them over the
// boundary to a guest and back.
//
// A Batch is what the host passes around: immutable once built, counted by references, its
// memory pooled. A Builder makes one row by row or column by column; Encode writes one (or some
// of its columns) as the message that a guest reads; Pool.Decode verifies a message from a guest
// and takes it over. The layout of the message is in ../SPEC.md.
//
// Whoever receives a *Batch owns one reference and calls Release when done; slices taken from a
// batch are valid until then. To keep or share one, Retain it. A batch that is never released is
// collected like anything else: only its memory is not reused.
package batch

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/wasmill/wasmill/abi"
)

// RowKind says what a row of a changelog does to the table behind it.
type RowKind uint8

// The row kinds, as they cross the boundary.
const (
	Insert RowKind = iota
	UpdateBefore
	UpdateAfter
	Delete
)

// Position is where a row came from: the split's number in its job, and the record's offset in
// the split, whose meaning is the source's (a line, a Kafka offset).
type Position int64

// The parts of a Position.
const (
	positionOffsetBits = 40
	maxOffset          = 1<<positionOffsetBits - 1
)

// At returns the position of a record. An offset past 2^40 wraps: positions serve messages.
func At(split int, offset int64) Position {
	return Position(int64(split)<<positionOffsetBits | offset&maxOffset)
}

// Split returns the number of the split.
func (p Position) Split() int { return int(p >> positionOffsetBits) }

// Offset returns the offset of the record in its split.
func (p Position) Offset() int64 { return int64(p) & maxOffset }

// Column is the values of one field, in Arrow's layout.
type Column struct {
	Type     abi.Type
	Rows     int
	Nulls    int
	Validity []byte  // a bit a row, least significant first, 1 for a value; nil where Nulls is 0
	Offsets  []int32 // Rows+1 of them, from 0, for string, bytes and list
	Values   []byte  // aligned to 8 bytes
	Children []Column
}

// Batch is a run of rows. All fields are read-only.
type Batch struct {
	Schema  *abi.Schema
	Columns []Column
	// Times is each row's event time; nil where the stream has none.
	Times []abi.EventTime
	// Kinds is each row's kind; nil where all are inserts.
	Kinds []RowKind
	// Positions is where each row came from; nil where nobody knows, as after an aggregation.
	Positions []Position

	rows    int
	refs    atomic.Int32
	pool    *Pool
	owned   []*buffer
	parents []*Batch // whose memory Columns, Times, Kinds or Positions also use
}

// Rows returns the number of rows.
func (b *Batch) Rows() int { return b.rows }

// Bytes returns the memory of the batch's values, for bounding queues.
func (b *Batch) Bytes() int {
	n := 8*len(b.Times) + len(b.Kinds) + 8*len(b.Positions)
	for i := range b.Columns {
		n += b.Columns[i].bytes()
	}
	return n
}

func (c *Column) bytes() int {
	n := len(c.Validity) + 4*len(c.Offsets) + len(c.Values)
	for i := range c.Children {
		n += c.Children[i].bytes()
	}
	return n
}

// Retain adds a reference and returns b.
func (b *Batch) Retain() *Batch {
	if b.refs.Add(1) <= 1 {
		panic("batch: Retain after the last Release")
	}
	return b
}

// Hold keeps other alive for as long as b, whose Columns, Times, Kinds or Positions use its memory.
// Only who made b may call it, before anybody else sees b.
func (b *Batch) Hold(other *Batch) { b.parents = append(b.parents, other.Retain()) }

// Release gives up a reference; with the last one, the memory goes back to its pool.
func (b *Batch) Release() {
	switch n := b.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic(fmt.Sprintf("batch: Release of a batch of %d rows with no reference left", b.rows))
	}
	for _, p := range b.parents {
		p.Release()
	}
	b.pool.recycle(b)
}

// Null says whether a row has no value.
func (c *Column) Null(row int) bool {
	return c.Nulls != 0 && c.Validity[row>>3]&(1<<(row&7)) == 0
}

// Bool returns a row of a bool column.
func (c *Column) Bool(row int) bool { return c.Values[row>>3]&(1<<(row&7)) != 0 }

// Int32s returns the values of an int32 column.
func (c *Column) Int32s() []int32 { return view[int32](c.Values, c.Rows) }

// Int64s returns the values of an int64, decimal or timestamp column.
func (c *Column) Int64s() []int64 { return view[int64](c.Values, c.Rows) }

// EventTimes returns the values of a timestamp column.
func (c *Column) EventTimes() []abi.EventTime { return view[abi.EventTime](c.Values, c.Rows) }

// Float64s returns the values of a float64 column.
func (c *Column) Float64s() []float64 { return view[float64](c.Values, c.Rows) }

// Bytes returns a row of a string or bytes column.
func (c *Column) Bytes(row int) []byte { return c.Values[c.Offsets[row]:c.Offsets[row+1]] }

// String returns a copy of a row of a string or bytes column.
func (c *Column) String(row int) string { return string(c.Bytes(row)) }

// fixed is what lies in memory as it does in a message.
type fixed interface {
	byte | int32 | int64 | float64 | uint32 | abi.EventTime | Position | RowKind
}

func width[T fixed]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// view reads n values out of bytes whose address is a multiple of 8, little endian as the host.
func view[T fixed](data []byte, n int) []T {
	if n == 0 {
		return nil
	}
	_ = data[n*width[T]()-1]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), n)
}

// raw is the inverse of view.
func raw[T fixed](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*width[T]())
}
