// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json_test

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func format(t testing.TB, opts json.Options) operator.Format {
	t.Helper()
	f, err := json.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestValuesByType(t *testing.T) {
	us := func(ms int64) any { return ms * 1000 }
	for _, c := range []struct {
		typ, text string
		want      any    // the value
		reason    string // or why the record is refused
	}{
		{"int64", "12", int64(12), ""},
		{"int64", "-0", int64(0), ""},
		{"int64", " 7 ", int64(7), ""},
		{"int64", "1.0", int64(1), ""},
		{"int64", "1e3", int64(1000), ""},
		{"int64", "123456789012345678", int64(123456789012345678), ""},
		{"int64", "9223372036854775807", int64(9223372036854775807), ""},
		{"int64", "-9223372036854775808", int64(-9223372036854775808), ""},
		{"int64", "9223372036854775808", nil, "v: 9223372036854775808 is past int64"},
		{"int64", "1.5", nil, "v: 1.5 is no whole number; expected int64"},
		{"int64", `"12"`, nil, `v: it has "12", a string; expected int64`},
		{"int64", "true", nil, "v: it has true, a boolean; expected int64"},
		{"int64", "[1]", nil, "v: it has [1], an array; expected int64"},
		{"int64", `{"a":1}`, nil, `v: it has {"a":1}, an object; expected int64`},
		{"int64", "null", nil, ""},
		{"int64", "01", nil, `bad JSON at byte 8: "}" where a number belongs`},
		{"int64", "1.", nil, `bad JSON at byte 8: "}" where a number belongs`},
		{"int64", "+1", nil, `bad JSON at byte 6: "+" where a value belongs`},
		{"int64", "", nil, `bad JSON at byte 6: "}" where a value belongs`},
		{"int32", "2147483647", int32(2147483647), ""},
		{"int32", "2147483648", nil, "v: 2147483648 is past int32"},
		{"int32", "nul", nil, `bad JSON at byte 6: "n" where a value belongs`},
		{"float64", "0.1", 0.1, ""},
		{"float64", "3", 3.0, ""},
		{"float64", "1e400", nil, "v: 1e400 is past float64"},
		{"float64", "2.2250738585072011e-308", 2.2250738585072011e-308, ""},
		{"float64", "NaN", nil, `bad JSON at byte 6: "N" where a value belongs`},
		{"decimal(2)", "12.5", int64(1250), ""},
		{"decimal(2)", "12.505", nil, "v: 12.505 has more digits after the point than decimal(2)"},
		{"decimal(2)", "12345678901234567", nil, "v: 12345678901234567 is past decimal(2), which has 18 digits"},
		{"bool", "true", true, ""},
		{"bool", "false", false, ""},
		{"bool", "1", nil, "v: it has 1, a number; expected bool"},
		{"bool", "truth", nil, `bad JSON at byte 6: "t" where a value belongs`},
		{"string", `"a"`, "a", ""},
		{"string", `""`, "", ""},
		{"string", `"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"`, "\"\\/\b\f\n\r\tä😀", ""},
		{"string", `"größer als acht Bytes € 😀"`, "größer als acht Bytes € 😀", ""},
		{"string", `"x\ud83d"`, nil, `bad JSON at byte 8: "\\" where both halves of a surrogate pair belongs`},
		{"string", `"\ude00\ud83d"`, nil, `bad JSON at byte 7: "\\" where both halves of a surrogate pair belongs`},
		{"string", `"\ufffd"`, "\ufffd", ""},
		{"string", `"\x"`, nil, `bad JSON at byte 7: "\\" where one of the escapes \" \\ \/ \b \f \n \r \t \uXXXX belongs`},
		{"string", `"\u12g4"`, nil, `bad JSON at byte 11: "g" where four hex digits of an escape belongs`},
		{"string", "\"a\tb\"", nil, `bad JSON at byte 8: "\t" where a string without control characters belongs`},
		{"string", "\"a\xffb\"", nil, `bad JSON at byte 8: the byte 0xff where a string in UTF-8 belongs`},
		{"string", "\"a\xed\xa0\x80b\"", nil, `bad JSON at byte 8: the byte 0xed where a string in UTF-8 belongs`},
		{"string", "5", nil, "v: it has 5, a number; expected string"},
		{"string", `"open`, nil, `the record ends too early: the closing quote of a string is missing`},
		{"bytes", `"AQL/"`, "\x01\x02\xff", ""},
		{"bytes", `"AQL"`, nil, `v: "AQL" is no base64, which bytes are written in`},
		{"timestamp", `"2001-01-01T00:00:00.5Z"`, int64(978307200500000), ""},
		{"timestamp", `"2001/01/01 00:00"`, int64(978307200000000), ""},
		{"timestamp", "978307200000", us(978307200000), ""},
		{"timestamp", "0.001", int64(1), ""},
		{"timestamp", "0.0001", nil, "v: 0.0001 is no time in the unit of the option timestamps: it has more digits after the point"},
		{"timestamp", `"yesterday"`, nil, `v: "yesterday" is no time; expected one like "2001-01-31T23:59:59Z"`},
		{"timestamp", "true", nil, "v: it has true, a boolean; expected timestamp"},
		{"list<int64>", "[]", []any{}, ""},
		{"list<int64>", "[ 1 , null,3]", []any{int64(1), nil, int64(3)}, ""},
		{"list<int64>", `[1,"x"]`, nil, `v[1]: it has "x", a string; expected int64`},
		{"list<int64>", "[1,]", nil, `bad JSON at byte 9: "]" where a value belongs`},
		{"list<int64>", "[1 2]", nil, `bad JSON at byte 9: "2" where a comma or ] belongs`},
		{"list<int64>", "3", nil, "v: it has 3, a number; expected an array for list<int64>"},
		{"struct<a: int64, b: string>", `{"b":"x","a":1}`, []any{int64(1), "x"}, ""},
		{"struct<a: int64, b: string>", `{"c":[{}]}`, []any{nil, nil}, ""},
		{"struct<a: int64, b: string>", "{}", []any{nil, nil}, ""},
		{"struct<a: int64, b: string>", `{"a":"x"}`, nil, `v.a: it has "x", a string; expected int64`},
		{"struct<a: int64, b: string>", `{"a":1,"a":2}`, nil, `v.a: the name is there twice`},
		{"struct<a: int64, b: string>", "[]", nil, "v: it has [], an array; expected an object"},
		{"list<struct<a: list<int64>>>", `[{"a":[1]},{"a":[2,3.5]}]`, nil, "v[1].a[1]: 3.5 is no whole number; expected int64"},
	} {
		schema := formattest.Schema(t, "v", c.typ, "after", "int64")
		data := `{"v":` + c.text + "}\n{\"after\":1}\n"
		got := formattest.Decode(format(t, json.Options{}), schema, []byte(data), formattest.Whole, 100)
		want := formattest.Result{Rows: [][]any{{c.want, nil}, {nil, int64(1)}}, Offsets: []int64{1, 2}}
		if c.reason != "" {
			want.Rows, want.Offsets = want.Rows[1:], want.Offsets[1:]
			want.Rejects = []formattest.Reject{{Record: `{"v":` + c.text + "}", Offset: 1, Reason: c.reason}}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s as %s: want (-), got (+)\n%s", c.text, c.typ, diff)
		}
	}
}

func TestTimestampsThatAreNumbersHaveAUnit(t *testing.T) {
	for unit, want := range map[string]int64{"s": 1_500_000_000, "ms": 1_500_000, "": 1_500_000, "us": 1500, "ns": 1} {
		got := formattest.Decode(format(t, json.Options{Timestamps: unit}), formattest.Schema(t, "t", "timestamp"),
			[]byte(`{"t":1500}`), formattest.Whole, 1)
		if diff := cmp.Diff([][]any{{want}}, got.Rows); diff != "" {
			t.Errorf("unit %q: %s", unit, diff)
		}
	}
	got := formattest.Decode(format(t, json.Options{Timestamps: "ns"}), formattest.Schema(t, "t", "timestamp"),
		[]byte(`{"t":-1}{"t":0}`), formattest.Whole, 1)
	if len(got.Rejects) != 1 {
		t.Errorf("two records on a line: %+v", got)
	}
	if _, err := json.New(json.Options{Timestamps: "min"}); err == nil || !strings.Contains(err.Error(), "s, ms, us and ns") {
		t.Errorf("unit min: %v", err)
	}
}

func TestStreams(t *testing.T) {
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for _, c := range []struct {
		name, data string
		rows       []any // of the one column
		offsets    []int64
		rejects    []string // "offset: reason"
		err        string
	}{
		{name: "empty"},
		{name: "white space only", data: " \r\n\n\t"},
		{name: "a mark only", data: "\xef\xbb\xbf"},
		{name: "lines", data: "{\"a\":1}\n{\"a\":2}\n", rows: []any{int64(1), int64(2)}, offsets: []int64{1, 2}},
		{name: "no newline at the end", data: "{\"a\":1}\n{\"a\":2}", rows: []any{int64(1), int64(2)}, offsets: []int64{1, 2}},
		{name: "a byte order mark", data: "\xef\xbb\xbf{\"a\":1}", rows: []any{int64(1)}, offsets: []int64{1}},
		{name: "CRLF and blank lines", data: "\r\n{\"a\":1}\r\n\r\n{\"a\":2}\r\n", rows: []any{int64(1), int64(2)}, offsets: []int64{2, 4}},
		{name: "nulls, missing and extra names", data: "{\"a\":null}\n{}\n{\"x\":[1,{\"a\":9}],\"a\":3,\"y\":\"\"}\n", rows: []any{nil, nil, int64(3)}, offsets: []int64{1, 2, 3}},
		{name: "an escaped name", data: `{"\u0061":1}`, rows: []any{int64(1)}, offsets: []int64{1}},
		{name: "a lone surrogate that nobody reads", data: `{"\ud83d":"\ud83d","a":1}`, rows: []any{int64(1)}, offsets: []int64{1}},
		{name: "space everywhere", data: " { \"x\" : 1 , \"a\" : 1 } \n", rows: []any{int64(1)}, offsets: []int64{1}},
		{name: "64 levels", data: `{"x":` + deep + "}", rows: []any{nil}, offsets: []int64{1}},
		{name: "65 levels", data: `{"x":[` + deep + "]}", rejects: []string{`1: bad JSON at byte 70: "[" where values nested at most 64 deep belongs`}},
		{name: "bad lines in the middle", data: "{\"a\":1}\n{\"a\":x}\n{\"a\":2,}\n{\"a\" 2}\n{a:1}\nfoo\n{\"a\":1\n[1]\n7\n{\"a\":4}{}\n{\"a\":3}\n",
			rows: []any{int64(1), int64(3)}, offsets: []int64{1, 11},
			rejects: []string{
				`2: bad JSON at byte 6: "x" where a value belongs`,
				`3: bad JSON at byte 8: "}" where a name in quotes belongs`,
				`4: bad JSON at byte 6: "2" where a colon belongs`,
				`5: bad JSON at byte 2: "a" where a name in quotes belongs`,
				`6: bad JSON at byte 1: "f" where a value belongs`,
				`7: the record ends too early: a comma or } is missing`,
				`8: it has [1], an array; expected an object`,
				`9: it has 7, a number; expected an object`,
				`10: bad JSON at byte 8: "{" where the end of the line belongs`,
			}},
		{name: "bad JSON in a skipped value", data: "{\"x\":[1,2 3]}\n{\"x\":{\"y\":tru}}\n{\"x\":01}\n{\"x\":\"\xff\"}\n{\"x\":{\"y\":1]}\n{\"x\":{1:2}}\n",
			rejects: []string{
				`1: bad JSON at byte 11: "3" where a comma or ] belongs`,
				`2: bad JSON at byte 11: "t" where a value belongs`,
				`3: bad JSON at byte 8: "}" where a number belongs`,
				`4: bad JSON at byte 7: the byte 0xff where a string in UTF-8 belongs`,
				`5: bad JSON at byte 12: "]" where a comma or } belongs`,
				`6: bad JSON at byte 7: "1" where a name in quotes belongs`,
			}},
		{name: "a NUL", data: "\x00\n{\"a\":1}", rows: []any{int64(1)}, offsets: []int64{2}, rejects: []string{`1: bad JSON at byte 1: "\x00" where a value belongs`}},
		{name: "a name twice", data: `{"a":1,"a":1}`, rejects: []string{"1: a: the name is there twice"}},
		{name: "an array", data: "\n[{\"a\":1},\n {\"a\":2}\n]\n", rows: []any{int64(1), int64(2)}, offsets: []int64{1, 2}},
		{name: "an array behind a mark", data: "\xef\xbb\xbf [ { \"a\" : 1 } ] ", rows: []any{int64(1)}, offsets: []int64{1}},
		{name: "an empty array", data: "[]"},
		{name: "elements that don't fit", data: `[{"a":1},{"a":"x"},5,"s",[{}],{"a":2}]`, rows: []any{int64(1), int64(2)}, offsets: []int64{1, 6},
			rejects: []string{`2: a: it has "x", a string; expected int64`, "3: it has 5, a number; expected an object",
				`4: it has "s", a string; expected an object`, "5: it has [{}], an array; expected an object"}},
		{name: "bad syntax in an array", data: "[{\"a\":1},\n{\"a\":2},\n{\"a\":oh}]", rows: []any{int64(1), int64(2)}, offsets: []int64{1, 2},
			err: `line 3: bad JSON in or behind element 3 of the array: "o" where a value belongs, after "{\"a\":"`},
		{name: "a comma at the end of an array", data: `[{"a":1},]`, rows: []any{int64(1)}, offsets: []int64{1},
			err: `line 1: bad JSON in or behind element 2 of the array: "]" where a value belongs, after "[{\"a\":1},"`},
		{name: "an array without a comma", data: `[{"a":1}{"a":2}]`, rows: []any{int64(1)}, offsets: []int64{1},
			err: `line 1: bad JSON in or behind element 2 of the array: "{" where a comma or ] belongs, after "[{\"a\":1}"`},
		{name: "more behind an array", data: "[]\n[]", err: `line 2: bad JSON in or behind element 1 of the array: "[" where the end of the stream, which is one array, belongs, after ""`},
		{name: "an array that is cut off in an element", data: `[{"a":1},{"a":`, rows: []any{int64(1)}, offsets: []int64{1},
			err: "line 1: the stream ends in element 2 of its array: a value is missing"},
		{name: "an array that is cut off behind an element", data: `[{"a":1}`, rows: []any{int64(1)}, offsets: []int64{1},
			err: "line 1: the array that the stream holds is not closed; it may be cut off"},
		{name: "an array that is cut off between elements", data: "[{\"a\":1},\n", rows: []any{int64(1)}, offsets: []int64{1},
			err: "line 2: the array that the stream holds is not closed; it may be cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			schema := formattest.Schema(t, "a", "int64")
			got := formattest.Decode(format(t, json.Options{}), schema, []byte(c.data), formattest.Whole, 100)
			want := formattest.Result{Offsets: c.offsets}
			for _, v := range c.rows {
				want.Rows = append(want.Rows, []any{v})
			}
			rejects := []string(nil)
			for _, r := range got.Rejects {
				rejects = append(rejects, fmt.Sprintf("%d: %s", r.Offset, r.Reason))
			}
			if diff := cmp.Diff(c.rejects, rejects); diff != "" {
				t.Errorf("rejects: want (-), got (+)\n%s", diff)
			}
			if got.Err == nil != (c.err == "") || got.Err != nil && got.Err.Error() != c.err {
				t.Errorf("error %v, want %s", got.Err, c.err)
			}
			got.Rejects, got.Err = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want (-), got (+)\n%s", diff)
			}
			formattest.InPieces(t, format(t, json.Options{}), schema, []byte(c.data), rand.New(rand.NewPCG(1, 2)))
		})
	}
}

