// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// input is rows for an operator's input port.
type input struct {
	rows  []rows.Row
	times []abi.EventTime // where the port reads them
	kinds []batch.RowKind // nil where all are inserts
	group []uint32        // of an aggregate's rows
}

// output is what came of an input by the contract's rules, a line each: an emitted row (by port, in
// order) with its origin, its kind where it is no insert and its time where the port has one; then
// failures by row, logs, and sums of counters.
type output []string

func (o *output) addf(format string, args ...any) { *o = append(*o, fmt.Sprintf(format, args...)) }

// differs returns an error that says where an output is not the one that it should be.
func (o output) differs(want output) error {
	for i := range min(len(o), len(want)) {
		if o[i] != want[i] {
			return fmt.Errorf("line %d of what came of it is\n\t%s\ninstead of\n\t%s", i+1, o[i], want[i])
		}
	}
	switch {
	case len(o) > len(want):
		return fmt.Errorf("there came of it also\n\t%s", o[len(want)])
	case len(o) < len(want):
		return fmt.Errorf("there did not come of it\n\t%s", want[len(o)])
	}
	return nil
}

// session drives one operator in one instance.
type session struct {
	pool  *batch.Pool
	guest Guest
	op    *describe.Operator
}

// open makes a fresh instance and opens an operator in it.
func (m *module) open(ctx context.Context, number int, config rows.Row) (*session, error) {
	g, err := m.factory(ctx)
	if err != nil {
		return nil, fmt.Errorf("a fresh instance: %w", err)
	}
	op := &m.description.Operators[number]
	if err := g.Open(ctx, number, configMessage(&m.pool, op.Config, config)); err != nil {
		_ = g.Close(ctx) // after an error there is nothing more to learn
		return nil, err
	}
	return &session{pool: &m.pool, guest: g, op: op}, nil
}

func (s *session) message(in *input) []byte {
	b := rows.Build(s.pool, s.op.Inputs[0].Schema(), in.rows)
	b.Kinds = in.kinds
	if s.op.Inputs[0].Time {
		if b.Times = in.times; b.Times == nil {
			b.Times = make([]abi.EventTime, len(in.rows))
		}
	}
	return encode(&batch.Message{Batch: b, Time: s.op.Inputs[0].Time, Group: in.group})
}

// process has a map take rows.
func (s *session) process(ctx context.Context, in *input) (output, error) {
	res, err := s.guest.Process(ctx, s.message(in), func(number uint32) *abi.Schema {
		if number >= uint32(len(s.op.Outputs)) {
			return nil
		}
		return s.op.Outputs[number].Schema()
	})
	if err != nil {
		return nil, err
	}
	said, failed, err := s.said(&res, len(in.rows))
	if err != nil {
		return nil, err
	}
	var out output
	for number := range s.op.Outputs {
		for i := range res.Emitted {
			m := &res.Emitted[i]
			if m.Number != uint32(number) {
				continue
			}
			if err := s.emitted(m, in, failed, &out); err != nil {
				return nil, fmt.Errorf("a batch for output %q: %w", s.op.Outputs[number].Name, err)
			}
		}
	}
	return append(out, said...), nil
}

// emitted adds a batch's rows to out, but those whose origin failed.
func (s *session) emitted(m *batch.Message, in *input, failed []bool, out *output) error {
	p, b := &s.op.Outputs[m.Number], m.Batch
	switch {
	case m.Group != nil:
		return fmt.Errorf("it has groups, which only the host writes")
	case m.Origin == nil && b.Rows() != len(in.rows) && !(b.Rows() == 0 && len(m.Failures) > 0):
		return fmt.Errorf("it has %d rows and no origin, the input has %d rows", b.Rows(), len(in.rows))
	case p.Time && b.Times == nil && b.Rows() > 0:
		return fmt.Errorf("it has no times, which the description says that it writes")
	case !p.Time && b.Times != nil:
		return fmt.Errorf("it has times, which the description does not say that it writes")
	}
	for n, row := range rows.Of(b) {
		origin := n
		if m.Origin != nil {
			origin = int(m.Origin[n])
		}
		if origin >= len(in.rows) {
			return fmt.Errorf("its row %d came from row %d of an input of %d rows", n, origin, len(in.rows))
		}
		if failed[origin] {
			continue
		}
		text := rows.RowText(p.Fields, row) + " from " + strconv.Itoa(origin)
		if p.Name != "" {
			text = p.Name + " " + text
		}
		if kind := kindOf(b.Kinds, n, kindOf(in.kinds, origin, batch.Insert)); kind != batch.Insert {
			text += fmt.Sprintf(" kind %d", kind)
		}
		if p.Time {
			text += fmt.Sprintf(" at %d", b.Times[n])
		}
		*out = append(*out, text)
	}
	return nil
}

