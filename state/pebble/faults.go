// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

var _ pebble.Logger = (*faults)(nil)

// faults turns what Pebble would log, or end the process by, into errors of whoever writes next.
//
// Pebble goes on after an error in the background (a compaction that finds the disk full) and tries
// again, while writes pile up. A job had better stop: its next write has the error.
//
// Not all can be caught. Where Pebble can't write its manifest, or can't begin a new log, it holds
// locks that can't be left, and the process ends. State is as of the last Flush then.
type faults struct {
	background atomic.Pointer[error] // the first one
	fatal      atomic.Bool           // a DB is not to be touched any more
}

// fatalError is the panic by which Fatalf leaves Pebble, which does not go on behind it.
type fatalError struct{ message string }

func (e *fatalError) Error() string { return e.message }

// Infof drops what is no fault.
func (f *faults) Infof(string, ...any) {}

// Errorf drops what Pebble returns or reports as a background error too.
func (f *faults) Errorf(string, ...any) {}

// Fatalf leaves Pebble.
func (f *faults) Fatalf(format string, args ...any) {
	f.fatal.Store(true)
	panic(&fatalError{fmt.Sprintf(format, args...)})
}

// note remembers an error in the background.
func (f *faults) note(err error) { f.background.CompareAndSwap(nil, &err) }

// catch calls Pebble to write, unless it has failed before, and returns a fatal fault as an error.
func (f *faults) catch(call func() error) (err error) {
	if f.fatal.Load() {
		return errors.New("the store on disk has failed before")
	}
	if err := f.background.Load(); err != nil {
		return fmt.Errorf("in the background: %w", *err)
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *fatalError:
			err = r
		default:
			panic(r)
		}
	}()
	return call()
}