func TestAnErrorOfRejectEndsTheRead(t *testing.T) {
	for _, data := range []string{"{\"a\":x}\n{}\n", `[{"a":"x"},{}]`} {
		schema := formattest.Schema(t, "a", "int64")
		d, err := format(t, json.Options{}).NewDecoder(schema)
		if err != nil {
			t.Fatal(err)
		}
		stop := fmt.Errorf("stop")
		rows := &operator.Rows{Builder: (&batch.Pool{}).NewBuilder(schema), Max: 10, Bytes: 1000,
			Reject: func([]byte, batch.Position, error) error { return stop }}
		if _, err := d.Decode([]byte(data), true, rows); err != stop || rows.Rows() != 0 {
			t.Errorf("%s: %v, %d rows", data, err, rows.Rows())
		}
	}
}

func TestALineThatIsTooLongIsSkippedInPieces(t *testing.T) {
	schema := formattest.Schema(t, "a", "int64")
	d, err := format(t, json.Options{}).NewDecoder(schema)
	if err != nil {
		t.Fatal(err)
	}
	var rejects []string
	rows := &operator.Rows{Builder: (&batch.Pool{}).NewBuilder(schema), Max: 10, Bytes: 1000,
		Reject: func(record []byte, at batch.Position, reason error) error {
			rejects = append(rejects, fmt.Sprintf("%d %s %v", at.Offset(), record, reason))
			return nil
		}}
	decode := func(data string, want int) {
		t.Helper()
		if used, err := d.Decode([]byte(data), false, rows); err != nil || used != want {
			t.Errorf("Decode(%q) = %d, %v; want %d", data, used, err, want)
		}
	}
	decode("{\"a\":1}\n{\"b\":\"xxx", 8)
	long := d.(interface {
		TooLong([]byte, string, *operator.Rows) error
	})
	if err := long.TooLong([]byte("{\"b\":\"xxx"), "8 B", rows); err != nil {
		t.Fatal(err)
	}
	decode("{\"b\":\"xxx", 9)
	decode("xxx", 3)
	decode("xxx\"}\n{\"a\":2}\n{", 14)
	b := rows.Finish()
	if diff := cmp.Diff([]batch.Position{1, 3}, b.Positions); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`2 {"b":"xxx the line is longer than 8 B (max_record)`}, rejects); diff != "" {
		t.Error(diff)
	}
}

