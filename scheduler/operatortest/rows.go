// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operatortest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Row is a row. Values are nil for null, bool, int or int64 (also of int32, decimal and timestamp columns),
// float64, string (also of bytes), and []any for lists and structs. What comes out has int64 for int.
type Row struct {
	Time   abi.EventTime
	Kind   batch.RowKind
	Values []any
}

// At returns a row that is an insert.
func At(t abi.EventTime, values ...any) Row { return Row{Time: t, Values: values} }

// Of returns a row of a kind.
func Of(kind batch.RowKind, t abi.EventTime, values ...any) Row {
	return Row{Time: t, Kind: kind, Values: values}
}

// kindNames are those of Flink.
var kindNames = [...]string{batch.Insert: "+I", batch.UpdateBefore: "-U", batch.UpdateAfter: "+U", batch.Delete: "-D"}

// String returns the row as text: kind, values, time.
func (r Row) String() string {
	return fmt.Sprintf("%s %s @%d", kindNames[r.Kind], text(r.Values), r.Time)
}

func text(values []any) string {
	var parts []string
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			parts = append(parts, "null")
		case []any:
			parts = append(parts, "["+text(v)+"]")
		case string:
			parts = append(parts, fmt.Sprintf("%q", v))
		default:
			parts = append(parts, fmt.Sprint(v))
		}
	}
	return strings.Join(parts, " ")
}

// build returns rows as a batch, with positions, and kinds where not all are inserts.
func build(pool *batch.Pool, schema *abi.Schema, rows []Row) *batch.Batch {
	changes := slices.ContainsFunc(rows, func(r Row) bool { return r.Kind != batch.Insert })
	b := pool.NewBuilder(schema)
	for n, r := range rows {
		for i, v := range r.Values {
			appendTo(b.Column(i), &schema.Fields[i], v)
		}
		b.AppendTime(r.Time)
		if changes {
			b.AppendKind(r.Kind)
		}
		b.AppendPosition(batch.At(0, int64(n)))
		b.EndRow()
	}
	return b.Finish()
}

func appendTo(c *batch.ColumnBuilder, f *abi.Field, v any) {
	switch v := v.(type) {
	case nil:
		c.AppendNull()
	case bool:
		c.AppendBool(v)
	case int:
		appendTo(c, f, int64(v))
	case abi.EventTime:
		appendTo(c, f, int64(v))
	case int64:
		if f.Type == abi.Int32 {
			c.AppendInt32(int32(v))
		} else {
			c.AppendInt64(v)
		}
	case float64:
		c.AppendFloat64(v)
	case string:
		c.AppendString(v)
	case []any:
		for i, item := range v {
			child := 0
			if f.Type == abi.Struct {
				child = i
			}
			appendTo(c.Child(child), &f.Children[child], item)
		}
		if f.Type == abi.Struct {
			c.EndStruct()
		} else {
			c.EndList()
		}
	default:
		panic(fmt.Sprintf("operatortest: a value of type %T", v))
	}
}

func valueOf(c *batch.Column, row int) any {
	if c.Null(row) {
		return nil
	}
	switch c.Type {
	case abi.Bool:
		return c.Bool(row)
	case abi.Int32:
		return int64(c.Int32s()[row])
	case abi.Float64:
		return c.Float64s()[row]
	case abi.String, abi.Bytes:
		return c.String(row)
	case abi.List:
		items := []any{}
		for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
			items = append(items, valueOf(&c.Children[0], int(i)))
		}
		return items
	case abi.Struct:
		var fields []any
		for i := range c.Children {
			fields = append(fields, valueOf(&c.Children[i], row))
		}
		return fields
	}
	return c.Int64s()[row]
}

// RowsOf returns the rows of a batch.
func RowsOf(b *batch.Batch) []Row {
	var rows []Row
	for n := range b.Rows() {
		r := Row{}
		if b.Times != nil {
			r.Time = b.Times[n]
		}
		if b.Kinds != nil {
			r.Kind = b.Kinds[n]
		}
		for i := range b.Columns {
			r.Values = append(r.Values, valueOf(&b.Columns[i], n))
		}
		rows = append(rows, r)
	}
	return rows
}

// Result is what came out of a run: of one key in the order in which it came.
type Result struct {
	Ports    map[int][]Row
	Failed   []string // "row: reason"
	Counters map[string]int64
}

// Port returns what came out of a port.
func (r *Result) Port(port int) []Row { return r.Ports[port] }

// Lines returns rows as sorted text, for comparison as multisets.
func Lines(rows []Row) []string {
	var lines []string
	for _, r := range rows {
		lines = append(lines, r.String())
	}
	slices.Sort(lines)
	return lines
}

// Table applies a changelog to an empty table and returns what is left, sorted, a row as often as it is
// there. It returns an error for a change that takes away a row which is not there.
func Table(rows []Row) ([]string, error) {
	counts := map[string]int{}
	for n, r := range rows {
		key := text(r.Values)
		if r.Kind == batch.Insert || r.Kind == batch.UpdateAfter {
			counts[key]++
			continue
		}
		if counts[key]--; counts[key] < 0 {
			return nil, fmt.Errorf("change %d, %v, takes away a row that is not there", n, r)
		}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		for range counts[key] {
			lines = append(lines, key)
		}
	}
	return lines, nil
}

// Same fails the test where two lists of lines differ, and shows what one has more than the other.
func Same(t testing.TB, about fmt.Stringer, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	count := map[string]int{}
	for _, line := range got {
		count[line]++
	}
	for _, line := range want {
		count[line]--
	}
	var diff []string
	for _, line := range slices.Sorted(maps.Keys(count)) {
		switch n := count[line]; {
		case n > 0:
			diff = append(diff, fmt.Sprintf("%+d %s", n, line))
		case n < 0:
			diff = append(diff, fmt.Sprintf("%d %s", n, line))
		}
		if len(diff) == 30 {
			diff = append(diff, "...")
			break
		}
	}
	t.Fatalf("%v: %d rows, should be %d; + too many, - missing:\n%s", about, len(got), len(want), strings.Join(diff, "\n"))
}

// output takes what a subtask produces.
type output struct {
	run  *run
	idle int // calls of Tick in a row after which another one was due at once
}

var _ operator.Output = (*output)(nil)

func (o *output) Emit(_ context.Context, port int, b *batch.Batch) error {
	defer b.Release()
	if b.Rows() > abi.MaxRows {
		o.run.t.Fatalf("%v: a batch of %d rows came out", o.run.c, b.Rows())
	}
	r := o.run.result
	if r.Ports == nil {
		r.Ports = map[int][]Row{}
	}
	r.Ports[port] = append(r.Ports[port], RowsOf(b)...)
	return nil
}

func (o *output) Fail(_ context.Context, b *batch.Batch, row int, reason error) error {
	o.run.result.Failed = append(o.run.result.Failed, fmt.Sprintf("%v: %v", RowsOf(b)[row], reason))
	return nil
}
