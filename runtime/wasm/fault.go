// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/wasm/internal/vm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// How a call of a guest can fail, besides its context being done:

// failure is a call of fail, or of AssemblyScript's abort.
type failure struct {
	kind         abi.FailKind
	message      string
	file         string // of abort
	line, column uint32
}

func (f *failure) Error() string {
	if f.file == "" {
		return f.message
	}
	return fmt.Sprintf("%s (%s:%d:%d)", f.message, f.file, f.line, f.column)
}

// exit is a call of WASI's proc_exit.
type exit struct{ code uint32 }

func (e *exit) Error() string { return fmt.Sprintf("it called exit with code %d", e.code) }

// breach is a guest that breaks the contract.
type breach struct{ err error }

func (b *breach) Error() string { return b.err.Error() }

func breachf(format string, args ...any) error { return &breach{fmt.Errorf(format, args...)} }

// statusError is a status other than 0.
type statusError struct {
	function string
	status   int32
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s returned status %d, and gave no reason by fail", e.function, e.status)
}

// fault is a call that ended early, in words for the module's author.
type fault struct {
	err   error  // what was wrong
	text  string // of it, with what the guest itself said
	stack []string
}

func (f *fault) Error() string { return f.text }

func (f *fault) Unwrap() error { return f.err }

// explain turns the error of a call into a *fault, or into the context's error.
func (g *guest) explain(ctx context.Context, err error) error {
	var t *vm.Trap
	if !errors.As(err, &t) {
		return &fault{err: err, text: err.Error()}
	}
	if t.Reason == vm.Stopped && ctx.Err() != nil && errors.Is(t.Cause, context.Cause(ctx)) {
		return t.Cause
	}
	l := &g.module.engine.opts.Limits
	f := &fault{err: err, stack: t.Stack, text: err.Error()}
	said := g.said.message()
	switch t.Reason {
	case vm.Trapped:
		f.text = fmt.Sprintf("it trapped in %s: %s", g.function, t.Text)
		if said != "" {
			f.text = fmt.Sprintf("%s (%s)", said, t.Text)
		}
	case vm.FuelUsed:
		f.text = fmt.Sprintf("%s used up its fuel of %d units (about %v) and was stopped: it loops without end, "+
			"or does too much in one call", g.function, l.CallFuel, fuelTime(l.CallFuel))
	case vm.TimeUsed:
		f.text = fmt.Sprintf("%s took longer than %v and was stopped", g.function, l.CallTime)
	case vm.StackUsed:
		f.text = fmt.Sprintf("%s nests calls deeper than %d KiB of stack: it recurses without end, or too deep", g.function, l.StackBytes>>10)
	case vm.Stopped:
		var e *exit
		if errors.As(t.Cause, &e) {
			if f.text = said; said == "" {
				f.text = fmt.Sprintf("%s called exit with code %d; an operator module must go on", g.function, e.code)
			}
		}
	case vm.Broken:
		f.text = fmt.Sprintf("the engine failed in %s: %s", g.function, t.Text)
	}
	return f
}

// fuelTime is about how long fuel lasts: the meter's unit is one simple machine instruction.
func fuelTime(units int64) time.Duration {
	return (time.Duration(units) / 2).Round(time.Millisecond)
}

// moduleError is what is wrong with a module as a whole, or why it can't be loaded.
func moduleError(err error) error {
	if errors.As(err, new(*vm.CacheError)) {
		return &operator.Error{Fault: operator.FaultEnvironment, Err: err}
	}
	return &operator.Error{Fault: operator.FaultModule, Err: err, Stack: stackOf(err)}
}

// stackOf returns the guest's stack, a frame a line.
func stackOf(err error) string {
	var f *fault
	if !errors.As(err, &f) {
		return ""
	}
	var lines []string
	frames := readable(f.stack)
	for i, times := 0, 1; i < len(frames); i, times = i+times, 1 {
		for i+times < len(frames) && frames[i+times] == frames[i] {
			times++
		}
		line := "    at " + frames[i]
		if times > 1 {
			line += fmt.Sprintf(" (%d times)", times)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// refused says that the guest called fail to refuse on purpose.
func refused(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.kind == abi.FailError
}

// rowsFault says whether an error of a call with rows is one that a row may be at fault for.
func rowsFault(err error) bool {
	var final *operator.Error // of an instance that could not be opened
	var s *statusError
	if refused(err) || isStore(err) || errors.As(err, &s) || errors.As(err, &final) {
		return false
	}
	var f *fault
	var b *breach
	return errors.As(err, &f) || errors.As(err, &b)
}
