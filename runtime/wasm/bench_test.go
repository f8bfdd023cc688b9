// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// sink is an output that only counts.
type sink struct{ rows int }

func (s *sink) Emit(_ context.Context, _ int, b *batch.Batch) error {
	s.rows += b.Rows()
	b.Release()
	return nil
}

func (s *sink) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error { return reason }

// fourColumns returns rows of numbers with positions, for the operators of testdata/columns.
func fourColumns(s *stage, sp operator.ModuleSpec, n int) *batch.Batch {
	b := s.Pool.NewBuilder(sp.Inputs[0].Schema)
	for row := range n {
		for i := range sp.Inputs[0].Schema.Fields {
			b.Column(i).AppendInt64(int64(row * (i + 1)))
		}
		b.AppendPosition(batch.At(0, int64(row)))
		b.EndRow()
	}
	return b.Finish()
}

// BenchmarkMap reports what a batch costs from Process to Emit.
func BenchmarkMap(b *testing.B) {
	m := load(b, newEngine(b, wasm.Options{}), guesttest.Build(b, "c", filepath.Join("testdata", "columns")))
	for _, name := range []string{"touch", "rows", "columns", "odd"} {
		for _, n := range []int{1, 64, 1024, 8192} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				s := newStage(b)
				sp := spec(b, m, s, name)
				o := openMap(b, m, s, sp)
				in, out := fourColumns(s, sp, n), &sink{}
				b.ReportAllocs()
				for b.Loop() {
					if err := o.Process(b.Context(), 0, in, out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
			})
		}
	}
}

// BenchmarkLoad reports what loading a module costs, and a fresh instance of it.
func BenchmarkLoad(b *testing.B) {
	for _, lang := range []string{"c", "go"} {
		path := guests[lang](b)
		b.Run(lang+"/cold", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				dir := b.TempDir()
				b.StartTimer()
				loadOnce(b, wasm.Options{CacheDir: dir, Compiler: compiler}, path)
			}
		})
		b.Run(lang+"/cold in process", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				dir := b.TempDir()
				b.StartTimer()
				loadOnce(b, wasm.Options{CacheDir: dir}, path)
			}
		})
		b.Run(lang+"/warm", func(b *testing.B) {
			opts := wasm.Options{CacheDir: b.TempDir(), Compiler: compiler}
			loadOnce(b, opts, path)
			for b.Loop() {
				loadOnce(b, opts, path)
			}
		})
		b.Run(lang+"/instance", func(b *testing.B) {
			m := load(b, newEngine(b, wasm.Options{}), path)
			s := newStage(b)
			sp := spec(b, m, s, "route")
			for b.Loop() {
				o, err := m.Operator(s.Context, sp)
				if err != nil {
					b.Fatal(err)
				}
				if err := o.Open(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := o.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func loadOnce(b *testing.B, opts wasm.Options, path string) {
	e, err := wasm.NewEngine(opts)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := e.Load(b.Context(), path); err != nil {
		b.Fatal(err)
	}
	e.Close()
}
