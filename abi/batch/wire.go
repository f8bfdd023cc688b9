// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"encoding/binary"
)

// The envelope as Encode writes it. Readers go by the vtable, as FlatBuffers readers do.
//
//	  0  uint32 position of the table (32)
//	  4  "WMB1"
//	  8  vtable: uint16 its size, the table's size, the offset of each of 8 fields in the table
//	 28  4 bytes of padding
//	 32  table: int32 distance back to the vtable
//	 36    uint32 schema
//	 40    uint32 rows
//	 44    uint32 distance to the vector of columns
//	 48    uint32 distance to the vector of failures
//	 52    Column time
//	 76    Column kind
//	100    Column origin
//	124    Column group
//	148  vector of columns: uint32 count, Columns
//	     vector of failures: uint32 count, Failures
//	     padding to 8
//	     the buffers, each at a multiple of 8
const (
	identifier  = "WMB1"
	vtableAt    = 8
	tableAt     = 32
	tableEnd    = 148
	columnSize  = 24
	failureSize = 12
)

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

// Offsets of the fields in the table, by their number.
var fieldOffsets = [fieldCount]int{4, 8, 12, 16, 20, 44, 68, 92}

// Failure is a row of the input that failed.
type Failure struct {
	Row     int
	Message string
}

// Message is what crosses the boundary: a batch, and what one side says of its rows.
type Message struct {
	// Number is the schema number: the port, or one of abi's Schema constants.
	Number uint32
	Batch  *Batch
	// Columns picks the columns that Encode writes, in order; nil for all of them. Decode leaves
	// it nil.
	Columns []int
	// Time says that Encode writes the event times. Decode leaves it false: see Batch.Times.
	Time bool
	// Origin is, for each row of an output, the row of the input that it came from; nil where
	// row n came from row n.
	Origin []uint32
	// Group is, for each row of an aggregate's input, the row of its accumulator.
	Group []uint32
	// Failures are rows of the input that failed.
	Failures []Failure
}

func align8(n int) int { return (n + 7) &^ 7 }

// Size returns the bytes that Encode needs for m, an upper bound that is tight to a few bytes a
// column.
func (m *Message) Size() int {
	nodes, body := 0, 0
	m.each(func(c *Column) {
		nodes += countNodes(c)
		body += bodySize(c)
	})
	b := m.Batch
	body += align8(8*len(b.Times)) + align8(len(b.Kinds)) + align8(4*len(m.Origin)) + align8(4*len(m.Group))
	for i := range m.Failures {
		body += align8(len(m.Failures[i].Message))
	}
	return align8(tableEnd+4+nodes*columnSize+4+len(m.Failures)*failureSize) + body
}

func (m *Message) each(f func(*Column)) {
	if m.Columns == nil {
		for i := range m.Batch.Columns {
			f(&m.Batch.Columns[i])
		}
		return
	}
	for _, i := range m.Columns {
		f(&m.Batch.Columns[i])
	}
}

func countNodes(c *Column) int {
	n := 1
	for i := range c.Children {
		n += countNodes(&c.Children[i])
	}
	return n
}

func bodySize(c *Column) int {
	n := align8(len(c.Validity)) + align8(4*len(c.Offsets)) + align8(len(c.Values))
	for i := range c.Children {
		n += bodySize(&c.Children[i])
	}
	return n
}

