// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"testing"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

func TestEncodedValuesComeBackTheSame(t *testing.T) {
	p := &batch.Pool{}
	for seed := range uint64(100) {
		want, in := randomBatch(t, p, random(seed), 40)
		b := p.NewBuilder(in.Schema)
		for row := range in.Rows() {
			for i := range in.Columns {
				rest, err := b.Column(i).AppendValue(batch.AppendValue(nil, &in.Columns[i], row))
				if err != nil || len(rest) != 0 {
					t.Fatalf("seed %d, row %d, column %d: %d bytes left, %v", seed, row, i, len(rest), err)
				}
			}
			b.EndRow()
		}
		for _, r := range want {
			unsigned(r) // -0 is encoded as 0
		}
		wantRows(t, want, b.Finish())
	}
}

func TestEncodedValueThatIsCutShortIsAnError(t *testing.T) {
	p := &batch.Pool{}
	_, in := randomBatch(t, p, random(7), 40)
	for i := range in.Columns {
		for row := range in.Rows() {
			whole := batch.AppendValue(nil, &in.Columns[i], row)
			for n := range whole {
				b := p.NewBuilder(in.Schema)
				if _, err := b.Column(i).AppendValue(whole[:n]); err == nil {
					t.Fatalf("column %d, row %d: the first %d of %d bytes were taken", i, row, n, len(whole))
				}
				b.DropRow()
			}
		}
	}
}

func unsigned(r rows.Row) {
	for i, v := range r {
		switch v := v.(type) {
		case float64:
			r[i] = v + 0
		case rows.Row:
			unsigned(v)
		}
	}
}
