// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/internal/flat"
)

// Decode copies a message out of src, verifies it and returns it as a batch over the copy. schema
// returns the schema of a number, nil where the number names none. Nothing in src is trusted: an
// error says which part of the message breaks the contract, and how.
//
// Every column has as many rows as the batch; offsets begin at 0, never decrease and end with the
// values; strings are UTF-8; decimals have at most 18 digits; a validity bitmap has as many nulls
// as the column claims. Buffers may share bytes, but count together no more than a batch may have:
// the batch can always be encoded again.
func (p *Pool) Decode(src []byte, schema func(number uint32) *abi.Schema) (Message, error) {
	if len(src) > abi.MaxBatchBytes {
		return Message{}, fmt.Errorf("batch: it has %d bytes; %d are allowed", len(src), abi.MaxBatchBytes)
	}
	buf := p.get(len(src))
	data := buf.data[:copy(buf.data, src)]
	m, err := p.decode(data, buf, schema)
	if err != nil {
		p.put(buf)
		return Message{}, fmt.Errorf("batch: %w", err)
	}
	return m, nil
}

func (p *Pool) decode(data []byte, buf *buffer, schemaOf func(uint32) *abi.Schema) (Message, error) {
	root, err := flat.Root(data, identifier)
	if err != nil {
		return Message{}, err
	}
	number, err := root.Uint32(fieldSchema)
	if err != nil {
		return Message{}, err
	}
	schema := schemaOf(number)
	if schema == nil {
		return Message{}, fmt.Errorf("it names schema %d, which was never agreed", number)
	}
	rows, err := root.Uint32(fieldRows)
	if err != nil {
		return Message{}, err
	}
	if rows > abi.MaxRows {
		return Message{}, fmt.Errorf("it has %d rows; %d are allowed", rows, abi.MaxRows)
	}
	d := decoder{data: data, rows: int(rows), noRows: p.noRows[:]}
	if d.nodes, err = root.Structs(fieldColumns, columnSize); err != nil {
		return Message{}, err
	}
	b := p.batch(schema, int(rows))
	m := Message{Number: number, Batch: b}
	if err := d.message(root, schema, &m); err != nil {
		p.recycle(b)
		return Message{}, err
	}
	b.owned = append(b.owned, buf)
	return m, nil
}

// decoder verifies one message. rows is the number of rows of the batch.
type decoder struct {
	data   []byte
	rows   int
	nodes  []byte  // the Columns that have not been read yet
	spans  int     // bytes of all buffers read so far
	noRows []int32 // the offsets of a column that has no rows and leaves them out
}

func (d *decoder) message(root flat.Table, schema *abi.Schema, m *Message) error {
	b := m.Batch
	for i := range schema.Fields {
		c, err := d.column(&schema.Fields[i], d.rows)
		if err != nil {
			return fmt.Errorf("column %q: %w", schema.Fields[i].Name, err)
		}
		b.Columns = append(b.Columns, c)
	}
	if len(d.nodes) != 0 {
		return fmt.Errorf("it has %d columns more than its schema %s", len(d.nodes)/columnSize, schema)
	}
	times, err := d.perRow(root, fieldTime, 8, "times")
	if err != nil {
		return err
	}
	b.Times = view[abi.EventTime](times, len(times)/8)
	kinds, err := d.perRow(root, fieldKind, 1, "kinds")
	if err != nil {
		return err
	}
	for i, k := range kinds {
		if RowKind(k) > Delete {
			return fmt.Errorf("row %d has kind %d; there are 0 to %d", i, k, Delete)
		}
	}
	b.Kinds = view[RowKind](kinds, len(kinds))
	origin, err := d.perRow(root, fieldOrigin, 4, "origins")
	if err != nil {
		return err
	}
	if m.Origin = view[uint32](origin, len(origin)/4); origin != nil && m.Origin == nil {
		m.Origin = []uint32{} // a batch of no rows that still says where they came from
	}
	group, err := d.perRow(root, fieldGroup, 4, "groups")
	if err != nil {
		return err
	}
	m.Group = view[uint32](group, len(group)/4)
	m.Failures, err = d.failures(root)
	return err
}

// span returns a buffer of the message: size bytes at a multiple of 8.
func (d *decoder) span(at, size int, what string) ([]byte, error) {
	if at == 0 && size > 0 {
		return nil, fmt.Errorf("its %d bytes of %s are absent", size, what)
	}
	if at%8 != 0 {
		return nil, fmt.Errorf("its %s lie at byte %d, which is not a multiple of 8", what, at)
	}
	if at+size > len(d.data) {
		return nil, fmt.Errorf("its %s end at byte %d, after the last of %d", what, at+size, len(d.data))
	}
	if d.spans += size; d.spans > abi.MaxBatchBytes {
		return nil, fmt.Errorf("with its %s the buffers, shared bytes counted each time, have %d bytes; %d are allowed", what, d.spans, abi.MaxBatchBytes)
	}
	return d.data[at : at+size : at+size], nil
}

