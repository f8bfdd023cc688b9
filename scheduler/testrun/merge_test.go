// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package testrun

import (
	"context"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

var numbers = &abi.Schema{Fields: []abi.Field{{Name: "n", Type: abi.Float64}}}

// fold is an aggregate of numbers that is made of two functions.
type fold struct {
	operator.Aggregate
	values     map[uint32]float64
	add, merge func(acc, v float64) float64
}

func (*fold) Open(context.Context) error  { return nil }
func (*fold) Close(context.Context) error { return nil }

func (f *fold) Add(_ context.Context, b *batch.Batch, slots []uint32, _ func(int, error) error) error {
	for row, slot := range slots {
		f.values[slot] = f.add(f.values[slot], b.Columns[0].Float64s()[row])
	}
	return nil
}

func (f *fold) Merge(_ context.Context, into, from []uint32) error {
	for i := range into {
		f.values[into[i]] = f.merge(f.values[into[i]], f.values[from[i]])
		delete(f.values, from[i])
	}
	return nil
}

func (f *fold) Result(_ context.Context, slots []uint32, columns []*batch.ColumnBuilder) error {
	for _, slot := range slots {
		columns[0].AppendFloat64(f.values[slot])
	}
	return nil
}

func (f *fold) Clear(slots []uint32) {
	for _, slot := range slots {
		delete(f.values, slot)
	}
}

// folds is the one module, of one aggregate, that there is.
type folds struct {
	operator.Module
	add, merge func(acc, v float64) float64
}

func (m folds) Load(context.Context, string) (operator.Module, error) { return m, nil }

func (m folds) Description() *describe.Module {
	port := []describe.Port{{Fields: numbers.Fields}}
	return &describe.Module{Operators: []describe.Operator{{Name: "fold", Inputs: port, Outputs: port}}}
}

func (m folds) Aggregate(operator.Context, operator.ModuleSpec) (operator.Aggregate, error) {
	return &fold{values: map[uint32]float64{}, add: m.add, merge: m.merge}, nil
}

func TestMergeThatIsNotWhatItShouldBeIsFound(t *testing.T) {
	sum := func(acc, v float64) float64 { return acc + v }
	for name, c := range map[string]struct {
		add, merge func(acc, v float64) float64
		want       string
	}{
		"a sum":        {sum, sum, ""},
		"a difference": {sum, func(acc, v float64) float64 { return acc - v }, "is wrong: merging the accumulators of 3 rows from the left gives {n: -"},
		"not the same as adding": {sum, func(acc, v float64) float64 { return max(acc, v) },
			"from the left gives {n: 0.3}, adding them to one accumulator gives {n: 0.6"},
	} {
		t.Run(name, func(t *testing.T) {
			pool := &batch.Pool{}
			module, err := CheckMerges(folds{add: c.add, merge: c.merge}).Load(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			spec := operator.ModuleSpec{Inputs: []operator.ModuleInput{{Schema: numbers}}}
			a, err := module.Aggregate(operator.Context{Pool: pool}, spec)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			rows := pool.NewBuilder(numbers)
			for _, v := range []float64{0.1, 0.2, 0.3} {
				rows.Column(0).AppendFloat64(v)
				rows.EndRow()
			}
			b := rows.Finish()
			err = a.Add(t.Context(), b, []uint32{0, 0, 1}, nil)
			b.Release()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, should be %q", err, c.want)
			}
			if err := a.Close(t.Context()); err != nil || pool.Live() != 0 {
				t.Errorf("%v, and %d batches are left", err, pool.Live())
			}
		})
	}
}
