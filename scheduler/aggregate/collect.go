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

var _ operator.Sized = (*collect)(nil)

// What collect keeps in a slot at most: the list is a value of one row, and has to fit into a batch.
const (
	MaxCollectRows  = abi.MaxRows
	MaxCollectBytes = 16 << 20
)

// FullError says that a slot of collect would have too many rows or bytes. The aggregate can't go on.
type FullError struct {
	Slot        uint32
	Rows, Bytes int
}

func (e *FullError) Error() string {
	return fmt.Sprintf("collect has %d rows of %d bytes; %d rows and %d bytes are possible: collect fewer columns, or make the window smaller",
		e.Rows, e.Bytes, MaxCollectRows, MaxCollectBytes)
}

// collect keeps all rows, nulls included, and lists them in order of event time; of rows with the same
// time the one that came first is first, as long as they came to one slot.
type collect struct {
	stateless
	columns []int
	field   abi.Field // of the result
	acc     []collected
	size    int64 // of all that is kept
}

// collected is the rows of a slot: of each 8 bytes of event time, 4 of the size of its encoded columns, and these.
type collected struct {
	data []byte
	rows int
}

const collectHead = 8 + 4

// keepCollected is how large the memory of an empty slot may be, to be used again.
const keepCollected = 4 << 10

func (c Call) collectOutput(in *abi.Schema) (abi.Field, error) {
	if len(c.Columns) == 0 {
		return abi.Field{}, fmt.Errorf("collect says which columns: %s", Usage()["collect"])
	}
	var fields []abi.Field
	for i, col := range c.Columns {
		f := in.Fields[col]
		if slices.Contains(c.Columns[:i], col) {
			return abi.Field{}, fmt.Errorf("collect names column %q twice", f.Name)
		}
		fields = append(fields, abi.Field{Name: f.Name, Type: f.Type, Scale: f.Scale, Children: f.Children})
	}
	item := fields[0]
	if len(fields) > 1 {
		item = abi.Field{Type: abi.Struct, Children: fields}
	}
	item.Name = "item"
	return abi.Field{Type: abi.List, Children: []abi.Field{item}}, nil
}

func newCollect(c Call, in *abi.Schema) *collect {
	field, err := c.collectOutput(in)
	if err != nil {
		panic(fmt.Sprintf("aggregate: New of a call that Output refuses: %v", err))
	}
	return &collect{columns: c.Columns, field: field}
}

func (a *collect) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	a.acc = reach(a.acc, slots)
	for row, s := range slots {
		var at abi.EventTime
		if b.Times != nil {
			at = b.Times[row]
		}
		c := &a.acc[s]
		had := len(c.data)
		c.begin(at)
		for _, col := range a.columns {
			c.data = batch.AppendValue(c.data, &b.Columns[col], row)
		}
		c.end(had)
		a.size += int64(len(c.data) - had)
		if err := a.check(s); err != nil {
			return err
		}
	}
	return nil
}

// begin begins a row, whose encoded columns follow.
func (c *collected) begin(at abi.EventTime) {
	c.data = binary.LittleEndian.AppendUint64(c.data, uint64(at))
	c.data = append(c.data, 0, 0, 0, 0)
}

// end ends the row that begins at a place of the data.
func (c *collected) end(from int) {
	binary.LittleEndian.PutUint32(c.data[from+8:], uint32(len(c.data)-from-collectHead))
	c.rows++
}

func (a *collect) check(s uint32) error {
	if c := &a.acc[s]; c.rows > MaxCollectRows || len(c.data) > MaxCollectBytes {
		return &FullError{s, c.rows, len(c.data)}
	}
	return nil
}

