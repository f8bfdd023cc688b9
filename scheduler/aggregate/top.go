// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

var _ operator.Sized = (*top)(nil)

// top keeps the rows with the greatest values of a column, the greatest first; of equal ones
// those that are least by the other columns, so that the result does not depend on the order of
// rows. Rows in which the first column is null do not count.
type top struct {
	stateless
	n       int
	columns []int
	field   abi.Field // of the result
	orders  []func(a, b []byte) int
	// acc keeps, by slot, the rows found so far: each a uint32 length and its encoded columns,
	// in the order of the result.
	acc   slab
	row   []byte
	next  []byte
	parts [2][][]byte
}

func (c Call) topOutput(in *abi.Schema) (abi.Field, error) {
	if c.N < 1 || c.N > MaxTop {
		return abi.Field{}, fmt.Errorf("top takes 1 to %d rows, not %d", MaxTop, c.N)
	}
	if len(c.Columns) == 0 {
		return abi.Field{}, fmt.Errorf("top says by which column: %s", Usage()["top"])
	}
	var fields []abi.Field
	for i, col := range c.Columns {
		f := in.Fields[col]
		if f.Type == abi.List || f.Type == abi.Struct {
			return abi.Field{}, fmt.Errorf("top takes values with an order; column %q is of type %s", f.Name, f.TypeString())
		}
		if slices.Contains(c.Columns[:i], col) {
			return abi.Field{}, fmt.Errorf("top names column %q twice", f.Name)
		}
		fields = append(fields, abi.Field{Name: f.Name, Type: f.Type, Scale: f.Scale})
	}
	item := fields[0]
	if len(fields) > 1 {
		item = abi.Field{Type: abi.Struct, Children: fields}
	}
	item.Name = "item"
	return abi.Field{Type: abi.List, Children: []abi.Field{item}}, nil
}

func newTop(c Call, in *abi.Schema) *top {
	field, err := c.topOutput(in)
	if err != nil {
		panic(fmt.Sprintf("aggregate: New of a call that Output refuses: %v", err))
	}
	t := &top{n: c.N, columns: c.Columns, field: field}
	for _, col := range c.Columns {
		t.orders = append(t.orders, order(&in.Fields[col]))
	}
	for i := range t.parts {
		t.parts[i] = make([][]byte, len(c.Columns))
	}
	return t
}

func (t *top) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	for row, s := range slots {
		if b.Columns[t.columns[0]].Null(row) {
			continue
		}
		t.row = t.appendRow(t.row[:0], b.Columns, t.columns, row)
		t.offer(s, t.row)
	}
	return nil
}

// appendRow appends a row of the columns of these numbers, of all where there are none, as acc keeps
// it.
func (t *top) appendRow(dst []byte, columns []batch.Column, numbers []int, row int) []byte {
	for i := range t.columns {
		c := &columns[i]
		if numbers != nil {
			c = &columns[numbers[i]]
		}
		at := len(dst)
		dst = batch.AppendValue(append(dst, 0, 0, 0, 0), c, row)
		binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst
}

// offer inserts an encoded row where it belongs, and drops the last where there are too many.
func (t *top) offer(s uint32, row []byte) {
	kept := t.acc.get(s)
	split(t.parts[0], row)
	at, rows := -1, 0
	end := 0
	for rest := kept; len(rest) > 0 && rows < t.n; rows++ {
		size := split(t.parts[1], rest)
		if at < 0 && t.compare(t.parts[0], t.parts[1]) < 0 {
			at = end
		}
		rest = rest[size:]
		if end += size; rows == t.n-1 && at >= 0 {
			end -= size
		}
	}
	if at < 0 {
		if rows == t.n {
			return
		}
		at = end
	}
	t.next = append(append(append(t.next[:0], kept[:at]...), row...), kept[at:end]...)
	t.acc.set(s, t.next)
}

// split takes an encoded row apart and returns its length.
func split(parts [][]byte, row []byte) int {
	at := 0
	for i := range parts {
		n := int(binary.LittleEndian.Uint32(row[at:]))
		parts[i] = row[at+4 : at+4+n]
		at += 4 + n
	}
	return at
}

// compare says whether row a comes before row b in the result: negative.
func (t *top) compare(a, b [][]byte) int {
	if c := t.orders[0](b[0], a[0]); c != 0 {
		return c
	}
	for i := 1; i < len(a); i++ {
		if aNull, bNull := a[i][0] == 0, b[i][0] == 0; aNull || bNull {
			if aNull != bNull {
				return cmp.Compare(a[i][0], b[i][0])
			}
			continue
		}
		if c := t.orders[i](a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func (t *top) Merge(_ context.Context, into, from []uint32) error {
	var rows []byte
	for i, s := range into {
		rows = append(rows[:0], t.acc.get(from[i])...)
		for len(rows) > 0 {
			size := split(t.parts[1], rows)
			t.offer(s, rows[:size])
			rows = rows[size:]
		}
	}
	t.Clear(from)
	return nil
}

func (t *top) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	item := out[0].Child(0)
	for _, s := range slots {
		for rest := t.acc.get(s); len(rest) > 0; {
			rest = rest[split(t.parts[0], rest):]
			if len(t.columns) == 1 {
				if err := appendValue(item, t.parts[0][0]); err != nil {
					return err
				}
				continue
			}
			for i, v := range t.parts[0] {
				if err := appendValue(item.Child(i), v); err != nil {
					return err
				}
			}
			item.EndStruct()
		}
		out[0].EndList()
	}
	return nil
}

func (t *top) Copy(into, from []uint32) { t.acc.copy(into, from) }

// Accumulator is the type of the result.
func (t *top) Accumulator() abi.Field { return t.field }

func (t *top) Save(ctx context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	return t.Result(ctx, slots, []*batch.ColumnBuilder{to})
}

func (t *top) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	items := from.Children[0]
	columns := items.Children
	if len(t.columns) == 1 {
		columns = from.Children
	}
	for row, s := range slots {
		t.next = t.next[:0]
		for n := from.Offsets[row]; n < from.Offsets[row+1]; n++ {
			t.next = t.appendRow(t.next, columns, nil, int(n))
		}
		t.acc.clear(s)
		if len(t.next) > 0 {
			t.acc.set(s, t.next)
		}
	}
	return nil
}

func (t *top) Memory() int64 { return t.acc.memory() }

func (t *top) Clear(slots []uint32) {
	for _, s := range slots {
		t.acc.clear(s)
	}
}