// perRow returns the buffer of a column of the envelope's own, nil where it is absent.
func (d *decoder) perRow(root flat.Table, field, width int, what string) ([]byte, error) {
	entry, err := root.Struct(field, columnSize)
	if entry == nil || err != nil {
		return nil, err
	}
	c := readColumn(entry)
	if c.rows != d.rows || c.size != width*d.rows {
		return nil, fmt.Errorf("its %s are of %d rows in %d bytes; the batch has %d of %d", what, c.rows, c.size, d.rows, width)
	}
	if c.nulls != 0 || c.validity != 0 || c.offsets != 0 {
		return nil, fmt.Errorf("its %s can have neither nulls nor offsets", what)
	}
	data, err := d.span(c.values, c.size, what)
	if err != nil {
		return nil, err
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

func (d *decoder) column(f *abi.Field, rows int) (Column, error) {
	if len(d.nodes) == 0 {
		return Column{}, fmt.Errorf("it is missing")
	}
	w := readColumn(d.nodes)
	d.nodes = d.nodes[columnSize:]
	if w.rows != rows {
		return Column{}, fmt.Errorf("it has %d rows instead of %d", w.rows, rows)
	}
	c := Column{Type: f.Type, Rows: rows, Nulls: w.nulls}
	if err := d.validity(&c, w); err != nil {
		return c, err
	}
	var err error
	switch f.Type {
	case abi.String, abi.Bytes:
		err = d.variable(&c, w)
	case abi.List:
		err = d.list(&c, w, f)
	case abi.Struct:
		err = d.structure(&c, w, f)
	default:
		err = d.fixed(&c, w)
	}
	return c, err
}

func (d *decoder) validity(c *Column, w wireColumn) error {
	if w.nulls > w.rows {
		return fmt.Errorf("it claims %d nulls in %d rows", w.nulls, w.rows)
	}
	if w.validity == 0 {
		if w.nulls != 0 {
			return fmt.Errorf("it claims %d nulls and has no validity bitmap", w.nulls)
		}
		return nil
	}
	bitmap, err := d.span(w.validity, (w.rows+7)/8, "validity bits")
	if err != nil {
		return err
	}
	if nulls := w.rows - countBits(bitmap, w.rows); nulls != w.nulls {
		return fmt.Errorf("it claims %d nulls, its validity bitmap has %d", w.nulls, nulls)
	}
	if w.nulls > 0 {
		c.Validity = bitmap
	}
	return nil
}

func (d *decoder) fixed(c *Column, w wireColumn) error {
	size := (w.rows + 7) / 8
	if c.Type != abi.Bool {
		size = w.rows * c.Type.Width()
	}
	if w.size != size {
		return fmt.Errorf("%d rows of type %s have %d bytes, not %d", w.rows, c.Type, size, w.size)
	}
	if w.offsets != 0 {
		return fmt.Errorf("a column of type %s has no offsets", c.Type)
	}
	var err error
	if c.Values, err = d.span(w.values, size, "values"); err != nil {
		return err
	}
	if c.Type == abi.Decimal {
		for row, v := range c.Int64s() {
			if (v >= abi.DecimalAbsLimit || v <= -abi.DecimalAbsLimit) && !c.Null(row) {
				return fmt.Errorf("row %d has the unscaled value %d, more than %d digits", row, v, abi.DecimalDigits)
			}
		}
	}
	return nil
}

// offsets reads the offsets of a column and returns where they end.
func (d *decoder) offsets(c *Column, w wireColumn) (int, error) {
	if w.rows == 0 && w.offsets == 0 {
		c.Offsets = d.noRows
		return 0, nil
	}
	data, err := d.span(w.offsets, 4*(w.rows+1), "offsets")
	if err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(data) != 0 {
		return 0, fmt.Errorf("its offsets begin with %d, not 0", int32(binary.LittleEndian.Uint32(data)))
	}
	c.Offsets = view[int32](data, w.rows+1)
	if row := firstDecrease(c.Offsets); row >= 0 {
		return 0, fmt.Errorf("its offsets go back from %d to %d at row %d", c.Offsets[row], c.Offsets[row+1], row)
	}
	return int(c.Offsets[w.rows]), nil
}

// firstDecrease returns the first row whose offset is less than the one before it, -1 where none
// is. The first offset is 0.
func firstDecrease(offsets []int32) int {
	last, negative := int32(0), int32(0)
	for _, end := range offsets {
		negative |= end | (end - last) // neither overflows unless the other is negative
		last = end
	}
	if negative >= 0 {
		return -1
	}
	for row := range len(offsets) - 1 {
		if offsets[row+1] < offsets[row] {
			return row
		}
	}
	panic("batch: offsets decrease nowhere")
}

func (d *decoder) variable(c *Column, w wireColumn) error {
	end, err := d.offsets(c, w)
	if err != nil {
		return err
	}
	if end != w.size {
		return fmt.Errorf("its offsets end at %d, its values at %d", end, w.size)
	}
	if c.Values, err = d.span(w.values, w.size, "values"); err != nil || c.Type == abi.Bytes {
		return err
	}
	if row := firstInvalid(c); row >= 0 {
		return fmt.Errorf("row %d is not UTF-8: %q", row, clip(c.Bytes(row)))
	}
	return nil
}

// firstInvalid returns the first row of a string column that is not UTF-8, -1 where all are.
func firstInvalid(c *Column) int {
	if rest := c.Values[asciiPrefix(c.Values):]; len(rest) == 0 || utf8.Valid(rest) && !splitsRune(c) {
		return -1
	}
	for row := range c.Rows {
		if !utf8.Valid(c.Bytes(row)) {
			return row
		}
	}
	panic("batch: a string column is not UTF-8, and each of its rows is")
}

// asciiPrefix returns how many bytes are ASCII before the first that isn't, rounded down to 8
// where there is one.
func asciiPrefix(data []byte) int {
	const high = 0x8080808080808080
	at := 0
	for ; at+8 <= len(data); at += 8 {
		if binary.LittleEndian.Uint64(data[at:])&high != 0 {
			return at
		}
	}
	for _, b := range data[at:] {
		if b >= utf8.RuneSelf {
			return at
		}
	}
	return len(data)
}

// splitsRune says whether a row of valid UTF-8 begins inside a character.
func splitsRune(c *Column) bool {
	for _, at := range c.Offsets {
		if int(at) < len(c.Values) && !utf8.RuneStart(c.Values[at]) {
			return true
		}
	}
	return false
}

func clip(b []byte) []byte { return b[:min(len(b), 32)] }

func (d *decoder) list(c *Column, w wireColumn, f *abi.Field) error {
	items, err := d.offsets(c, w)
	if err != nil {
		return err
	}
	if w.size != 0 || w.values != 0 {
		return fmt.Errorf("a list has no values of its own")
	}
	child, err := d.column(&f.Children[0], items)
	if err != nil {
		return fmt.Errorf("items: %w", err)
	}
	c.Children = []Column{child}
	return nil
}

func (d *decoder) structure(c *Column, w wireColumn, f *abi.Field) error {
	if w.size != 0 || w.values != 0 || w.offsets != 0 {
		return fmt.Errorf("a struct has neither values nor offsets of its own")
	}
	c.Children = make([]Column, len(f.Children))
	for i := range f.Children {
		var err error
		if c.Children[i], err = d.column(&f.Children[i], w.rows); err != nil {
			return fmt.Errorf("field %q: %w", f.Children[i].Name, err)
		}
	}
	return nil
}

func (d *decoder) failures(root flat.Table) ([]Failure, error) {
	entries, err := root.Structs(fieldFailures, failureSize)
	if len(entries) == 0 || err != nil {
		return nil, err
	}
	if len(entries)/failureSize > abi.MaxRows {
		return nil, fmt.Errorf("it has %d failures; %d are allowed", len(entries)/failureSize, abi.MaxRows)
	}
	failures := make([]Failure, 0, len(entries)/failureSize)
	texts := failureTexts{data: d.data}
	for ; len(entries) > 0; entries = entries[failureSize:] {
		le := binary.LittleEndian
		row, at, size := le.Uint32(entries), le.Uint32(entries[4:]), le.Uint32(entries[8:])
		text, err := texts.read(at, size)
		if err != nil {
			return nil, fmt.Errorf("the message of failed row %d: %w", row, err)
		}
		failures = append(failures, Failure{Row: int(row), Message: text})
	}
	return failures, nil
}

// failureTexts reads messages. Rows that fail alike may name the same bytes, which are copied
// once; what is copied in all is bounded by the batch, so that overlapping ones don't multiply.
type failureTexts struct {
	data   []byte
	seen   map[[2]uint32]string // by offset and size
	copied int
}

func (t *failureTexts) read(offset, size uint32) (string, error) {
	if size == 0 {
		return "", nil
	}
	if text, ok := t.seen[[2]uint32{offset, size}]; ok {
		return text, nil
	}
	at, end := int(offset), int(offset)+int(size)
	if end > len(t.data) {
		return "", fmt.Errorf("it ends at byte %d, after the last of %d", end, len(t.data))
	}
	kept := t.data[at:min(end, at+abi.MaxFailMessage)]
	if t.copied += len(kept); t.copied > len(t.data) {
		return "", fmt.Errorf("it overlaps with others, which have together more than the batch's %d bytes", len(t.data))
	}
	if t.seen == nil {
		t.seen = map[[2]uint32]string{}
	}
	text := string(bytes.ToValidUTF8(kept, []byte("\uFFFD")))
	t.seen[[2]uint32{offset, size}] = text
	return text, nil
}
