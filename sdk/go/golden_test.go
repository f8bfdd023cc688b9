// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// The rows of the golden files in abi/testdata.
type (
	everything struct {
		B  wasmill.Null[bool]
		I  wasmill.Null[int32]
		L  wasmill.Null[int64]
		F  wasmill.Null[float64]
		D  wasmill.Null[wasmill.Decimal] `wasmill:",scale=2"`
		S  wasmill.Null[string]
		Y  wasmill.Null[[]byte]
		T  wasmill.Null[wasmill.Timestamp]
		Ls wasmill.Null[[]wasmill.Null[string]]
		St wasmill.Null[pair]
	}
	pair struct {
		A wasmill.Null[int64]
		B wasmill.Null[string]
	}
	number struct{ N wasmill.Null[int64] }
	event  struct {
		N  wasmill.Null[int64]
		At wasmill.EventTime
	}
	sample struct{ X wasmill.Null[float64] }
	config struct {
		On        bool
		Level     int32
		Limit     int64
		Rate      float64
		Price     wasmill.Decimal `wasmill:",scale=2"`
		Separator string
		Since     wasmill.Timestamp
		Airports  []string
		Absent    wasmill.Null[string]
	}
	place struct {
		Name wasmill.Null[string]
		At   wasmill.Null[int64]
	}
	entry struct {
		Name wasmill.Null[string]
		At   wasmill.Null[int64]
		N    wasmill.Null[int64]
	}
	balance struct{ Sum, Count wasmill.Null[int64] }
	due     struct {
		Time      wasmill.Timestamp
		Namespace []byte
		ID        int64
	}
	timerSet struct {
		Time      wasmill.Timestamp
		Namespace wasmill.Null[[]byte]
	}
	accumulator struct {
		Accumulator wasmill.Null[sum]
	}
	sum struct {
		Sum   wasmill.Null[float64]
		Count wasmill.Null[int64]
	}
)

// golden is what the JSON beside a golden batch says.
type golden struct {
	Schema   uint32
	Columns  json.RawMessage
	Rows     []any
	Time     []string
	Kind     []int
	Origin   []uint32
	Group    []uint32
	Failures []wire.Failure
}

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../abi/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	aligned := wire.Words(len(data))
	copy(aligned, data)
	return aligned
}

func TestGoldenBatches(t *testing.T) {
	goldenBatch[everything](t, "batch-everything", "batch-everything")
	goldenBatch[everything](t, "batch-everything-relaid", "batch-everything")
	goldenBatch[everything](t, "batch-empty", "batch-empty")
	goldenBatch[event](t, "batch-times-kinds-origin", "batch-times-kinds-origin")
	goldenBatch[number](t, "batch-failures", "batch-failures")
	goldenBatch[sample](t, "batch-group", "batch-group")
	goldenBatch[config](t, "batch-config", "batch-config")
	goldenBatch[accumulator](t, "batch-accumulators", "batch-accumulators")
	goldenBatch[place](t, "batch-state-request", "batch-state-request")
	goldenBatch[entry](t, "batch-state-rows", "batch-state-rows")
	goldenBatch[balance](t, "batch-state-answer", "batch-state-answer")
	goldenBatch[due](t, "batch-timers-due", "batch-timers-due")
	goldenBatch[timerSet](t, "batch-timers-set", "batch-timers-set")
}

// goldenBatch reads a golden file, compares it with its JSON, writes it again, and reads that as
// this package and as the host does.
func goldenBatch[T any](t *testing.T, bin, text string) {
	t.Run(bin, func(t *testing.T) {
		var want golden
		if err := json.Unmarshal(testdata(t, text+".json"), &want); err != nil {
			t.Fatal(err)
		}
		data := testdata(t, bin+".bin")
		b := wire.Read(data)
		codec, err := row.Of(reflect.TypeFor[T](), row.Output, nil)
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]T, b.Rows)
		codec.Lenient(&b, 0, b.Rows, unsafe.Pointer(unsafe.SliceData(rows)))
		compare(t, &b, rows, &want)

		m := write(codec, &b, rows)
		again := wire.Read(m.Bytes())
		rereader, err := row.Of(reflect.TypeFor[T](), row.Output, nil)
		if err != nil {
			t.Fatal(err)
		}
		reread := make([]T, b.Rows)
		rereader.Lenient(&again, 0, b.Rows, unsafe.Pointer(unsafe.SliceData(reread)))
		compare(t, &again, reread, &want)

		if got, want := hostsBytes(t, codec, m.Bytes()), testdata(t, text+".bin"); !bytes.Equal(got, want) {
			t.Errorf("the host reads our bytes as another batch than the golden one")
		}
	})
}

