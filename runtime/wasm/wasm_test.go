// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// compiler starts this test binary again to compile modules.
var compiler wasm.Compiler

func TestMain(m *testing.M) {
	compiler = wasm.MaybeCompileChild()
	os.Exit(m.Run())
}

// newEngine returns an engine whose compiled modules lie in the repository's cache, so that a run
// of tests compiles each module once.
func newEngine(t testing.TB, opts wasm.Options) *wasm.Engine {
	t.Helper()
	opts.Compiler = compiler
	opts.Budget.Time = 5 * time.Minute // a compiler with the race detector in it takes 20 times as long
	if opts.CacheDir == "" {
		opts.CacheDir = filepath.Join("..", "..", ".cache", "compiled")
	}
	e, err := wasm.NewEngine(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// guests builds the conformance module of each SDK.
var guests = map[string]func(t testing.TB) string{
	"c":  func(t testing.TB) string { return guesttest.Build(t, "c", filepath.Join(sdks, "c", "conformance")) },
	"go": func(t testing.TB) string { return guesttest.Build(t, "go", filepath.Join(sdks, "go", "conformance")) },
	"rust": func(t testing.TB) string {
		return guesttest.Build(t, "rust", filepath.Join(sdks, "rust", "conformance"))
	},
	"assemblyscript": func(t testing.TB) string {
		return guesttest.Build(t, "assemblyscript", filepath.Join(sdks, "assemblyscript", "conformance"))
	},
}

var sdks = filepath.Join("..", "..", "sdk")

func load(t testing.TB, e *wasm.Engine, path string) *wasm.Module {
	t.Helper()
	m, err := e.LoadFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// textLogger writes levels and messages.
func textLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// stage is what an operator runs in, in a test.
type stage struct {
	operator.Context
	emitted []string
	failed  []string
	rows    [][]*batch.Batch // by port, kept where keep is set
	keep    bool
	stop    error // what Fail returns
}

func newStage(t testing.TB) *stage {
	return &stage{Context: operator.Context{
		Node: "node", Parallelism: 1, Pool: &batch.Pool{}, Seed: 1, Counters: &operator.Counters{},
		Now: func() time.Time { return time.Unix(1000, 0) },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}}
}

func (s *stage) Emit(_ context.Context, port int, b *batch.Batch) error {
	for row := range b.Rows() {
		s.emitted = append(s.emitted, fmt.Sprintf("%d %s", port, rowText(b, row)))
	}
	if s.keep {
		for len(s.rows) <= port {
			s.rows = append(s.rows, nil)
		}
		s.rows[port] = append(s.rows[port], b)
		return nil
	}
	b.Release()
	return nil
}

func (s *stage) Fail(_ context.Context, b *batch.Batch, row int, reason error) error {
	s.failed = append(s.failed, fmt.Sprintf("%s: %v", rowText(b, row), reason))
	return s.stop
}

// rowText writes a row as a literal, with its event time and position where it has them.
func rowText(b *batch.Batch, row int) string {
	text := ""
	for i := range b.Columns {
		if i > 0 {
			text += " "
		}
		text += b.Schema.Fields[i].Name + "=" + valueText(&b.Columns[i], row)
	}
	if b.Times != nil {
		text += fmt.Sprintf(" @%d", b.Times[row])
	}
	if b.Positions != nil {
		text += fmt.Sprintf(" #%d", b.Positions[row].Offset())
	}
	return text
}

func valueText(c *batch.Column, row int) string {
	if c.Null(row) {
		return "null"
	}
	switch c.Type {
	case abi.Bool:
		return fmt.Sprint(c.Bool(row))
	case abi.Int32:
		return fmt.Sprint(c.Int32s()[row])
	case abi.Float64:
		return fmt.Sprint(c.Float64s()[row])
	case abi.String, abi.Bytes:
		return c.String(row)
	case abi.List:
		text := "["
		for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
			text += valueText(&c.Children[0], int(i)) + ","
		}
		return text + "]"
	case abi.Struct:
		text := "{"
		for i := range c.Children {
			text += valueText(&c.Children[i], row) + ","
		}
		return text + "}"
	}
	return fmt.Sprint(c.Int64s()[row])
}

// spec places the named operator behind a stream of exactly its input's columns.
func spec(t testing.TB, m *wasm.Module, s *stage, name string, config ...any) operator.ModuleSpec {
	t.Helper()
	number, op := m.Description().Operator(name)
	if op == nil {
		t.Fatalf("the module has no operator %q", name)
	}
	in := op.Inputs[0].Schema()
	out := operator.ModuleSpec{Number: number, Inputs: []operator.ModuleInput{{Schema: in}}, Config: rows(s.Pool, &abi.Schema{Fields: op.Config}, config)}
	for i := range in.Fields {
		out.Inputs[0].Columns = append(out.Inputs[0].Columns, i)
	}
	for i := range op.Outputs {
		out.Outputs = append(out.Outputs, outputSchema(in, &op.Outputs[i]))
	}
	return out
}

func outputSchema(in *abi.Schema, p *describe.Port) *abi.Schema {
	if p.Forward {
		schema, _ := operator.Forward(in, p.Fields)
		return schema
	}
	return p.Schema()
}

// rows builds a batch: a value a column, nil for null; each row has the position of its number,
// from 1.
func rows(p *batch.Pool, schema *abi.Schema, rows ...[]any) *batch.Batch {
	b := p.NewBuilder(schema)
	for n, row := range rows {
		for i, v := range row {
			appendValue(b.Column(i), v)
		}
		b.AppendPosition(batch.At(0, int64(n+1)))
		b.EndRow()
	}
	return b.Finish()
}

func appendValue(c *batch.ColumnBuilder, v any) {
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
	default:
		panic(fmt.Sprintf("a value of type %T", v))
	}
}

// openMap opens a map, which is closed with the test.
func openMap(t testing.TB, m *wasm.Module, s *stage, spec operator.ModuleSpec) operator.Operator {
	t.Helper()
	o, err := m.Operator(s.Context, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := o.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}
