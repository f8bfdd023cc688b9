// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Trigger is an operator that says when windows of keys of their own give results, in place of the watermark, and when
// their rows are dropped. It is made with the context of the window operator but for the store, of which it has a part.
//
// Its input has the rows that come into windows, with the columns of TriggerInput, a row once it is in its window: whose
// bounds are with it as they are then, nulls of a global window. What it emits at port 0 are decisions, which are carried
// out at once, in order. It has the watermark before windows that are over are dropped.
type Trigger struct {
	New func(operator.Context) (operator.Operator, error)
	// Decisions is the schema of what it emits: the key columns of the window, by name and type, window_start, a timestamp,
	// and fire and purge, bool. A decision is for the window of the key that window_start lies in, or for its global one.
	// With fire, it gives its result as of now; with purge, its rows are in no later result. Null is false. Other
	// columns mean nothing.
	Decisions *abi.Schema
}

// The columns of a decision after those of the key and window_start.
const (
	ColumnFire  = "fire"
	ColumnPurge = "purge"
)

// TriggerInput returns the schema of what a trigger reads: the input, window_start and window_end. It is an error where the
// input has columns of these names.
func (s *Spec) TriggerInput() (*abi.Schema, error) {
	in := &abi.Schema{}
	in.Fields = append(in.Fields, s.Input.Fields...)
	for _, name := range []string{ColumnStart, ColumnEnd} {
		if s.Input.Index(name) >= 0 {
			return nil, fmt.Errorf("a trigger reads the bounds of a window as %s and %s, and the input has a column %q: rename it before", ColumnStart, ColumnEnd, name)
		}
		in.Fields = append(in.Fields, abi.Field{Name: name, Type: abi.Timestamp})
	}
	return in, nil
}

// decisionFields returns the columns of a decision.
func (s *Spec) decisionFields() []abi.Field {
	var fields []abi.Field
	for _, col := range s.Key {
		fields = append(fields, s.Input.Fields[col])
	}
	return append(fields, abi.Field{Name: ColumnStart, Type: abi.Timestamp}, abi.Field{Name: ColumnFire, Type: abi.Bool}, abi.Field{Name: ColumnPurge, Type: abi.Bool})
}

// CheckDecisions returns what is not possible of the columns of a trigger's decisions.
func (s *Spec) CheckDecisions() error {
	_, err := s.decisionColumns()
	return err
}

// decisionColumns returns where a trigger's decisions have their columns.
func (s *Spec) decisionColumns() ([]int, error) {
	var columns []int
	for _, f := range s.decisionFields() {
		col := s.Trigger.Decisions.Index(f.Name)
		if col < 0 {
			return nil, fmt.Errorf("a trigger's output has a column %q of type %s, and this one has not", f.Name, f.TypeString())
		}
		if has := &s.Trigger.Decisions.Fields[col]; !f.SameType(has) {
			return nil, fmt.Errorf("a trigger's output has the column %q as %s; this one has it as %s", f.Name, f.TypeString(), has.TypeString())
		}
		columns = append(columns, col)
	}
	return columns, nil
}

// checkTrigger returns what is not possible with a trigger.
func (s *Spec) checkTrigger() error {
	switch {
	case s.Trigger == nil:
		return nil
	case s.Count != nil:
		return fmt.Errorf("a window by count gives its result with its last row, and has no trigger")
	case s.Early > 0 || s.EarlyRows > 0 || s.Purge:
		return fmt.Errorf("the trigger says when there are results and what they leave: there are no early ones besides, and no purge")
	}
	if _, err := s.TriggerInput(); err != nil {
		return err
	}
	return s.CheckDecisions()
}
