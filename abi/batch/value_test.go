// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"math/rand/v2"
	"testing"
)

func TestEncodedValuesComeBackTheSame(t *testing.T) {
	p := &Pool{}
	for seed := range uint64(100) {
		in := randomBatch(t, p, rand.New(rand.NewPCG(seed, 2)), 40)
		b := p.NewBuilder(in.Schema)
		for row := range in.Rows() {
			for i := range in.Columns {
				rest, err := b.Column(i).AppendValue(AppendValue(nil, &in.Columns[i], row))
				if err != nil || len(rest) != 0 {
					t.Fatalf("seed %d, row %d, column %d: %d bytes left, %v", seed, row, i, len(rest), err)
				}
			}
			b.EndRow()
		}
		out := b.Finish()
		for i := range in.Columns {
			same(t, &in.Columns[i], &out.Columns[i])
		}
	}
}

func TestEncodedValueThatIsCutShortIsAnError(t *testing.T) {
	p := &Pool{}
	in := randomBatch(t, p, rand.New(rand.NewPCG(7, 2)), 40)
	for i := range in.Columns {
		for row := range in.Rows() {
			whole := AppendValue(nil, &in.Columns[i], row)
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
