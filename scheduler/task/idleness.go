// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// idleness ends the wait for a row after a while of the job's time. One serves many waits: a context
// for each would be the only thing that reading a batch allocates.
//
// The job's clock may jump, and may not be the one that timers go by: a wait ends after a glance at
// most, and another follows. Time that goes back does not count.
type idleness struct {
	stop  context.Context
	after time.Duration // 0: never
	now   func() time.Time

	left   time.Duration // until the wait has been long enough
	seen   time.Time     // the time as of which left is
	wait   context.Context
	cancel context.CancelFunc
	timer  *time.Timer // cancels; nil where wait is used up
}

// begin returns the context of a first wait for a row, and whether that does not end by itself.
func (i *idleness) begin() (wait context.Context, quiet bool) {
	if i.after <= 0 {
		return i.stop, true
	}
	i.left, i.seen = i.after, i.now()
	return i.arm(), false
}

// again returns the context of another wait, after one that has ended by itself; quiet says that it
// has been long enough.
func (i *idleness) again() (wait context.Context, quiet bool) {
	i.end()
	now := i.now()
	if passed := now.Sub(i.seen); passed > 0 {
		i.left -= passed
	}
	i.seen = now
	if i.left <= 0 {
		return i.stop, true
	}
	return i.arm(), false
}

func (i *idleness) arm() context.Context {
	wait := min(i.left, glance)
	if i.timer == nil {
		i.wait, i.cancel = context.WithCancel(i.stop)
		i.timer = time.AfterFunc(wait, i.cancel)
	} else {
		i.timer.Reset(wait)
	}
	return i.wait
}

// end ends a wait.
func (i *idleness) end() {
	if i.timer != nil && !i.timer.Stop() {
		i.cancel()
		i.timer = nil
	}
}

// close frees what the last wait has left.
func (i *idleness) close() {
	if i.timer != nil {
		i.cancel()
	}
}
