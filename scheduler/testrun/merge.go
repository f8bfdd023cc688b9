// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package testrun

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// CheckMerges returns the same modules, whose aggregates are checked while they run: of the rows that they are given, it adds
// some apart and merges them from the left, from the right, and adds them all to one accumulator. Where the
// results differ, the job fails with an error that says so: an aggregate like that gives other results when its rows
// are dealt out otherwise, to subtasks or to panes.
func CheckMerges(modules operator.Modules) operator.Modules { return mergeChecking{modules} }

type mergeChecking struct{ operator.Modules }

func (m mergeChecking) Load(ctx context.Context, path string) (operator.Module, error) {
	module, err := m.Modules.Load(ctx, path)
	if err != nil {
		return nil, err
	}
	return mergeCheckingModule{module}, nil
}

type mergeCheckingModule struct{ operator.Module }

func (m mergeCheckingModule) Aggregate(c operator.Context, spec operator.ModuleSpec) (operator.Aggregate, error) {
	a, err := m.Module.Aggregate(c, spec)
	if err != nil {
		return nil, err
	}
	// Its logs and counters would come twice.
	c.Counters = &operator.Counters{}
	shadow, err := m.Module.Aggregate(c, spec)
	if err != nil {
		return nil, err
	}
	op := &m.Description().Operators[spec.Number]
	return &checkedAggregate{
		Aggregate: a, shadow: shadow, pool: c.Pool, name: op.Name,
		rows: c.Pool.NewBuilder(spec.Inputs[0].Schema), results: c.Pool.NewBuilder(op.Outputs[0].Schema()),
	}, nil
}

// sampled is how many rows are merged in different ways.
const sampled = 8

// checkedAggregate checks the merge of an aggregate with the first rows that it is given, and with each row
// more until there are enough.
type checkedAggregate struct {
	operator.Aggregate
	shadow  operator.Aggregate
	pool    *batch.Pool
	name    string
	taken   int
	rows    *batch.Builder
	results *batch.Builder
}

// Open opens both aggregates.
func (a *checkedAggregate) Open(ctx context.Context) error {
	return errors.Join(a.Aggregate.Open(ctx), a.shadow.Open(ctx))
}

// Close closes both aggregates.
func (a *checkedAggregate) Close(ctx context.Context) error {
	return errors.Join(a.Aggregate.Close(ctx), a.shadow.Close(ctx))
}

// Add folds rows into their accumulators, and checks merging with some of them.
func (a *checkedAggregate) Add(ctx context.Context, b *batch.Batch, slots []uint32, fail func(int, error) error) error {
	if err := a.Aggregate.Add(ctx, b, slots, fail); err != nil {
		return err
	}
	if more := min(sampled-a.taken, b.Rows()); more > 0 {
		rows := make([]uint32, more)
		for i := range rows {
			rows[i] = uint32(i)
		}
		return a.check(ctx, b, rows)
	}
	return nil
}

// The slots of the shadow: one for each row, then the sums.
const (
	fromLeft = 2*sampled + iota
	fromRight
	inOne
)

func (a *checkedAggregate) check(ctx context.Context, b *batch.Batch, rows []uint32) error {
	sample := a.pool.Take(b, rows)
	defer sample.Release()
	n := uint32(sample.Rows())
	a.taken += int(n)
	left, right, one := make([]uint32, n), make([]uint32, n), make([]uint32, n)
	for i := range n {
		left[i], right[i], one[i] = i, sampled+i, inOne
	}
	defer a.shadow.Clear(append(append(append([]uint32{fromLeft, fromRight, inOne}, left...), right...), one...))
	failed := false
	fail := func(int, error) error { failed = true; return nil }
	for _, slots := range [][]uint32{left, right, one} {
		if err := a.shadow.Add(ctx, sample, slots, fail); err != nil || failed {
			return err // rows that fail are the aggregate's to report
		}
	}
	for i := range n {
		if err := a.shadow.Merge(ctx, []uint32{fromLeft}, left[i:i+1]); err != nil {
			return err
		}
		// From the right: the last row takes the sum of none, each before it that of those behind it.
		last := n - 1 - i
		if err := a.shadow.Merge(ctx, right[last:last+1], []uint32{fromRight}); err != nil {
			return err
		}
		if err := a.shadow.Merge(ctx, []uint32{fromRight}, right[last:last+1]); err != nil {
			return err
		}
	}
	var columns []*batch.ColumnBuilder
	for i := range a.results.Schema().Fields {
		columns = append(columns, a.results.Column(i))
	}
	if err := a.shadow.Result(ctx, []uint32{fromLeft, fromRight, inOne}, columns); err != nil {
		return err
	}
	a.results.EndRows(3)
	results := a.results.Finish()
	defer results.Release()
	return a.compare(results, int(n))
}

// compare compares the result of merging from the left with the two others.
func (a *checkedAggregate) compare(results *batch.Batch, rows int) error {
	for other, way := range map[int]string{1: "merging them from the right gives", 2: "adding them to one accumulator gives"} {
		for i := range results.Columns {
			c, f := &results.Columns[i], &results.Schema.Fields[i]
			if same(f, c, 0, other) {
				continue
			}
			return &operator.Error{Fault: operator.FaultModule, Err: fmt.Errorf(
				"the merge of aggregate %q is wrong: merging the accumulators of %d rows from the left gives %s, %s %s; "+
					"merge must be associative, and the same as adding",
				a.name, rows, rowText(results, 0), way, rowText(results, other))}
		}
	}
	return nil
}

func rowText(b *batch.Batch, row int) string {
	columns := make([]int, len(b.Columns))
	for i := range columns {
		columns[i] = i
	}
	return graph.RowText(b, row, columns)
}

// rounding is by how much floating point numbers may differ, relative to the greater one.
const rounding = 1e-9

// same says whether two rows of a column are equal, but for rounding.
func same(f *abi.Field, c *batch.Column, a, b int) bool {
	if c.Null(a) || c.Null(b) {
		return c.Null(a) && c.Null(b)
	}
	switch f.Type {
	case abi.Float64:
		x, y := c.Float64s()[a], c.Float64s()[b]
		return x == y || x != x && y != y || math.Abs(x-y) <= rounding*max(math.Abs(x), math.Abs(y))
	case abi.Struct:
		for i := range c.Children {
			if !same(&f.Children[i], &c.Children[i], a, b) {
				return false
			}
		}
		return true
	case abi.List:
		n := c.Offsets[a+1] - c.Offsets[a]
		if n != c.Offsets[b+1]-c.Offsets[b] {
			return false
		}
		for i := range n {
			if !same(&f.Children[0], &c.Children[0], int(c.Offsets[a]+i), int(c.Offsets[b]+i)) {
				return false
			}
		}
		return true
	}
	return string(batch.AppendValue(nil, c, a)) == string(batch.AppendValue(nil, c, b))
}
