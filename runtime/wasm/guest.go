// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/wasm/internal/vm"
	"github.com/wasmill/wasmill/runtime/wasm/internal/wasi"
)

// surroundings are what a guest sees of the outside. The zero value is for asking a module what it
// holds: its log goes nowhere.
type surroundings struct {
	pool     *batch.Pool
	now      func() time.Time
	seed     [32]byte
	logs     *logs
	counters int
	mark     *abi.EventTime // the watermark; nil: there was none
	states   *states        // of an operator of kind process
}

// guest is one instance, and the host's side of its calls. One goroutine uses it.
//
// Its life is: instantiate; check and describe, or check and open; then process, timer or aggregate
// any number of times; then close. After an error only close follows.
type guest struct {
	surroundings
	module *Module
	in     *vm.Instance

	buffer, process, timer, aggregate *vm.Function

	function string // that is running
	stdout   lines
	stderr   lines
	said     tail // of stderr, in this call

	// Of the call that is running.
	schema  func(number uint32) *abi.Schema // of what may be emitted, nil where nothing may
	emitted []batch.Message
	output  allowance
	counts  []int64
	micros  int64
	timed   bool // micros is known

	random *rand.ChaCha8
	slept  uint64
	fuel   int64 // used by calls, and not billed yet
}

var _ wasi.System = (*guest)(nil)

// instantiate makes an instance and runs its _initialize.
func (m *Module) instantiate(ctx context.Context, s surroundings) (*guest, error) {
	if s.pool == nil {
		s.pool = &batch.Pool{}
	}
	if s.now == nil {
		s.now = clockAtOne
	}
	if s.logs == nil {
		s.logs = newLogs(nil, s.now, &m.engine.opts.Limits)
	}
	g := &guest{surroundings: s, module: m, counts: make([]int64, s.counters), random: rand.NewChaCha8(s.seed)}
	g.stdout = lines{logs: s.logs, level: abi.LogInfo, from: "stdout"}
	g.stderr = lines{logs: s.logs, level: abi.LogWarn, from: "stderr"}
	in, err := m.code.Instantiate(g)
	if err != nil {
		return nil, err
	}
	g.in = in
	g.buffer = in.Function(abi.ExportBuffer)
	g.process = in.Function(abi.ExportProcess)
	g.timer = in.Function(abi.ExportTimer)
	g.aggregate = in.Function(abi.ExportAggregate)
	if f := in.Function(abi.ExportInitialize); f != nil {
		if _, err := g.call(ctx, f, abi.ExportInitialize, nil); err != nil {
			g.close()
			return nil, err
		}
	}
	return g, nil
}

// clockAtOne is the time of guests that no job runs.
func clockAtOne() time.Time { return time.Unix(1, 0) }

// call calls a function of the guest. Batches may be emitted where schema is not nil; they are in
// g.emitted afterwards, and whoever called owns them. An error means that the instance is spent.
func (g *guest) call(ctx context.Context, f *vm.Function, name string, schema func(uint32) *abi.Schema, params ...uint64) (uint64, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	l := &g.module.engine.opts.Limits
	g.function, g.schema, g.timed = name, schema, false
	g.said.reset()
	g.output = allowance{left: l.EmitBytes, limit: l.EmitBytes}
	result, err := f.Call(ctx, vm.Allowance{Fuel: l.CallFuel, Time: l.CallTime}, params...)
	g.fuel += g.in.Used()
	g.schema = nil
	if err != nil {
		g.dropEmitted()
		clear(g.counts)
		return 0, g.explain(ctx, err)
	}
	return result, nil
}

// dropEmitted throws away what the last call emitted.
func (g *guest) dropEmitted() {
	for i := range g.emitted {
		g.emitted[i].Batch.Release()
	}
	clear(g.emitted)
	g.emitted = g.emitted[:0]
}

// bill returns the fuel that calls have used since the last bill.
func (g *guest) bill() int64 {
	fuel := g.fuel
	g.fuel = 0
	return fuel
}

func (g *guest) close() {
	g.dropEmitted()
	g.stdout.flush()
	g.stderr.flush()
	g.in.Close()
}

// checkVersion asks for the version of the contract.
func (g *guest) checkVersion(ctx context.Context) error {
	v, err := g.call(ctx, g.in.Function(abi.ExportVersion), abi.ExportVersion, nil)
	if err != nil {
		return err
	}
	if uint32(v) != abi.Version {
		return breachf("the module is built for version %d of the contract, this host runs version %d: "+
			"rebuild it with an SDK of this wasmill, or use a wasmill that runs version %[1]d", uint32(v), abi.Version)
	}
	return nil
}

// describe returns what the module holds.
func (g *guest) describe(ctx context.Context) (*describe.Module, error) {
	if err := g.checkVersion(ctx); err != nil {
		return nil, err
	}
	text, err := g.description(ctx)
	if err != nil {
		return nil, err
	}
	m, err := describe.Parse(text)
	if err != nil {
		return nil, &breach{err}
	}
	if m.ABI != abi.Version {
		return nil, breachf("its description is of version %d of the contract, its %s says %d", m.ABI, abi.ExportVersion, abi.Version)
	}
	return m, nil
}

