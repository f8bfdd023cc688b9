// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operators of cmd/bench, which every SDK builds: written for speed, by the
// column.
package main

import wasmill "github.com/wasmill/wasmill/sdk/go"

func init() {
	wasmill.Register(
		wasmill.MapColumns("empty", "Forwards all rows.", (*Empty).Process),
		wasmill.MapColumns("four", "Four numbers of four numbers, by the column.", (*Four).Process),
		wasmill.Map("four_rows", "Four numbers of four numbers, by the row.", (*FourRows).Process),
		wasmill.MapColumns("filter", "Forwards the rows whose s has a given value.", (*Filter).Process),
		wasmill.Aggregate("count", "How many rows there are.", (*Count).Add, (*Count).Merge, (*Count).Result),
		wasmill.Process("count_process", "How many rows of its key there were so far, by the column.",
			wasmill.InputColumns("", (*CountProcess).Process)),
		wasmill.Process("count_process_rows", "How many rows of its key there were so far, by the row.",
			wasmill.Input("", (*CountProcessRows).Process)),
	)
}

func main() {}

// Nothing is the columns of an operator that reads none.
type Nothing struct{ wasmill.Rows }

// Empty forwards all rows.
type Empty struct {
	Out wasmill.ColumnOutput[struct{}] `wasmill:",forward"`
}

// Process forwards all rows.
func (e *Empty) Process(in *Nothing) error {
	e.Out.Begin(in.Len())
	return nil
}

// Numbers is what Four reads.
type Numbers struct {
	wasmill.Rows
	A, B, C, D wasmill.Column[int64]
}

// Mixed is what Four writes.
type Mixed struct{ W, X, Y, Z wasmill.Builder[int64] }

// Four makes four numbers of four.
type Four struct{ Out wasmill.ColumnOutput[Mixed] }

// Process mixes numbers.
func (f *Four) Process(in *Numbers) error {
	n := in.Len()
	out := f.Out.Begin(n)
	a, b, c, d := in.A.Values()[:n], in.B.Values()[:n], in.C.Values()[:n], in.D.Values()[:n]
	w, x, y, z := out.W.Values()[:n], out.X.Values()[:n], out.Y.Values()[:n], out.Z.Values()[:n]
	for i := range n {
		w[i] = a[i] + b[i]
		x[i] = c[i] - d[i]
		y[i] = a[i] ^ c[i]
		z[i] = b[i] + d[i]
	}
	return nil
}

// NumbersRow is a row of Numbers.
type NumbersRow struct{ A, B, C, D int64 }

// MixedRow is a row of Mixed.
type MixedRow struct{ W, X, Y, Z int64 }

// FourRows is Four by the row.
type FourRows struct{ Out wasmill.Output[MixedRow] }

// Process mixes the numbers of a row.
func (f *FourRows) Process(r *NumbersRow) error {
	f.Out.Emit(MixedRow{r.A + r.B, r.C - r.D, r.A ^ r.C, r.B + r.D})
	return nil
}

// Text is what Filter reads.
type Text struct {
	wasmill.Rows
	S wasmill.StringColumn
}

// Filter forwards some rows.
type Filter struct {
	Value string `doc:"what s must be"`

	Out wasmill.ColumnOutput[struct{}] `wasmill:",forward"`
}

// Process looks at the strings.
func (f *Filter) Process(in *Text) error {
	rows, value := in.Len(), f.Value
	f.Out.Begin(rows)
	kept, origins := 0, f.Out.Origins()
	for row := range rows {
		if in.S.At(row) == value {
			origins[kept] = uint32(row)
			kept++
		}
	}
	f.Out.Truncate(kept)
	return nil
}

// NoColumns is a row that Count reads nothing of.
type NoColumns struct{}

// Counted is what Count makes.
type Counted struct{ Count int64 }

// Count counts rows.
type Count struct{ Out wasmill.Output[Counted] }

// Add counts a row.
func (*Count) Add(acc *int64, _ *NoColumns) error {
	*acc++
	return nil
}

// Merge adds a count.
func (*Count) Merge(acc, other *int64) error {
	*acc += *other
	return nil
}

// Result is the count.
func (c *Count) Result(acc *int64) error {
	c.Out.Emit(Counted{*acc})
	return nil
}
