// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flat reads FlatBuffers from somebody who is not trusted. Each access checks bounds and
// alignment and answers with an error, where the readers that flatc generates for Go would panic
// or read another object's bytes. It verifies what is asked for and nothing else: a caller bounds
// how much it asks for.
//
// The encoding is https://flatbuffers.dev/internals: little endian; a table begins with the signed
// distance back to its vtable, which holds its own size, the table's size and each field's
// offset in the table; vectors and strings begin with a 32-bit count.
package flat

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Table is a table of a buffer, its vtable checked.
type Table struct {
	buf    []byte
	pos    int // of the table
	size   int // bytes of the table, by its vtable
	fields int // position of the first field's offset
	count  int // fields that the vtable has room for
}

// Root returns the root table of a buffer with the given file identifier of 4 bytes, or with any
// where identifier is empty.
func Root(buf []byte, identifier string) (Table, error) {
	if len(buf) < 8 {
		return Table{}, fmt.Errorf("it has %d bytes, fewer than a FlatBuffer's header", len(buf))
	}
	if identifier != "" && string(buf[4:8]) != identifier {
		return Table{}, fmt.Errorf("it begins with the identifier %q, not %q", buf[4:8], identifier)
	}
	return table(buf, uint64(binary.LittleEndian.Uint32(buf)))
}

func table(buf []byte, at uint64) (Table, error) {
	if at%4 != 0 || at+4 > uint64(len(buf)) {
		return Table{}, fmt.Errorf("a table at byte %d lies outside of %d bytes or is not aligned", at, len(buf))
	}
	pos := int(at)
	vt := int64(pos) - int64(int32(binary.LittleEndian.Uint32(buf[pos:])))
	if vt < 0 || vt%2 != 0 || vt+4 > int64(len(buf)) {
		return Table{}, fmt.Errorf("the table at byte %d has its vtable at %d, outside of %d bytes or not aligned", pos, vt, len(buf))
	}
	vtSize := int64(binary.LittleEndian.Uint16(buf[vt:]))
	size := int64(binary.LittleEndian.Uint16(buf[vt+2:]))
	if vtSize < 4 || vtSize%2 != 0 || vt+vtSize > int64(len(buf)) || size < 4 || int64(pos)+size > int64(len(buf)) {
		return Table{}, fmt.Errorf("the vtable at byte %d names sizes %d and %d, which do not fit into %d bytes", vt, vtSize, size, len(buf))
	}
	return Table{buf: buf, pos: pos, size: int(size), fields: int(vt) + 4, count: int(vtSize-4) / 2}, nil
}

// field returns the position of a field's value of the given size and alignment, 0 where the
// field is absent.
func (t Table) field(id, size, align int) (int, error) {
	if id >= t.count {
		return 0, nil
	}
	offset := int(binary.LittleEndian.Uint16(t.buf[t.fields+2*id:]))
	if offset == 0 {
		return 0, nil
	}
	if offset < 4 || offset+size > t.size || (t.pos+offset)%align != 0 {
		return 0, fmt.Errorf("field %d of the table at byte %d lies at offset %d, outside of its %d bytes or not aligned", id, t.pos, offset, t.size)
	}
	return t.pos + offset, nil
}

// Uint8 returns a field of one byte, or def where it is absent.
func (t Table) Uint8(id int, def uint8) (uint8, error) {
	pos, err := t.field(id, 1, 1)
	if pos == 0 || err != nil {
		return def, err
	}
	return t.buf[pos], nil
}

// Uint32 returns a field of four bytes, 0 where it is absent.
func (t Table) Uint32(id int) (uint32, error) {
	pos, err := t.field(id, 4, 4)
	if pos == 0 || err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(t.buf[pos:]), nil
}

// Struct returns the bytes of an inline struct of 4-byte alignment, nil where it is absent.
func (t Table) Struct(id, size int) ([]byte, error) {
	pos, err := t.field(id, size, 4)
	if pos == 0 || err != nil {
		return nil, err
	}
	return t.buf[pos : pos+size], nil
}

// indirect follows an offset field, 0 where it is absent.
func (t Table) indirect(id int) (uint64, error) {
	pos, err := t.field(id, 4, 4)
	if pos == 0 || err != nil {
		return 0, err
	}
	return uint64(pos) + uint64(binary.LittleEndian.Uint32(t.buf[pos:])), nil
}