// inOrder calls visit for each row of a slot, in order of event time.
func (a *collect) inOrder(s uint32, visit func(at abi.EventTime, row []byte) error) error {
	if int(s) >= len(a.acc) {
		return nil
	}
	type place struct {
		at       abi.EventTime
		from, to int
	}
	c := &a.acc[s]
	places := make([]place, 0, c.rows)
	for from := 0; from < len(c.data); {
		to := from + collectHead + int(binary.LittleEndian.Uint32(c.data[from+8:]))
		places = append(places, place{abi.EventTime(binary.LittleEndian.Uint64(c.data[from:])), from + collectHead, to})
		from = to
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	for _, p := range places {
		if err := visit(p.at, c.data[p.from:p.to]); err != nil {
			return err
		}
	}
	return nil
}

// appendItem appends the encoded columns of a row as an item of a list.
func (a *collect) appendItem(item *batch.ColumnBuilder, row []byte) error {
	var err error
	if len(a.columns) == 1 {
		_, err = item.AppendValue(row)
		return err
	}
	for i := range a.columns {
		if row, err = item.Child(i).AppendValue(row); err != nil {
			return err
		}
	}
	item.EndStruct()
	return nil
}

func (a *collect) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	item := out[0].Child(0)
	for _, s := range slots {
		err := a.inOrder(s, func(_ abi.EventTime, row []byte) error { return a.appendItem(item, row) })
		if err != nil {
			return err
		}
		out[0].EndList()
	}
	return nil
}

func (a *collect) Merge(_ context.Context, into, from []uint32) error {
	a.acc = reach(reach(a.acc, into), from)
	for i, s := range into {
		c, other := &a.acc[s], &a.acc[from[i]]
		c.data, c.rows = append(c.data, other.data...), c.rows+other.rows
		a.size += int64(len(other.data))
		if err := a.check(s); err != nil {
			return err
		}
	}
	a.Clear(from)
	return nil
}

func (a *collect) Copy(into, from []uint32) {
	a.acc = reach(reach(a.acc, into), from)
	a.Clear(into)
	for i, s := range into {
		c, other := &a.acc[s], &a.acc[from[i]]
		c.data, c.rows = append(c.data[:0], other.data...), other.rows
		a.size += int64(len(other.data))
	}
}

// Accumulator is the rows with their times.
func (a *collect) Accumulator() abi.Field {
	row := abi.Field{Name: "item", Type: abi.Struct, Children: []abi.Field{{Name: "time", Type: abi.Timestamp}, a.field.Children[0]}}
	return abi.Field{Type: abi.List, Children: []abi.Field{row}}
}

func (a *collect) Save(_ context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	rows := to.Child(0)
	for _, s := range slots {
		err := a.inOrder(s, func(at abi.EventTime, row []byte) error {
			rows.Child(0).AppendInt64(int64(at))
			if err := a.appendItem(rows.Child(1), row); err != nil {
				return err
			}
			rows.EndStruct()
			return nil
		})
		if err != nil {
			return err
		}
		to.EndList()
	}
	return nil
}

func (a *collect) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	a.acc = reach(a.acc, slots)
	a.Clear(slots)
	rows := &from.Children[0]
	times, item := rows.Children[0].Int64s(), &rows.Children[1]
	columns := []batch.Column{*item}
	if len(a.columns) > 1 {
		columns = item.Children
	}
	for row, s := range slots {
		c := &a.acc[s]
		for n := int(from.Offsets[row]); n < int(from.Offsets[row+1]); n++ {
			had := len(c.data)
			c.begin(abi.EventTime(times[n]))
			for i := range columns {
				c.data = batch.AppendValue(c.data, &columns[i], n)
			}
			c.end(had)
		}
		a.size += int64(len(c.data))
	}
	return nil
}

// Memory returns how many bytes the rows take.
func (a *collect) Memory() int64 { return a.size }

// Size returns how many bytes the rows of a slot take.
func (a *collect) Size(slot uint32) int {
	if int(slot) >= len(a.acc) {
		return 0
	}
	return len(a.acc[slot].data)
}

func (a *collect) Clear(slots []uint32) {
	for _, s := range slots {
		if int(s) >= len(a.acc) {
			continue
		}
		c := &a.acc[s]
		a.size -= int64(len(c.data))
		if c.data, c.rows = c.data[:0], 0; cap(c.data) > keepCollected {
			c.data = nil
		}
	}
}
