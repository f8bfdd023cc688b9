// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package raw_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/format/raw"
)

func TestConformance(t *testing.T) {
	formattest.Run(t, formattest.Suite{
		Format:  raw.New(),
		Schemas: []*abi.Schema{formattest.Schema(t, "value", "string"), formattest.Schema(t, "any name", "bytes")},
		NoNulls: true,
		Text: func(r *rand.Rand) string {
			return []string{"", "a line", "größer \x00 \r and more", "\ufeff"}[r.IntN(4)]
		},
	})
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		data string
		typ  string
		want formattest.Result
	}{
		{"a\r\n\nb", "string", formattest.Result{Rows: [][]any{{"a"}, {""}, {"b"}}, Offsets: []int64{1, 2, 3}}},
		{"a\n\xff\nb\n", "string", formattest.Result{Rows: [][]any{{"a"}, {"b"}}, Offsets: []int64{1, 3},
			Rejects: []formattest.Reject{{Record: "\xff", Offset: 2, Reason: "the line is no UTF-8, which strings are in; bytes can hold it"}}}},
		{"\xff\n", "bytes", formattest.Result{Rows: [][]any{{"\xff"}}, Offsets: []int64{1}}},
	} {
		schema := formattest.Schema(t, "v", c.typ)
		if diff := cmp.Diff(c.want, formattest.Decode(raw.New(), schema, []byte(c.data), formattest.Whole, 10)); diff != "" {
			t.Errorf("%q as %s: want (-), got (+)\n%s", c.data, c.typ, diff)
		}
		formattest.InPieces(t, raw.New(), schema, []byte(c.data), rand.New(rand.NewPCG(1, 2)))
	}
}

func TestAnOpaqueStreamHasNullKeys(t *testing.T) {
	got := formattest.Decode(raw.New(), abi.Opaque(), []byte("a\n"), formattest.Whole, 10)
	if diff := cmp.Diff([][]any{{nil, "a"}}, got.Rows); diff != "" {
		t.Error(diff)
	}
}

func TestOtherSchemasAreRefused(t *testing.T) {
	for _, schema := range []*abi.Schema{formattest.Schema(t, "a", "int64"), formattest.Schema(t, "a", "string", "b", "string"), {}} {
		if _, err := raw.New().NewDecoder(schema); err == nil {
			t.Errorf("%s can be read", schema)
		}
		if _, err := raw.New().NewEncoder(schema); err == nil {
			t.Errorf("%s can be written", schema)
		}
	}
}

func TestInfer(t *testing.T) {
	for sample, want := range map[string]string{
		"": "{value: string}", "ä\n": "{value: string}", "aaaa\xc3": "{value: string}", "aa\xf0\x9f\x98": "{value: string}",
		"\xff": "{value: bytes}", "a\xffaaaa": "{value: bytes}", "aaaa\xff": "{value: bytes}",
	} {
		schema, err := raw.New().Infer([]byte(sample), false)
		if err != nil || schema.String() != want {
			t.Errorf("%q: %v, %v; want %s", sample, schema, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("a\r\n\xff\n\nb"), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		formattest.InPieces(t, raw.New(), formattest.Schema(t, "v", "string"), data, rand.New(rand.NewPCG(seed, 1)))
	})
}
