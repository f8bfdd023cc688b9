// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package csv_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/csv"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func format(t testing.TB, change func(*csv.Options)) operator.Format {
	t.Helper()
	opts := csv.Defaults()
	if change != nil {
		change(&opts)
	}
	f, err := csv.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	for name, f := range map[string]operator.Format{
		"defaults":  format(t, nil),
		"no header": format(t, func(o *csv.Options) { o.Header = false }),
		"other":     format(t, func(o *csv.Options) { o.Delimiter, o.Null = ".", "null" }),
		"digits":    format(t, func(o *csv.Options) { o.Delimiter, o.Null = "1", "0" }),
	} {
		t.Run(name, func(t *testing.T) {
			formattest.Run(t, formattest.Suite{Format: f, Schemas: []*abi.Schema{
				formattest.Schema(t, "b", "bool", "i", "int32", "l", "int64", "f", "float64"),
				formattest.Schema(t, "d", "decimal(2)", "e", "decimal(0)", "t", "timestamp", "x", "bytes"),
				formattest.Schema(t, "s", "string", "a \"name\",\n", "string"),
				formattest.Schema(t, "one", "string"),
				formattest.Schema(t, "one", "int64"),
			}})
		})
	}
}

func TestStreams(t *testing.T) {
	noHeader := func(o *csv.Options) { o.Header = false }
	for _, c := range []struct {
		name, data string
		change     func(*csv.Options)
		rows       [][]any // of a: int64, b: string
		offsets    []int64
		rejects    []string
		err        string
	}{
		{name: "empty"},
		{name: "a header only", data: "a,b\n"},
		{name: "rows", data: "a,b\n1,x\n2,\n", rows: [][]any{{int64(1), "x"}, {int64(2), nil}}, offsets: []int64{2, 3}},
		{name: "another order, more columns", data: "x,b,y,a\n?,u,,1\n?,v,,2", rows: [][]any{{int64(1), "u"}, {int64(2), "v"}}, offsets: []int64{2, 3}},
		{name: "a mark, CRLF, blank lines", data: "\xef\xbb\xbfa,b\r\n\r\n1,x\r\n\r\n\"2\",\"y\"\r\n", rows: [][]any{{int64(1), "x"}, {int64(2), "y"}}, offsets: []int64{3, 5}},
		{name: "quotes", data: "a,b\n1,\"a \"\"b\"\", c\nd\"\n2,\"\"\n3,\"\"\"\"\n", rows: [][]any{{int64(1), "a \"b\", c\nd"}, {int64(2), ""}, {int64(3), `"`}}, offsets: []int64{2, 4, 5}},
		{name: "no header", data: "1,x\n2,y\n", change: noHeader, rows: [][]any{{int64(1), "x"}, {int64(2), "y"}}, offsets: []int64{1, 2}},
		{name: "another delimiter and null", data: "a;b\n NULL;x\nNULL;NULL\n3;\"NULL\"\n", change: func(o *csv.Options) { o.Delimiter, o.Null = ";", "NULL" },
			rows: [][]any{{nil, nil}, {int64(3), "NULL"}}, offsets: []int64{3, 4}, rejects: []string{`2: a: "NULL" is no number; expected int64`}},
		{name: "spaces around numbers", data: "a,b\n 1 , x \n", rows: [][]any{{int64(1), " x "}}, offsets: []int64{2}},
		{name: "ragged", data: "a,b\n1\n1,x,y\n2,z\n", rows: [][]any{{int64(2), "z"}}, offsets: []int64{4},
			rejects: []string{"2: the record has 1 fields, the header 2", "3: the record has 3 fields, the header 2"}},
		{name: "ragged without a header", data: "1\n", change: noHeader, rejects: []string{"1: the record has 1 fields, the schema 2"}},
		{name: "values that don't fit", data: "a,b\nx,y\n9223372036854775808,y\n1.5,y\n1,\xff\n1.0,ok\n", rows: [][]any{{int64(1), "ok"}}, offsets: []int64{6},
			rejects: []string{`2: a: "x" is no number; expected int64`, "3: a: 9223372036854775808 is past int64",
				"4: a: 1.5 is no whole number; expected int64", "5: b: it is no UTF-8, which strings are in"}},
		{name: "bad quotes", data: "a,b\n1,x\"y\n1,\"x\"y\n1,\"x\"\ry\n2,z\n", rows: [][]any{{int64(2), "z"}}, offsets: []int64{5},
			rejects: []string{"2: field 2: a quote in the middle; a field with quotes in it is in quotes, and its own are written twice",
				"3: field 2: text behind the closing quote", "4: field 2: text behind the closing quote"}},
		{name: "a quote that is never closed", data: "a,b\n1,\"x\n2,y\n3,z\n", rows: [][]any{{int64(2), "y"}, {int64(3), "z"}}, offsets: []int64{3, 4},
			rejects: []string{"2: field 2: the quote that opens it is never closed"}},
		{name: "a missing column", data: "A,c\n1,2\n", err: `line 1: the header has no column "a"; did you mean "A"?`},
		{name: "a column twice", data: "a,b,a\n", err: `line 1: the header has the column "a" twice`},
		{name: "a bad header", data: "a,\"b\"x\n", err: "line 1: the header: field 2: text behind the closing quote"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := format(t, c.change)
			schema := formattest.Schema(t, "a", "int64", "b", "string")
			got := formattest.Decode(f, schema, []byte(c.data), formattest.Whole, 100)
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
			if diff := cmp.Diff(formattest.Result{Rows: c.rows, Offsets: c.offsets}, got); diff != "" {
				t.Errorf("want (-), got (+)\n%s", diff)
			}
			formattest.InPieces(t, f, schema, []byte(c.data), rand.New(rand.NewPCG(1, 2)))
		})
	}
}

