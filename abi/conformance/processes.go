// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
)

// ttl is the time to live of the states of forget.
const ttl = 10 * time.Second

// Processes returns the operators with state that the conformance module of an SDK declares where
// the SDK offers state: README.md's second table.
func Processes() []describe.Operator {
	id := fields("id", "int64")
	return []describe.Operator{ledger("ledger"), ledger("ledger_bulk"), collect(id), alarm(id), forget(id), rules(id)}
}

func ledger(name string) describe.Operator {
	in := fields("account", "string", "amount", "int64")
	in[0].Required = true
	return describe.Operator{Name: name, Kind: describe.Process, Key: fields("account", "string"), Inputs: port(in),
		Outputs: []describe.Port{{Fields: fields("sum", "int64", "count", "int64"), Forward: true},
			{Name: "closed", Fields: fields("account", "string", "sum", "int64")}},
		States: []describe.State{{Name: "balance", Kind: describe.Value, Fields: fields("sum", "int64", "count", "int64")}}}
}

func collect(id []abi.Field) describe.Operator {
	sums := fields("added", "int64", "least", "int64", "most", "string", "text", "string")
	return describe.Operator{Name: "collect", Kind: describe.Process, Key: id,
		Inputs: port(commands("name", "string", "at", "int64", "n", "int64", "to", "string")),
		Outputs: []describe.Port{{Fields: fields("op", "string", "name", "string", "at", "int64", "n", "int64")},
			{Name: "sums", Fields: sums}},
		States: []describe.State{
			{Name: "items", Kind: describe.List, Fields: fields("name", "string", "n", "int64")},
			{Name: "entries", Kind: describe.MapState, Key: fields("name", "string", "at", "int64"), Fields: fields("n", "int64")},
			{Name: "sums", Kind: describe.Reducing, Fields: sums,
				Merge: []describe.Merge{describe.MergeAdd, describe.MergeMin, describe.MergeMax, describe.MergeAppend}},
		}}
}

func alarm(id []abi.Field) describe.Operator {
	due := rung()
	return describe.Operator{Name: "alarm", Kind: describe.Process, Key: id,
		Inputs:  port(commands("at", "timestamp", "space", "bytes")),
		Outputs: []describe.Port{{Fields: due}, {Name: "processing", Fields: due}},
		States:  []describe.State{{Name: "pending", Kind: describe.Value, Fields: fields("value", "int64")}}}
}

// rung are the fields of both outputs of alarm.
func rung() []abi.Field {
	return fields("id", "int64", "at", "timestamp", "space", "bytes", "pending", "int64", "watermark", "int64")
}

func forget(id []abi.Field) describe.Operator {
	value := fields("value", "int64")
	create := describe.TTL{After: ttl}
	write := describe.TTL{After: ttl, Renew: describe.RenewWrite}
	return describe.Operator{Name: "forget", Kind: describe.Process, Key: id, Inputs: port(commands("n", "int64")),
		Outputs: port(fields("created", "int64", "written", "int64", "used", "int64", "by_event", "int64", "items", "int64", "entries", "int64")),
		States: []describe.State{
			{Name: "created", Kind: describe.Value, Fields: value, TTL: create},
			{Name: "written", Kind: describe.Value, Fields: value, TTL: write},
			{Name: "used", Kind: describe.Value, Fields: value, TTL: describe.TTL{After: ttl, Renew: describe.RenewReadAndWrite}},
			{Name: "by_event", Kind: describe.Value, Fields: value, TTL: describe.TTL{After: ttl, Renew: describe.RenewWrite, EventTime: true}},
			{Name: "items", Kind: describe.List, Fields: value, TTL: create},
			{Name: "entries", Kind: describe.MapState, Key: fields("key", "int64"), Fields: value, TTL: write},
		}}
}

func rules(id []abi.Field) describe.Operator {
	return describe.Operator{Name: "rules", Kind: describe.Process, Key: id,
		Inputs: []describe.Port{
			{Name: "orders", Fields: required(fields("id", "int64", "name", "string", "amount", "int64"))},
			{Name: "payments", Fields: required(fields("id", "int64"))},
			{Name: "rules", Fields: append(required(fields("name", "string")), fields("limit", "int64")...), Broadcast: true}},
		Outputs: []describe.Port{{Fields: fields("id", "int64", "name", "string", "amount", "int64")},
			{Name: "known", Fields: fields("name", "string", "limit", "int64")}},
		States: []describe.State{
			{Name: "open", Kind: describe.List, Fields: fields("name", "string", "amount", "int64")},
			{Name: "limits", Kind: describe.MapState, Scope: describe.ScopeBroadcast, Key: fields("key", "string"), Fields: fields("value", "int64")},
			{Name: "names", Kind: describe.List, Scope: describe.ScopeOperator, Fields: fields("value", "string")},
		}}
}

// commands are the fields of an input whose rows say what to do: id, op, and others.
func commands(others ...string) []abi.Field {
	return append(required(fields("id", "int64", "op", "string")), fields(others...)...)
}