func kindOf(kinds []batch.RowKind, row int, absent batch.RowKind) batch.RowKind {
	if kinds == nil {
		return absent
	}
	return kinds[row]
}

// said collects failures, logs and counters, and returns which rows failed.
func (s *session) said(res *Result, inputRows int) (out output, failed []bool, err error) {
	failed = make([]bool, inputRows)
	var failures []batch.Failure
	for i := range res.Emitted {
		failures = append(failures, res.Emitted[i].Failures...)
	}
	slices.SortStableFunc(failures, func(a, b batch.Failure) int { return cmp.Compare(a.Row, b.Row) })
	for _, f := range failures {
		if f.Row >= inputRows {
			return out, nil, fmt.Errorf("it says that row %d of an input of %d rows failed", f.Row, inputRows)
		}
		failed[f.Row] = true
		out.addf("failed %d: %s", f.Row, f.Message)
	}
	for _, l := range res.Logs {
		if l.Level < abi.LogDebug || l.Level > abi.LogError {
			return out, nil, fmt.Errorf("it logged %q at level %d; there are 0 to 3", l.Text, l.Level)
		}
		out.addf("logged at %d: %s", l.Level, l.Text)
	}
	for n, sum := range res.Counts {
		if n >= len(s.op.Counters) {
			return out, nil, fmt.Errorf("it counted by counter %d; its description has %d", n, len(s.op.Counters))
		}
		if sum != 0 {
			out.addf("counted %s: %d", s.op.Counters[n], sum)
		}
	}
	return out, failed, nil
}

// aggregate has an aggregate do a step and returns the one batch that it emits.
func (s *session) aggregate(ctx context.Context, step abi.AggregateStep, a, b []byte, n int) (batch.Message, Result, error) {
	number, schema := uint32(abi.SchemaAccumulator), &abi.Schema{Fields: []abi.Field{*s.op.Accumulator}}
	if step == abi.StepResult {
		number, schema = 0, s.op.Outputs[0].Schema()
	}
	res, err := s.guest.Aggregate(ctx, step, a, b, func(got uint32) *abi.Schema {
		if got != number {
			return nil
		}
		return schema
	})
	switch {
	case err != nil:
		return batch.Message{}, res, err
	case len(res.Emitted) != 1:
		return batch.Message{}, res, fmt.Errorf("it emitted %d batches; a step emits exactly one", len(res.Emitted))
	}
	m := res.Emitted[0]
	switch {
	case m.Batch.Rows() != n:
		return m, res, fmt.Errorf("it emitted %d rows for %d accumulators", m.Batch.Rows(), n)
	case m.Batch.Times != nil || m.Group != nil || m.Origin != nil && step != abi.StepResult:
		return m, res, fmt.Errorf("its batch has times, groups, or an origin of accumulators")
	case step != abi.StepAdd && len(m.Failures) > 0:
		return m, res, fmt.Errorf("it says that row %d failed; only a row that is added can", m.Failures[0].Row)
	}
	return m, res, nil
}

// accumulators is a batch of them, as a guest is given it.
func (s *session) accumulators(accs []rows.Row) []byte {
	schema := &abi.Schema{Fields: []abi.Field{*s.op.Accumulator}}
	return encode(&batch.Message{Number: abi.SchemaAccumulator, Batch: rows.Build(s.pool, schema, accs)})
}

// add adds rows to accumulators.
func (s *session) add(ctx context.Context, in *input, accs []rows.Row) ([]rows.Row, output, error) {
	m, res, err := s.aggregate(ctx, abi.StepAdd, s.message(in), s.accumulators(accs), len(accs))
	if err != nil {
		return nil, nil, err
	}
	out, _, err := s.said(&res, len(in.rows))
	return rows.Of(m.Batch), out, err
}

func (s *session) merge(ctx context.Context, a, b []rows.Row) ([]rows.Row, error) {
	m, _, err := s.aggregate(ctx, abi.StepMerge, s.accumulators(a), s.accumulators(b), len(a))
	if err != nil {
		return nil, err
	}
	return rows.Of(m.Batch), nil
}

// result returns the row of each accumulator, as text.
func (s *session) result(ctx context.Context, accs []rows.Row) ([]string, error) {
	m, _, err := s.aggregate(ctx, abi.StepResult, s.accumulators(accs), nil, len(accs))
	if err != nil {
		return nil, err
	}
	out := make([]string, len(accs))
	for n, row := range rows.Of(m.Batch) {
		of := n
		if m.Origin != nil {
			of = int(m.Origin[n])
		}
		if of >= len(out) || out[of] != "" {
			return nil, fmt.Errorf("it emitted a result of accumulator %d of %d twice, or there is none", of, len(accs))
		}
		out[of] = rows.RowText(s.op.Outputs[0].Fields, row)
	}
	return out, nil
}