// Encode writes m to dst, which has at least Size bytes and whose address is a multiple of 8, and
// returns how many bytes it wrote. It does not allocate.
func (m *Message) Encode(dst []byte) int {
	b := m.Batch
	nodes := 0
	m.each(func(c *Column) { nodes += countNodes(c) })

	le := binary.LittleEndian
	le.PutUint32(dst, tableAt)
	copy(dst[4:], identifier)
	le.PutUint16(dst[vtableAt:], 4+2*fieldCount)
	le.PutUint16(dst[vtableAt+2:], tableEnd-tableAt)
	clear(dst[vtableAt+4 : tableEnd])
	present := func(field int) int {
		le.PutUint16(dst[vtableAt+4+2*field:], uint16(fieldOffsets[field]))
		return tableAt + fieldOffsets[field]
	}
	le.PutUint32(dst[tableAt:], tableAt-vtableAt)
	le.PutUint32(dst[present(fieldSchema):], m.Number)
	le.PutUint32(dst[present(fieldRows):], uint32(b.rows))

	columnsAt := tableEnd
	failuresAt := columnsAt + 4 + nodes*columnSize
	failuresEnd := failuresAt + 4 + len(m.Failures)*failureSize
	w := writer{dst: dst, node: columnsAt + 4, body: align8(failuresEnd)}
	clear(dst[failuresEnd:w.body])
	at := present(fieldColumns)
	le.PutUint32(dst[at:], uint32(columnsAt-at))
	le.PutUint32(dst[columnsAt:], uint32(nodes))
	m.each(w.column)

	at = present(fieldFailures)
	le.PutUint32(dst[at:], uint32(failuresAt-at))
	le.PutUint32(dst[failuresAt:], uint32(len(m.Failures)))
	for i := range m.Failures {
		f := &m.Failures[i]
		entry := dst[failuresAt+4+i*failureSize:]
		le.PutUint32(entry, uint32(f.Row))
		le.PutUint32(entry[4:], uint32(w.body))
		le.PutUint32(entry[8:], uint32(len(f.Message)))
		w.pad(w.body + copy(dst[w.body:], f.Message))
	}
	if m.Time && b.Times != nil {
		w.perRow(present(fieldTime), raw(b.Times), b.rows)
	}
	if b.Kinds != nil {
		w.perRow(present(fieldKind), raw(b.Kinds), b.rows)
	}
	if m.Origin != nil {
		w.perRow(present(fieldOrigin), raw(m.Origin), b.rows)
	}
	if m.Group != nil {
		w.perRow(present(fieldGroup), raw(m.Group), b.rows)
	}
	return w.body
}

// writer appends to the body and to the vector of columns.
type writer struct {
	dst  []byte
	node int // where the next Column goes
	body int // where the next buffer goes, a multiple of 8
}

// append copies a buffer to the body and returns its offset, 0 for an empty one.
func (w *writer) append(data []byte) uint32 {
	if len(data) == 0 {
		return 0
	}
	at := w.body
	w.pad(at + copy(w.dst[at:], data))
	return uint32(at)
}

// pad ends a buffer: the same rows give the same bytes, whatever dst held.
func (w *writer) pad(end int) {
	w.body = align8(end)
	clear(w.dst[end:w.body])
}

func (w *writer) column(c *Column) {
	entry := w.dst[w.node : w.node+columnSize]
	w.node += columnSize
	putColumn(entry, c.Rows, c.Nulls, w.append(c.Validity), w.append(raw(c.Offsets)), w.append(c.Values), len(c.Values))
	for i := range c.Children {
		w.column(&c.Children[i])
	}
}

func (w *writer) perRow(entry int, data []byte, rows int) {
	putColumn(w.dst[entry:], rows, 0, 0, 0, w.append(data), len(data))
}

func putColumn(entry []byte, rows, nulls int, validity, offsets, values uint32, size int) {
	le := binary.LittleEndian
	le.PutUint32(entry, uint32(rows))
	le.PutUint32(entry[4:], uint32(nulls))
	le.PutUint32(entry[8:], validity)
	le.PutUint32(entry[12:], offsets)
	le.PutUint32(entry[16:], values)
	le.PutUint32(entry[20:], uint32(size))
}

// column as it lies in an envelope.
type wireColumn struct {
	rows, nulls, validity, offsets, values, size int
}

func readColumn(entry []byte) wireColumn {
	le := binary.LittleEndian
	return wireColumn{
		rows: int(le.Uint32(entry)), nulls: int(le.Uint32(entry[4:])), validity: int(le.Uint32(entry[8:])),
		offsets: int(le.Uint32(entry[12:])), values: int(le.Uint32(entry[16:])), size: int(le.Uint32(entry[20:])),
	}
}
