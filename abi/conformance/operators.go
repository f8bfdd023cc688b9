// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
)

// Operators returns what the conformance module of an SDK declares: README.md's table.
func Operators() *describe.Module {
	n := fields("n", "int64")
	everything := fields("b", "bool", "i", "int32", "l", "int64", "f", "float64", "d", "decimal(2)",
		"s", "string", "y", "bytes", "t", "timestamp", "ls", "list<string>", "st", "struct<a: int64, b: string>")
	separator := fields("separator", "string")
	separator[0].Default = " "
	sum := fields("accumulator", "struct<sum: float64, count: int64>")
	longest := fields("accumulator", "string")
	return &describe.Module{ABI: abi.Version, Operators: []describe.Operator{
		{Name: "everything", Kind: describe.Map, Inputs: port(everything), Outputs: port(everything)},
		{Name: "split", Kind: describe.Map, Inputs: port(required(fields("text", "string"))), Config: separator,
			Outputs:  []describe.Port{{Fields: fields("word", "string", "index", "int32"), Forward: true}},
			Counters: []string{"words"}},
		{Name: "route", Kind: describe.Map, Inputs: port(n), Outputs: []describe.Port{{Fields: n}, {Name: "odd", Fields: n}}},
		{Name: "shift", Kind: describe.Map, Config: required(fields("by", "int64")),
			Inputs: []describe.Port{{Fields: n, Time: true}}, Outputs: []describe.Port{{Fields: n, Time: true}}},
		{Name: "refuse", Kind: describe.Map, Config: required(fields("limit", "int64")), Inputs: port(n), Outputs: port(n)},
		{Name: "crash", Kind: describe.Map, Inputs: port(required(fields("n", "int64"))), Outputs: port(n)},
		{Name: "say", Kind: describe.Map, Inputs: port(required(fields("level", "int32", "text", "string"))), Outputs: port(n)},
		{Name: "mean", Kind: describe.Aggregate, Inputs: port(fields("x", "float64")),
			Outputs: port(fields("mean", "float64", "count", "int64")), Accumulator: &sum[0]},
		{Name: "longest", Kind: describe.Aggregate, Inputs: port(fields("s", "string")),
			Outputs: port(fields("longest", "string")), Accumulator: &longest[0]},
	}}
}

// fields takes names and types in turn, and panics where a type is none.
func fields(namesAndTypes ...string) []abi.Field {
	var out []abi.Field
	for i := 0; i < len(namesAndTypes); i += 2 {
		f, err := abi.ParseType(namesAndTypes[i+1])
		if err != nil {
			panic(fmt.Sprintf("conformance: column %q: %v", namesAndTypes[i], err))
		}
		f.Name = namesAndTypes[i]
		out = append(out, f)
	}
	return out
}

func required(fields []abi.Field) []abi.Field {
	for i := range fields {
		fields[i].Required = true
	}
	return fields
}

func port(fields []abi.Field) []describe.Port { return []describe.Port{{Fields: fields}} }
