// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json_test

import (
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/format/json"
)

func TestConformance(t *testing.T) {
	f, err := json.New(json.Options{})
	if err != nil {
		t.Fatal(err)
	}
	formattest.Run(t, formattest.Suite{Format: f, Schemas: []*abi.Schema{
		formattest.Schema(t, "b", "bool", "i", "int32", "l", "int64", "f", "float64"),
		formattest.Schema(t, "d", "decimal(2)", "e", "decimal(0)", "g", "decimal(18)", "t", "timestamp"),
		formattest.Schema(t, "s", "string", "x", "bytes", `a "name" with \`, "string", "ä\n", "int64"),
		formattest.Schema(t, "list", "list<string>", "lists", "list<list<int64>>"),
		formattest.Schema(t, "o", "struct<a: int64, b: list<struct<c: bool, d: decimal(3)>>>", "z", "string"),
	}})
}
