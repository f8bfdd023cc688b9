// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// module is what a run drives.
type module struct {
	factory     Factory
	pool        batch.Pool
	description *describe.Module
	report      *Report
}

// Run checks what holds for any module. Rows are generated from each operator's schemas, the same
// in every run; configuration is by default, or made up where the pipeline must give it.
func Run(ctx context.Context, factory Factory) *Report {
	m := &module{factory: factory, report: &Report{}}
	m.run(ctx)
	return m.report
}

func (m *module) run(ctx context.Context) {
	m.checkModule(ctx)
	if m.description == nil {
		return
	}
	for i := range m.description.Operators {
		m.checkOperator(ctx, i)
	}
}

// checkModule checks what is not of an operator. Without a description nothing else can be asked.
func (m *module) checkModule(ctx context.Context) {
	m.report.add("version", m.version(ctx))
	err := m.describe(ctx)
	m.report.add("description", err)
	if err == nil {
		m.report.add("buffer", m.buffers(ctx))
	}
}

// checkOperator checks what holds for any operator of its kind.
func (m *module) checkOperator(ctx context.Context, number int) {
	switch op := &m.description.Operators[number]; op.Kind {
	case describe.Map:
		m.checkSamples(ctx, number, op, "takes rows, emits what it declares", (*session).process)
	case describe.Process:
		m.checkProcess(ctx, number, op)
	case describe.Aggregate:
		m.checkSamples(ctx, number, op, "adds, merges and has results", (*session).steps)
	}
}

// with runs f on a fresh instance and closes it.
func (m *module) with(ctx context.Context, f func(g Guest) error) error {
	g, err := m.factory(ctx)
	if err != nil {
		return fmt.Errorf("a fresh instance: %w", err)
	}
	return errors.Join(f(g), g.Close(ctx))
}

func (m *module) version(ctx context.Context) error {
	return m.with(ctx, func(g Guest) error {
		v, err := g.Version(ctx)
		if err == nil && v != abi.Version {
			err = fmt.Errorf("%s returned %d, not %d", abi.ExportVersion, v, abi.Version)
		}
		return err
	})
}

