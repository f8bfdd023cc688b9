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
	"github.com/wasmill/wasmill/scheduler/table"
)

var (
	_ operator.Aggregate = (*count)(nil)
	_ operator.Aggregate = (*countDistinct)(nil)
	_ operator.Aggregate = (*intSum)(nil)
	_ operator.Aggregate = (*floatSum)(nil)
)

// count counts rows, or the values of a column that are not null.
type count struct {
	stateless
	col int // -1 for rows
	acc []int64
}

func (a *count) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	a.acc = reach(a.acc, slots)
	if a.col < 0 || b.Columns[a.col].Nulls == 0 {
		for _, s := range slots {
			a.acc[s]++
		}
		return nil
	}
	c := &b.Columns[a.col]
	for row, s := range slots {
		if !c.Null(row) {
			a.acc[s]++
		}
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
	a.acc = reach(a.acc, slots)
	c := &b.Columns[a.col]
	values := c.Float64s()
	for row, s := range slots {
		if !c.Null(row) {
			a.acc[s].sum += values[row]
			a.acc[s].count++
		}
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

// countDistinct counts the different values of a column, exactly: it keeps each, once a slot.
type countDistinct struct {
	stateless
	col  int
	seen table.Table // keys are a slot and an encoded value
	next []uint32    // by a key's number: the slot's next key plus 1, 0 at the end
	acc  []distinct
	key  []byte
}

type distinct struct {
	count int64
	first uint32 // the slot's first key plus 1, 0 for none
}

func (a *countDistinct) Add(_ context.Context, b *batch.Batch, slots []uint32, _ rejecting) error {
	a.acc = reach(a.acc, slots)
	c := &b.Columns[a.col]
	for row, s := range slots {
		if !c.Null(row) {
			a.key = append(a.key[:0], byte(s), byte(s>>8), byte(s>>16), byte(s>>24))
			a.key = batch.AppendValue(a.key, c, row)
			a.put(s)
		}
	}
	return nil
}

// put counts a.key, whose slot is s.
func (a *countDistinct) put(s uint32) {
	n, fresh := a.seen.Put(a.key, table.Hash(a.key))
	if !fresh {
		return
	}
	a.next = reach(a.next, []uint32{n})
	a.next[n] = a.acc[s].first
	a.acc[s] = distinct{count: a.acc[s].count + 1, first: n + 1}
}

func (a *countDistinct) Merge(_ context.Context, into, from []uint32) error {
	a.acc = reach(reach(a.acc, into), from)
	for i, s := range into {
		for at := a.acc[from[i]].first; at != 0; at = a.next[at-1] {
			a.key = append(a.key[:0], byte(s), byte(s>>8), byte(s>>16), byte(s>>24))
			a.key = append(a.key, a.seen.Key(at - 1)[4:]...)
			a.put(s)
		}
	}
	a.Clear(from)
	return nil
}

func (a *countDistinct) Result(_ context.Context, slots []uint32, out []*batch.ColumnBuilder) error {
	a.acc = reach(a.acc, slots)
	for _, s := range slots {
		out[0].AppendInt64(a.acc[s].count)
	}
	return nil
}

func (a *countDistinct) Clear(slots []uint32) {
	for _, s := range slots {
		if int(s) >= len(a.acc) {
			continue
		}
		for at := a.acc[s].first; at != 0; {
			next := a.next[at-1]
			a.seen.Remove(at - 1)
			at = next
		}
		a.acc[s] = distinct{}
	}
}
