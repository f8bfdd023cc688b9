// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done, or what was wrong, to standard error as a line of JSON at the end")
	return cmd
}

// ran is what `wasmill run --json` prints.
type ran struct {
	OK            bool           `json:"ok"`
	*job.Progress                // where the job was started
	Error         string         `json:"error,omitempty"`
	Problems      graph.Problems `json:"problems,omitempty"` // of the pipeline file
}

func (a *app) run(ctx context.Context, path string, asJSON bool) error {
	progress, err := a.runJob(ctx, path, a.stderrTerminal && !asJSON)
	switch {
	case asJSON:
		r := ran{OK: err == nil, Progress: progress}
		if err != nil {
			r.Error = err.Error()
			errors.As(err, &r.Problems)
			err = errors.Join(err, errReported)
		}
		// It goes to the person's or the program's stderr: nothing can be done where that fails.
		enc := json.NewEncoder(a.stderr)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(r)
	case err == nil && a.stderrTerminal:
		say(a.stderr, "%s\n", summary(*progress))
	}
	return err
}

// runJob runs a job and returns what it did, nil where it did not get as far as starting.
func (a *app) runJob(ctx context.Context, path string, live bool) (_ *job.Progress, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	screen := &screen{err: a.stderr, live: live, width: a.stderrWidth}
	stderr := screen.above(a.stderr)
	out := &printed{to: a.stdout}
	if a.stdoutTerminal {
		out.to = screen.above(a.stdout)
	}

	engine, err := a.engine()
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	started := make(chan startedJob, 1)
	go a.obey(ctx, cancel, started, stderr)
	g, err := a.load(ctx, path, a.catalog(engine, out))
	if err != nil {
		return nil, err
	}
	rows, err := jsonformat.New(jsonformat.Options{})
	if err != nil {
		return nil, err
	}
	opts := job.Options{Rows: rows, Log: logger(stderr)}
	disk, err := openState(g)
	if err != nil {
		return nil, err
	}
	if disk != nil {
		opts.State = disk.store
		defer func() { err = errors.Join(err, disk.close()) }()
	}
	j, err := job.New(ctx, g, opts)
	if err != nil {
		return nil, err
	}
	bounded, sinks := shape(g)
	started <- startedJob{j, bounded}

	finished, shown := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(shown)
		screen.watch(j, finished)
	}()
	err = j.Run(ctx)
	close(finished)
	<-shown
	progress := j.Progress()
	return &progress, outcome(err, sinks, out.any.Load())
}

// shape says whether all sources of a graph end, and how many sinks it has.
func shape(g *graph.Graph) (bounded bool, sinks int) {
	bounded = true
	for _, n := range g.Nodes {
		if n.Source != nil {
			bounded = bounded && n.Source.Source.Bounded()
		}
		if n.Sink != nil {
			sinks++
		}
	}
	return bounded, sinks
}

// outcome is the error of a run as a person should read it.
func outcome(err error, sinks int, printed bool) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, std.ErrClosed) && sinks == 1:
		return nil // whoever reads the output has enough
	case errors.Is(err, std.ErrClosed):
		return errors.New("standard output was closed before the end of the input; the other sinks have written nothing")
	case printed:
		return fmt.Errorf("%w\nthe rows that were printed before are not the whole result", err)
	}
	return err
}

// printed is a writer that remembers whether anything was written.
type printed struct {
	to  io.Writer
	any atomic.Bool
}

func (p *printed) Write(text []byte) (int, error) {
	n, err := p.to.Write(text)
	if n > 0 {
		p.any.Store(true)
	}
	return n, err
}
