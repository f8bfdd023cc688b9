// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"context"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

var (
	_ operator.Retractor = (*count)(nil)
	_ operator.Retractor = (*intSum)(nil)
	_ operator.Retractor = (*floatSum)(nil)
)

// count counts rows, or the values of a column that are not null.
type count struct {
	stateless
	col int // -1 for rows
	acc []int64
}

func (a *count) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	a.add(b, slots, 1)
	return nil
}

func (a *count) Retract(_ context.Context, b *batch.Batch, slots []uint32) error {
	a.add(b, slots, -1)
	return nil
}

func (a *count) add(b *batch.Batch, slots []uint32, n int64) {
	a.acc = reach(a.acc, slots)
	acc := a.acc
	if a.col < 0 || b.Columns[a.col].Nulls == 0 {
		for _, s := range slots {
			acc[s] += n
		}
		return
	}
	c := &b.Columns[a.col]
	for row, s := range slots {
		if !c.Null(row) {
			acc[s] += n
		}
	}
}

func (a *count) Copy(into, from []uint32) { a.acc = copyAll(a.acc, into, from) }

func (a *count) Accumulator() abi.Field { return abi.Field{Type: abi.Int64} }

func (a *count) Save(_ context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	a.acc = reach(a.acc, slots)
	for _, s := range slots {
		to.AppendInt64(a.acc[s])
	}
	return nil
}

func (a *count) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	a.acc = reach(a.acc, slots)
	for row, n := range from.Int64s() {
		a.acc[slots[row]] = n
	}
	return nil
}

func (a *count) Merge(_ context.Context, into, from []uint32) error {
	a.acc = reach(reach(a.acc, into), from)
	for i, s := range into {
		a.acc[s] += a.acc[from[i]]
	}
	a.Clear(from)
	return nil
}

func (a *count) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	a.acc = reach(a.acc, slots)
	for _, s := range slots {
		out[0].AppendInt64(a.acc[s])
	}
	return nil
}

func (a *count) Clear(slots []uint32) {
	for _, s := range slots {
		if int(s) < len(a.acc) {
			a.acc[s] = 0
		}
	}
}

// intSum sums or averages integers and decimals, exactly: the accumulator has 128 bits, so that
// neither the order of rows nor a sum that passes int64 on its way matters.
type intSum struct {
	stateless
	col     int
	typ     abi.Type
	mean    bool
	name    string
	acc     []wide
	scratch []int64
}

type wide struct {
	hi, lo uint64 // two's complement
	count  int64
}

func (w *wide) add(hi, lo uint64, count int64) {
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, lo, 0)
	w.hi, _ = bits.Add64(w.hi, hi, carry)
	w.count += count
}

func (a *intSum) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	a.acc = reach(a.acc, slots)
	c := &b.Columns[a.col]
	var values []int64
	values, a.scratch = integers(c, a.scratch)
	for row, s := range slots {
		if !c.Null(row) {
			v := values[row]
			a.acc[s].add(uint64(v>>63), uint64(v), 1)
		}
	}
	return nil
}

func (a *intSum) Retract(_ context.Context, b *batch.Batch, slots []uint32) error {
	a.acc = reach(a.acc, slots)
	c := &b.Columns[a.col]
	var values []int64
	values, a.scratch = integers(c, a.scratch)
	for row, s := range slots {
		if !c.Null(row) {
			hi, lo := negated(values[row])
			a.acc[s].add(hi, lo, -1)
		}
	}
	return nil
}

// negated returns -v in 128 bits, which hold it for the least int64 too.
func negated(v int64) (hi, lo uint64) {
	lo, borrow := bits.Sub64(0, uint64(v), 0)
	hi, _ = bits.Sub64(0, uint64(v>>63), borrow)
	return hi, lo
}

func (a *intSum) Copy(into, from []uint32) { a.acc = copyAll(a.acc, into, from) }

// Accumulator has the sum as two's complement of 128 bits.
func (a *intSum) Accumulator() abi.Field {
	return abi.Field{Type: abi.Struct, Children: []abi.Field{
		{Name: "high", Type: abi.Int64}, {Name: "low", Type: abi.Int64}, {Name: "count", Type: abi.Int64},
	}}
}

func (a *intSum) Save(_ context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	a.acc = reach(a.acc, slots)
	for _, s := range slots {
		w := &a.acc[s]
		to.Child(0).AppendInt64(int64(w.hi))
		to.Child(1).AppendInt64(int64(w.lo))
		to.Child(2).AppendInt64(w.count)
	}
	to.EndStructs(len(slots))
	return nil
}

func (a *intSum) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	a.acc = reach(a.acc, slots)
	hi, lo, count := from.Children[0].Int64s(), from.Children[1].Int64s(), from.Children[2].Int64s()
	for row, s := range slots {
		a.acc[s] = wide{hi: uint64(hi[row]), lo: uint64(lo[row]), count: count[row]}
	}
	return nil
}

func (a *intSum) Merge(_ context.Context, into, from []uint32) error {
	a.acc = reach(reach(a.acc, into), from)
	for i, s := range into {
		w := a.acc[from[i]]
		a.acc[s].add(w.hi, w.lo, w.count)
	}
	a.Clear(from)
	return nil
}