// describe parses the description, which two calls and two instances must give alike.
func (m *module) describe(ctx context.Context) error {
	var first []byte
	for range 2 {
		if err := m.with(ctx, func(g Guest) error {
			for range 2 {
				data, err := g.Describe(ctx)
				if err != nil {
					return err
				}
				if first == nil {
					first = data
				}
				if !bytes.Equal(data, first) {
					return fmt.Errorf("%s returned %d bytes, then %d others; it must return the same each time", abi.ExportDescribe, len(first), len(data))
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	d, err := describe.Parse(first)
	if err != nil {
		return err
	}
	if d.ABI != abi.Version {
		return fmt.Errorf("it is of version %d of the contract, not %d", d.ABI, abi.Version)
	}
	m.description = d
	return nil
}

// mustHold is the size of an input that any guest must have room for.
const mustHold = 1 << 20

func (m *module) buffers(ctx context.Context) error {
	return m.with(ctx, func(g Guest) error {
		for _, size := range []uint32{1, 8, 4096, 100_001, mustHold, 64, 4 * mustHold, 1} {
			at, memory, err := g.Buffer(ctx, size)
			switch {
			case err != nil:
				return fmt.Errorf("%d bytes: %w", size, err)
			case at == 0 && size > mustHold: // allowed
			case at == 0:
				return fmt.Errorf("it has no room for %d bytes", size)
			case at%8 != 0:
				return fmt.Errorf("it returned %d for %d bytes, which is not a multiple of 8", at, size)
			case uint64(at)+uint64(size) > uint64(memory):
				return fmt.Errorf("it returned %d for %d bytes, which end after its memory of %d", at, size, memory)
			}
		}
		return nil
	})
}

// opens reports whether an operator opens, and returns the configuration that it opened with; ok is
// false where there is nothing to go on with.
func (m *module) opens(ctx context.Context, number int, op *describe.Operator) (config rows.Row, ok bool) {
	config, err := configuration(op.Config)
	if err == nil {
		var s *session
		if s, err = m.open(ctx, number, config); err == nil {
			err, ok = s.guest.Close(ctx), true
		} else if refused(err) && slices.ContainsFunc(op.Config, func(f abi.Field) bool { return f.Required }) {
			err = nil // it can't work with values that nobody chose
		}
	}
	m.report.add(op.Name+": opens, or says why not", err)
	return config, ok
}

// refused says whether a guest refused on purpose, with a message.
func refused(err error) bool {
	var f *Failed
	return errors.As(err, &f) && f.Kind == abi.FailError && f.Message != ""
}

// A sample is one generated input.
type sample struct {
	name string
	input
}

// samples generates inputs for a port: none, one and many rows, and as many nulls as may be.
func samples(p *describe.Port) []sample {
	none := make(rows.Row, len(p.Fields))
	random := rows.Random(rand.New(rand.NewPCG(1, 2)), p.Fields, 1000)
	long := slices.Clone(random[0])
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Required {
			none[i] = random[0][i]
		}
		switch f.Type {
		case abi.String:
			long[i] = strings.Repeat("größer ", 20_000)
		case abi.Bytes:
			long[i] = bytes.Repeat([]byte{0, 255}, 100_000)
		}
	}
	out := []sample{
		{name: "no rows"},
		{name: "one row", input: input{rows: random[:1]}},
		{name: "rows of nulls", input: input{rows: []rows.Row{none, none, none}}},
		{name: "9 rows", input: input{rows: random[1:10]}},
		{name: "1000 rows", input: input{rows: random}},
		{name: "long strings", input: input{rows: []rows.Row{long, random[1]}}},
		{name: "one row again", input: input{rows: random[:1]}},
	}
	for i := range out {
		out[i].times = make([]abi.EventTime, len(out[i].rows))
		for n := range out[i].times {
			out[i].times[n] = abi.EventTime(n * 1_000_000)
		}
	}
	return out
}

// checkSamples runs all samples in one instance, then each in a fresh one: what the first has seen
// makes no difference.
func (m *module) checkSamples(ctx context.Context, number int, op *describe.Operator, does string,
	run func(s *session, ctx context.Context, in *input) (output, error)) {
	config, ok := m.opens(ctx, number, op)
	if !ok {
		return
	}
	all := samples(&op.Inputs[0])
	outputs := make([]output, len(all))
	err := m.session(ctx, number, config, func(s *session) error {
		for i := range all {
			var err error
			if outputs[i], err = run(s, ctx, &all[i].input); err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
		}
		return nil
	})
	m.report.add(op.Name+": "+does, err)
	if err != nil {
		return
	}
	for i := range all {
		if err = m.session(ctx, number, config, func(s *session) error {
			out, err := run(s, ctx, &all[i].input)
			if err == nil {
				err = out.differs(outputs[i])
			}
			return err
		}); err != nil {
			err = fmt.Errorf("%s: %w", all[i].name, err)
			break
		}
	}
	m.report.add(op.Name+": gives the same in a fresh instance", err)
}

// session runs f on an operator in a fresh instance.
func (m *module) session(ctx context.Context, number int, config rows.Row, f func(s *session) error) error {
	s, err := m.open(ctx, number, config)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.guest.Close(ctx))
}

// groups is how many groups the rows for an aggregate fall into.
const groups = 5

// steps adds the rows to accumulators that had none, merges those with ones that had none and with
// themselves, and asks for results.
func (s *session) steps(ctx context.Context, in *input) (output, error) {
	grouped := *in
	for n := range in.rows {
		grouped.group = append(grouped.group, uint32(n*n%groups))
	}
	none := make([]rows.Row, groups)
	for i := range none {
		none[i] = rows.Row{nil}
	}
	accs, out, err := s.add(ctx, &grouped, none)
	if err != nil {
		return nil, fmt.Errorf("add: %w", err)
	}
	merged, err := s.merge(ctx, accs, none)
	if err == nil {
		merged, err = s.merge(ctx, merged, accs)
	}
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	results, err := s.result(ctx, slices.Concat(merged, none))
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	for i := range accs {
		out.addf("added %s", rows.Text(s.op.Accumulator, accs[i][0]))
		out.addf("merged %s", rows.Text(s.op.Accumulator, merged[i][0]))
	}
	return append(out, results...), nil
}
