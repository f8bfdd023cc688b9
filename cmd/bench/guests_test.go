// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
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
	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// compiler starts this test binary again to compile modules.
var compiler wasm.Compiler

func TestMain(m *testing.M) {
	compiler = wasm.MaybeCompileChild()
	os.Exit(m.Run())
}

// native is the name of the contender that is no guest.
const native = "native"

// contenders are those who do the same work.
func contenders() []string {
	names := []string{native}
	for _, lang := range build.Languages() {
		names = append(names, string(lang))
	}
	return names
}

// guest returns the module bench of a language.
func guest(t testing.TB, lang string) *wasm.Module {
	t.Helper()
	path := guesttest.Build(t, build.Language(lang), filepath.Join("..", "..", "sdk", lang, "bench"))
	e, err := wasm.NewEngine(wasm.Options{CacheDir: filepath.Join("..", "..", ".cache", "compiled"), Compiler: compiler,
		Budget: wasm.Budget{Time: 5 * time.Minute}}) // a compiler with the race detector in it takes 20 times as long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	m, err := e.LoadFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// surroundings is what an operator of a benchmark is made with.
func surroundings(t testing.TB) operator.Context {
	return operator.Context{
		Node: "bench", Parallelism: 1, Pool: &batch.Pool{}, Seed: 1, Counters: &operator.Counters{},
		Now: func() time.Time { return time.Unix(1000, 0) },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// wanted is the configuration of filter: what it keeps.
const wanted = "Amsterdam"

// spec puts an operator of a module behind a stream, as the scheduler would.
func spec(t testing.TB, m *wasm.Module, pool *batch.Pool, name string, in *abi.Schema) operator.ModuleSpec {
	t.Helper()
	for number := range m.Description().Operators {
		op := &m.Description().Operators[number]
		if op.Name != name {
			continue
		}
		s := operator.ModuleSpec{Number: number, Inputs: []operator.ModuleInput{{Schema: in}}, Config: configOf(pool, op)}
		for _, f := range op.Inputs[0].Fields {
			s.Inputs[0].Columns = append(s.Inputs[0].Columns, in.Index(f.Name))
		}
		for _, f := range op.Key {
			s.Inputs[0].Key = append(s.Inputs[0].Key, in.Index(f.Name))
		}
		for i := range op.Outputs {
			out := op.Outputs[i].Schema()
			if op.Outputs[i].Forward {
				out, _ = operator.Forward(in, op.Outputs[i].Fields)
			}
			s.Outputs = append(s.Outputs, out)
		}
		return s
	}
	t.Fatalf("the module has no operator %q", name)
	return operator.ModuleSpec{}
}

// configOf returns the configuration of an operator, whose fields are all strings.
func configOf(pool *batch.Pool, op *describe.Operator) *batch.Batch {
	b := pool.NewBuilder(&abi.Schema{Fields: op.Config})
	for i := range op.Config {
		b.Column(i).AppendString(wanted)
	}
	b.EndRow()
	return b.Finish()
}

// openMap returns an open operator of a contender; the test closes it.
func openMap(t testing.TB, c operator.Context, contender, name string, in *abi.Schema) operator.Operator {
	t.Helper()
	op, err := makeMap(t, c, contender, name, in)
	if err == nil {
		err = op.Open(t.Context())
	}
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", contender, err))
	}
	t.Cleanup(func() {
		if err := op.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return op
}

func makeMap(t testing.TB, c operator.Context, contender, name string, in *abi.Schema) (operator.Operator, error) {
	t.Helper()
	if contender == native {
		return newNative(c.Pool, name, in), nil
	}
	m := guest(t, contender)
	return m.Operator(c, spec(t, m, c.Pool, name, in))
}
