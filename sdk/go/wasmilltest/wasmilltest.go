// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package wasmilltest runs operators in tests, with plain go test and no WebAssembly: rows go in
// and come out by the same columns as in a module, and what the host would do with failed rows,
// counters and logs, it does.
//
//	op := wasmilltest.Open(t, alarms, wasmilltest.Config{"limit": 30})
//	got := wasmilltest.Map(op, Reading{"oven", 31}, Reading{"hall", 20})
//	want := []Alarm{{"oven", 1}}
//	if rows := wasmilltest.Rows[Alarm](got, ""); !slices.Equal(rows, want) {
//		t.Errorf("got %v, want %v", rows, want)
//	}
//
// The memory of the input is overwritten after each call, so that an operator that keeps a string
// of a row without strings.Clone is found out. A panic of the operator is a panic of the test.
package wasmilltest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/internal/guest"
	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// Operator is an open operator.
type Operator struct {
	// Now is what wasmill.Now returns.
	Now wasmill.Timestamp
	// Key names the columns by which Process keys rows of an operator that declares no key, as a
	// pipeline does. Without it all rows have one key.
	Key []string
	// Reuse gives all calls of Process, and those of timers, to one instance, as a host does that
	// has no reason to do otherwise. Without it each call goes to a fresh one.
	Reuse bool

	t        testing.TB
	describe *wire.Operator
	instance guest.Instance
	operator wasmill.Operator
	config   []byte
	store    *store // of a process, else nil
}

// Result is what came of a call.
type Result struct {
	// Failures are the rows that failed, each with its message.
	Failures map[int]string
	// FailedTimers are the timers that failed.
	FailedTimers []FailedTimer
	// Counters are the counters, by name, that the call added to.
	Counters map[string]int64
	// Log is what the call logged, each line with its level: "warn: no such airport".
	Log []string

	op       *Operator
	messages []message
}

// message is a batch that was emitted.
type message struct {
	batch  []byte
	first  int // row of the result's input that its row 0 stands for
	rows   int // of the call's input
	failed map[int]string
	timers bool // it is of timers
}

// Open opens an operator and closes it when the test ends. It fails the test where the operator
// refuses the configuration.
func Open(t testing.TB, op wasmill.Operator, config Config) *Operator {
	t.Helper()
	o, err := open(t, op, config)
	if err != nil {
		t.Fatalf("wasmilltest: operator %s refuses to open: %v", o.describe.Name, err)
	}
	t.Cleanup(func() {
		o.call(func() error { return o.instance.Close() })
	})
	return o
}

// Refusal returns the message with which an operator refuses to open. It fails the test where the
// operator opens.
func Refusal(t testing.TB, op wasmill.Operator, config Config) string {
	t.Helper()
	o, err := open(t, op, config)
	if err == nil {
		t.Fatalf("wasmilltest: operator %s opened, though it should have refused", o.describe.Name)
	}
	return err.Error()
}

func open(t testing.TB, op wasmill.Operator, config Config) (*Operator, error) {
	t.Helper()
	describe, err := op.Describe()
	if err != nil {
		t.Fatalf("wasmilltest: %v", err)
	}
	o := &Operator{t: t, describe: describe}
	batch, err := config.encode(describe.Config)
	if err != nil {
		t.Fatalf("wasmilltest: operator %s: %v", describe.Name, err)
	}
	o.operator, o.config = op, slices.Clone(batch)
	if describe.Kind == wire.Process {
		o.store = newStore(t, describe)
	}
	host.With(o.recorder(o.result()), func() { o.instance, err = op.Open(batch) })
	poison(batch)
	return o, err
}

func (o *Operator) result() *Result {
	return &Result{Failures: map[int]string{}, Counters: map[string]int64{}, op: o}
}

// add takes in what came of the rows from one to another.
func (r *Result) add(part *Result, from, to int) {
	for _, m := range part.messages {
		m.first, m.rows, m.failed = from, to-from, part.Failures
		r.messages = append(r.messages, m)
	}
	for at, text := range part.Failures {
		r.Failures[from+at] = text
	}
	r.addLines(part)
}

// addTimers takes in what came of timers.
func (r *Result) addTimers(part *Result) {
	for _, m := range part.messages {
		m.timers = true
		r.messages = append(r.messages, m)
	}
	r.addLines(part)
}

