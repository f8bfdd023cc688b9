// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/internal/relay"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// fake is the conformance module as a guest in Go, correct but for the one defect that it has.
type fake struct {
	defect    string
	born      int // how many instances were made before it
	pool      batch.Pool
	module    *describe.Module
	described int
	op        *describe.Operator
	config    rows.Row
	words     int // a defect: state that outlasts a call
	result    Result
}

// fakes makes instances with a defect, "" for none.
func fakes(defect string) Factory {
	born := 0
	return func(context.Context) (Guest, error) {
		born++
		if defect == "no instance" {
			return nil, errors.New("out of memory")
		}
		m := Operators()
		m.Operators = append(m.Operators, Processes()...)
		return &fake{defect: defect, born: born - 1, module: m}, nil
	}
}

func (f *fake) has(defect string) bool { return f.defect == defect }

func (f *fake) Version(context.Context) (int32, error) {
	if f.has("another version") {
		return 2, nil
	}
	return abi.Version, nil
}

func (f *fake) Describe(context.Context) ([]byte, error) {
	f.described++
	switch f.defect {
	case "description by call":
		f.module.SDK = fmt.Sprint(f.described)
	case "description by instance":
		f.module.SDK = fmt.Sprint(f.born)
	case "description of another version":
		f.module.ABI = 2
	case "description is garbage":
		return []byte("{\"operators\": []}"), nil
	case "an operator is missing":
		f.module.Operators = f.module.Operators[:8]
	case "a state is missing":
		f.module.Operators[9].States = nil
	case "a merge is another":
		f.module.Operators[11].States[2].Merge[1] = describe.MergeMax
	case "a column is missing":
		f.module.Operators[0].Inputs[0].Fields = Operators().Operators[0].Inputs[0].Fields[1:]
	case "a default is missing":
		f.module.Operators[1].Config[0].Default = ""
	case "a default is no number":
		f.module.Operators[4].Config[0].Default = "many"
	}
	return relay.Module(f.module), nil
}

func (f *fake) Buffer(_ context.Context, size uint32) (pointer, memory uint32, err error) {
	switch {
	case f.has("buffer is not aligned"):
		return 1028, 64 << 20, nil
	case f.has("buffer has no room") && size > 100_000, size > 2<<20:
		return 0, 64 << 20, nil
	case f.has("buffer lies outside"):
		return 64, 1 << 16, nil
	}
	return 1024, 64 << 20, nil
}

func (f *fake) Open(_ context.Context, operator int, config []byte) error {
	f.op = &f.module.Operators[operator]
	m, err := f.pool.Decode(config, func(uint32) *abi.Schema { return &abi.Schema{Fields: f.op.Config} })
	if err != nil {
		return err
	}
	f.config = rows.Of(m.Batch)[0]
	if f.op.Name == "refuse" && f.config[0].(int64) <= 0 {
		message := fmt.Sprintf("limit must be positive, not %d", f.config[0])
		switch f.defect {
		case "refuses in other words":
			message = "bad limit"
		case "refuses by a panic":
			return &Failed{Kind: abi.FailPanic, Message: message}
		case "does not refuse":
			return nil
		}
		return &Failed{Message: message}
	}
	if f.has("does not open") {
		return errors.New("wasmill_open returned 1")
	}
	return nil
}

func (f *fake) Close(context.Context) error {
	if f.has("does not close") {
		return errors.New("wasmill_close returned 1")
	}
	return nil
}

// emission is the rows for one output.
type emission struct {
	rows   []rows.Row
	times  []abi.EventTime
	kinds  []batch.RowKind
	origin []uint32
}

func (e *emission) add(origin int, r rows.Row) {
	e.rows = append(e.rows, r)
	e.origin = append(e.origin, uint32(origin))
}

// emit hands a batch over, in parts that a message has room for.
func (f *fake) emit(number uint32, fields []abi.Field, e *emission, failures []batch.Failure, schema func(uint32) *abi.Schema) error {
	for first := true; first || len(e.rows) > 0; first = false {
		b := rows.Build(&f.pool, &abi.Schema{Fields: fields}, cut(&e.rows))
		b.Times, b.Kinds = cut(&e.times), cut(&e.kinds)
		m, err := f.pool.Decode(encode(&batch.Message{Number: number, Batch: b, Time: true, Origin: cut(&e.origin), Failures: failures}), schema)
		if err != nil {
			return err
		}
		f.result.Emitted = append(f.result.Emitted, m)
		failures = nil
	}
	return nil
}

