// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/plugins/format/json"
)

func TestInfer(t *testing.T) {
	for _, c := range []struct {
		data  string
		atEnd bool
		want  string
	}{
		{data: `{"i":1,"f":1.5,"b":true,"s":"x","t":"2001-01-01","n":null}` + "\n", want: "{i: int64, f: float64, b: bool, s: string, t: timestamp, n: string}"},
		{data: `{"a":1}` + "\n" + `{"a":1.5,"b":2}` + "\n" + `{"c":`, want: "{a: float64, b: int64}"},
		{data: `{"a":1.5}` + "\n" + `{"a":1}`, atEnd: true, want: "{a: float64}"},
		{data: `{"a":9223372036854775808}`, atEnd: true, want: "{a: float64}"},
		{data: `{"a":"2001-01-01"}` + "\n\n" + `{"a":"soon"}` + "\n", want: "{a: string}"},
		{data: `{"a":"soon"}` + "\r\n" + `{"a":"2001-01-01"}` + "\r\n", want: "{a: string}"},
		{data: `{"l":[],"m":[[1],[2.5]],"o":{"x":null,"e":{}},"e":{},"el":[{}]}` + "\n" + `{"l":["x",null],"o":{"y":[{"z":1}]}}` + "\n",
			want: "{l: list<string>, m: list<list<float64>>, o: struct<x: string, y: list<struct<z: int64>>>}"},
		{data: "\xef\xbb\xbf[{\"a\":1},\n{\"b\":2},{\"c\":", want: "{a: int64, b: int64}"},
		{data: `[{"a":1}]`, atEnd: true, want: "{a: int64}"},
		{data: `{"a":1}` + "\n" + `{"a":"x"}` + "\n",
			want: `record 2: a: it has "x", a string, where records before have int64; no type holds both: declare a schema, with or without this name`},
		{data: `{"a":[{"b":1},{"b":[1]}]}` + "\n", want: `record 1: b: it has [1], an array, where records before have int64; no type holds both: declare a schema, with or without this name`},
		{data: "", atEnd: true, want: "no schema can be inferred: there is no whole record in the first 0 bytes"},
		{data: "[]", atEnd: true, want: "no schema can be inferred: there is no whole record in the first 2 bytes"},
		{data: `{"a":`, want: "no schema can be inferred: there is no whole record in the first 5 bytes"},
		{data: "{}\n", want: "no schema can be inferred: the 1 records have no fields"},
		{data: "{\"a\":1}\nx\n", want: `record 2: bad JSON at byte 1: "x" where a value belongs`},
		{data: "{\"a\":1} {}\n", want: `record 1: bad JSON at byte 9: "{" where the end of the line belongs`},
		{data: `[{"a":1}`, atEnd: true, want: "{a: int64}"},
		{data: `{"a":` + strings.Repeat("[", 10) + strings.Repeat("]", 10) + "}\n", want: "record 1: it is nested more than 8 deep"},
		{data: `{"":1}` + "\n", want: "no schema can be inferred: column 1 has a name of 0 bytes; 1 to 128 are allowed"},
	} {
		schema, err := format(t, json.Options{}).Infer([]byte(c.data), c.atEnd)
		got := fmt.Sprint(schema)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.data, got, c.want)
		}
	}
}