func TestValuesByType(t *testing.T) {
	for _, c := range []struct {
		typ, text string
		want      any
	}{
		{"bool", "TRUE", true}, {"bool", "0", false}, {"bool", "yes", nil},
		{"int64", "+007", int64(7)}, {"int32", "2147483648", nil}, {"float64", "-Inf", "-Inf"}, {"float64", "1e400", nil},
		{"decimal(2)", "1.5", int64(150)}, {"decimal(2)", "1.555", nil},
		{"timestamp", "2001/01/01 00:00", int64(978307200000000)}, {"timestamp", "now", nil},
		{"bytes", "AQI=", "\x01\x02"}, {"bytes", "?", nil},
	} {
		got := formattest.Decode(format(t, nil), formattest.Schema(t, "v", c.typ), []byte("v\n"+c.text+"\n"), formattest.Whole, 10)
		switch {
		case c.want == nil && len(got.Rejects) != 1, c.want != nil && len(got.Rows) != 1:
			t.Errorf("%s as %s: %+v", c.text, c.typ, got)
		case c.want != nil && fmt.Sprint(got.Rows[0][0]) != fmt.Sprint(c.want):
			t.Errorf("%s as %s: %v, want %v", c.text, c.typ, got.Rows[0][0], c.want)
		}
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, change := range []func(*csv.Options){
		func(o *csv.Options) { o.Delimiter = "" }, func(o *csv.Options) { o.Delimiter = ",," },
		func(o *csv.Options) { o.Delimiter = "ä" }, func(o *csv.Options) { o.Delimiter = `"` },
		func(o *csv.Options) { o.Null = "a,b" }, func(o *csv.Options) { o.Null = "\n" },
	} {
		opts := csv.Defaults()
		change(&opts)
		if _, err := csv.New(opts); err == nil {
			t.Errorf("%+v is taken", opts)
		}
	}
	nested := formattest.Schema(t, "l", "list<int64>")
	if _, err := format(t, nil).NewDecoder(nested); err == nil || !strings.Contains(err.Error(), "list<int64>") {
		t.Errorf("a list can be read: %v", err)
	}
	if _, err := format(t, nil).NewEncoder(nested); err == nil {
		t.Error("a list can be written")
	}
}

func TestInfer(t *testing.T) {
	for _, c := range []struct {
		data   string
		atEnd  bool
		change func(*csv.Options)
		want   string
	}{
		{data: "i,f,b,t,s,n,z,m\n1,1,true,2001-01-01,x,,007,1\n-2,1.5,FALSE,2001-01-01 00:00,2,,8,true\n", want: "{i: int64, f: float64, b: bool, t: timestamp, s: string, n: string, z: string, m: string}"},
		{data: "a\n1\n2.5", want: "{a: int64}"},
		{data: "a\n1\n2.5", atEnd: true, want: "{a: float64}"},
		{data: "1,\"x\n\"\n", change: func(o *csv.Options) { o.Header = false }, want: "{c1: int64, c2: string}"},
		{data: "a\n9223372036854775808\n", want: "{a: float64}"},
		{data: "a,b\n", want: "no schema can be inferred: there is no whole record in the first 4 bytes"},
		{data: "a,b\n1\n", want: "no schema can be inferred: line 2 has 1 fields, the first 2"},
		{data: "a,a\n1,2\n", want: `no schema can be inferred: column "a" is there twice`},
	} {
		schema, err := format(t, c.change).Infer([]byte(c.data), c.atEnd)
		got := fmt.Sprint(schema)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.data, got, c.want)
		}
	}
}