func write[T any](codec *row.Codec, b *wire.Batch, rows []T) *wire.Message {
	m := &wire.Message{}
	m.Begin(b.Schema, len(rows), codec.Columns(), b.Failures())
	codec.Write(m, unsafe.Pointer(unsafe.SliceData(rows)), len(rows), math.MaxInt)
	if b.Origins() != nil {
		m.SetOrigins(wire.AppendValues(m, b.Origins(), 4))
	}
	if b.Groups() != nil {
		m.SetGroups(b.Groups())
	}
	if b.Kinds() != nil {
		m.SetKinds(b.Kinds())
	}
	return m
}

// hostsBytes decodes a batch and encodes it as the host does.
func hostsBytes(t *testing.T, codec *row.Codec, data []byte) []byte {
	t.Helper()
	schema := &abi.Schema{Fields: hostFields(codec.Fields)}
	decoded, err := new(batch.Pool).Decode(data, func(uint32) *abi.Schema { return schema })
	if err != nil {
		t.Fatal(err)
	}
	decoded.Time = codec.Time
	out := wire.Words(decoded.Size())
	return out[:decoded.Encode(out)]
}

func hostFields(fields []wire.Field) []abi.Field {
	var out []abi.Field
	for _, f := range fields {
		out = append(out, abi.Field{Name: f.Name, Type: abi.Type(f.Type), Scale: f.Scale, Children: hostFields(f.Children)})
	}
	return out
}

func compare[T any](t *testing.T, b *wire.Batch, rows []T, want *golden) {
	t.Helper()
	var got []any
	for i := range rows {
		got = append(got, plain(reflect.ValueOf(rows[i])))
	}
	if len(want.Rows) == 0 {
		want.Rows = nil
	}
	for i, time := range want.Time {
		want.Rows[i].(map[string]any)["at"] = time
	}
	if diff := cmp.Diff(want.Rows, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if b.Schema != want.Schema {
		t.Errorf("schema is %d, want %d", b.Schema, want.Schema)
	}
	var kinds []int
	for _, kind := range b.Kinds() {
		kinds = append(kinds, int(kind))
	}
	if diff := cmp.Diff([]any{want.Kind, want.Origin, want.Group, want.Failures}, []any{kinds, b.Origins(), b.Groups(), b.Failures()}); diff != "" {
		t.Errorf("kind, origin, group, failures (-want +got):\n%s", diff)
	}
}

// plain returns a value as abi/testdata's JSON has it.
func plain(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Struct && strings.HasPrefix(v.Type().Name(), "Null["):
		if !v.Field(1).Bool() {
			return nil
		}
		return plain(v.Field(0))
	case v.Kind() == reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			fields[row.Snake(v.Type().Field(i).Name)] = plain(v.Field(i))
		}
		return fields
	case v.Type() == reflect.TypeFor[[]byte]():
		return hex.EncodeToString(v.Bytes())
	case v.Kind() == reflect.Slice:
		items := []any{}
		for i := range v.Len() {
			items = append(items, plain(v.Index(i)))
		}
		return items
	}
	switch v.Kind() {
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Int32:
		return float64(v.Int())
	case reflect.Float64:
		switch f := v.Float(); {
		case math.IsNaN(f):
			return "NaN"
		case math.IsInf(f, 1):
			return "Infinity"
		case math.IsInf(f, -1):
			return "-Infinity"
		case f == 0 && math.Signbit(f):
			return "-0"
		}
	}
	return v.Interface()
}

func emptyConfig() []byte {
	m := wire.Message{}
	m.Begin(wire.SchemaConfig, 1, 0, nil)
	return m.Bytes()
}

// batchOf makes a batch of rows.
func batchOf[T any](t *testing.T, rows ...T) []byte {
	t.Helper()
	return messageOf(t, rows...).Bytes()
}

func messageOf[T any](t *testing.T, rows ...T) *wire.Message {
	t.Helper()
	codec, err := row.Of(reflect.TypeFor[T](), row.Input, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &wire.Message{}
	m.Begin(0, len(rows), codec.Columns(), nil)
	codec.Write(m, unsafe.Pointer(unsafe.SliceData(rows)), len(rows), math.MaxInt)
	return m
}
