// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/scheduler/operator"
)

const payments = `
name: a
sources:
  orders: { file: x, schema: { order: int64, amount: int64, at: timestamp }, time: { column: at } }
  more: { file: x, schema: { order: int64, amount: int64, at: timestamp }, time: { column: at } }
  payments: { file: x, schema: { at: timestamp, id: int64 }, time: { column: at } }
  limits: { file: x, schema: { name: string, limit: int64 } }
operators:
  paid:
    wasm: process.wasm
    operator: pay
    inputs:
      rules: { from: limits }
      payments: { from: payments }
      orders: { from: [orders, more], columns: { id: order } }
sinks:
  out: { from: paid, stdout: }
`

func TestEdgesOfAProcessFeedTheInputsThatTheModuleNumbers(t *testing.T) {
	var paid *Node
	for _, n := range load(t, "p.yaml", payments).Nodes {
		if n.Name == "paid" {
			paid = n
		}
	}
	type edge struct {
		From      string
		Side      int
		Partition Partition
		Key       []int
	}
	var got []edge
	for _, in := range paid.Inputs {
		got = append(got, edge{in.From.Name, in.Side, in.Partition, in.Key})
	}
	want := []edge{{"orders", 0, Hash, []int{0}}, {"more", 0, Hash, []int{0}}, {"payments", 1, Hash, []int{1}}, {"limits", 2, Broadcast, nil}}
	if diff := cmp.Diff(want, got); diff != "" || !paid.Stateful {
		t.Errorf("stateful: %v; edges (-want +got):\n%s", paid.Stateful, diff)
	}
	op, err := paid.New(operator.Context{})
	if err != nil {
		t.Fatal(err)
	}
	var columns, keys [][]int
	for _, in := range op.(madeOperator).spec.Inputs {
		columns, keys = append(columns, in.Columns), append(keys, in.Key)
	}
	if diff := cmp.Diff([][]int{{0, 1}, {1}, {0, 1}}, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]int{{0}, {1}, nil}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
