// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

// Reason says why a call ended early.
type Reason uint8

// The reasons.
const (
	Trapped   Reason = iota + 1 // an instruction trapped
	FuelUsed                    // the fuel of the call is used up
	TimeUsed                    // the time of the call is over
	StackUsed                   // calls nest too deep
	Stopped                     // a host function called Stop, or the context is done
	Broken                      // a fault of the host's or of the engine's
)

// Trap is a call that ended early.
type Trap struct {
	Reason   Reason
	Function string   // that the host called
	Text     string   // of Trapped and Broken, in the engine's words
	Cause    error    // of Stopped: what Stop was given, or why the context is done
	Stack    []string // functions of the guest, the innermost first; at most 30
}

// Error says what happened.
func (t *Trap) Error() string {
	switch t.Reason {
	case FuelUsed:
		return fmt.Sprintf("%s used up its fuel", t.Function)
	case TimeUsed:
		return fmt.Sprintf("%s took too long", t.Function)
	case StackUsed:
		return fmt.Sprintf("%s: calls nest too deep", t.Function)
	case Stopped:
		return t.Cause.Error()
	case Broken:
		return fmt.Sprintf("%s: the engine failed: %s", t.Function, t.Text)
	}
	return fmt.Sprintf("%s trapped: %s", t.Function, t.Text)
}

func (t *Trap) Unwrap() error { return t.Cause }

// stop is what a host function panics with to end the guest's call. wazero recovers it and adds
// the guest's stack.
type stop struct {
	reason Reason
	cause  error
}

func (*stop) Error() string { return "stopped" }

// Stop ends the call that is running, from within a host function. It does not return.
func (in *Instance) Stop(cause error) { panic(&stop{reason: Stopped, cause: cause}) }

// stackMark precedes the stack in the text of wazero's errors, and frameMark each frame.
const (
	stackMark = "wasm stack trace:\n\t"
	frameMark = "\n\t"
)

// trap translates an error of wazero's.
func (c *Code) trap(function string, err error) *Trap {
	t := &Trap{Function: function}
	text := err.Error()
	head, frames, _ := strings.Cut(text, stackMark)
	t.Stack = c.names.clean(frames)
	var s *stop
	switch {
	case errors.As(err, &s):
		t.Reason, t.Cause = s.reason, s.cause
	case text == "stack overflow":
		t.Reason = StackUsed
	case strings.HasPrefix(head, "wasm error: "):
		t.Reason, t.Text = Trapped, strings.TrimSpace(strings.TrimPrefix(head, "wasm error: "))
	default:
		t.Reason, t.Text = Broken, strings.TrimSpace(head)
	}
	return t
}

// frameNames knows which frames of a stack are the guest's.
type frameNames struct{ imports []module.ImportEntry }

// clean returns the frames of the guest's own functions by their names, without types.
func (n frameNames) clean(frames string) []string {
	var out []string
	for frames != "" {
		var frame string
		frame, frames, _ = strings.Cut(frames, frameMark)
		if strings.HasPrefix(frame, "...") || n.foreign(frame) {
			continue
		}
		frame = strings.TrimPrefix(frame, ".") // before it, wazero writes the name of the module, which the meter takes away
		if at := signatureAt(frame); at > 0 {
			frame = frame[:at]
		}
		out = append(out, strings.Map(printable, strings.ToValidUTF8(frame, "\uFFFD")))
	}
	return out
}

// foreign says whether a frame is a host function's, or the meter's.
func (n frameNames) foreign(frame string) bool {
	if strings.Contains(frame, meter.ImportModule) {
		return true
	}
	for i := range n.imports {
		e := &n.imports[i]
		if rest, ok := strings.CutPrefix(frame, e.Module+"."+e.Name); ok && strings.HasPrefix(rest, "(") {
			return true
		}
	}
	return false
}

// signatureAt returns where the types begin that wazero writes after a name: the last parenthesis
// but the results'.
func signatureAt(frame string) int {
	end := frame
	if strings.HasSuffix(end, ")") && strings.Contains(end, ") (") {
		end = end[:strings.LastIndex(end, ") (")+1]
	}
	return strings.LastIndexByte(end, '(')
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '\uFFFD'
}
