// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi/batch"
)

// maps are the operators that are measured by the batch.
var maps = []string{"empty", "four", "four_rows", "filter"}

// BenchmarkMap is a batch from Process to Emit.
func BenchmarkMap(b *testing.B) {
	for _, name := range maps {
		for _, contender := range contenders() {
			b.Run(name+"/"+contender, func(b *testing.B) {
				c, out := surroundings(b), &sink{}
				schema := inputOf(name)
				op := openMap(b, c, contender, name, schema)
				in, rows := stream(c.Pool, schema), int64(0)
				measure(b, rowsPerBatch, func() error {
					rows += rowsPerBatch
					return op.Process(b.Context(), 0, in, out)
				})
				reportFuel(b, c, contender, &rows)
			})
		}
	}
}

// What is compared has to be the same work.
func TestAllContendersMakeTheSameRows(t *testing.T) {
	for _, name := range maps {
		t.Run(name, func(t *testing.T) {
			schema := inputOf(name)
			want := rowsOf(t, native, name)
			for _, contender := range contenders()[1:] {
				t.Run(contender, func(t *testing.T) {
					if diff := cmp.Diff(want, rowsOf(t, contender, name)); diff != "" {
						t.Errorf("%s of %s, against the native one (-want +got):\n%s", name, schema, diff)
					}
				})
			}
		})
	}
}

// rowsOf returns what an operator makes of a batch, a line a row.
func rowsOf(t *testing.T, contender, name string) []string {
	c := surroundings(t)
	schema := inputOf(name)
	op := openMap(t, c, contender, name, schema)
	out := &lines{}
	if err := op.Process(t.Context(), 0, stream(c.Pool, schema), out); err != nil {
		t.Fatal(err)
	}
	return out.text
}

// lines is an output that keeps rows as text.
type lines struct {
	sink
	text []string
}

func (l *lines) Emit(_ context.Context, port int, b *batch.Batch) error {
	for row := range b.Rows() {
		l.text = append(l.text, rowText(port, b, row))
	}
	b.Release()
	return nil
}

func rowText(port int, b *batch.Batch, row int) string {
	text := fmt.Sprintf("%d @%d ", port, b.Times[row])
	if b.Positions != nil {
		text += fmt.Sprintf("#%d", b.Positions[row].Offset())
	}
	for i := range b.Columns {
		text += fmt.Sprintf(" %s=%x", b.Schema.Fields[i].Name, batch.AppendValue(nil, &b.Columns[i], row))
	}
	return text
}
