// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// Where Encode puts things; wire.go draws it.
const (
	vtable  = 8
	table   = 32
	columns = 152 // the first Column
)

// The fields of a Column.
const (
	nRows = iota
	nNulls
	atValidity
	atOffsets
	atValues
	nSize
)

// A broken message is what Encode writes, changed in one place.
type broken struct {
	name  string
	types string
	rows  []rows.Row
	m     batch.Message
	patch func(d edit)
	want  string
}

// edit changes numbers of a message.
type edit []byte

func (d edit) put(at int, v uint32)               { binary.LittleEndian.PutUint32(d[at:], v) }
func (d edit) get(at int) uint32                  { return binary.LittleEndian.Uint32(d[at:]) }
func (d edit) column(i, field int) int            { return columns + 24*i + 4*field }
func (d edit) set(i, field int, v uint32)         { d.put(d.column(i, field), v) }
func (d edit) buffer(i, field int) edit           { return d[d.get(d.column(i, field)):] }
func (d edit) own(field int) int                  { return table + []int{4, 8, 12, 16, 20, 44, 68, 92}[field] }
func (d edit) failure(i, field, columns int) int  { return 152 + 24*columns + 4 + 12*i + 4*field }
func patchColumn(i, f int, v uint32) func(d edit) { return func(d edit) { d.set(i, f, v) } }