func (r *Result) addLines(part *Result) {
	r.Log = append(r.Log, part.Log...)
	for name, n := range part.Counters {
		r.Counters[name] += n
	}
}

// recorder returns the host of a call.
func (o *Operator) recorder(r *Result) *host.Recorder {
	levels := []string{"debug", "info", "warn", "error"}
	recorder := &host.Recorder{
		Emit: func(batch []byte) {
			kept := wire.Words(len(batch))
			copy(kept, batch)
			r.messages = append(r.messages, message{batch: kept})
		},
		Log: func(level int32, text string) {
			r.Log = append(r.Log, levels[min(max(level, 0), 3)]+": "+text)
		},
		Count: func(counter int, delta int64) { r.Counters[o.describe.Counters[counter]] += delta },
		Now:   int64(o.Now),
	}
	if o.store != nil {
		o.store.now = int64(o.Now)
		recorder.State = o.store
	}
	return recorder
}

// call calls the operator and fails the test where it returns an error.
func (o *Operator) call(call func() error) *Result {
	o.t.Helper()
	r := o.result()
	var err error
	host.With(o.recorder(r), func() { err = call() })
	if err != nil {
		o.t.Fatalf("wasmilltest: operator %s: %v", o.describe.Name, err)
	}
	for _, message := range r.messages {
		b := wire.Read(message.batch)
		for _, f := range b.Failures() {
			r.Failures[f.Row] = f.Message
		}
	}
	return r
}

// Map gives rows to a map operator in one batch.
func Map[In any](o *Operator, rows ...In) *Result {
	o.t.Helper()
	if o.store != nil {
		o.t.Fatalf("wasmilltest: operator %s is made by wasmill.Process; so is the function that runs it called", o.describe.Name)
	}
	batch := encode(o, rows, nil)
	part := o.call(func() error { return o.instance.Process(batch) })
	poison(batch)
	r := o.result()
	r.add(part, 0, len(rows))
	return r
}

// Aggregate gives rows, as one group, to an aggregate: to an accumulator the first half, to
// another one the second; then it merges them and returns the result of that. Failures are by the
// rows' numbers.
func Aggregate[In any](o *Operator, rows ...In) *Result {
	o.t.Helper()
	half := (len(rows) + 1) / 2
	first := o.add(encode(o, rows[:half], make([]uint32, half)))
	second := o.add(encode(o, rows[half:], make([]uint32, len(rows)-half)))
	merged := o.step(guest.StepMerge, first.accumulators(), second.accumulators())
	r, last := o.result(), o.step(guest.StepResult, merged.accumulators(), nil)
	for _, part := range []*Result{first, second, merged} {
		r.addLines(part)
	}
	r.add(last, 0, 1)
	maps.Copy(r.Failures, first.Failures)
	for at, message := range second.Failures {
		r.Failures[half+at] = message
	}
	return r
}

func (o *Operator) add(rows []byte) *Result {
	o.t.Helper()
	m := wire.Message{}
	m.Begin(wire.SchemaAccumulator, 1, nodes(o.describe.Accumulator), nil)
	next := 0
	writeNull(&m, o.describe.Accumulator, 1, &next)
	return o.step(guest.StepAdd, rows, m.Bytes())
}

func (o *Operator) step(step int, a, b []byte) *Result {
	o.t.Helper()
	r := o.call(func() error { return o.instance.Aggregate(step, a, b) })
	if len(r.messages) != 1 {
		o.t.Fatalf("wasmilltest: operator %s emitted %d batches in step %d of an aggregate, instead of one", o.describe.Name, len(r.messages), step)
	}
	poison(a)
	poison(b)
	return r
}

func (r *Result) accumulators() []byte { return r.messages[0].batch }

// encode makes a batch of rows.
func encode[In any](o *Operator, rows []In, groups []uint32) []byte {
	o.t.Helper()
	m := encodeTo(o, 0, rows)
	if groups != nil {
		m.SetGroups(groups)
	}
	return m.Bytes()
}

