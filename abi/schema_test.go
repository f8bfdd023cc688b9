// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package abi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
)

func TestParseTypeIsTheInverseOfTypeString(t *testing.T) {
	nested := strings.Repeat("list<", abi.MaxNesting-1) + "int64" + strings.Repeat(">", abi.MaxNesting-1)
	for _, want := range []string{
		"bool", "int32", "int64", "float64", "decimal(0)", "decimal(18)", "string", "bytes", "timestamp",
		"list<decimal(2)>", "struct<a: int64, b: list<struct<größe: string>>>", nested,
	} {
		f, err := abi.ParseType(want)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if got := f.TypeString(); got != want || f.Name != "" {
			t.Errorf("%s became %s, with the name %q", want, got, f.Name)
		}
		spaced := strings.NewReplacer("<", " < ", ">", " > ", "(", " ( ", ",", " , ", ":", " :\t").Replace(want)
		if g, err := abi.ParseType(" " + spaced + " "); err != nil || !f.SameType(&g) {
			t.Errorf("%q: %v", spaced, err)
		}
	}
}

func TestParseTypeSaysWhatIsWrong(t *testing.T) {
	known := "; there are bool, int32, int64, float64, decimal, string, bytes, timestamp, list, struct"
	deep := strings.Repeat("list<", abi.MaxNesting)
	for text, want := range map[string]string{
		"":                      `type "": no type is called ""` + known,
		"int":                   `type "int": no type is called "int"` + known,
		"INT64":                 `type "INT64": no type is called "INT64"` + known,
		"int64 x":               `type "int64 x": "x" follows a whole type`,
		"int64>":                `type "int64>": ">" follows a whole type`,
		"decimal":               `type "decimal": a decimal says its digits after the point: decimal(2)`,
		"decimal(19)":           `type "decimal(19)": a decimal has 0 to 18 digits after the point: decimal(2)`,
		"decimal(-1)":           `type "decimal(-1)": a decimal has 0 to 18 digits after the point: decimal(2)`,
		"decimal(2":             `type "decimal(2": a decimal has 0 to 18 digits after the point: decimal(2)`,
		"list":                  `type "list": a list says what it holds: list<int64>`,
		"list<int64":            `type "list<int64": list<int64 lacks its >`,
		"list<>":                `type "list<>": no type is called ""` + known,
		"struct":                `type "struct": a struct says its fields: struct<a: int64, b: string>`,
		"struct<>":              `type "struct<>": a struct's field is written name: type`,
		"struct<a int64>":       `type "struct<a int64>": a struct's field is written name: type`,
		"struct<a: int64":       `type "struct<a: int64": a struct's fields are separated by commas and closed by >`,
		"struct<a: int64, >":    `type "struct<a: int64, >": a struct's field is written name: type`,
		"struct<a: list<text>>": `type "struct<a: list<text>>": no type is called "text"` + known,
		deep + "int64":          `type "` + deep + `int64": types are nested more than 8 deep`,
		strings.Repeat("x", 99): `type "` + strings.Repeat("x", 64) + `...": no type is called "` + strings.Repeat("x", 64) + `..."` + known,
	} {
		if _, err := abi.ParseType(text); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestSchemaCheck(t *testing.T) {
	list := func(children ...abi.Field) abi.Field { return abi.Field{Name: "l", Type: abi.List, Children: children} }
	field := abi.Field{Name: "a", Type: abi.Int64}
	deep := field
	for range abi.MaxNesting - 1 {
		deep = abi.Field{Name: "s", Type: abi.Struct, Children: []abi.Field{deep}}
	}
	many := make([]abi.Field, abi.MaxFields+1)
	for i := range many {
		many[i] = abi.Field{Name: fmt.Sprint(i), Type: abi.Bool}
	}
	for _, test := range []struct {
		fields []abi.Field
		want   string
	}{
		{nil, ""},
		{[]abi.Field{field, list(abi.Field{Type: abi.String})}, ""}, // an item needs no name
		{[]abi.Field{deep}, ""},
		{many[1:], ""},
		{[]abi.Field{list(deep)}, `column "l": ` + strings.Repeat(`column "s": `, 6) + `column "a": types are nested more than 8 deep`},
		{many, `column "1024": there are more than 1024 fields`},
		{append([]abi.Field{list(field)}, many[:abi.MaxFields-1]...), `column "1022": there are more than 1024 fields`},
		{[]abi.Field{{Type: abi.Int64}}, "column 1 has a name of 0 bytes; 1 to 128 are allowed"},
		{[]abi.Field{field, {Name: strings.Repeat("n", 129), Type: abi.Int64}}, "column 2 has a name of 129 bytes; 1 to 128 are allowed"},
		{[]abi.Field{field, field}, `column "a" is there twice`},
		{[]abi.Field{{Name: "a"}}, `column "a": unknown type 0`},
		{[]abi.Field{{Name: "a", Type: 11}}, `column "a": unknown type 11`},
		{[]abi.Field{{Name: "a", Type: abi.Decimal, Scale: 19}}, `column "a": a decimal has at most 18 digits after the point, not 19`},
		{[]abi.Field{{Name: "a", Type: abi.Int64, Scale: 2}}, `column "a": a scale of 2 on type int64; only decimals have one`},
		{[]abi.Field{list()}, `column "l": a list has one child, not 0`},
		{[]abi.Field{list(field, field)}, `column "l": a list has one child, not 2`},
		{[]abi.Field{list(abi.Field{Type: 99})}, `column "l": unknown type 99`},
		{[]abi.Field{{Name: "s", Type: abi.Struct}}, `column "s": a struct has at least one field`},
		{[]abi.Field{{Name: "s", Type: abi.Struct, Children: []abi.Field{field, field}}}, `column "s": column "a" is there twice`},
		{[]abi.Field{{Name: "a", Type: abi.Int64, Children: []abi.Field{field}}}, `column "a": type int64 has no children`},
	} {
		got := ""
		if err := (&abi.Schema{Fields: test.fields}).Check(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("\n got %s\nwant %s", got, test.want)
		}
	}
}

func TestSchemasAreEqualByNamesAndTypes(t *testing.T) {
	parse := func(text string) *abi.Schema {
		f, err := abi.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		return &abi.Schema{Fields: f.Children}
	}
	base := parse("struct<a: int64, b: list<struct<c: decimal(2)>>>")
	same := parse("struct<a: int64, b: list<struct<c: decimal(2)>>>")
	same.Fields[0].Required, same.Fields[0].Doc, same.Fields[1].Children[0].Name = true, "doc", "element"
	if !base.Equal(same) {
		t.Errorf("%s and %s differ", base, same)
	}
	for _, other := range []string{
		"struct<a: int64>", "struct<a: int32, b: list<struct<c: decimal(2)>>>", "struct<x: int64, b: list<struct<c: decimal(2)>>>",
		"struct<a: int64, b: list<struct<c: decimal(3)>>>", "struct<a: int64, b: list<struct<x: decimal(2)>>>",
		"struct<b: list<struct<c: decimal(2)>>, a: int64>",
	} {
		if base.Equal(parse(other)) {
			t.Errorf("%s and %s are equal", base, other)
		}
	}
	if base.Index("b") != 1 || base.Index("c") != -1 || base.String() != "{a: int64, b: list<struct<c: decimal(2)>>}" {
		t.Errorf("b at %d, c at %d, %s", base.Index("b"), base.Index("c"), base)
	}
}

func FuzzParseType(f *testing.F) {
	for _, seed := range []string{"int64", "decimal(2)", "list<string>", "struct<a: int64, b: list<bool>>", "list<list<", "struct<a:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		field, err := abi.ParseType(text)
		if err != nil {
			return
		}
		again, err := abi.ParseType(field.TypeString())
		if err != nil || !again.SameType(&field) {
			t.Errorf("%q became %q: %v", text, field.TypeString(), err)
		}
	})
}
