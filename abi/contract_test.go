// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package abi_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/fbs"
)

// signature writes a function as SPEC.md's tables do, without the names of its parameters.
func signature(f *abi.Function) string {
	types := func(ts []abi.ValueType) string {
		names := make([]string, len(ts))
		for i, t := range ts {
			names[i] = map[abi.ValueType]string{abi.I32: "i32", abi.I64: "i64"}[t]
		}
		return strings.Join(names, ", ")
	}
	name := f.Name
	if f.Module != "" {
		name = f.Module + "." + f.Name
	}
	results := types(f.Results)
	if results == "" {
		results = "()"
	}
	return fmt.Sprintf("%s (%s) -> %s", name, types(f.Params), results)
}

// specified reads the functions out of SPEC.md's tables of exports and imports.
func specified(t *testing.T) []string {
	spec, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\w+: `)
	var out []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([\\w.]+)` \\| `(\\(.*\\) -> .*?)` \\|").FindAllStringSubmatch(string(spec), -1) {
		out = append(out, row[1]+" "+parameter.ReplaceAllString(row[2], ""))
	}
	return out
}

func TestTheFunctionsAreThoseOfTheSpecification(t *testing.T) {
	var got []string
	for _, f := range append(abi.Exports(), abi.Imports()...) {
		got = append(got, signature(&f))
	}
	if want := specified(t); !slices.Equal(got, want) {
		t.Errorf("contract.go has\n%s\nSPEC.md has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheTypesAreThoseOfTheFlatBuffersSchema(t *testing.T) {
	for typ := abi.Bool; typ <= abi.Struct; typ++ {
		if got := strings.ToLower(fbs.Type(typ).String()); got != typ.String() {
			t.Errorf("type %d is %s in wasmill.fbs, %s here", typ, got, typ)
		}
	}
	if len(fbs.EnumNamesType) != len(abi.TypeNames()) {
		t.Errorf("%d types in wasmill.fbs, %d here", len(fbs.EnumNamesType), len(abi.TypeNames()))
	}
	for _, typ := range []abi.Type{0, abi.Struct + 1} {
		if want := fmt.Sprintf("type(%d)", uint8(typ)); typ.Valid() || typ.String() != want {
			t.Errorf("type %d is %s, valid %v", typ, typ, typ.Valid())
		}
	}
}

func TestAStreamWithoutASchemaIsKeyAndValue(t *testing.T) {
	s := abi.Opaque()
	if err := s.Check(); err != nil || s.String() != "{key: bytes, value: bytes}" || !slices.Equal(s.Names(), []string{"key", "value"}) {
		t.Errorf("%s, names %q, %v", s, s.Names(), err)
	}
}