// Structs returns the bytes of a vector of structs of 4-byte alignment, nil where it is absent.
func (t Table) Structs(id, size int) ([]byte, error) {
	at, err := t.indirect(id)
	if at == 0 || err != nil {
		return nil, err
	}
	return vector(t.buf, at, size)
}

// String returns a string field, "" where it is absent. It is an error where it is longer than
// limit or not UTF-8.
func (t Table) String(id, limit int) (string, error) {
	at, err := t.indirect(id)
	if at == 0 || err != nil {
		return "", err
	}
	return text(t.buf, at, limit)
}

// Table returns a table field; ok is false where it is absent.
func (t Table) Table(id int) (sub Table, ok bool, err error) {
	at, err := t.indirect(id)
	if at == 0 || err != nil {
		return Table{}, false, err
	}
	sub, err = table(t.buf, at)
	return sub, err == nil, err
}

// Tables returns a vector of tables, at most limit of them.
func (t Table) Tables(id, limit int) ([]Table, error) {
	refs, first, err := t.refs(id, limit)
	if err != nil {
		return nil, err
	}
	tables := make([]Table, 0, len(refs)/4)
	for i := 0; i < len(refs); i += 4 {
		sub, err := table(t.buf, first+uint64(i)+uint64(binary.LittleEndian.Uint32(refs[i:])))
		if err != nil {
			return nil, err
		}
		tables = append(tables, sub)
	}
	return tables, nil
}

// Strings returns a vector of strings, at most count of them, of at most limit bytes each.
func (t Table) Strings(id, count, limit int) ([]string, error) {
	refs, first, err := t.refs(id, count)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(refs)/4)
	for i := 0; i < len(refs); i += 4 {
		s, err := text(t.buf, first+uint64(i)+uint64(binary.LittleEndian.Uint32(refs[i:])), limit)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// refs returns the offsets of a vector of references and the position of the first.
func (t Table) refs(id, limit int) ([]byte, uint64, error) {
	at, err := t.indirect(id)
	if at == 0 || err != nil {
		return nil, 0, err
	}
	refs, err := vector(t.buf, at, 4)
	if err != nil {
		return nil, 0, err
	}
	if len(refs)/4 > limit {
		return nil, 0, fmt.Errorf("a vector has %d entries; %d are allowed", len(refs)/4, limit)
	}
	return refs, at + 4, nil
}

func vector(buf []byte, at uint64, size int) ([]byte, error) {
	if at%4 != 0 || at+4 > uint64(len(buf)) {
		return nil, fmt.Errorf("a vector at byte %d lies outside of %d bytes or is not aligned", at, len(buf))
	}
	n := uint64(binary.LittleEndian.Uint32(buf[at:]))
	if end := at + 4 + n*uint64(size); end > uint64(len(buf)) {
		return nil, fmt.Errorf("a vector of %d entries at byte %d ends at %d, after the last of %d bytes", n, at, end, len(buf))
	}
	return buf[at+4 : at+4+n*uint64(size)], nil
}

func text(buf []byte, at uint64, limit int) (string, error) {
	raw, err := vector(buf, at, 1)
	if err != nil {
		return "", err
	}
	if len(raw) > limit {
		return "", fmt.Errorf("a string has %d bytes; %d are allowed", len(raw), limit)
	}
	if !utf8.Valid(raw) {
		return "", fmt.Errorf("the string at byte %d is not UTF-8", at)
	}
	return string(raw), nil
}

// Int64 returns a field of eight bytes, 0 where it is absent.
func (t Table) Int64(id int) (int64, error) {
	pos, err := t.field(id, 8, 8)
	if pos == 0 || err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint64(t.buf[pos:])), nil
}

// Bytes returns a vector of bytes, at most limit of them, nil where it is absent.
func (t Table) Bytes(id, limit int) ([]byte, error) {
	at, err := t.indirect(id)
	if at == 0 || err != nil {
		return nil, err
	}
	b, err := vector(t.buf, at, 1)
	if err == nil && len(b) > limit {
		return nil, fmt.Errorf("a vector of %d bytes, at most %d are possible", len(b), limit)
	}
	return b, err
}
