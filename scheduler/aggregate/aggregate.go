// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package aggregate holds the built-in aggregates: native Go over columns, an accumulator a slot,
// no allocation per row. Each is an operator.Aggregate, as a module's aggregate is one: a window
// cannot tell them apart.
//
// None of them can fail on a row, so that a row is in all aggregates of a window or in none.
// Nulls are ignored, but by collect; an aggregate that has seen no value is null, a count 0, a top or a collect an
// empty list. Collect is all rows of a window, in order of event time, up to MaxCollectRows and
// MaxCollectBytes: a map behind the window is given them whole, and computes from them what no aggregate does.
package aggregate

import (
	"context"
	"fmt"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Call is a built-in aggregate applied to columns, as `max(price)` in a pipeline file.
type Call struct {
	Function string
	N        int   // of top: how many
	Columns  []int // of the input; none for count()
}

// MaxTop is the greatest N of top.
const MaxTop = 1000

// Usage returns how each built-in aggregate is written, by its name.
func Usage() map[string]string {
	return map[string]string{
		"count":          "count() or count(column)",
		"sum":            "sum(column)",
		"min":            "min(column)",
		"max":            "max(column)",
		"avg":            "avg(column)",
		"first":          "first(column)",
		"last":           "last(column)",
		"count_distinct": "count_distinct(column)",
		"top":            "top(n, by) or top(n, by, column, ...)",
		"collect":        "collect(column, ...)",
	}
}

// Output returns the type of what the call produces, without a name, or an error for a call that
// can't be made of these columns.
func (c Call) Output(in *abi.Schema) (abi.Field, error) {
	usage, ok := Usage()[c.Function]
	if !ok {
		return abi.Field{}, fmt.Errorf("no aggregate is called %q", c.Function)
	}
	switch c.Function {
	case "top":
		return c.topOutput(in)
	case "collect":
		return c.collectOutput(in)
	}
	if len(c.Columns) > 1 || len(c.Columns) == 0 && c.Function != "count" {
		return abi.Field{}, fmt.Errorf("%s takes one column, not %d: %s", c.Function, len(c.Columns), usage)
	}
	if c.Function == "count" || c.Function == "count_distinct" {
		return abi.Field{Type: abi.Int64}, nil
	}
	f := in.Fields[c.Columns[0]]
	out := abi.Field{Type: f.Type, Scale: f.Scale, Children: f.Children}
	number := f.Type == abi.Int32 || f.Type == abi.Int64 || f.Type == abi.Float64 || f.Type == abi.Decimal
	switch c.Function {
	case "sum", "avg":
		if !number {
			return out, fmt.Errorf("%s takes a number; column %q is of type %s", c.Function, f.Name, f.TypeString())
		}
		if c.Function == "avg" && f.Type != abi.Decimal {
			out.Type = abi.Float64
		} else if f.Type == abi.Int32 {
			out.Type = abi.Int64
		}
	case "min", "max":
		if f.Type == abi.List || f.Type == abi.Struct {
			return out, fmt.Errorf("%s takes a value with an order; column %q is of type %s", c.Function, f.Name, f.TypeString())
		}
	}
	return out, nil
}

// Exact says whether accumulators merge to the same whatever rows each has seen and in whatever
// order they are merged. A sum of floats rounds, and the first of equal times depends on the order.
func (c Call) Exact(in *abi.Schema) bool {
	switch c.Function {
	case "first", "last", "collect":
		return false
	case "sum", "avg":
		return in.Fields[c.Columns[0]].Type != abi.Float64
	}
	return true
}

// Retracts says whether the call can follow a changelog, with rows that are taken back.
func (c Call) Retracts() bool {
	switch c.Function {
	case "first", "last", "top", "collect":
		return false
	}
	return true
}

// NewRetractor returns an aggregate for a call that Output accepted and that Retracts. It keeps how
// often it has seen each value where New's would keep the value alone.
func NewRetractor(c Call, in *abi.Schema) operator.Retractor {
	all := func() counted {
		return counted{col: c.Columns[0], values: multiset{field: item(&in.Fields[c.Columns[0]]), counted: true}}
	}
	switch c.Function {
	case "count_distinct":
		return &countDistinct{all()}
	case "min", "max":
		return &countedExtreme{counted: all(), greatest: c.Function == "max", order: order(&in.Fields[c.Columns[0]])}
	}
	return New(c, in).(operator.Retractor)
}

// New returns an aggregate for a call that Output accepted.
func New(c Call, in *abi.Schema) operator.Aggregate {
	switch c.Function {
	case "top":
		return newTop(c, in)
	case "collect":
		return newCollect(c, in)
	}
	if c.Function == "count" {
		col := -1
		if len(c.Columns) == 1 {
			col = c.Columns[0]
		}
		return &count{col: col}
	}
	col := c.Columns[0]
	f := &in.Fields[col]
	switch c.Function {
	case "count_distinct":
		return &countDistinct{counted{col: col, values: multiset{field: item(f)}}}
	case "sum", "avg":
		if f.Type == abi.Float64 {
			return &floatSum{col: col, mean: c.Function == "avg"}
		}
		return &intSum{col: col, typ: f.Type, mean: c.Function == "avg", name: f.Name}
	case "first", "last":
		return &byTime{col: col, last: c.Function == "last", field: typeOf(f)}
	case "min", "max":
		return &extreme{col: col, greatest: c.Function == "max", less: order(f), field: typeOf(f)}
	}
	panic(fmt.Sprintf("aggregate: New(%q), which Output refuses", c.Function))
}

// ParseCall reads a call, resolving the names of columns by column, which returns an error for a
// name that there is not.
func ParseCall(text string, column func(name string) (int, error)) (Call, error) {
	name, rest, ok := strings.Cut(strings.TrimSpace(text), "(")
	name = strings.TrimSpace(name)
	usage, known := Usage()[name]
	switch {
	case !known:
		return Call{}, fmt.Errorf("no aggregate is called %q", name)
	case !ok || !strings.HasSuffix(rest, ")"):
		return Call{}, fmt.Errorf("an aggregate is written %s", usage)
	}
	call := Call{Function: name}
	rest = strings.TrimSpace(strings.TrimSuffix(rest, ")"))
	if rest == "" {
		return call, nil
	}
	for i, arg := range strings.Split(rest, ",") {
		arg = strings.TrimSpace(arg)
		if name == "top" && i == 0 {
			if _, err := fmt.Sscanf(arg, "%d", &call.N); err != nil {
				return Call{}, fmt.Errorf("top begins with how many: %s", usage)
			}
			continue
		}
		col, err := column(arg)
		if err != nil {
			return Call{}, err
		}
		call.Columns = append(call.Columns, col)
	}
	return call, nil
}

// stateless is the part of an operator.Aggregate that a built-in one has no use for.
type stateless struct{}

func (stateless) Open(context.Context) error  { return nil }
func (stateless) Close(context.Context) error { return nil }

// reach grows a slice of accumulators so that all slots have one.
func reach[T any](acc []T, slots []uint32) []T {
	most := uint32(0)
	for _, s := range slots {
		most = max(most, s)
	}
	if int(most) < len(acc) {
		return acc
	}
	return append(acc, make([]T, int(most)+1-len(acc))...)
}

// typeOf returns the type of a field, without its name.
func typeOf(f *abi.Field) abi.Field {
	return abi.Field{Type: f.Type, Scale: f.Scale, Children: f.Children}
}

// item returns a field of the same type for the items of a list.
func item(f *abi.Field) abi.Field {
	it := typeOf(f)
	it.Name = "item"
	return it
}

// copyAll copies accumulators that lie in a slice and point to nothing.
func copyAll[T any](acc []T, into, from []uint32) []T {
	acc = reach(reach(acc, into), from)
	for i, s := range into {
		acc[s] = acc[from[i]]
	}
	return acc
}

type rejecting = func(row int, reason error) error

// integers returns the values of an int32 column as int64 in scratch, of the other integer types
// as they are.
func integers(c *batch.Column, scratch []int64) (values, reuse []int64) {
	if c.Type != abi.Int32 {
		return c.Int64s(), scratch
	}
	scratch = scratch[:0]
	for _, v := range c.Int32s() {
		scratch = append(scratch, int64(v))
	}
	return scratch, scratch
}