// document appends a random value, and returns it as encoding/json reads it, with numbers as text.
func document(r *rand.Rand, dst []byte, depth int) []byte {
	switch n := r.IntN(8); {
	case n == 0 && depth < 4:
		dst = append(dst, '[')
		for i := range r.IntN(4) {
			if i > 0 {
				dst = append(dst, " ,"[r.IntN(2):]...)
			}
			dst = document(r, dst, depth+1)
		}
		return append(dst, ']')
	case n <= 2 && depth < 4:
		return object(r, dst, depth+1)
	case n <= 4:
		return append(dst, []string{"0", "-1", "12.50", "1e5", "true", "false", "null", "9223372036854775808", "-0.0E-2"}[r.IntN(9)]...)
	}
	text := []string{"", "abc", "größer", "a longer text of ASCII only", "😀", "a\"b\\c\n", "<&>"}[r.IntN(7)]
	quoted, err := stdjson.Marshal(text)
	if err != nil {
		panic(err)
	}
	return append(dst, quoted...)
}

func object(r *rand.Rand, dst []byte, depth int) []byte {
	dst = append(dst, '{')
	for i := range r.IntN(6) {
		if i > 0 {
			dst = append(dst, ", "[:1+r.IntN(2)]...)
		}
		dst = fmt.Appendf(dst, `"%c%d":`, 'a'+rune(r.IntN(3)), i)
		dst = document(r, dst, depth)
	}
	return append(dst, '}')
}

