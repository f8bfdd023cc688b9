// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wasmill/wasmill/scheduler/job"
)

var errInterrupted = errors.New("interrupted")

// patience is how long after an interruption further signals are ignored: who presses Ctrl-C twice
// does not want to be left with the temporary files that the first one is about to remove.
const patience = time.Second

// interrupt cancels, and from then on lets a signal end the process if that does not: a write to a
// pipe that nobody reads, for one, can't be interrupted.
func (a *app) interrupt(cancel context.CancelCauseFunc) {
	cancel(errInterrupted)
	since := time.Now()
	go func() {
		for range a.signals {
			if time.Since(since) > patience {
				say(a.stderr, "wasmill: stopped at once; temporary files may be left, which the next run removes\n")
				a.exit(exitFailed)
			}
		}
	}()
}

// interruptible returns a context that the next signal ends.
func (a *app) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-a.signals:
			a.interrupt(cancel)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// startedJob is a job and what a signal has to know of it.
type startedJob struct {
	*job.Job
	bounded bool // its input has an end
}

// obey answers the signals of a run: the first one drains a job that would never end by itself,
// any other one cancels.
func (a *app) obey(ctx context.Context, cancel context.CancelCauseFunc, started <-chan startedJob, stderr io.Writer) {
	var drains *job.Job // what the next signal drains
	for {
		select {
		case j := <-started:
			if !j.bounded {
				drains = j.Job
			}
		case <-ctx.Done():
			return
		case <-a.signals:
			if drains == nil {
				a.interrupt(cancel)
				return
			}
			say(stderr, "wasmill: stopping; processing what has been read. Ctrl-C again aborts.\n")
			drains.Stop()
			drains = nil
		}
	}
}
