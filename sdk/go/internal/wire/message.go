// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import "encoding/binary"

// The envelope as Message writes it: the vtable, then the table with all eight fields in it, the
// vector of columns, the vector of failures, and from the next multiple of 8 on the buffers.
const (
	vtableAt  = 8
	tableAt   = 32 // after the vtable's 20 bytes, where the table's Columns are aligned
	schemaAt  = tableAt + 4
	rowsAt    = tableAt + 8
	columnsAt = tableAt + 12
	failedAt  = tableAt + 16
	timeAt    = tableAt + 20
	kindAt    = timeAt + columnSize
	originAt  = kindAt + columnSize
	groupAt   = originAt + columnSize
	tableEnd  = groupAt + columnSize
)

var fieldsAt = [fieldCount]int{schemaAt, rowsAt, columnsAt, failedAt, timeAt, kindAt, originAt, groupAt}

// Message is a batch that is being written, column by column. Its memory is used again by the
// next one. The zero value is ready.
type Message struct {
	buf  []byte // from Words
	n    int
	rows int
}

// Begin throws away what was written and begins a batch with that many columns, nested ones
// counted. All its columns are empty until SetColumn.
func (m *Message) Begin(schema uint32, rows, columns int, failures []Failure) {
	m.n, m.rows = 0, rows
	head := tableEnd + 4 + columns*columnSize + 4 + len(failures)*failureSize
	m.Reserve(head)
	b, le := m.buf, binary.LittleEndian
	clear(b[:m.n])
	le.PutUint32(b, tableAt)
	copy(b[4:], "WMB1")
	le.PutUint16(b[vtableAt:], 4+2*fieldCount)
	le.PutUint16(b[vtableAt+2:], tableEnd-tableAt)
	le.PutUint32(b[tableAt:], tableAt-vtableAt)
	for _, field := range [...]int{fieldSchema, fieldRows, fieldColumns, fieldFailures} {
		m.present(field)
	}
	le.PutUint32(b[schemaAt:], schema)
	le.PutUint32(b[rowsAt:], uint32(rows))
	le.PutUint32(b[columnsAt:], tableEnd-columnsAt)
	le.PutUint32(b[tableEnd:], uint32(columns))
	failed := tableEnd + 4 + columns*columnSize
	le.PutUint32(b[failedAt:], uint32(failed-failedAt))
	le.PutUint32(b[failed:], uint32(len(failures)))
	for i, f := range failures {
		at := m.Append(f.Message)
		entry := m.buf[failed+4+i*failureSize:]
		le.PutUint32(entry, uint32(f.Row))
		le.PutUint32(entry[4:], uint32(at))
		le.PutUint32(entry[8:], uint32(len(f.Message)))
	}
}

func (m *Message) present(field int) {
	binary.LittleEndian.PutUint16(m.buf[vtableAt+4+2*field:], uint16(fieldsAt[field]-tableAt))
}

// Len returns the bytes written so far.
func (m *Message) Len() int { return m.n }

// Bytes returns the batch, valid until the next Begin.
func (m *Message) Bytes() []byte { return m.buf[:m.n] }

// Reserve makes room for n bytes, contents arbitrary, at a multiple of 8, which it returns.
func (m *Message) Reserve(n int) int {
	at := align8(m.n)
	m.room(at + n)
	m.n = at + n
	return at
}

// Truncate gives up what was written from a position on.
func (m *Message) Truncate(at int) { m.n = at }

func (m *Message) room(end int) {
	if end > len(m.buf) {
		bigger := Words(max(align8(end), 2*len(m.buf), 4096))
		copy(bigger, m.buf[:m.n])
		m.buf = bigger
	}
}

// Append copies bytes to a multiple of 8, which it returns.
func (m *Message) Append(data string) int {
	at := m.Reserve(len(data))
	copy(m.buf[at:], data)
	return at
}

// At returns n values at a position that Reserve returned. They are valid until the next call
// that makes room.
func At[T Fixed](m *Message, at, n int) []T { return View[T](m.buf, at, n) }

// AppendValues copies values, width bytes each, to a multiple of 8, which it returns.
func AppendValues[T Fixed](m *Message, values []T, width int) int {
	at := m.Reserve(len(values) * width)
	copy(At[T](m, at, len(values)), values)
	return at
}

// SetRows changes the number of rows that Begin was given.
func (m *Message) SetRows(rows int) {
	m.rows = rows
	binary.LittleEndian.PutUint32(m.buf[rowsAt:], uint32(rows))
}

// SetColumn says where a column lies.
func (m *Message) SetColumn(i int, c Column) { m.put(tableEnd+4+i*columnSize, c) }

// SetNull makes a column of one row, which is not nested, null.
func (m *Message) SetNull(i int, t Type) {
	c := Column{Rows: 1, Nulls: 1}
	c.Validity = uint32(AppendValues(m, []byte{0}, 1))
	switch t {
	case String, Bytes:
		c.Offsets = uint32(AppendValues(m, []int32{0, 0}, 4))
	case Bool:
		c.Size = 1
	default:
		c.Size = uint32(t.Width())
	}
	c.Values = uint32(AppendValues(m, make([]byte, c.Size), 1))
	m.SetColumn(i, c)
}

func (m *Message) put(at int, c Column) {
	v := View[uint32](m.buf, at, columnSize/4)
	v[0], v[1], v[2], v[3], v[4], v[5] = c.Rows, c.Nulls, c.Validity, c.Offsets, c.Values, c.Size
}

// SetOrigins names the place of the origins, 4 bytes a row.
func (m *Message) SetOrigins(at int) { m.perRow(fieldOrigin, at, 4) }

// SetGroups says of each row which accumulator is its own, or which key.
func (m *Message) SetGroups(groups []uint32) {
	m.perRow(fieldGroup, AppendValues(m, groups, 4), 4)
}

// SetKinds says of which kind each row is.
func (m *Message) SetKinds(kinds []byte) {
	m.perRow(fieldKind, AppendValues(m, kinds, 1), 1)
}

// SetTimes names the place of the event times, 8 bytes a row.
func (m *Message) SetTimes(at int) { m.perRow(fieldTime, at, 8) }

func (m *Message) perRow(field, at, width int) {
	m.present(field)
	m.put(fieldsAt[field], Column{Rows: uint32(m.rows), Values: uint32(at), Size: uint32(m.rows * width)})
}
