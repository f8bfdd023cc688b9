// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package changelog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// table is a sink that keeps rows as text.
type table struct {
	operator.Writer
	rows    []string
	failing error
}

func (s *table) Open(context.Context, int, int) (operator.Writer, error) { return s, nil }

func (s *table) Write(_ context.Context, b *batch.Batch) error {
	for row := range b.Rows() {
		s.rows = append(s.rows, fmt.Sprint(b.Columns[0].String(row), " ", b.Columns[1].Int64s()[row]))
	}
	return s.failing
}

var numbers = &abi.Schema{Fields: []abi.Field{{Name: "n", Type: abi.Int64}}}

func rows(pool *batch.Pool, kinds ...batch.RowKind) *batch.Batch {
	b := pool.NewBuilder(numbers)
	for n, kind := range kinds {
		b.Column(0).AppendInt64(int64(n))
		b.AppendKind(kind)
		b.EndRow()
	}
	return b.Finish()
}

func TestSinkGivesEachRowBehindItsKind(t *testing.T) {
	pool := &batch.Pool{}
	to := &table{}
	sink := &Sink{To: to, Schema: Schema(numbers, "op")}
	w, err := sink.Open(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	inserts := pool.NewBuilder(numbers)
	inserts.Column(0).AppendInt64(9)
	inserts.EndRow()
	for _, b := range []*batch.Batch{rows(pool, batch.Insert, batch.UpdateBefore, batch.UpdateAfter, batch.Delete), inserts.Finish()} {
		if err := w.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
	if want := []string{"+I 0", "-U 1", "+U 2", "-D 3", "+I 9"}; !slices.Equal(to.rows, want) {
		t.Errorf("got %q, want %q", to.rows, want)
	}
	if got := sink.Schema.Names(); !slices.Equal(got, []string{"op", "n"}) {
		t.Errorf("columns %q", got)
	}
	to.failing = errors.New("disk full")
	b := rows(pool, batch.Delete)
	if err := w.Write(t.Context(), b); !errors.Is(err, to.failing) {
		t.Errorf("got %v", err)
	}
	b.Release()
	if n := pool.Live() + w.(*writer).pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
}
