// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

func TestDescriptionOfTheBenchmarksModuleIsTheContractsGoldenOne(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("..", "..", "abi", "testdata", "describe-state.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if own, err := os.ReadFile(filepath.Join("testdata", "process", "description.bin")); err != nil || !bytes.Equal(own, golden) {
		t.Errorf("testdata/process/description.bin is not abi/testdata/describe-state.bin (%v): copy that", err)
	}
}

// overStore gives a stage a store in memory of all key groups.
func overStore(s *stage) *stage {
	s.State, s.Groups, s.Watermark = memory.New(state.Groups{To: state.DefaultGroups}), state.DefaultGroups, watermark.Min
	return s
}

// keyedSpec is spec for a process: its inputs have the key that it declares.
func keyedSpec(t testing.TB, m *wasm.Module, s *stage, name string, config ...any) operator.ModuleSpec {
	t.Helper()
	sp := spec(t, m, s, name, config...)
	op := &m.Description().Operators[sp.Number]
	sp.Inputs = nil
	for i := range op.Inputs {
		in := operator.ModuleInput{Schema: op.Inputs[i].Schema()}
		for col := range in.Schema.Fields {
			in.Columns = append(in.Columns, col)
		}
		for k := 0; k < len(op.Key) && !op.Inputs[i].Broadcast; k++ {
			in.Key = append(in.Key, in.Schema.Index(op.Key[k].Name))
		}
		sp.Inputs = append(sp.Inputs, in)
	}
	return sp
}

// ledgerRows returns batches of rows for ledger, with keys of 16 bytes of which each batch has at most as many as rows.
func ledgerRows(s *stage, sp operator.ModuleSpec, keys, batches, n int) []*batch.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	var out []*batch.Batch
	for range batches {
		b := s.Pool.NewBuilder(sp.Inputs[0].Schema)
		for range n {
			b.Column(0).AppendString(fmt.Sprintf("account-%08d", r.IntN(keys)))
			b.Column(1).AppendInt64(1)
			b.EndRow()
		}
		out = append(out, b.Finish())
	}
	return out
}

// BenchmarkLedger reports what a read, change and write of keyed state costs a row, through a guest.
func BenchmarkLedger(b *testing.B) {
	for lang, module := range map[string]string{
		"c": guesttest.Build(b, "c", filepath.Join("testdata", "process")), "go": guests["go"](b), "rust": guests["rust"](b),
	} {
		m := load(b, newEngine(b, wasm.Options{}), module)
		for _, keys := range []int{10, 10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/keys=%d", lang, keys), func(b *testing.B) {
				s := overStore(newStage(b))
				sp := keyedSpec(b, m, s, "ledger_bulk")
				o := openMap(b, m, s, sp)
				const n = 1024
				in, out := ledgerRows(s, sp, keys, max(64, 2*keys/n), n), &sink{}
				for _, rows := range in {
					if err := o.Process(b.Context(), 0, rows, out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if err := o.Process(b.Context(), 0, in[i%len(in)], out); err != nil {
						b.Fatal(err)
					}
					i++
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
			})
		}
	}
}

// BenchmarkTimers reports what it costs to set a timer for a row and to fire it, each of a key of its own.
func BenchmarkTimers(b *testing.B) {
	for lang, module := range guests {
		b.Run(lang, func(b *testing.B) { benchmarkTimers(b, load(b, newEngine(b, wasm.Options{}), module(b))) })
	}
}

func benchmarkTimers(b *testing.B, m *wasm.Module) {
	s := overStore(newStage(b))
	sp := keyedSpec(b, m, s, "alarm")
	o := openMap(b, m, s, sp)
	const n = 1024
	out, now := &sink{}, int64(0)
	in := s.Pool.NewBuilder(sp.Inputs[0].Schema)
	var spans []time.Duration
	for b.Loop() {
		start := time.Now()
		for row := range n {
			in.Column(0).AppendInt64(int64(row))
			in.Column(1).AppendString("event")
			in.Column(2).AppendInt64(now + int64(row*7919%n))
			in.Column(3).AppendNull()
			in.EndRow()
		}
		rows := in.Finish()
		if err := o.Process(b.Context(), 0, rows, out); err != nil {
			b.Fatal(err)
		}
		rows.Release()
		now += n
		if err := o.Watermark(b.Context(), abi.EventTime(now), out); err != nil {
			b.Fatal(err)
		}
		spans = append(spans, time.Since(start))
	}
	if out.rows != b.N*n {
		b.Fatalf("%d timers of %d fired", out.rows, b.N*n)
	}
	slices.Sort(spans) // the median is what other work on the machine disturbs the least
	b.ReportMetric(float64(spans[len(spans)/2].Nanoseconds())/n, "ns/timer")
}