// TestAgreesWithEncodingJSON compares with the standard library on random documents, whole and
// with a byte changed.
func TestAgreesWithEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	f := format(t, json.Options{})
	nothing := formattest.Schema(t, "none", "int64")
	some := formattest.Schema(t, "a0", "string", "b0", "float64", "c0", "bool", "a1", "list<float64>", "b1", "struct<a0: string>")
	refused := 0
	for range 15_000 {
		doc := object(r, nil, 0)
		if r.IntN(2) == 0 {
			doc[r.IntN(len(doc))] = "{}[]\",:\\x7 \xff"[r.IntN(12)]
		}
		valid := stdjson.Valid(doc) && utf8.Valid(doc)
		isObject := bytes.HasPrefix(bytes.TrimLeft(doc, " "), []byte("{"))
		got := formattest.Decode(f, nothing, doc, formattest.Whole, 10)
		if fits := len(got.Rejects) == 0 && got.Err == nil && len(got.Rows) == 1; isObject && valid != fits {
			t.Fatalf("%s: valid %v, %+v", doc, valid, got)
		}
		if !isObject || !valid {
			refused++
			continue
		}
		got = formattest.Decode(f, some, doc, formattest.Whole, 10)
		want, ok := reference(doc, some)
		if !ok != (len(got.Rejects) > 0) {
			t.Fatalf("%s: fits %v, %+v", doc, ok, got)
		}
		if !ok {
			continue
		}
		if diff := cmp.Diff([][]any{want}, got.Rows); diff != "" {
			t.Fatalf("%s: want (-), got (+)\n%s", doc, diff)
		}
	}
	if refused < 500 {
		t.Errorf("only %d documents were bad", refused)
	}
}

