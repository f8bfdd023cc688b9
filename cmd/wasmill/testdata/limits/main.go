// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Limits is a module of operators that go as far as state allows, and farther.
package main

import (
	"strings"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

// Row says how much is done with the state of its key.
type Row struct {
	Key string `wasmill:",key"`
	N   int64
}

// Count is how many rows of its key there were.
type Count struct{ Rows int64 }

// Keep keeps a text of N bytes.
type Keep struct {
	Rows wasmill.ValueState[int64]
	Text wasmill.ValueState[string]
	Out  wasmill.Output[Count]
}

func (k *Keep) Process(r *Row) error {
	rows := k.Rows.Update()
	*rows++
	k.Text.Set(strings.Repeat("x", int(r.N)))
	k.Out.Emit(Count{*rows})
	return nil
}

// Gather appends N rows to a list.
type Gather struct {
	Rows wasmill.ListState[bool]
	Out  wasmill.Output[Count]
}

func (g *Gather) Process(r *Row) error {
	for range r.N {
		g.Rows.Append(true)
	}
	g.Out.Emit(Count{r.N})
	return nil
}

func init() {
	wasmill.Register(wasmill.Process("keep", "Keeps texts.", wasmill.Input("", (*Keep).Process)))
	wasmill.Register(wasmill.Process("gather", "Gathers rows.", wasmill.Input("", (*Gather).Process)))
}

func main() {}
