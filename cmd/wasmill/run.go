// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wasmill/wasmill/plugins/std"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/job"

	jsonformat "github.com/wasmill/wasmill/plugins/format/json"
)

func (a *app) runCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run the job of a pipeline file here, until its input ends or Ctrl-C",
		Long: `Run the job of a pipeline file here, until its input ends or Ctrl-C.

At Ctrl-C a job with an unbounded source stops reading, processes what it has read, fires its open
windows and commits its sinks; a job whose input has an end is aborted and leaves nothing behind. A
second Ctrl-C aborts in any case.

Rows go to standard output only by the sink stdout; progress, logs and errors go to standard error.`,
		Args: exactly(1, "the path of a pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done to standard error as JSON, at the end")
	return cmd
}

func (a *app) run(ctx context.Context, path string, asJSON bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	screen := &screen{err: a.stderr, live: a.stderrTerminal && !asJSON}
	stderr := screen.above(a.stderr)

	engine, err := a.engine()
	if err != nil {
		return err
	}
	defer engine.Close()
	started := make(chan *job.Job, 1)
	bounded := true
	go a.obey(ctx, cancel, started, &bounded, stderr)
	g, err := a.load(ctx, path, a.catalog(engine, screen.above(a.stdout)))
	if err != nil {
		return err
	}
	for _, n := range g.Nodes {
		bounded = bounded && (n.Source == nil || n.Source.Source.Bounded())
	}
	rows, err := jsonformat.New(jsonformat.Options{})
	if err != nil {
		return err
	}
	j, err := job.New(ctx, g, job.Options{Rows: rows, Log: logger(stderr)})
	if err != nil {
		return err
	}
	started <- j

	finished, shown := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(shown)
		screen.watch(j, finished)
	}()
	err = j.Run(ctx)
	close(finished)
	<-shown
	if errors.Is(err, std.ErrClosed) {
		err = nil // whoever reads the output has enough
	}
	a.report(j.Progress(), asJSON, err)
	return err
}

// obey answers signals: the first one drains a job that would never end by itself, any other one
// cancels. bounded may be read once started has given the job.
func (a *app) obey(ctx context.Context, cancel context.CancelCauseFunc, started <-chan *job.Job, bounded *bool, stderr io.Writer) {
	var j *job.Job
	for {
		select {
		case j = <-started:
		case <-ctx.Done():
			return
		case <-a.signals:
			if j == nil || *bounded {
				cancel(errInterrupted)
				return
			}
			fmt.Fprintln(stderr, "wasmill: stopping; processing what has been read. Ctrl-C again aborts.")
			j.Stop()
			j = nil
		}
	}
}

// load returns the graph of a pipeline file. Its problems are the user's to mend.
func (a *app) load(ctx context.Context, path string, catalog graph.Catalog) (*graph.Graph, error) {
	data, problems := graph.Read(path)
	if problems != nil {
		return nil, userError{problems}
	}
	g, problems := graph.Load(ctx, path, data, catalog)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if problems != nil {
		return nil, userError{problems}
	}
	return g, nil
}

func (a *app) report(p job.Progress, asJSON bool, err error) {
	switch {
	case asJSON:
		result := struct {
			job.Progress
			Error string `json:"error,omitempty"`
		}{Progress: p}
		if err != nil {
			result.Error = err.Error()
		}
		// It goes to the person's or the program's stderr: nothing can be done where that fails.
		_ = json.NewEncoder(a.stderr).Encode(result)
	case err == nil && a.stderrTerminal:
		fmt.Fprintln(a.stderr, summary(p))
	}
}
