// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operatortest

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
)

var schema = &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.String}, {Name: "value", Type: abi.Int64}}}

// summing emits the running sum of each key with each row, and once more by the clock. It keeps the sums
// of its rows in memory until Flush, or, where it is forgetful, for ever.
type summing struct {
	operator.Context
	sums      map[string]int64
	forgetful bool
	ticked    bool
}

func (s *summing) Open(context.Context) error  { s.sums = map[string]int64{}; return nil }
func (s *summing) Close(context.Context) error { return nil }

func (s *summing) Watermark(context.Context, abi.EventTime, operator.Output) error { return nil }

func (s *summing) key(key []byte) []byte {
	return state.AppendKey(nil, state.GroupOf(key, s.Groups), 1, key, nil)
}

func (s *summing) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	results := s.Pool.NewBuilder(schema)
	for row := range b.Rows() {
		key := Key(b, []int{0}, row)
		sum, ok := s.sums[string(key)]
		if !ok && !s.forgetful {
			var keys, values state.Strings
			keys.Append(s.key(key))
			if err := s.State.Get(&keys, &values); err != nil {
				return err
			}
			if old := values.At(0); old != nil {
				sum = int64(binary.BigEndian.Uint64(old))
			}
		}
		sum += b.Columns[1].Int64s()[row]
		s.sums[string(key)] = sum
		results.Column(0).AppendRow(&b.Columns[0], row)
		results.Column(1).AppendInt64(sum)
		results.AppendTime(b.Times[row])
		results.EndRow()
	}
	return out.Emit(ctx, 0, results.Finish())
}

func (s *summing) Flush(context.Context) error {
	for key, sum := range s.sums {
		if err := s.State.Put(s.key([]byte(key)), binary.BigEndian.AppendUint64(nil, uint64(sum))); err != nil {
			return err
		}
	}
	return nil
}

func (s *summing) Next() time.Time {
	if s.ticked {
		return time.Time{}
	}
	return Start.Add(time.Minute)
}

func (s *summing) Tick(ctx context.Context, now time.Time, out operator.Output) error {
	s.ticked = true
	b := s.Pool.NewBuilder(schema)
	b.AppendTime(abi.EventTime(now.Sub(Start) / time.Second))
	b.EndRow()
	return out.Emit(ctx, 1, b.Finish())
}

func subject(forgetful bool) Subject {
	return Subject{
		Inputs: []Input{{Schema: schema, Key: []int{0}}},
		New: func(ctx operator.Context) (operator.Operator, error) {
			return &summing{Context: ctx, forgetful: forgetful}, nil
		},
	}
}

var (
	script = []Event{
		Rows(0, At(1, "a", 1), At(2, "b", 2), At(3, "a", 4)), Watermark(2),
		Rows(0, At(4, "a", 8), At(5, nil, 16)), Rows(0, At(6, nil, 32), At(7, "b", 64)), Watermark(9),
	}
	want = []string{`+I "a" 1 @1`, `+I "a" 13 @4`, `+I "a" 5 @3`, `+I "b" 2 @2`, `+I "b" 66 @7`, `+I null 16 @5`, `+I null 48 @6`}
)

func TestStateOutlivesOperatorsAndSubtasks(t *testing.T) {
	disk := Pebble(t)
	for seed := range uint64(20) {
		backends := []Backend{Memory()}
		if seed < 2 {
			backends = append(backends, disk)
		}
		for _, c := range Cases(seed, backends...) {
			Same(t, c, Lines(Run(t, subject(false), c, script).Port(0)), want)
		}
	}
}

func TestOperatorThatForgetsIsFound(t *testing.T) {
	for seed := range uint64(20) {
		c := Case{Seed: seed, Parallelism: 2, BatchRows: 1, Backend: Memory(), Restores: 0.2}
		if !slices.Equal(Lines(Run(t, subject(true), c, script).Port(0)), want) {
			return
		}
	}
	t.Error("an operator that forgets what it did before it was made anew was not found in 20 runs")
}

func TestClockCallsEachSubtaskWhenItWantsToBe(t *testing.T) {
	c := Case{Parallelism: 3, BatchRows: 1, Backend: Memory()}
	r := Run(t, subject(false), c, []Event{Clock(Start.Add(59 * time.Second)), Clock(Start.Add(2 * time.Minute))})
	Same(t, c, Lines(r.Port(1)), []string{"+I null null @60", "+I null null @60", "+I null null @60"})
}

func TestTableAppliesAChangelog(t *testing.T) {
	rows := []Row{At(1, "a", 1), Of(batch.UpdateBefore, 2, "a", 1), Of(batch.UpdateAfter, 2, "a", 2), At(3, "b", 3), Of(batch.Delete, 4, "b", 3)}
	if got, err := Table(rows); err != nil || !slices.Equal(got, []string{`"a" 2`}) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Table(rows[1:]); err == nil {
		t.Error("a change that takes away what is not there was taken")
	}
}