// cut takes as many values off the front as a batch has room for.
func cut[T any](values *[]T) []T {
	n := min(len(*values), abi.MaxRows)
	head := (*values)[:n]
	*values = (*values)[n:]
	return head
}

func (f *fake) Process(_ context.Context, in []byte, schema func(uint32) *abi.Schema) (Result, error) {
	m, err := f.pool.Decode(in, func(uint32) *abi.Schema { return f.op.Inputs[0].Schema() })
	if err != nil {
		return Result{}, err
	}
	f.result = Result{Counts: make([]int64, len(f.op.Counters))}
	outs := make([]emission, len(f.op.Outputs))
	for i := range outs {
		outs[i].origin = []uint32{} // also where no row is emitted
	}
	var failures []batch.Failure
	for n, r := range rows.Of(m.Batch) {
		message, err := f.row(n, r, outs)
		if err != nil {
			return Result{}, err
		}
		if message != "" {
			failures = append(failures, batch.Failure{Row: n, Message: message})
		}
	}
	f.spoil(m.Batch, outs, &failures)
	for i := range outs {
		number := uint32(i)
		if f.has("an output that is not declared") {
			number += 7
		}
		if err := f.emit(number, f.op.Outputs[i].Fields, &outs[i], failures, schema); err != nil {
			return Result{}, err
		}
		failures = nil
	}
	return f.result, nil
}

// row does what README.md says of a row, and returns the message of one that fails.
func (f *fake) row(n int, r rows.Row, outs []emission) (string, error) {
	switch f.op.Name {
	case "split":
		return "", f.split(n, r[0].(string), &outs[0])
	case "route":
		switch v, ok := r[0].(int64); {
		case !ok:
		case v < 0 && !f.has("negative numbers pass"):
			return fmt.Sprintf("n is negative: %d", v), nil
		default:
			outs[v&1].add(n, r)
		}
		return "", nil
	case "crash":
		if r[0].(int64) == 13 && !f.has("does not crash") {
			return "", &Failed{Kind: abi.FailPanic, Message: "panic: unlucky 13\nat crash.go:7"}
		}
	case "say":
		level := abi.LogLevel(r[0].(int32))
		if level >= abi.LogDebug && level <= abi.LogError || f.has("logs at any level") {
			f.result.Logs = append(f.result.Logs, Log{Level: level, Text: r[1].(string)})
		}
		return "", nil
	case "everything":
		if r[2] == nil && f.has("null becomes 0") {
			r[2] = int64(0)
		}
	}
	outs[0].add(n, r)
	return "", nil
}

func (f *fake) split(n int, text string, out *emission) error {
	index := int32(0)
	separator, ok := f.config[0].(string)
	if !ok {
		separator = " "
	}
	for _, part := range strings.Split(text, separator) {
		if part == "" {
			continue
		}
		if f.words++; f.has("state outlasts a batch") {
			index = int32(f.words - 1)
		}
		out.add(n, rows.Row{part, index})
		index++
		f.result.Counts[0]++
	}
	if f.has("counts by an undeclared counter") {
		f.result.Counts = append(f.result.Counts, 1)
	}
	return nil
}

// spoil gives rows their times, and has the defects of batches.
func (f *fake) spoil(in *batch.Batch, outs []emission, failures *[]batch.Failure) {
	if f.op.Name == "shift" && !f.has("no times") {
		for _, t := range in.Times {
			outs[0].times = append(outs[0].times, t+abi.EventTime(f.config[0].(int64)))
		}
	}
	if len(outs[0].rows) == 0 {
		return
	}
	switch f.defect {
	case "times that are not declared":
		if !f.op.Outputs[0].Time {
			outs[0].times = make([]abi.EventTime, len(outs[0].rows))
		}
	case "origin outside of the input":
		outs[0].origin[0] = 1 << 20
	case "no origin":
		if outs[0].origin = nil; len(outs[0].rows) == in.Rows() {
			outs[0].rows = outs[0].rows[1:]
		}
	case "kinds are lost":
		outs[0].kinds = make([]batch.RowKind, len(outs[0].rows))
	case "a failure outside of the input":
		*failures = append(*failures, batch.Failure{Row: in.Rows(), Message: "no"})
	case "another instance, another result":
		outs[0].rows = outs[0].rows[f.born%2:]
		outs[0].origin = outs[0].origin[f.born%2:]
	case "rows out of order":
		last := len(outs[0].rows) - 1
		outs[0].rows[0], outs[0].rows[last] = outs[0].rows[last], outs[0].rows[0]
		outs[0].origin[0], outs[0].origin[last] = outs[0].origin[last], outs[0].origin[0]
	}
}

