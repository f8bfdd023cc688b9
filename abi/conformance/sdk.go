// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// RunSDK checks what Run does, and that the module holds the operators of README.md, which do what
// it says, row by row. An operator that is declared otherwise is not driven.
func RunSDK(ctx context.Context, factory Factory) *Report {
	m := &module{factory: factory, report: &Report{}}
	if m.run(ctx); m.description == nil {
		return m.report
	}
	want := Operators().Operators
	if m.hasState() {
		want = append(want, Processes()...)
	}
	for i := range want {
		m.checkDeclared(ctx, &want[i])
	}
	return m.report
}

// hasState says whether the module is of an SDK that offers state.
func (m *module) hasState() bool {
	return slices.ContainsFunc(m.description.Operators, func(op describe.Operator) bool { return op.Kind == describe.Process })
}

// checkDeclared checks one of README.md's operators.
func (m *module) checkDeclared(ctx context.Context, want *describe.Operator) {
	number, op := m.description.Operator(want.Name)
	err := sameOperator(op, want)
	m.report.add(want.Name+": is declared as README.md says", err)
	if err != nil {
		return // rows fit no other declaration
	}
	for _, c := range mapCases(want.Name) {
		m.report.add(want.Name+": "+c.name, m.mapCase(ctx, number, &c))
	}
	for _, c := range aggregateCases(want.Name) {
		m.report.add(want.Name+": "+c.name, m.aggregateCase(ctx, number, &c))
	}
	for _, c := range processCases(want.Name) {
		m.report.add(want.Name+": "+c.name, m.processCase(ctx, number, &c))
	}
}

// sameOperator compares declarations, but for what is written for people.
func sameOperator(got, want *describe.Operator) error {
	if got == nil {
		return fmt.Errorf("the module has no such operator")
	}
	return output(declaration(got)).differs(declaration(want))
}

// declaration writes what an operator declares, a line each.
func declaration(op *describe.Operator) []string {
	lines := output{fmt.Sprintf("%s %q", op.Kind, op.Name)}
	for i := range op.Inputs {
		lines.addf("input %s", portText(&op.Inputs[i]))
	}
	for i := range op.Outputs {
		lines.addf("output %s", portText(&op.Outputs[i]))
	}
	for i := range op.Config {
		lines.addf("configuration %s, by default %q", fieldText(&op.Config[i]), op.Config[i].Default)
	}
	if op.Accumulator != nil {
		lines.addf("accumulator %s", op.Accumulator.TypeString())
	}
	for _, name := range op.Counters {
		lines.addf("counter %s", name)
	}
	for i := range op.Key {
		lines.addf("key %s", typeText(&op.Key[i]))
	}
	for i := range op.States {
		lines.addf("state %s", stateText(&op.States[i]))
	}
	return lines
}

// stateText writes a state; whether its fields are required does not matter.
func stateText(s *describe.State) string {
	text := fmt.Sprintf("%s %q of scope %d", s.Kind, s.Name, s.Scope)
	for i := range s.Key {
		text += ", key " + typeText(&s.Key[i])
	}
	for i := range s.Fields {
		text += ", " + typeText(&s.Fields[i])
		if i < len(s.Merge) {
			text += fmt.Sprintf(" merge %d", s.Merge[i])
		}
	}
	if ttl := s.TTL; ttl.After != 0 {
		text += fmt.Sprintf(", for %v, renew %d, by event time: %v", ttl.After, ttl.Renew, ttl.EventTime)
	}
	return text
}

func portText(p *describe.Port) string {
	parts := make([]string, len(p.Fields))
	for i := range p.Fields {
		parts[i] = fieldText(&p.Fields[i])
	}
	text := fmt.Sprintf("%q {%s}", p.Name, strings.Join(parts, ", "))
	if p.Forward {
		text += " forward"
	}
	if p.Time {
		text += " time"
	}
	if p.Broadcast {
		text += " broadcast"
	}
	return text
}