func (a *intSum) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	a.acc = reach(a.acc, slots)
	for _, s := range slots {
		w := a.acc[s]
		switch {
		case w.count == 0:
			out[0].AppendNull()
		case a.mean && a.typ != abi.Decimal:
			out[0].AppendFloat64(w.mean())
		default:
			v, err := a.whole(w)
			if err != nil {
				return err
			}
			out[0].AppendInt64(v)
		}
	}
	return nil
}

func (w wide) big() *big.Int {
	v := new(big.Int).Lsh(big.NewInt(int64(w.hi)), 64)
	return v.Add(v, new(big.Int).SetUint64(w.lo))
}

// small returns w where an int64 holds it.
func (w wide) small() (int64, bool) { return int64(w.lo), w.hi == uint64(int64(w.lo)>>63) }

func (w wide) mean() float64 {
	const exact = 1 << 53 // a float64 holds every integer up to it
	if v, ok := w.small(); ok && v <= exact && v >= -exact && w.count <= exact {
		return float64(v) / float64(w.count)
	}
	mean, _ := new(big.Float).Quo(new(big.Float).SetInt(w.big()), new(big.Float).SetInt64(w.count)).Float64()
	return mean
}

// whole returns a sum, or the mean of decimals rounded half away from zero to their scale.
func (a *intSum) whole(w wide) (int64, error) {
	const safe = 1 << 62 // rounding can't wrap below it
	if v, ok := w.small(); ok && v < safe && v > -safe && w.count < safe {
		if a.mean {
			half := w.count / 2
			if v < 0 {
				half = -half
			}
			v = (v + half) / w.count
		}
		if a.holds(v) {
			return v, nil
		}
	}
	v := w.big()
	if a.mean {
		half := big.NewInt(w.count / 2)
		if v.Sign() < 0 {
			half.Neg(half)
		}
		v.Quo(v.Add(v, half), big.NewInt(w.count))
	}
	if !v.IsInt64() || !a.holds(v.Int64()) {
		return 0, &operator.Error{Fault: operator.FaultRow, Err: fmt.Errorf(
			"sum(%s) over %d rows is %s, past what type %s holds; sum a float64 instead", a.name, w.count, v, a.typ)}
	}
	return v.Int64(), nil
}

// holds says whether the type of the result holds a value.
func (a *intSum) holds(v int64) bool {
	return a.typ != abi.Decimal || v < abi.DecimalAbsLimit && v > -abi.DecimalAbsLimit
}

func (a *intSum) Clear(slots []uint32) {
	for _, s := range slots {
		if int(s) < len(a.acc) {
			a.acc[s] = wide{}
		}
	}
}

// floatSum sums or averages float64, in the order of rows.
type floatSum struct {
	stateless
	col  int
	mean bool
	acc  []floatAcc
}

type floatAcc struct {
	sum   float64
	count int64
}

func (a *floatSum) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	a.add(b, slots, 1)
	return nil
}

// Retract subtracts, which leaves what was lost to rounding, and can't take back a NaN or an
// infinity.
func (a *floatSum) Retract(_ context.Context, b *batch.Batch, slots []uint32) error {
	a.add(b, slots, -1)
	return nil
}

func (a *floatSum) add(b *batch.Batch, slots []uint32, sign int64) {
	a.acc = reach(a.acc, slots)
	c := &b.Columns[a.col]
	values := c.Float64s()
	for row, s := range slots {
		if !c.Null(row) {
			a.acc[s].sum += float64(sign) * values[row]
			a.acc[s].count += sign
		}
	}
}

func (a *floatSum) Copy(into, from []uint32) { a.acc = copyAll(a.acc, into, from) }

func (a *floatSum) Accumulator() abi.Field {
	return abi.Field{Type: abi.Struct, Children: []abi.Field{{Name: "sum", Type: abi.Float64}, {Name: "count", Type: abi.Int64}}}
}

func (a *floatSum) Save(_ context.Context, slots []uint32, to *batch.ColumnBuilder) error {
	a.acc = reach(a.acc, slots)
	for _, s := range slots {
		to.Child(0).AppendFloat64(a.acc[s].sum)
		to.Child(1).AppendInt64(a.acc[s].count)
	}
	to.EndStructs(len(slots))
	return nil
}

func (a *floatSum) Load(_ context.Context, slots []uint32, from *batch.Column) error {
	a.acc = reach(a.acc, slots)
	sum, count := from.Children[0].Float64s(), from.Children[1].Int64s()
	for row, s := range slots {
		a.acc[s] = floatAcc{sum[row], count[row]}
	}
	return nil
}

func (a *floatSum) Merge(_ context.Context, into, from []uint32) error {
	a.acc = reach(reach(a.acc, into), from)
	for i, s := range into {
		a.acc[s].sum += a.acc[from[i]].sum
		a.acc[s].count += a.acc[from[i]].count
	}
	a.Clear(from)
	return nil
}

func (a *floatSum) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	a.acc = reach(a.acc, slots)
	for _, s := range slots {
		switch acc := a.acc[s]; {
		case acc.count == 0:
			out[0].AppendNull()
		case a.mean:
			out[0].AppendFloat64(acc.sum / float64(acc.count))
		default:
			out[0].AppendFloat64(acc.sum)
		}
	}
	return nil
}

func (a *floatSum) Clear(slots []uint32) {
	for _, s := range slots {
		if int(s) < len(a.acc) {
			a.acc[s] = floatAcc{}
		}
	}
}