// TestAgreesWithEncodingCSV compares the fields of random records with the standard library's.
func TestAgreesWithEncodingCSV(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	schema := formattest.Schema(t, "a", "string", "b", "string")
	f := format(t, func(o *csv.Options) { o.Header, o.Null = false, "never" })
	agreed := 0
	for range 30_000 {
		var data []byte
		for range r.IntN(16) {
			data = append(data, "a,\"\n\r;"[r.IntN(6)])
		}
		reader := stdcsv.NewReader(bytes.NewReader(data))
		reader.FieldsPerRecord = 2
		records, err := reader.ReadAll()
		if err != nil || bytes.ContainsAny(data, "\r") {
			continue // the standard library gives up, or turns CRLF inside quotes into LF
		}
		got := formattest.Decode(f, schema, data, formattest.Whole, 100)
		var want [][]any
		for _, record := range records {
			want = append(want, []any{record[0], record[1]})
			agreed++
		}
		if diff := cmp.Diff(want, got.Rows); diff != "" || len(got.Rejects) > 0 {
			t.Fatalf("%q: want (-), got (+)\n%s%+v", data, diff, got.Rejects)
		}
	}
	if agreed < 1000 {
		t.Errorf("only %d records were compared", agreed)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\n\"\"\"\r\n2,y"), uint64(1))
	f.Add([]byte("\xef\xbb\xbfb,a\n\"\n1,1"), uint64(1))
	schema := formattest.Schema(f, "a", "int64", "b", "string")
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		formattest.InPieces(t, format(t, nil), schema, data, rand.New(rand.NewPCG(seed, 1)))
		formattest.InPieces(t, format(t, func(o *csv.Options) { o.Header = false }), schema, data, rand.New(rand.NewPCG(seed, 1)))
		if schema, err := format(t, nil).Infer(data, true); err == nil {
			if got := formattest.Decode(format(t, nil), schema, data, formattest.Whole, 100); got.Err != nil {
				t.Fatalf("%q is inferred as %s and then %v", data, schema, got.Err)
			}
		}
	})
}

const benchRows = 1000

// BenchmarkDecode reads rows of ten columns and about 150 bytes.
func BenchmarkDecode(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	data := []byte("auction,bidder,price,channel,url,at,ratio,active,country,note\n")
	for i := range benchRows {
		data = fmt.Appendf(data, "%d,%d,%d.%02d,channel-%d,https://www.nexmark.example/item.htm?query=%d&page=1,2026-01-02T03:04:05.%03dZ,%v,%t,DE,the quick brown fox\n",
			1000+i, r.IntN(1e6), r.IntN(10000), r.IntN(100), r.IntN(1000), r.IntN(1e6), r.IntN(1000), float64(r.IntN(1e6))/1e5, r.IntN(2) == 0)
	}
	schema := formattest.Schema(b, "auction", "int64", "bidder", "int64", "price", "decimal(2)", "channel", "string", "url", "string",
		"at", "timestamp", "ratio", "float64", "active", "bool", "country", "string", "note", "string")
	f := format(b, nil)
	rows := &operator.Rows{Builder: (&batch.Pool{}).NewBuilder(schema), Max: 1 << 16, Bytes: 1 << 24}
	d, err := f.NewDecoder(schema)
	if err != nil {
		b.Fatal(err)
	}
	header := bytes.IndexByte(data, '\n') + 1
	if _, err := d.Decode(data[:header], false, rows); err != nil {
		b.Fatal(err)
	}
	data = data[header:]
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(data, false, rows); err != nil || rows.Rows() != benchRows {
			b.Fatal(err, rows.Rows())
		}
		rows.Finish().Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
	b.ReportMetric(float64(len(data))/benchRows, "bytes/row")
}