func typeText(f *abi.Field) string { return f.Name + ": " + f.TypeString() }

func fieldText(f *abi.Field) string {
	text := typeText(f)
	if f.Required {
		text += " required"
	}
	return text
}

// mapCase is a batch for a map, and what must come of it.
type mapCase struct {
	name    string
	config  rows.Row // nil for defaults
	input   input
	want    output
	refuses string // what open must fail with, instead
	panics  string // what the message of the panic must hold, instead
}

func (m *module) mapCase(ctx context.Context, number int, c *mapCase) error {
	config := c.config
	if config == nil {
		var err error
		if config, err = configuration(m.description.Operators[number].Config); err != nil {
			return err
		}
	}
	s, err := m.open(ctx, number, config)
	if c.refuses != "" {
		return failsWith(err, abi.FailError, c.refuses)
	}
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	got, err := s.process(ctx, &c.input)
	if c.panics != "" {
		return errors.Join(failsWith(err, abi.FailPanic, c.panics), s.guest.Close(ctx))
	}
	if err == nil {
		err = got.differs(c.want)
	}
	return errors.Join(err, s.guest.Close(ctx))
}

// failsWith checks the error of a call that must fail. What a guest refuses, it says in its own
// words; around what a panic says, a language may say more.
func failsWith(err error, kind abi.FailKind, message string) error {
	var f *Failed
	switch {
	case err == nil:
		return fmt.Errorf("it returned as if all were well instead of failing with %q", message)
	case !errors.As(err, &f):
		return fmt.Errorf("it ended otherwise than by failing with %q: %w", message, err)
	case f.Kind != kind:
		return fmt.Errorf("it failed with kind %d instead of %d: %w", f.Kind, kind, err)
	case kind == abi.FailError && f.Message != message, !strings.Contains(f.Message, message):
		return fmt.Errorf("it failed with %q instead of %q", f.Message, message)
	}
	return nil
}

// aggregateCase is inputs for an aggregate, each added to accumulators of its own that had no row,
// or in turn to the same ones, and what must come of it.
type aggregateCase struct {
	name   string
	groups int
	inputs []input
	want   output // what adding said, then each group's result
}

// aggregateCase adds the inputs in turn, and then each to fresh accumulators that are merged from
// the left and from the right: all three have the same results.
func (m *module) aggregateCase(ctx context.Context, number int, c *aggregateCase) error {
	return m.session(ctx, number, rows.Row{}, func(s *session) error {
		none := make([]rows.Row, c.groups)
		for i := range none {
			none[i] = rows.Row{nil}
		}
		inTurn, merged := none, none
		var said output
		parts := make([][]rows.Row, len(c.inputs))
		for i := range c.inputs {
			var out output
			var err error
			if inTurn, out, err = s.add(ctx, &c.inputs[i], inTurn); err != nil {
				return fmt.Errorf("add: %w", err)
			}
			said = append(said, out...)
			if parts[i], _, err = s.add(ctx, &c.inputs[i], none); err != nil {
				return fmt.Errorf("add: %w", err)
			}
			if merged, err = s.merge(ctx, merged, parts[i]); err != nil {
				return fmt.Errorf("merge: %w", err)
			}
		}
		right := none
		for i := len(parts) - 1; i >= 0; i-- {
			var err error
			if right, err = s.merge(ctx, parts[i], right); err != nil {
				return fmt.Errorf("merge: %w", err)
			}
		}
		for _, way := range []struct {
			name string
			accs []rows.Row
		}{{"added in turn", inTurn}, {"merged from the left", merged}, {"merged from the right", right}} {
			results, err := s.result(ctx, way.accs)
			if err != nil {
				return fmt.Errorf("result: %w", err)
			}
			if err := append(said[:len(said):len(said)], results...).differs(c.want); err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
		}
		return nil
	})
}