// encodeTo makes a batch of rows of an input.
func encodeTo[In any](o *Operator, port int, rows []In) *wire.Message {
	o.t.Helper()
	in := &o.describe.Inputs[port]
	codec, err := row.Of(reflect.TypeFor[In](), row.Input, nil)
	if err == nil && len(rows) > wire.MaxRows {
		err = fmt.Errorf("%d rows; a batch has at most %d", len(rows), wire.MaxRows)
	}
	if err == nil {
		err = same(codec.Fields, in.Fields, codec.Time, in.Time)
	}
	if err != nil {
		o.t.Fatalf("wasmilltest: input of operator %s: %v", o.describe.Name, err)
	}
	m := &wire.Message{}
	m.Begin(uint32(port), len(rows), codec.Columns(), nil)
	codec.Write(m, unsafe.Pointer(unsafe.SliceData(rows)), len(rows), 1<<40)
	return m
}

// same returns an error where the columns of a test's rows are not those of a port.
func same(rows, port []wire.Field, rowsTime, portTime bool) error {
	got, want := describe(rows, rowsTime), describe(port, portTime)
	if got != want {
		return fmt.Errorf("it has the columns {%s}; the test's rows have {%s}", want, got)
	}
	return nil
}

func describe(fields []wire.Field, time bool) string {
	var parts []string
	for i := range fields {
		parts = append(parts, fields[i].Name+": "+fields[i].TypeString())
	}
	if time {
		parts = append(parts, "an event time")
	}
	return strings.Join(parts, ", ")
}

// Rows returns the rows of an output, "" being the main one, in the order in which they were
// emitted. Those of failed rows are not among them.
func Rows[Out any](r *Result, output string) []Out {
	r.op.t.Helper()
	port := r.port(output)
	var rows []Out
	for _, message := range r.messages {
		b := wire.Read(message.batch)
		if b.Schema != uint32(port) {
			continue
		}
		// A codec reuses the memory of lists: hence one for each message.
		codec, err := row.Of(reflect.TypeFor[Out](), row.Output, nil)
		if err == nil {
			out := r.op.describe.Outputs[port]
			err = same(codec.Fields, out.Fields, codec.Time, out.Time)
		}
		if err != nil {
			r.op.t.Fatalf("wasmilltest: output %q of operator %s: %v", output, r.op.describe.Name, err)
		}
		part := make([]Out, b.Rows)
		codec.Lenient(&b, 0, b.Rows, unsafe.Pointer(unsafe.SliceData(part)))
		for i, origin := range r.origins(&b, &message) {
			if !message.dropped(origin) {
				rows = append(rows, part[i])
			}
		}
	}
	return rows
}

// Origins returns for each of Rows the row of the input that it came from, -1 of those that timers
// emitted.
func (r *Result) Origins(output string) []int {
	r.op.t.Helper()
	port := r.port(output)
	var origins []int
	for _, message := range r.messages {
		b := wire.Read(message.batch)
		if b.Schema != uint32(port) {
			continue
		}
		for _, origin := range r.origins(&b, &message) {
			switch {
			case message.dropped(origin):
			case message.timers:
				origins = append(origins, -1)
			default:
				origins = append(origins, message.first+origin)
			}
		}
	}
	return origins
}

func (r *Result) port(output string) int {
	r.op.t.Helper()
	port := slices.IndexFunc(r.op.describe.Outputs, func(p wire.Port) bool { return p.Name == output })
	if port < 0 {
		var names []string
		for _, p := range r.op.describe.Outputs {
			names = append(names, fmt.Sprintf("%q", p.Name))
		}
		r.op.t.Fatalf("wasmilltest: operator %s has no output %q; it has %s", r.op.describe.Name, output, strings.Join(names, ", "))
	}
	return port
}

// dropped says whether rows that came from one of the call's input are not seen.
func (m *message) dropped(origin int) bool {
	_, failed := m.failed[origin]
	return failed
}

// origins returns for each row of a batch the row of the call's input that it came from.
func (r *Result) origins(b *wire.Batch, m *message) []int {
	origins := make([]int, b.Rows)
	named := b.Origins()
	for i := range origins {
		if origins[i] = i; named != nil {
			origins[i] = int(named[i])
		}
	}
	if named == nil && b.Rows != m.rows && b.Rows > 0 {
		r.op.t.Fatalf("wasmilltest: operator %s emitted %d rows for %d without saying which came from which", r.op.describe.Name, b.Rows, m.rows)
	}
	return origins
}

// poison overwrites memory that an operator must not use any more.
func poison(batch []byte) {
	for i := range batch {
		batch[i] = 0xdb
	}
}