// reference reads a document by encoding/json.
func reference(doc []byte, schema *abi.Schema) ([]any, bool) {
	var values map[string]any
	if err := stdjson.Unmarshal(doc, &values); err != nil {
		panic(err)
	}
	return referenceFields(values, schema.Fields)
}

func referenceFields(values map[string]any, fields []abi.Field) ([]any, bool) {
	row := []any{}
	for i := range fields {
		v, ok := referenceValue(values[fields[i].Name], &fields[i])
		if !ok {
			return nil, false
		}
		row = append(row, v)
	}
	return row, true
}

func referenceValue(v any, f *abi.Field) (any, bool) {
	if v == nil {
		return nil, true
	}
	ok := false
	switch f.Type {
	case abi.String:
		_, ok = v.(string)
	case abi.Float64:
		_, ok = v.(float64)
	case abi.Bool:
		_, ok = v.(bool)
	case abi.Struct:
		if m, isMap := v.(map[string]any); isMap {
			return referenceFields(m, f.Children)
		}
	case abi.List:
		items, isList := v.([]any)
		out := []any{}
		for _, item := range items {
			value, fits := referenceValue(item, &f.Children[0])
			if !fits {
				return nil, false
			}
			out = append(out, value)
		}
		return out, isList
	}
	return v, ok
}

