// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

func TestTakeReturnsTheRowsThatItIsAskedFor(t *testing.T) {
	p := &batch.Pool{}
	for seed := range uint64(100) {
		r := random(seed)
		in, b := randomBatch(t, p, r, 1+r.IntN(40))
		b.Kinds = slices.Repeat([]batch.RowKind{batch.Delete}, b.Rows())
		var picked []uint32
		var want []rows.Row
		for range r.IntN(60) {
			n := r.IntN(len(in))
			picked = append(picked, uint32(n))
			want = append(want, in[n])
		}
		out := p.Take(b, picked)
		wantRows(t, want, out)
		for i, n := range picked {
			if out.Times[i] != abi.EventTime(n) || out.Positions[i] != batch.At(3, int64(n)) || out.Kinds[i] != batch.Delete {
				t.Fatalf("seed %d: row %d has time %d, position %v, kind %d", seed, n, out.Times[i], out.Positions[i], out.Kinds[i])
			}
		}
		wantRows(t, in, b)
		out.Release()
	}
}

func TestRowsAreAppendedBehindOthers(t *testing.T) {
	p := &batch.Pool{}
	for seed := range uint64(100) {
		r := random(seed)
		first, b1 := randomBatch(t, p, r, 1+r.IntN(20))
		second, b2 := randomBatch(t, p, r, 1+r.IntN(20))
		b := p.NewBuilder(b1.Schema)
		b.AppendRows(b1, count(len(first)))
		b.AppendRows(b2, nil)
		b.AppendRows(b2, count(len(second)))
		for _, v := range []any{nil, true} {
			rows.Append(b.Column(0), v)
			b.AppendTime(0)
			b.AppendPosition(0)
			b.EndRow()
		}
		none := make(rows.Row, len(b1.Columns))
		last := slices.Clone(none)
		last[0] = true
		wantRows(t, slices.Concat(first, second, []rows.Row{none, last}), b.Finish())
	}
}

func count(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i)
	}
	return out
}

func TestTakeOfNothingIsEmpty(t *testing.T) {
	p := &batch.Pool{}
	_, b := randomBatch(t, p, random(1), 9)
	wantRows(t, nil, p.Take(b, nil))
	_, b = randomBatch(t, p, random(1), 0)
	wantRows(t, nil, p.Take(b, nil))
}

func TestComposeKeepsItsPartsUntilItIsReleased(t *testing.T) {
	p := &batch.Pool{}
	in, b := randomBatch(t, p, random(3), 9)
	other := rows.Build(p, schemaOf(t, "int64"), rows.Random(random(4), schemaOf(t, "int64").Fields, 9))
	want := rows.Of(other)
	schema := &abi.Schema{Fields: []abi.Field{other.Schema.Fields[0], b.Schema.Fields[8], other.Schema.Fields[0]}}
	out := p.Compose(schema, b, []batch.Part{{From: other}, {From: b, Column: 8}, {From: other}})
	b.Release()
	other.Release()
	overwrite(p, t)
	for i := range want {
		want[i] = rows.Row{want[i][0], in[i][8], want[i][0]}
	}
	wantRows(t, want, out)
	if out.Times[8] != 8 {
		t.Errorf("times %v", out.Times)
	}
	out.Release()
	wantPanic(t, "batch: Retain after the last Release", func() { b.Retain() })
}

// overwrite uses the memory that the pool has.
func overwrite(p *batch.Pool, t *testing.T) {
	for range 20 {
		filled(p, schemaOf(t, "int64", "string"), 100)
	}
}

func TestComposeRefusesColumnsOfOtherLengths(t *testing.T) {
	p := &batch.Pool{}
	_, b := randomBatch(t, p, random(3), 2)
	_, c := randomBatch(t, p, random(3), 3)
	wantPanic(t, "batch: columns of 2 and of 3 rows in one batch", func() {
		p.Compose(schemaOf(t, "bool"), b, []batch.Part{{From: c}})
	})
}

func TestWithTimesChangesOnlyTheTimes(t *testing.T) {
	p := &batch.Pool{}
	in, b := randomBatch(t, p, random(3), 3)
	out := p.WithTimes(b, []abi.EventTime{5, 6, 7})
	overwrite(p, t)
	wantRows(t, in, out)
	if !slices.Equal(out.Times, []abi.EventTime{5, 6, 7}) || out.Positions[2] != batch.At(3, 2) {
		t.Errorf("times %v, positions %v", out.Times, out.Positions)
	}
	out.Release()
	wantPanic(t, "batch: 1 times for 3 rows", func() {
		_, b := randomBatch(t, p, random(3), 3)
		p.WithTimes(b, make([]abi.EventTime, 1))
	})
}

func TestABatchKeepsTheOneThatItHolds(t *testing.T) {
	p := &batch.Pool{}
	in, b := randomBatch(t, p, random(3), 3)
	out := p.WithTimes(rows.Build(p, b.Schema, in), []abi.EventTime{1, 2, 3})
	out.Positions = b.Positions
	out.Hold(b)
	b.Release()
	overwrite(p, t)
	if out.Positions[2] != batch.At(3, 2) {
		t.Errorf("positions %v", out.Positions)
	}
	out.Release()
	wantPanic(t, "batch: Retain after the last Release", func() { b.Retain() })
}

func TestABatchLivesUntilItsLastRelease(t *testing.T) {
	p := &batch.Pool{}
	in, b := randomBatch(t, p, random(3), 9)
	b.Retain()
	b.Release()
	overwrite(p, t)
	wantRows(t, in, b)
	b.Release()
	wantPanic(t, "batch: Release of a batch of 0 rows with no reference left", func() { b.Release() })
}

// Goroutines that share a batch, and take and give back memory of one pool, don't see each other's rows.
func TestAPoolIsSharedByGoroutines(t *testing.T) {
	p := &batch.Pool{}
	in, shared := randomBatch(t, p, random(1), 50)
	var group sync.WaitGroup
	for worker := range 4 {
		shared.Retain()
		group.Go(func() {
			defer shared.Release()
			for i := range 30 {
				mine, b := randomBatch(t, p, random(uint64(100*worker+i)), 20)
				m := batch.Message{Batch: b}
				out, err := p.Decode(encode(&m), agreed(b.Schema))
				if err != nil {
					t.Error(err)
					return
				}
				b.Release()
				if !slices.Equal(texts(out.Batch.Schema, mine), texts(out.Batch.Schema, rows.Of(out.Batch))) {
					t.Error("rows of another goroutine")
				}
				out.Batch.Release()
				taken := p.Take(shared, []uint32{7})
				if rows.RowText(shared.Schema.Fields, rows.Of(taken)[0]) != rows.RowText(shared.Schema.Fields, in[7]) {
					t.Error("the shared batch changed")
				}
				taken.Release()
			}
		})
	}
	group.Wait()
	wantRows(t, in, shared)
}
