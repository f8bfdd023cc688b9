// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import "encoding/binary"

// The fields of the Batch table, by their number in wasmill.fbs.
const (
	fieldSchema = iota
	fieldRows
	fieldColumns
	fieldFailures
	fieldTime
	fieldKind
	fieldOrigin
	fieldGroup
	fieldCount
)

const (
	columnSize  = 24
	failureSize = 12
)

// Batch is a batch of the host's. It and all that is taken out of it are valid until the memory
// that it was read from is written again.
type Batch struct {
	Schema  uint32
	Rows    int
	columns int // position of the first Column
	count   int // of columns
	time    int // position of the Column of event times, 0 where there is none
	kind    int
	origin  int
	group   int
	failed  int // position of the first Failure
	failure int // how many there are
	data    []byte
}

// Read finds its way through a batch that begins at a multiple of 8.
func Read(data []byte) Batch {
	le := binary.LittleEndian
	table := int(le.Uint32(data))
	vtable := table - int(int32(le.Uint32(data[table:])))
	entries := (int(le.Uint16(data[vtable:])) - 4) / 2
	field := func(id int) int {
		if id >= entries {
			return 0
		}
		if offset := int(le.Uint16(data[vtable+4+2*id:])); offset != 0 {
			return table + offset
		}
		return 0
	}
	number := func(id int) uint32 {
		if at := field(id); at != 0 {
			return le.Uint32(data[at:])
		}
		return 0
	}
	vector := func(id int) (first, count int) {
		at := field(id)
		if at == 0 {
			return 0, 0
		}
		at += int(le.Uint32(data[at:]))
		return at + 4, int(le.Uint32(data[at:]))
	}
	b := Batch{
		Schema: number(fieldSchema), Rows: int(number(fieldRows)),
		time: field(fieldTime), kind: field(fieldKind), origin: field(fieldOrigin), group: field(fieldGroup), data: data,
	}
	b.columns, b.count = vector(fieldColumns)
	b.failed, b.failure = vector(fieldFailures)
	return b
}

// Columns returns the number of columns, nested ones counted.
func (b *Batch) Columns() int { return b.count }

// Column returns a column by its place in the schema, nested ones counted depth first.
func (b *Batch) Column(i int) Column {
	if i >= b.count {
		panic("wasmill: the host sent a batch with too few columns")
	}
	return b.columnAt(b.columns + i*columnSize)
}

func (b *Batch) columnAt(at int) Column {
	v := View[uint32](b.data, at, columnSize/4)
	return Column{Rows: v[0], Nulls: v[1], Validity: v[2], Offsets: v[3], Values: v[4], Size: v[5]}
}

// Values returns the values of a column of fixed width.
func Values[T Fixed](b *Batch, c Column) []T { return View[T](b.data, int(c.Values), int(c.Rows)) }

// Bits returns the values of a bool column, a bit a row.
func (b *Batch) Bits(c Column) []byte { return b.part(c.Values, (c.Rows+7)/8) }

// Validity returns a bit a row, 1 for a value; nil where no row is null.
func (b *Batch) Validity(c Column) []byte {
	if c.Nulls == 0 {
		return nil
	}
	return b.part(c.Validity, (c.Rows+7)/8)
}

// Offsets returns where the rows of a string, bytes or list column end; nil where there are none.
func (b *Batch) Offsets(c Column) []int32 {
	if c.Rows == 0 {
		return nil
	}
	return View[int32](b.data, int(c.Offsets), int(c.Rows)+1)
}

// Bytes returns what the offsets of a string or bytes column point into.
func (b *Batch) Bytes(c Column) []byte { return b.part(c.Values, c.Size) }

func (b *Batch) part(at, size uint32) []byte { return b.data[at : int(at)+int(size)] }

// Times returns the event time of each row, nil where the batch has none.
func (b *Batch) Times() []int64 { return perRow[int64](b, b.time) }

// Kinds returns the kind of each row, nil where all are inserts.
func (b *Batch) Kinds() []byte { return perRow[byte](b, b.kind) }

// Origins returns the row of the input that each row came from, nil where row n came from row n.
func (b *Batch) Origins() []uint32 { return perRow[uint32](b, b.origin) }

// Groups returns the number of each row's accumulator, or of its key; nil where the batch has none.
func (b *Batch) Groups() []uint32 { return perRow[uint32](b, b.group) }

func perRow[T Fixed](b *Batch, at int) []T {
	if at == 0 {
		return nil
	}
	return Values[T](b, b.columnAt(at))
}

// Failures returns the rows of the input that failed.
func (b *Batch) Failures() []Failure {
	var failures []Failure
	for i := range b.failure {
		v := View[uint32](b.data, b.failed+i*failureSize, failureSize/4)
		failures = append(failures, Failure{Row: int(v[0]), Message: string(b.part(v[1], v[2]))})
	}
	return failures
}
