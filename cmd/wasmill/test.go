// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/testrun"

	jsonformat "github.com/wasmill/wasmill/plugins/format/json"
)

func (a *app) testCommand() *cobra.Command {
	opts := testOptions{}
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run the tests in files, of pipelines or of single operators",
		Long: `Run the tests in files, of pipelines or of single operators.

A test puts rows, watermarks and moves of the clock into the sources of a pipeline and says what comes out of its
sinks. Sources and sinks themselves are not opened. Each test runs twice: straight, and row by row with all operators made
anew over their state again and again, as after a failure.

    # counts.test.yaml
    pipeline: counts.yaml      # or operator: {wasm: counts.wasm}, whose rows come from source "in" and go to sink "out"
    tests:
      a count for each hour:
        steps:
          - rows: { visits: [ {page: home, at: 2001-01-01T00:10:00Z}, {page: home, at: 2001-01-01T00:20:00Z} ] }
          - watermark: 2001-01-01T01:00:00Z
            expect: { out: [ {page: home, visits: 2} ] }

A step may have rows, watermark (a time for all sources, or one for each by name), clock (by how much processing time
moves on), end: true (all sources end), expect (rows by sink, in any order; columns that no row names are not compared; a row's $kind
is "+I", "-U", "+U" or "-D"), failures (rows that fail and are dropped: operator, reason) and fails (a text in the error that ends the job).`,
		Args: arguments(func(given int) bool { return given > 0 }, "the paths of files of tests"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := a.interruptible(cmd.Context())
			defer stop()
			return a.testFiles(ctx, args, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.update, "update", false, "write what came out into the files, in place of what they expect")
	cmd.Flags().BoolVar(&opts.merges, "check-merge", false, "check with the rows of the tests that aggregates of modules merge as they should")
	cmd.Flags().BoolVar(&opts.verbose, "verbose", false, "name each test")
	return cmd
}

type testOptions struct{ update, verbose, merges bool }

func (a *app) testFiles(ctx context.Context, paths []string, opts testOptions) error {
	engine, err := a.engine()
	if err != nil {
		return err
	}
	defer engine.Close()
	catalog := a.catalog(engine, a.stdout)
	if opts.merges {
		catalog.Modules = testrun.CheckMerges(catalog.Modules)
	}
	begin := time.Now()
	var passed, failed int
	for _, path := range paths {
		data, err := read(ctx, path)
		if err != nil {
			return err
		}
		suite, problems := graph.LoadSuite(ctx, path, data, catalog)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if problems != nil {
			return userError{problems}
		}
		run := suiteRun{app: a, path: path, suite: suite, opts: opts}
		if err := run.tests(ctx); err != nil {
			return err
		}
		passed, failed = passed+run.passed, failed+run.failed
		if opts.update {
			if err := run.update(data); err != nil {
				return err
			}
			say(a.stdout, "%s: written anew\n", path)
		}
	}
	if opts.update {
		return nil
	}
	say(a.stdout, "%d passed, %d failed, %v\n", passed, failed, time.Since(begin).Round(time.Millisecond))
	if failed > 0 {
		return errors.Join(errReported, errors.New("tests failed"))
	}
	return nil
}

// suiteRun runs the tests of a file.
type suiteRun struct {
	*app
	path           string
	suite          *graph.Suite
	opts           testOptions
	passed, failed int
	outcomes       []graph.Outcome
}

func (r *suiteRun) tests(ctx context.Context) error {
	rows, err := jsonformat.New(jsonformat.Options{})
	if err != nil {
		return err
	}
	opts := testrun.Options{Rows: rows, Log: logger(r.stderr)}
	for i := range r.suite.Tests {
		t := &r.suite.Tests[i]
		result, err := testrun.Check(ctx, r.suite.Graph, i, t, opts, false)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", r.path, t.Line, t.Name, err)
		}
		r.outcomes = append(r.outcomes, result.Outcomes...)
		if r.opts.update {
			continue
		}
		note := ""
		if len(result.Faults) == 0 {
			if result, err = testrun.Check(ctx, r.suite.Graph, i, t, opts, true); err != nil {
				return fmt.Errorf("%s:%d: %s: %w", r.path, t.Line, t.Name, err)
			}
			note = "It passes in one run, and not when operators are made anew over their state: " +
				"something that should be state is kept in an operator's memory.\n"
		}
		r.report(t, &result, note)
	}
	return nil
}

func (r *suiteRun) report(t *graph.Test, result *testrun.Result, note string) {
	if len(result.Faults) == 0 {
		r.passed++
		if r.opts.verbose {
			say(r.stdout, "ok    %s\n", t.Name)
		}
		return
	}
	r.failed++
	say(r.stdout, "FAIL  %s\n%s", t.Name, note)
	for _, f := range result.Faults {
		say(r.stdout, "%s:%d: %s\n", r.path, f.Line, f.Text)
	}
}

// update writes what came out into the file, whole or not at all.
func (r *suiteRun) update(data []byte) error {
	updated, err := graph.UpdateSuite(data, r.outcomes)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	info, err := os.Stat(r.path)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(r.path), ".wasmill-test-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(updated)
	err = errors.Join(err, temp.Chmod(info.Mode()), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), r.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