// description returns the bytes of the description, which are valid until the next call.
func (g *guest) description(ctx context.Context) ([]byte, error) {
	where, err := g.call(ctx, g.in.Function(abi.ExportDescribe), abi.ExportDescribe, nil)
	if err != nil {
		return nil, err
	}
	ptr, size := uint32(where>>32), uint32(where)
	if size > abi.MaxDescribe {
		return nil, breachf("%s returns %d bytes; %d are allowed", abi.ExportDescribe, size, abi.MaxDescribe)
	}
	text, ok := g.in.Bytes(ptr, size)
	if !ok {
		return nil, breachf("%s returns bytes %d to %d of a memory of %d",
			abi.ExportDescribe, ptr, uint64(ptr)+uint64(size), g.in.Size())
	}
	return text, nil
}

// open opens an operator.
func (g *guest) open(ctx context.Context, number int, config *batch.Batch) error {
	if err := g.checkVersion(ctx); err != nil {
		return err
	}
	m := batch.Message{Number: abi.SchemaConfig, Batch: config}
	at, _, err := g.input(ctx, &m, nil)
	if err != nil {
		return err
	}
	return g.run(ctx, g.in.Function(abi.ExportOpen), abi.ExportOpen, nil, uint64(number), uint64(at.ptr), uint64(at.size))
}

// span is where an input lies in guest memory.
type span struct{ ptr, size uint32 }

// input writes one or two messages into the guest's buffer.
func (g *guest) input(ctx context.Context, a, b *batch.Message) (at, bt span, err error) {
	sizeA, sizeB := a.Size(), 0
	if b != nil {
		sizeB = b.Size()
	}
	at, bt, err = g.room(ctx, sizeA, sizeB)
	if err != nil {
		return at, bt, err
	}
	at.size = uint32(a.Encode(g.view(at)))
	if b != nil {
		bt.size = uint32(b.Encode(g.view(bt)))
	}
	return at, bt, nil
}

// room asks the guest for room for one or two inputs of the given sizes.
func (g *guest) room(ctx context.Context, sizeA, sizeB int) (at, bt span, err error) {
	second := (sizeA + 7) &^ 7
	size := second + sizeB
	ptr, err := g.call(ctx, g.buffer, abi.ExportBuffer, nil, uint64(size))
	if err != nil {
		return at, bt, err
	}
	if ptr == 0 {
		return at, bt, breachf("%s has no room for an input of %d bytes: its memory is full, or its SDK's allocator is", abi.ExportBuffer, size)
	}
	if _, ok := g.in.Bytes(uint32(ptr), uint32(size)); !ok || ptr%8 != 0 {
		return at, bt, breachf("%s returned %d for %d bytes, which is not a multiple of 8 or does not fit into a memory of %d",
			abi.ExportBuffer, uint32(ptr), size, g.in.Size())
	}
	return span{uint32(ptr), uint32(sizeA)}, span{uint32(ptr) + uint32(second), uint32(sizeB)}, nil
}

// view returns the memory of a span that room has found to lie within.
func (g *guest) view(s span) []byte {
	b, _ := g.in.Bytes(s.ptr, s.size)
	return b
}

// run calls a function that returns a status.
func (g *guest) run(ctx context.Context, f *vm.Function, name string, schema func(uint32) *abi.Schema, params ...uint64) error {
	status, err := g.call(ctx, f, name, schema, params...)
	if err != nil {
		return err
	}
	if uint32(status) != 0 {
		g.dropEmitted()
		return &statusError{function: name, status: int32(status)}
	}
	return nil
}

// shut calls wasmill_close where there is one.
func (g *guest) shut(ctx context.Context) error {
	f := g.in.Function(abi.ExportClose)
	if f == nil {
		return nil
	}
	return g.run(ctx, f, abi.ExportClose, nil)
}

// nowMicros is the time of the call: it stands still until the next one.
func (g *guest) nowMicros() int64 {
	if !g.timed {
		g.micros, g.timed = g.now().UnixMicro(), true
	}
	return g.micros
}

// watermark is the operator's.
func (g *guest) watermark() int64 {
	if g.mark == nil {
		return math.MinInt64
	}
	return int64(*g.mark)
}

// Now is the call's time, for WASI, which has no time before 1970.
func (g *guest) Now() uint64 { return uint64(max(g.nowMicros(), 0)) * 1000 }

// Slept is how long the guest has slept, for WASI.
func (g *guest) Slept() *uint64 { return &g.slept }

// Random fills p from the instance's seed.
func (g *guest) Random(p []byte) {
	_, _ = g.random.Read(p) // never fails
}

// Write takes standard output and error.
func (g *guest) Write(fd uint32, p []byte) {
	if fd == 2 {
		g.said.write(p)
		g.stderr.write(p)
		return
	}
	g.stdout.write(p)
}

// Exit is the guest's wish to end its program, which an operator has none of.
func (g *guest) Exit(code uint32) {
	g.in.Stop(&exit{code: code})
}

// allowance counts down what a call may put out.
type allowance struct{ left, limit int64 }

func (a *allowance) spend(bytes int64) error {
	if a.left -= bytes; a.left < 0 {
		return breachf("it made more than %d MiB of output in one call", a.limit>>20)
	}
	return nil
}
