// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wasmill/wasmill/scheduler/job"
)

var errInterrupted = errors.New("interrupted")

// killable is how long after an interruption signals are ignored: who presses Ctrl-C twice does not
// want the temporary files that the first one removes. After that the next one ends the process.
const killable = time.Second

func (a *app) interrupt(cancel context.CancelCauseFunc) {
	cancel(errInterrupted)
	if a.letKill != nil {
		time.AfterFunc(killable, a.letKill)
	}
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
			fmt.Fprintln(stderr, "wasmill: stopping; processing what has been read. Ctrl-C again aborts.")
			drains.Stop()
			drains = nil
		}
	}
}
