// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

var compiler wasm.Compiler

func TestMain(m *testing.M) {
	compiler = wasm.MaybeCompileChild()
	os.Exit(m.Run())
}

// limits leave an attack room to do harm, and end it soon.
var limits = wasm.Limits{MemoryBytes: 64 << 20, CallFuel: 100_000_000, CallTime: 5 * time.Second, BadRows: 4, Emits: 10_000, EmitBytes: 16 << 20}

// What an attack may cost the host. The walls are wide: they tell a bounded cost from an unbounded
// one on any machine.
const (
	mostTime   = 20 * time.Second
	mostMemory = 160 << 20 // bytes of resident memory: the guest's, and as much again for the host
)

// batches is how often an operator gets its three rows: what one call leaves behind must not harm
// the next.
const batches = 3

// outcome is what became of an attack.
type outcome struct {
	load, open, process, close error
	failed                     []string // rows
	emitted                    int
	fuel                       int64
	logged                     strings.Builder
}

// String returns all that a person gets to see.
func (o *outcome) String() string {
	text := strings.Join(o.failed, "\n")
	for _, err := range []error{o.load, o.open, o.process, o.close} {
		if err != nil {
			text += "\n" + err.Error()
		}
	}
	return text
}

// stage is where the operator under attack runs.
type stage struct {
	*outcome
	pool batch.Pool
}

func (s *stage) Emit(_ context.Context, _ int, b *batch.Batch) error {
	s.emitted += b.Rows()
	b.Release()
	return nil
}

func (s *stage) Fail(_ context.Context, _ *batch.Batch, row int, reason error) error {
	s.failed = append(s.failed, fmt.Sprintf("row %d: %v", row, reason))
	return nil
}

// run loads a module and runs an operator of it over three rows, or as far as it gets.
func run(t testing.TB, bin []byte, name string) *outcome {
	t.Helper()
	return runWith(t, bin, name, limits)
}

func runWith(t testing.TB, bin []byte, name string, limits wasm.Limits) *outcome {
	t.Helper()
	if testing.Short() {
		t.Skip("an attack takes time and memory")
	}
	e, err := wasm.NewEngine(wasm.Options{Compiler: compiler, Limits: limits, CacheDir: filepath.Join("..", "..", "..", ".cache", "compiled")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return runOn(t, e, bin, name)
}

func runOn(t testing.TB, e *wasm.Engine, bin []byte, name string) *outcome {
	t.Helper()
	o := &outcome{}
	m, err := e.LoadBytes(t.Context(), bin)
	if o.load = err; err != nil {
		return o
	}
	s := &stage{outcome: o}
	number, op := m.Description().Operator(name)
	in := op.Inputs[0].Schema()
	c := operator.Context{
		Node: "node", Parallelism: 1, Pool: &s.pool, Seed: 1, Counters: &operator.Counters{},
		Now: func() time.Time { return time.Unix(1000, 0) }, Log: slog.New(slog.NewTextHandler(&o.logged, nil)),
	}
	spec := operator.ModuleSpec{Number: number, Inputs: []operator.ModuleInput{{Schema: in, Columns: []int{0}}}, Config: oneRow(&s.pool, op.Config)}
	for i := range op.Outputs {
		schema := op.Outputs[i].Schema()
		if op.Outputs[i].Forward {
			schema, _ = operator.Forward(in, schema.Fields)
		}
		spec.Outputs = append(spec.Outputs, schema)
	}
	b := s.pool.NewBuilder(in)
	for row := range 3 {
		switch c := b.Column(0); c.Type() {
		case abi.Float64:
			c.AppendFloat64(float64(row))
		case abi.String:
			c.AppendString("text")
		default:
			c.AppendInt64(int64(row))
		}
		b.EndRow()
	}
	input := b.Finish()
	defer input.Release()
	if name == meanOperator {
		runAggregate(t, m, c, spec, input, o)
	} else {
		runMap(t, m, c, spec, input, s)
	}
	o.fuel = c.Counters.Get("fuel").Load()
	return o
}

// oneRow is a configuration of nulls.
func oneRow(p *batch.Pool, fields []abi.Field) *batch.Batch {
	b := p.NewBuilder(&abi.Schema{Fields: fields})
	b.EndRow()
	return b.Finish()
}

func runMap(t testing.TB, m *wasm.Module, c operator.Context, spec operator.ModuleSpec, input *batch.Batch, s *stage) {
	op, err := m.Operator(c, spec)
	if err != nil {
		t.Fatal(err)
	}
	s.open = op.Open(t.Context())
	for range batches {
		if s.open == nil && s.process == nil {
			s.process = op.Process(t.Context(), 0, input, s)
		}
	}
	s.close = op.Close(t.Context())
}

func runAggregate(t testing.TB, m *wasm.Module, c operator.Context, spec operator.ModuleSpec, input *batch.Batch, o *outcome) {
	a, err := m.Aggregate(c, spec)
	if err != nil {
		t.Fatal(err)
	}
	if o.open = a.Open(t.Context()); o.open == nil {
		o.process = a.Add(t.Context(), input, []uint32{0, 1, 0}, func(row int, reason error) error {
			o.failed = append(o.failed, fmt.Sprintf("row %d: %v", row, reason))
			return nil
		})
	}
	if o.open == nil && o.process == nil {
		o.process = a.Merge(t.Context(), []uint32{0}, []uint32{1})
	}
	if o.open == nil && o.process == nil {
		b := c.Pool.NewBuilder(spec.Outputs[0])
		o.process = a.Result(t.Context(), []uint32{0, 1}, []*batch.ColumnBuilder{b.Column(0), b.Column(1)})
	}
	o.close = a.Close(t.Context())
}

// attack runs a module and holds what it cost the host against the walls, and what people are told
// against want: each string must be there.
func attack(t *testing.T, bin []byte, operator string, want ...string) *outcome {
	t.Helper()
	debug.FreeOSMemory()
	before := resetPeak(t)
	goroutines := runtime.NumGoroutine()
	start := time.Now()
	o := run(t, bin, operator)
	if took := time.Since(start); took > mostTime {
		t.Errorf("it took %v", took)
	}
	if grown := peak(t) - before; grown > mostMemory {
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
	for wait := time.Millisecond; runtime.NumGoroutine() > goroutines; wait *= 2 {
		if wait > time.Second {
			t.Fatalf("%d goroutines were left behind", runtime.NumGoroutine()-goroutines)
		}
		time.Sleep(wait) // those of a child process end a moment after it
	}
	text := o.String()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the error does not say %q:\n%s", w, text)
		}
	}
	for _, internal := range []string{"/work/", "wazero", ".go:", "goroutine "} {
		if strings.Contains(text, internal) {
			t.Errorf("the error shows the host's insides (%q):\n%s", internal, text)
		}
	}
	return o
}

// resetPeak begins to measure the process's peak memory, and returns what it has now.
func resetPeak(t testing.TB) int {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return 0 // not Linux: peak returns 0, too
	}
	return peak(t)
}

func peak(t testing.TB) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