func (f *fake) Aggregate(_ context.Context, step abi.AggregateStep, a, b []byte, schema func(uint32) *abi.Schema) (Result, error) {
	f.result = Result{}
	accs := &abi.Schema{Fields: []abi.Field{*f.op.Accumulator}}
	first, second := accs, accs
	if step == abi.StepAdd {
		first = f.op.Inputs[0].Schema()
	}
	left, err := f.pool.Decode(a, func(uint32) *abi.Schema { return first })
	if err != nil {
		return Result{}, err
	}
	in := rows.Of(left.Batch)
	if step == abi.StepResult {
		out := &emission{}
		for i := range in {
			out.rows = append(out.rows, f.final(in[i][0]))
			out.origin = append(out.origin, uint32(i))
		}
		if f.has("a result twice") && len(in) > 1 {
			out.origin[1] = 0
		}
		return f.one(0, f.op.Outputs[0].Fields, out, nil, schema)
	}
	right, err := f.pool.Decode(b, func(uint32) *abi.Schema { return second })
	if err != nil {
		return Result{}, err
	}
	out := &emission{rows: rows.Of(right.Batch)}
	var failures []batch.Failure
	if step == abi.StepAdd {
		for n, r := range in {
			acc := out.rows[left.Group[n]]
			if v, ok := r[0].(float64); ok && v < 0 {
				failures = append(failures, batch.Failure{Row: n, Message: "x is negative"})
			} else {
				acc[0] = f.joined(acc[0], f.begun(r[0]))
			}
		}
	} else {
		for n := range in {
			out.rows[n][0] = f.joined(in[n][0], out.rows[n][0])
		}
	}
	if f.has("an accumulator too few") && len(out.rows) > 0 {
		out.rows = out.rows[1:]
	}
	return f.one(abi.SchemaAccumulator, accs.Fields, out, failures, schema)
}

// one emits the one batch of a step.
func (f *fake) one(number uint32, fields []abi.Field, e *emission, failures []batch.Failure, schema func(uint32) *abi.Schema) (Result, error) {
	if f.has("emits accumulators twice") && number == abi.SchemaAccumulator {
		if err := f.emit(number, fields, e, nil, schema); err != nil {
			return Result{}, err
		}
	}
	err := f.emit(number, fields, e, failures, schema)
	return f.result, err
}

// begun is the accumulator of one value.
func (f *fake) begun(v any) any {
	x, ok := v.(float64)
	if !ok && f.op.Name == "mean" && f.has("nulls count") {
		return rows.Row{0.0, int64(1)}
	}
	if !ok {
		return v // the string itself, or null
	}
	return rows.Row{x, int64(1)}
}

func (f *fake) joined(a, b any) any {
	switch {
	case a == nil || f.has("merge forgets"):
		return b
	case b == nil:
		return a
	}
	if text, ok := a.(string); ok {
		if len(b.(string)) > len(text) || len(b.(string)) == len(text) && f.has("the last of equals") {
			return b
		}
		return a
	}
	x, y := a.(rows.Row), b.(rows.Row)
	return rows.Row{x[0].(float64) + y[0].(float64), x[1].(int64) + y[1].(int64)}
}

func (f *fake) final(acc any) rows.Row {
	if f.op.Name == "longest" {
		return rows.Row{acc}
	}
	if acc == nil {
		return rows.Row{nil, int64(0)}
	}
	sum, count := acc.(rows.Row)[0].(float64), acc.(rows.Row)[1].(int64)
	return rows.Row{sum / float64(count), count}
}
