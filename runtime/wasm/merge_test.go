// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
)

// encodeRow encodes a row of one value a field, nil for null.
func encodeRow(t *testing.T, fields []abi.Field, values ...any) []byte {
	t.Helper()
	b := (&batch.Pool{}).NewBuilder(&abi.Schema{Fields: fields})
	for i, v := range values {
		appendAny(b.Column(i), v)
	}
	b.EndRow()
	row := b.Finish()
	var out []byte
	for i := range fields {
		out = batch.AppendValue(out, &row.Columns[i], 0)
	}
	return out
}

func appendAny(c *batch.ColumnBuilder, v any) {
	switch v := v.(type) {
	case nil:
		c.AppendNull()
	case bool:
		c.AppendBool(v)
	case int32:
		c.AppendInt32(v)
	case int:
		c.AppendInt64(int64(v))
	case float64:
		c.AppendFloat64(v)
	case string:
		c.AppendString(v)
	case []any:
		for _, item := range v {
			appendAny(c.Child(0), item)
		}
		c.EndList()
	}
}

func TestAReducingStateMergesFieldByField(t *testing.T) {
	const most = abi.DecimalAbsLimit - 1
	for _, test := range []struct {
		typ        string
		merge      describe.Merge
		a, b, want any // want an error where it is an error's text
	}{
		{"int64", describe.MergeAdd, 2, 3, 5},
		{"int64", describe.MergeAdd, nil, 3, 3},
		{"int64", describe.MergeAdd, 2, nil, 2},
		{"int64", describe.MergeAdd, nil, nil, nil},
		{"int64", describe.MergeAdd, math.MinInt64, math.MaxInt64, -1},
		{"int64", describe.MergeAdd, math.MinInt64, -1, errorText("is no int64")},
		{"int32", describe.MergeAdd, int32(math.MaxInt32), int32(1), errorText("the sum 2147483648 is no int32")},
		{"int32", describe.MergeAdd, int32(-5), int32(3), int32(-2)},
		{"float64", describe.MergeAdd, 0.5, 0.25, 0.75},
		{"decimal(2)", describe.MergeAdd, 150, -50, 100},
		{"decimal(2)", describe.MergeAdd, most, 1, errorText("more than 18 digits")},
		{"bool", describe.MergeMin, true, false, false},
		{"bool", describe.MergeMax, false, true, true},
		{"int32", describe.MergeMin, int32(-1), int32(1), int32(-1)},
		{"int64", describe.MergeMax, -3, -2, -2},
		{"timestamp", describe.MergeMin, 7, math.MinInt64, math.MinInt64},
		{"decimal(2)", describe.MergeMax, -100, 99, 99},
		{"float64", describe.MergeMin, math.NaN(), 1.0, 1.0},
		{"float64", describe.MergeMax, math.Inf(1), math.NaN(), math.NaN()},
		{"float64", describe.MergeMin, -1.0, math.Inf(-1), math.Inf(-1)},
		{"string", describe.MergeMin, "b", "ab", "ab"},
		{"string", describe.MergeMax, "b", "ba", "ba"},
		{"bytes", describe.MergeMax, "\xff", "\x00\xff\xff", "\xff"},
		{"string", describe.MergeAppend, strings.Repeat("x", 100), strings.Repeat("y", 100), strings.Repeat("x", 100) + strings.Repeat("y", 100)},
		{"list<string>", describe.MergeAppend, []any{"a", nil}, []any{"", "b"}, []any{"a", nil, "", "b"}},
		{"list<int64>", describe.MergeAppend, []any{}, []any{1}, []any{1}},
	} {
		f, err := abi.ParseType(test.typ)
		if err != nil {
			t.Fatal(err)
		}
		f.Name = "f"
		fields := []abi.Field{f, {Name: "after", Type: abi.Int64}} // which must not be touched by what lies before
		k := &keptState{d: &describe.State{Name: "s", Fields: fields, Merge: []describe.Merge{test.merge, describe.MergeAdd}}}
		got, err := k.combine(nil, encodeRow(t, fields, test.a, 1), encodeRow(t, fields, test.b, 2))
		if text, ok := test.want.(errorText); ok {
			if err == nil || !strings.Contains(err.Error(), string(text)) || !strings.Contains(err.Error(), `state "s", field "f"`) {
				t.Errorf("%s, merge %d of %v and %v: %v; want an error that says %q", test.typ, test.merge, test.a, test.b, err, text)
			}
			continue
		}
		if want := encodeRow(t, fields, test.want, 3); err != nil || string(got) != string(want) {
			t.Errorf("%s, merge %d of %v and %v: %x, %v; want %x", test.typ, test.merge, test.a, test.b, got, err, want)
		}
	}
}

type errorText string

func TestFieldsThatWereAddedToAReducingStateAreNullInOldRows(t *testing.T) {
	fields := columns(t, "a: int64, b: int64")
	k := &keptState{d: &describe.State{Name: "s", Fields: fields, Merge: []describe.Merge{describe.MergeAdd, describe.MergeAdd}}}
	got, err := k.combine(nil, encodeRow(t, fields[:1], 1), encodeRow(t, fields, 2, 5))
	if want := encodeRow(t, fields, 3, 5); err != nil || string(got) != string(want) {
		t.Errorf("%x, %v; want %x", got, err, want)
	}
}

func FuzzValuesThatAreNoneAreErrors(f *testing.F) {
	f.Add([]byte{1, 2, 1, 1, 'a', 0}, uint64(1))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint64(2))
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		types := []string{"bool", "int32", "decimal(3)", "string", "list<string>", "struct<a: list<int64>, b: bytes>"}
		field, err := abi.ParseType(types[rand.New(rand.NewPCG(seed, 0)).IntN(len(types))])
		if err != nil {
			t.Fatal(err)
		}
		if value, rest, err := cutValue(&field, src); err == nil && len(value)+len(rest) != len(src) {
			t.Errorf("%x was cut into %x and %x", src, value, rest)
		}
	})
}