func TestDecodeRefusesWhatBreaksTheContract(t *testing.T) {
	one := []rows.Row{{int64(1)}}
	two := []rows.Row{{"ab"}, {"cd"}}
	null := []rows.Row{{int64(1)}, {nil}}
	list := []rows.Row{{rows.Row{int64(1), int64(2)}}, {rows.Row{int64(3)}}}
	times := batch.Message{Time: true, Batch: &batch.Batch{Times: []abi.EventTime{7}}}
	kinds := batch.Message{Batch: &batch.Batch{Kinds: []batch.RowKind{1}}}
	failed := batch.Message{Failures: []batch.Failure{{Row: 5, Message: "no"}, {Row: 6, Message: "never"}}}
	for _, test := range []broken{
		// The envelope.
		{name: "identifier", types: "int64", rows: one, patch: func(d edit) { d[4] = 'X' },
			want: `it begins with the identifier "XMB1", not "WMB1"`},
		{name: "table outside", types: "int64", rows: one, patch: func(d edit) { d.put(0, 1<<31) },
			want: "a table at byte 2147483648 lies outside of 192 bytes or is not aligned"},
		{name: "vtable outside", types: "int64", rows: one, patch: func(d edit) { d.put(table, 1000) },
			want: "the table at byte 32 has its vtable at -968, outside of 192 bytes or not aligned"},
		{name: "vtable too long", types: "int64", rows: one, patch: func(d edit) { d[vtable] = 0xfe },
			want: "the vtable at byte 8 names sizes 254 and 116, which do not fit into 192 bytes"},
		{name: "field outside of its table", types: "int64", rows: one, patch: func(d edit) { d[vtable+4] = 0xfc },
			want: "field 0 of the table at byte 32 lies at offset 252, outside of its 116 bytes or not aligned"},
		{name: "rows", types: "int64", rows: one, patch: func(d edit) { d.put(d.own(1), 65537) },
			want: "it has 65537 rows; 65536 are allowed"},
		{name: "columns without end", types: "int64", rows: one, patch: func(d edit) { d.put(columns-4, 1<<32-1) },
			want: "a vector of 4294967295 entries at byte 148 ends at 103079215232, after the last of 192 bytes"},
		{name: "a column too few", types: "int64", rows: one, patch: func(d edit) { d.put(columns-4, 0) },
			want: `column "c0 int64": it is missing`},
		{name: "a column too many", types: "int64", rows: one, m: failed, patch: func(d edit) { d.put(columns-4, 2) },
			want: "it has 1 columns more than its schema {c0 int64: int64}"},

		// A column.
		{name: "rows of a column", types: "int64", rows: one, patch: patchColumn(0, nRows, 2),
			want: `column "c0 int64": it has 2 rows instead of 1`},
		{name: "more nulls than rows", types: "int64", rows: one, patch: patchColumn(0, nNulls, 2),
			want: `column "c0 int64": it claims 2 nulls in 1 rows`},
		{name: "nulls without validity", types: "int64", rows: one, patch: patchColumn(0, nNulls, 1),
			want: `column "c0 int64": it claims 1 nulls and has no validity bitmap`},
		{name: "validity of other nulls", types: "int64", rows: null, patch: func(d edit) { d.buffer(0, atValidity)[0] = 0xff },
			want: `column "c0 int64": it claims 1 nulls, its validity bitmap has 0`},
		{name: "validity of 65 rows", types: "bool", rows: repeat(rows.Row{nil}, 65),
			patch: func(d edit) { d.buffer(0, atValidity)[7] = 0x80 },
			want:  `column "c0 bool": it claims 65 nulls, its validity bitmap has 64`},
		{name: "validity outside", types: "int64", rows: null, patch: patchColumn(0, atValidity, 8000),
			want: `column "c0 int64": its validity bits end at byte 8001, after the last of 208`},
		{name: "validity not aligned", types: "int64", rows: null, patch: patchColumn(0, atValidity, 180),
			want: `column "c0 int64": its validity bits lie at byte 180, which is not a multiple of 8`},
		{name: "values absent", types: "int64", rows: one, patch: patchColumn(0, atValues, 0),
			want: `column "c0 int64": its 8 bytes of values are absent`},
		{name: "values outside", types: "int64", rows: one, patch: patchColumn(0, atValues, 192),
			want: `column "c0 int64": its values end at byte 200, after the last of 192`},
		{name: "values at the end of the address space", types: "int64", rows: one, patch: patchColumn(0, atValues, 0xfffffff8),
			want: `column "c0 int64": its values end at byte 4294967296, after the last of 192`},
		{name: "values not aligned", types: "int64", rows: one, patch: patchColumn(0, atValues, 4),
			want: `column "c0 int64": its values lie at byte 4, which is not a multiple of 8`},
		{name: "size of values", types: "int64", rows: one, patch: patchColumn(0, nSize, 4),
			want: `column "c0 int64": 1 rows of type int64 have 8 bytes, not 4`},
		{name: "offsets of a number", types: "int32", rows: []rows.Row{{int32(1)}}, patch: patchColumn(0, atOffsets, 8),
			want: `column "c0 int32": a column of type int32 has no offsets`},
		{name: "size of bits", types: "bool", rows: repeat(rows.Row{true}, 9), patch: patchColumn(0, nSize, 9),
			want: `column "c0 bool": 9 rows of type bool have 2 bytes, not 9`},
		{name: "19 digits", types: "decimal(2)", rows: []rows.Row{{int64(5)}, {int64(abi.DecimalAbsLimit)}},
			want: `column "c0 decimal(2)": row 1 has the unscaled value 1000000000000000000, more than 18 digits`},

		// Strings and bytes.
		{name: "offsets absent", types: "bytes", rows: two, patch: patchColumn(0, atOffsets, 0),
			want: `column "c0 bytes": its 12 bytes of offsets are absent`},
		{name: "offsets begin late", types: "bytes", rows: two, patch: func(d edit) { d.buffer(0, atOffsets).put(0, 1) },
			want: `column "c0 bytes": its offsets begin with 1, not 0`},
		{name: "offsets go back", types: "bytes", rows: two, patch: func(d edit) { d.buffer(0, atOffsets).put(4, 5) },
			want: `column "c0 bytes": its offsets go back from 5 to 4 at row 1`},
		{name: "offsets are negative", types: "bytes", rows: two, patch: func(d edit) { d.buffer(0, atOffsets).put(4, 1<<31) },
			want: `column "c0 bytes": its offsets go back from 0 to -2147483648 at row 0`},
		{name: "offsets end elsewhere", types: "bytes", rows: two, patch: func(d edit) { d.buffer(0, atOffsets).put(8, 3) },
			want: `column "c0 bytes": its offsets end at 3, its values at 4`},
		{name: "not UTF-8", types: "string", rows: []rows.Row{{"good"}, {"b\xffd"}},
			want: `column "c0 string": row 1 is not UTF-8: "b\xffd"`},
		{name: "not UTF-8 under a null", types: "string", rows: []rows.Row{{"longer than eight bytes"}, {nil}, {"12"}},
			patch: func(d edit) {
				d.buffer(0, atOffsets).put(8, 24)
				d.buffer(0, atValues)[23] = 0xc3
			},
			want: `column "c0 string": row 1 is not UTF-8: "\xc3"`},
		{name: "a character in two rows", types: "string", rows: []rows.Row{{"zürich"}, {""}},
			patch: func(d edit) { d.buffer(0, atOffsets).put(4, 2) },
			want:  `column "c0 string": row 0 is not UTF-8: "z\xc3"`},

		// Lists and structs.
		{name: "items", types: "list<int64>", rows: list, patch: patchColumn(1, nRows, 4),
			want: `column "c0 list<int64>": items: it has 4 rows instead of 3`},
		{name: "offsets beyond the items", types: "list<int64>", rows: list, patch: func(d edit) { d.buffer(0, atOffsets).put(8, 1<<31-1) },
			want: `column "c0 list<int64>": items: it has 3 rows instead of 2147483647`},
		{name: "values of a list", types: "list<int64>", rows: list, patch: patchColumn(0, nSize, 8),
			want: `column "c0 list<int64>": a list has no values of its own`},
		{name: "items missing", types: "list<int64>", rows: list, patch: func(d edit) { d.put(columns-4, 1) },
			want: `column "c0 list<int64>": items: it is missing`},
		{name: "values of a struct", types: "struct<a: int64>", rows: []rows.Row{{rows.Row{int64(1)}}}, patch: patchColumn(0, atValues, 8),
			want: `column "c0 struct<a: int64>": a struct has neither values nor offsets of its own`},
		{name: "rows of a struct's field", types: "struct<a: int64>", rows: []rows.Row{{rows.Row{int64(1)}}}, patch: patchColumn(1, nRows, 0),
			want: `column "c0 struct<a: int64>": field "a": it has 0 rows instead of 1`},

		// What the envelope says of each row.
		{name: "times of other rows", types: "int64", rows: one, m: times, patch: func(d edit) { d.put(d.own(4), 2) },
			want: "its times are of 2 rows in 8 bytes; the batch has 1 of 8"},
		{name: "times of other bytes", types: "int64", rows: one, m: times, patch: func(d edit) { d.put(d.own(4)+20, 4) },
			want: "its times are of 1 rows in 4 bytes; the batch has 1 of 8"},
		{name: "null times", types: "int64", rows: one, m: times, patch: func(d edit) { d.put(d.own(4)+4, 1) },
			want: "its times can have neither nulls nor offsets"},
		{name: "times outside", types: "int64", rows: one, m: times, patch: func(d edit) { d.put(d.own(4)+16, 800) },
			want: "its times end at byte 808, after the last of 200"},
		{name: "kind", types: "int64", rows: one, m: kinds, patch: func(d edit) { d[d.get(d.own(5)+16)] = 4 },
			want: "row 0 has kind 4; there are 0 to 3"},
		{name: "origins of other rows", types: "int64", rows: one, m: batch.Message{Origin: []uint32{0}}, patch: func(d edit) { d.put(d.own(6), 2) },
			want: "its origins are of 2 rows in 4 bytes; the batch has 1 of 4"},
		{name: "groups not aligned", types: "int64", rows: one, m: batch.Message{Group: []uint32{0}}, patch: func(d edit) { d.put(d.own(7)+16, 12) },
			want: "its groups lie at byte 12, which is not a multiple of 8"},
		{name: "message outside", types: "int64", rows: one, m: failed, patch: func(d edit) { d.put(d.failure(0, 1, 1), 1<<32-1) },
			want: "the message of failed row 5: it ends at byte 4294967297, after the last of 232"},
		{name: "messages that overlap", types: "int64", rows: one, m: failed,
			patch: func(d edit) {
				d.put(d.failure(0, 1, 1), 0)
				d.put(d.failure(0, 2, 1), 232)
			},
			want: "the message of failed row 6: it overlaps with others, which have together more than the batch's 232 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t) })
	}
}

func repeat(r rows.Row, n int) []rows.Row {
	var out []rows.Row
	for range n {
		out = append(out, r)
	}
	return out
}

func (test *broken) run(t *testing.T) {
	p := &batch.Pool{}
	schema := schemaOf(t, test.types)
	m := test.m
	b := rows.Build(p, schema, test.rows)
	if m.Batch != nil {
		b.Times, b.Kinds = m.Batch.Times, m.Batch.Kinds
	}
	m.Batch = b
	data := encode(&m)
	if test.patch != nil {
		test.patch(data)
	}
	_, err := p.Decode(data, agreed(schema))
	if err == nil {
		t.Fatalf("it was taken; want %q", test.want)
	}
	if got := strings.TrimPrefix(err.Error(), "batch: "); got != test.want {
		t.Errorf("\n got %s\nwant %s", got, test.want)
	}
}

func TestDecodeRefusesASchemaThatWasNeverAgreed(t *testing.T) {
	p := &batch.Pool{}
	m := batch.Message{Number: 9, Batch: p.NewBuilder(&abi.Schema{}).Finish()}
	_, err := p.Decode(encode(&m), func(uint32) *abi.Schema { return nil })
	if want := "batch: it names schema 9, which was never agreed"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestDecodeRefusesBytesThatAreNoMessage(t *testing.T) {
	p := &batch.Pool{}
	for data, want := range map[string]string{
		"":                     "batch: it has 0 bytes, fewer than a FlatBuffer's header",
		"\x00asm":              "batch: it has 4 bytes, fewer than a FlatBuffer's header",
		"\x08\x00\x00\x00WMB1": "batch: a table at byte 8 lies outside of 8 bytes or is not aligned",
	} {
		if _, err := p.Decode([]byte(data), agreed(&abi.Schema{})); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", data, err, want)
		}
	}
	if _, err := p.Decode(make([]byte, abi.MaxBatchBytes+1), agreed(&abi.Schema{})); err == nil ||
		err.Error() != "batch: it has 67108865 bytes; 67108864 are allowed" {
		t.Error(err)
	}
}

// A message whose columns all name the same bytes would be a thousand times as large when it is
// encoded again.
func TestDecodeRefusesColumnsThatShareMoreThanABatchMayHave(t *testing.T) {
	p := &batch.Pool{}
	schema := schemaOf(t, strings.Split(strings.Repeat("bytes ", 999)+"bytes", " ")...)
	row := make(rows.Row, 1000)
	row[0] = strings.Repeat("x", 100_000)
	data := edit(encode(&batch.Message{Batch: rows.Build(p, schema, []rows.Row{row})}))
	for i := range 1000 {
		copy(data[data.column(i, 0):], data[data.column(0, 0):data.column(1, 0)])
	}
	_, err := p.Decode(data, agreed(schema))
	want := "with its values the buffers, shared bytes counted each time, have 67205376 bytes; 67108864 are allowed"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestDecodeTakesWhatTheContractLeavesOpen(t *testing.T) {
	p := &batch.Pool{}
	strings2 := []rows.Row{{"ab"}, {nil}}
	for _, test := range []broken{
		{name: "validity without a null", types: "int64", rows: []rows.Row{{int64(1)}, {int64(2)}}, patch: func(d edit) {
			d.set(0, atValidity, d.get(d.column(0, atValues)))
			d.buffer(0, atValues)[0] = 3 // two valid rows, and the number 3
		}},
		{name: "19 digits under a null", types: "decimal(2)", rows: []rows.Row{{nil}}, patch: func(d edit) { d.buffer(0, atValues)[7] = 0x7f }},
		{name: "bytes under a null", types: "string", rows: strings2, patch: func(d edit) { d.buffer(0, atOffsets).put(4, 1) }},
		{name: "no offsets of no rows", types: "string", patch: patchColumn(0, atOffsets, 0)},
		{name: "no offsets of a list of no rows", types: "list<string>", patch: func(d edit) {
			d.set(0, atOffsets, 0)
			d.set(1, atOffsets, 0)
		}},
		{name: "a vtable that ends early", types: "int64", rows: []rows.Row{{int64(1)}}, patch: func(d edit) { d[vtable] = 4 + 2*3 }},
	} {
		schema := schemaOf(t, test.types)
		data := encode(&batch.Message{Batch: rows.Build(p, schema, test.rows)})
		test.patch(data)
		out, err := p.Decode(data, agreed(schema))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if _, err := p.Decode(encode(&out), agreed(schema)); err != nil {
			t.Errorf("%s, encoded again: %v", test.name, err)
		}
	}
}

func TestDecodeCutsLongMessagesOfFailuresAndRepairsThem(t *testing.T) {
	p := &batch.Pool{}
	m := batch.Message{Batch: p.NewBuilder(&abi.Schema{}).Finish(), Failures: []batch.Failure{
		{Row: 1, Message: strings.Repeat("x", 5000)}, {Row: 2, Message: "a\xff\xfeb"}}}
	out, err := p.Decode(encode(&m), agreed(&abi.Schema{}))
	if err != nil {
		t.Fatal(err)
	}
	if out.Failures[0].Message != strings.Repeat("x", abi.MaxFailMessage) || out.Failures[1].Message != "a\uFFFDb" {
		t.Errorf("%d bytes and %q", len(out.Failures[0].Message), out.Failures[1].Message)
	}
}

func TestDecodeReadsEqualMessagesOfManyFailuresOnce(t *testing.T) {
	p := &batch.Pool{}
	m := batch.Message{Batch: p.NewBuilder(&abi.Schema{}).Finish()}
	for i := range 1000 {
		m.Failures = append(m.Failures, batch.Failure{Row: i, Message: "x is negative: it is -3"})
	}
	data := edit(encode(&m))
	for i := range 1000 {
		data.put(data.failure(i, 1, 0), data.get(data.failure(0, 1, 0)))
	}
	out, err := p.Decode(data[:data.failure(1000, 7, 0)], agreed(&abi.Schema{}))
	if err != nil || len(out.Failures) != 1000 || out.Failures[999] != m.Failures[999] {
		t.Errorf("%d failures, %v", len(out.Failures), err)
	}
}
