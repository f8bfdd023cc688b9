// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import wasmill "github.com/wasmill/wasmill/sdk/go"

// Key is the columns of what CountProcess takes.
type Key struct {
	wasmill.Rows
	K wasmill.Column[int64] `wasmill:",key"`
}

// Seen is what it adds.
type Seen struct{ Count wasmill.Builder[int64] }

// CountProcess counts the rows of each key, by the column.
type CountProcess struct {
	Seen wasmill.ValueState[int64]

	Out wasmill.ColumnOutput[Seen] `wasmill:",forward"`
}

// Process counts rows.
func (c *CountProcess) Process(in *Key) error {
	keys, counts := in.Keys(), c.Seen.Values()
	out := c.Out.Begin(len(keys)).Count.Values()[:len(keys)]
	for row, key := range keys {
		n := counts[key] + 1
		counts[key], out[row] = n, n
	}
	c.Seen.PutAll()
	return nil
}

// KeyRow is a row of Key.
type KeyRow struct {
	K int64 `wasmill:",key"`
}

// SeenRow is a row of Seen.
type SeenRow struct{ Count int64 }

// CountProcessRows is CountProcess by the row.
type CountProcessRows struct {
	Seen wasmill.ValueState[int64]

	Out wasmill.Output[SeenRow] `wasmill:",forward"`
}

// Process counts a row.
func (c *CountProcessRows) Process(*KeyRow) error {
	n := c.Seen.Update()
	*n++
	c.Out.Emit(SeenRow{*n})
	return nil
}