func TestNamesThatNobodyDeclaresFillNoMemory(t *testing.T) {
	var data []byte
	for i := range 5000 {
		data = append(data, `{"x`+strconv.Itoa(i)+`":1,"a":`+strconv.Itoa(i)+"}\n"...)
	}
	got := formattest.Decode(format(t, json.Options{}), formattest.Schema(t, "a", "int64"), data, formattest.Whole, 10_000)
	for i, row := range got.Rows {
		if row[0] != int64(i) {
			t.Fatalf("row %d: %v", i, row)
		}
	}
	if len(got.Rows) != 5000 {
		t.Errorf("%d rows", len(got.Rows))
	}
}

func TestAFewBytesCannotTakeALotOfMemory(t *testing.T) {
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf("f%d: int64", i))
	}
	schema := formattest.Schema(t, "v", "list<struct<"+strings.Join(fields, ", ")+">>")
	bomb := `{"v":[{}` + strings.Repeat(",{}", 1<<20) + "]}"
	got := formattest.Decode(format(t, json.Options{}), schema, []byte(bomb+"\n{\"v\":[]}\n"), formattest.Whole, 10)
	if len(got.Rejects) != 1 || got.Rejects[0].Reason != "v: the lists of the record take more than 64 MiB" || len(got.Rows) != 1 {
		t.Errorf("%d rows, %d rejects", len(got.Rows), len(got.Rejects))
	}
	got = formattest.Decode(format(t, json.Options{}), schema, []byte("["+bomb+",{}]"), formattest.Whole, 10)
	if len(got.Rejects) != 1 || len(got.Rows) != 1 || got.Err != nil {
		t.Errorf("in an array: %d rows, %d rejects, %v", len(got.Rows), len(got.Rejects), got.Err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":"x","c":[1.5,null],"d":{"e":true,"t":"2001-01-01"},"x":"AQ=="}` + "\n{\"a\":1e3}\r\n\n{]",
		"[{\"a\":1},{\"a\":\"\\ud83d\\ude00\"}, 5 ]", "\xef\xbb\xbf[", `{"z":[[{"y":-0.5e-7}]]}`,
	} {
		f.Add([]byte(seed), uint64(1))
	}
	schema := formattest.Schema(f, "a", "int64", "b", "string", "c", "list<float64>", "d", "struct<e: bool, t: timestamp>", "x", "bytes", "y", "decimal(3)")
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		formattest.InPieces(t, format(t, json.Options{}), schema, data, rand.New(rand.NewPCG(seed, 1)))
		line, _, _ := bytes.Cut(data, []byte{'\n'})
		if stdjson.Valid(line) || !bytes.HasPrefix(line, []byte("{")) {
			return
		}
		if got := formattest.Decode(format(t, json.Options{}), schema, line, formattest.Whole, 10); len(got.Rows) > 0 {
			t.Fatalf("%q is no JSON, and yet %v", line, got.Rows)
		}
	})
}

func FuzzInfer(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":["x"],"d":{"e":true,"t":"2001-01-01"}}`+"\n{\"a\":1.5}\n"), true)
	f.Add([]byte("[{\"a\":1},{\"a\":"), false)
	f.Fuzz(func(t *testing.T, data []byte, atEnd bool) {
		schema, err := format(t, json.Options{}).Infer(data, atEnd)
		if err != nil {
			return
		}
		got := formattest.Decode(format(t, json.Options{}), schema, data, formattest.Whole, 1<<20)
		if atEnd && len(got.Rejects) > 0 && !strings.Contains(got.Rejects[0].Reason, "twice") && !strings.Contains(got.Rejects[0].Reason, "past float64") {
			t.Fatalf("%q is inferred as %s and then %+v", data, schema, got.Rejects)
		}
	})
}
