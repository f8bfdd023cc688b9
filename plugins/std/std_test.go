// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package std

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/csv"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/plugintest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func decode(t testing.TB, schema *abi.Schema, ndjson string) *batch.Batch {
	t.Helper()
	f, err := orJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.NewDecoder(schema)
	if err != nil {
		t.Fatal(err)
	}
	rows := &operator.Rows{Builder: (&batch.Pool{}).NewBuilder(schema), Max: 1000, Bytes: 1 << 20,
		Reject: func(_ []byte, _ batch.Position, reason error) error { return reason }}
	if _, err := d.Decode([]byte(ndjson), true, rows); err != nil {
		t.Fatal(err)
	}
	return rows.Finish()
}

func TestStdinIsReadToItsEnd(t *testing.T) {
	schema := formattest.Schema(t, "a", "int64")
	c := Stdin(strings.NewReader("{\"a\":1}\nx\n{\"a\":2}"))
	got := plugintest.ReadAll(t.Context(), plugintest.Source(t, c, plugintest.Config{}, operator.SourceSpec{Schema: schema}), plugintest.Options())
	want := plugintest.Result{
		Rows: [][]any{{int64(1)}, {int64(2)}}, Positions: []string{"stdin record 1", "stdin record 3"}, Batches: []int{2},
		Rejects: []string{`stdin record 2: bad JSON at byte 1: "x" where a value belongs`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStdinIsForOneSource(t *testing.T) {
	c := Stdin(strings.NewReader(""))
	spec := operator.SourceSpec{Schema: formattest.Schema(t, "a", "int64")}
	plugintest.ReadAll(t.Context(), plugintest.Source(t, c, plugintest.Config{}, spec), plugintest.Options())
	got := plugintest.ReadAll(t.Context(), plugintest.Source(t, c, plugintest.Config{}, spec), plugintest.Options())
	if got.Err == nil || !strings.Contains(got.Err.Error(), "for one source") {
		t.Errorf("a second source: %v", got.Err)
	}
	if _, err := c.Source(plugintest.Config{}, operator.SourceSpec{}); err == nil || !strings.Contains(err.Error(), "declare a schema") {
		t.Errorf("a source without a schema: %v", err)
	}
}

func TestWaitingForStdinEndsWithTheBatchAndWithTheContext(t *testing.T) {
	r, w := io.Pipe()
	spec := operator.SourceSpec{Schema: formattest.Schema(t, "a", "int64")}
	s := plugintest.Source(t, Stdin(r), plugintest.Config{}, spec)
	reader, err := s.Read(t.Context(), operator.Split{Name: "stdin"}, plugintest.Options())
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(w, "{\"a\":1}\n{\"a\"") }()
	b, err := reader.Next(t.Context())
	if err != nil || b.Rows() != 1 {
		t.Fatalf("%v, %v", b, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := reader.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read that is interrupted: %v", err)
	}
	go func() { _ = w.CloseWithError(syscall.EIO) }()
	if _, err := reader.Next(t.Context()); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "reading standard input") {
		t.Errorf("an error of reading: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPipeGetsNDJSON(t *testing.T) {
	schema := formattest.Schema(t, "a", "int64", "b", "string")
	b := decode(t, schema, "{\"a\":1,\"b\":\"x\"}\n{}\n")
	for _, c := range []struct {
		width  int
		format func() (operator.Format, error)
		want   string
	}{
		{0, nil, "{\"a\":1,\"b\":\"x\"}\n{\"a\":null,\"b\":null}\n"},
		{80, func() (operator.Format, error) { return csv.New(csv.Defaults()) }, "a,b\n1,x\n,\n"},
		{80, nil, "a  b\n1  x\n   \n"},
	} {
		var out bytes.Buffer
		spec := operator.SinkSpec{Schema: schema}
		if c.format != nil {
			f, err := c.format()
			if err != nil {
				t.Fatal(err)
			}
			spec.Format = f
		}
		w := plugintest.Open(t, Stdout(&out, c.width), plugintest.Config{}, spec)
		if err := errors.Join(w.Write(t.Context(), b), w.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("after Flush: %q, want %q", out.String(), c.want)
		}
		if err := w.Commit(t.Context()); err != nil || out.String() != c.want {
			t.Errorf("after Commit: %q, %v; want %q", out.String(), err, c.want)
		}
	}
}

func TestATableFitsTheTerminal(t *testing.T) {
	schema := formattest.Schema(t, "id", "int64", "price", "decimal(2)", "name", "string", "at", "timestamp", "tags", "list<string>")
	b := decode(t, schema, `{"id":1,"price":1.5,"name":"größer","at":"2001-01-01","tags":["a"]}`+"\n"+
		`{"id":-1234567,"price":-0.05,"name":"esc\u001b[2Jape\n\u202e`+strings.Repeat("x", 100)+`","tags":[]}`+"\n")
	for width, want := range map[int]string{
		200: `      id  price  name                                              at                    tags
       1   1.50  größer                                            2001-01-01T00:00:00Z  ["a"]
-1234567  -0.05  esc\u001b[2Jape\n\u202exxxxxxxxxxxxxxxxxxxxxxxx…                        []
`,
		40: `      id  price  name     at       tags
       1   1.50  größer   2001-0…  ["a"]
-1234567  -0.05  esc\u0…           []
`,
		20: `      id  price…
       1   1.50…
-1234567  -0.05…
`,
	} {
		table := newTable(schema, width)
		got, err := table.Append(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(got)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d: %q", width, n, line)
			}
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("width %d: want (-), got (+)\n%s", width, diff)
		}
	}
}

func TestATableOfNoRowsHasItsHeader(t *testing.T) {
	var out bytes.Buffer
	w := plugintest.Open(t, Stdout(&out, 80), plugintest.Config{}, operator.SinkSpec{Schema: formattest.Schema(t, "a", "int64")})
	if err := w.Commit(t.Context()); err != nil || out.String() != "a\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestStdoutIsForOneSinkAndAllItsSubtasks(t *testing.T) {
	var out bytes.Buffer
	c := Stdout(&out, 0)
	spec := operator.SinkSpec{Schema: formattest.Schema(t, "a", "int64")}
	first, err := c.Sink(plugintest.Config{}, spec)
	if err != nil {
		t.Fatal(err)
	}
	var writers []operator.Writer
	for subtask := range 2 {
		w, err := first.Open(t.Context(), subtask, 2)
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
		if err := w.Write(t.Context(), decode(t, spec.Schema, "{\"a\":1}")); err != nil {
			t.Fatal(err)
		}
	}
	second, err := c.Sink(plugintest.Config{}, spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Open(t.Context(), 0, 1); err == nil || !strings.Contains(err.Error(), "two sinks write to standard output") {
		t.Errorf("a second sink: %v", err)
	}
	for _, w := range writers {
		if err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "{\"a\":1}\n{\"a\":1}\n" {
		t.Errorf("%q", out.String())
	}
	if _, err := second.Open(t.Context(), 0, 1); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}

func TestErrorsOfWriting(t *testing.T) {
	r, closed := io.Pipe()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		full = nil // only Linux has it
	}
	for name, c := range map[string]struct {
		out  io.Writer
		want error
	}{"a pipe": {closed, ErrClosed}, "a pipe of the system": {write, ErrClosed}, "a full disk": {full, syscall.ENOSPC}} {
		if c.out == (*os.File)(nil) {
			continue
		}
		w := plugintest.Open(t, Stdout(c.out, 0), plugintest.Config{}, operator.SinkSpec{Schema: formattest.Schema(t, "a", "int64")})
		if err := w.Write(t.Context(), decode(t, formattest.Schema(t, "a", "int64"), "{}")); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
