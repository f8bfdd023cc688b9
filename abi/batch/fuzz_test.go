// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/relay"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// FuzzDecode takes a message and the type of a struct whose fields are the columns. What Decode
// takes can be read everywhere, and is the same after it has been encoded again.
func FuzzDecode(f *testing.F) {
	for name, columns := range map[string]string{
		"everything":         "struct<b: bool, i: int32, l: int64, f: float64, d: decimal(2), s: string, y: bytes, t: timestamp, ls: list<string>, st: struct<a: int64, b: string>>",
		"everything-relaid":  "struct<b: bool, i: int32, l: int64, f: float64, d: decimal(2), s: string, y: bytes, t: timestamp, ls: list<string>, st: struct<a: int64, b: string>>",
		"empty":              "struct<b: bool, i: int32, l: int64, f: float64, d: decimal(2), s: string, y: bytes, t: timestamp, ls: list<string>, st: struct<a: int64, b: string>>",
		"times-kinds-origin": "struct<n: int64>",
		"group":              "struct<x: float64>",
		"failures":           "struct<n: int64>",
		"accumulators":       "struct<a: struct<sum: float64, count: int64>>",
	} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", "batch-"+name+".bin"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, columns)
	}
	_, m := fullMessage(f, &batch.Pool{}, 1)
	for _, layout := range relay.Layouts() {
		f.Add(relay.Message(m, layout), "struct<a: list<list<bool>>>")
	}
	f.Fuzz(func(t *testing.T, data []byte, columns string) {
		columnsOf, err := abi.ParseType(columns)
		if err != nil || columnsOf.Type != abi.Struct || len(data) > 1<<14 || len(columns) > 1<<10 {
			return
		}
		schema := &abi.Schema{Fields: columnsOf.Children}
		p := &batch.Pool{}
		m, err := p.Decode(data, agreed(schema))
		if err != nil || m.Size() > 1<<20 {
			return
		}
		readEverything(p, m.Batch)
		m.Time = true
		first := encode(&m)
		again, err := p.Decode(first, agreed(schema))
		if err != nil {
			t.Fatalf("encoded again: %v", err)
		}
		if want := texts(schema, rows.Of(m.Batch)); !slices.Equal(want, texts(schema, rows.Of(again.Batch))) {
			t.Fatal("rows changed")
		}
		again.Time = true
		if !bytes.Equal(first, encode(&again)) {
			t.Fatal("bytes changed when encoded a third time")
		}
	})
}

// readEverything calls all accessors of all rows.
func readEverything(p *batch.Pool, b *batch.Batch) {
	var value []byte
	for row := range b.Rows() {
		for i := range b.Columns {
			value = batch.AppendValue(value[:0], &b.Columns[i], row)
		}
	}
	p.Take(b, count(b.Rows())).Release()
}

// FuzzAppendValue takes the encoding of a value and its type. What is no encoding is an error that
// leaves nothing behind.
func FuzzAppendValue(f *testing.F) {
	_, b := randomBatch(f, &batch.Pool{}, random(1), 5)
	for i := range b.Columns {
		f.Add(batch.AppendValue(nil, &b.Columns[i], 0), b.Schema.Fields[i].TypeString())
	}
	f.Fuzz(func(t *testing.T, data []byte, typ string) {
		field, err := abi.ParseType(typ)
		if err != nil || len(typ) > 1<<10 {
			return
		}
		builder := (&batch.Pool{}).NewBuilder(&abi.Schema{Fields: []abi.Field{field}})
		if _, err := builder.Column(0).AppendValue(data); err != nil {
			builder.DropRow()
			if out := builder.Finish(); out.Rows() != 0 || out.Columns[0].Rows != 0 {
				t.Fatalf("%d rows of a value that is refused", out.Columns[0].Rows)
			}
			return
		}
		builder.EndRow()
		first := builder.Finish()
		value := batch.AppendValue(nil, &first.Columns[0], 0)
		if rest, err := builder.Column(0).AppendValue(value); err != nil || len(rest) != 0 {
			t.Fatalf("encoded again, %d bytes are left: %v", len(rest), err)
		}
		builder.EndRow()
		second := builder.Finish()
		if !bytes.Equal(value, batch.AppendValue(nil, &second.Columns[0], 0)) {
			t.Fatal("the value changed")
		}
	})
}
