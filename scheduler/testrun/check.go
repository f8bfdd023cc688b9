// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package testrun

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/scheduler/graph"
)

// Result is what a test showed.
type Result struct {
	Faults []Fault
	// Outcomes are what came out at each step that asks for it.
	Outcomes []graph.Outcome
}

// Fault is a difference between what a step expects and what happened.
type Fault struct {
	Line int // of the step
	Text string
}

// Check runs a test. Restored runs it in the way that must make no difference: rows one by one, and all
// operators made anew over their state before each step and within each run of rows. An error is of the
// engine or the environment.
func Check(ctx context.Context, g *graph.Graph, number int, t *graph.Test, opts Options, restored bool) (result Result, err error) {
	r, err := New(ctx, g, opts)
	if err != nil {
		return result, err
	}
	c := &check{Run: r, restored: restored, number: number, result: &result}
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	for i := range t.Steps {
		step := &t.Steps[i]
		ended, err := c.step(ctx, i, step)
		if err != nil || ended {
			return result, err
		}
	}
	c.leftovers(t)
	return result, nil
}

type check struct {
	*Run
	restored bool
	number   int // of the test
	result   *Result
}

func (c *check) fault(line int, format string, args ...any) {
	c.result.Faults = append(c.result.Faults, Fault{line, fmt.Sprintf(format, args...)})
}

// step does a step. ended says that the job has failed, as it should or not.
func (c *check) step(ctx context.Context, number int, s *graph.Step) (ended bool, err error) {
	err = c.act(ctx, s)
	if ctx.Err() != nil {
		return true, context.Cause(ctx)
	}
	switch {
	case err != nil && s.Fails != "" && strings.Contains(err.Error(), s.Fails):
		return true, nil
	case err != nil && s.Fails != "":
		c.fault(s.Line, "the job failed otherwise than expected:\n%v", err)
		return true, nil
	case err != nil:
		c.fault(s.Line, "the job failed:\n%v", err)
		return true, nil
	case s.Fails != "":
		c.fault(s.Line, "the job did not fail; expected an error with the text %q", s.Fails)
	}
	if s.Asks {
		c.compare(number, s)
		c.compareFailures(s)
	}
	return false, nil
}

func (c *check) act(ctx context.Context, s *graph.Step) error {
	if c.restored {
		if err := c.Restore(ctx); err != nil {
			return err
		}
	}
	for _, given := range s.Rows {
		if err := c.give(ctx, given); err != nil {
			return err
		}
	}
	for _, m := range s.Watermark {
		if err := c.Watermark(ctx, m.Source, m.Time); err != nil {
			return err
		}
	}
	if s.Clock > 0 {
		if err := c.Clock(ctx, s.Clock); err != nil {
			return err
		}
	}
	if s.End {
		return c.End(ctx)
	}
	return nil
}

// give puts rows into their source.
func (c *check) give(ctx context.Context, given graph.Given) error {
	if !c.restored {
		return c.Run.Rows(ctx, given.Source, given.Rows)
	}
	for row := range given.Rows.Rows() {
		one := c.pool.Take(given.Rows, []uint32{uint32(row)})
		err := c.Run.Rows(ctx, given.Source, one)
		one.Release()
		if err == nil && row == 0 {
			err = c.Restore(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compare compares what sinks were given with what a step expects of them.
func (c *check) compare(number int, s *graph.Step) {
	outcome := graph.Outcome{Test: c.number, Step: number, Rows: map[string][]string{}}
	for _, n := range c.graph.Nodes {
		if n.Sink == nil {
			continue
		}
		var want []string
		columns := all(n)
		if at := slices.IndexFunc(s.Expect, func(e graph.Expected) bool { return e.Sink == n }); at >= 0 {
			e := &s.Expect[at]
			if e.Rows.Rows() > 0 {
				columns = e.Columns
			}
			for row := range e.Rows.Rows() {
				want = append(want, graph.RowText(e.Rows, row, columns))
			}
		}
		var got []string
		for _, b := range c.Take(n) {
			for row := range b.Rows() {
				got = append(got, graph.RowText(b, row, columns))
			}
			b.Release()
		}
		if len(got) > 0 {
			outcome.Rows[n.Name] = got
		}
		if text := diff(got, want); text != "" {
			c.fault(s.Line, "sink %s: - expected, + came out\n%s", n.Name, text)
		}
	}
	c.result.Outcomes = append(c.result.Outcomes, outcome)
}

func all(n *graph.Node) []int {
	columns := make([]int, len(graph.SinkSchema(n).Fields))
	for i := range columns {
		columns[i] = i
	}
	return columns
}

// diff returns what two lists of lines, in any order, do not have in common; "" where that is nothing. What
// they have in common stands between, in the order of want.
func diff(got, want []string) string {
	extra := slices.Clone(got)
	var text strings.Builder
	differ := false
	for _, line := range want {
		if at := slices.Index(extra, line); at >= 0 {
			extra = slices.Delete(extra, at, at+1)
			fmt.Fprintf(&text, "    %s\n", line)
			continue
		}
		differ = true
		fmt.Fprintf(&text, "  - %s\n", line)
	}
	for _, line := range extra {
		differ = true
		fmt.Fprintf(&text, "  + %s\n", line)
	}
	if !differ {
		return ""
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// compareFailures compares rows that failed with those that a step expects to.
func (c *check) compareFailures(s *graph.Step) {
	left := c.Failures()
	for _, want := range s.Failures {
		at := slices.IndexFunc(left, func(f graph.Failure) bool {
			return f.Operator == want.Operator && strings.Contains(f.Reason, want.Reason)
		})
		if at < 0 {
			c.fault(s.Line, "no row of %s failed with %q", want.Operator, want.Reason)
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, f := range left {
		c.fault(s.Line, "a row of %s failed: %s", f.Operator, f.Reason)
	}
}

// leftovers reports what came out after the last step that asked.
func (c *check) leftovers(t *graph.Test) {
	last := t.Steps[len(t.Steps)-1]
	if last.Asks {
		return
	}
	for _, n := range c.graph.Nodes {
		if n.Sink == nil {
			continue
		}
		var got []string
		for _, b := range c.Take(n) {
			for row := range b.Rows() {
				got = append(got, graph.RowText(b, row, all(n)))
			}
			b.Release()
		}
		if len(got) > 0 {
			c.fault(last.Line, "sink %s was given rows that no step expects\n%s", n.Name, diff(got, nil))
		}
	}
	last.Failures = nil
	c.compareFailures(&last)
}
