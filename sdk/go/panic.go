// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"reflect"
	"runtime"
	"strconv"
	"strings"
)

// maxFrames is how many frames of a stack a message has.
const maxFrames = 16

// panicMessage says what a panic was called with. (fmt would do, and make a module larger by
// two fifths.)
func panicMessage(v any) string {
	switch v := v.(type) {
	case string:
		return "panic: " + v
	case error:
		return "panic: " + v.Error()
	case interface{ String() string }:
		return "panic: " + v.String()
	case int:
		return "panic: " + strconv.Itoa(v)
	}
	return "panic: a value of type " + reflect.TypeOf(v).String()
}

// stack returns the frames of the goroutine that panicked, a line each, from the one that did to
// the last that is not of a package whose functions begin with sdk.
func stack(sdk string) string {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])])
	text, n, panicked := "", 0, false
	for more := true; more && n < maxFrames; {
		var f runtime.Frame
		f, more = frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		switch {
		case inRuntime:
			panicked = true
			continue
		case !panicked: // the deferred function itself
			continue
		case n > 0 && strings.HasPrefix(f.Function, sdk):
			return text
		}
		text += "\n\t" + f.Function + " " + f.File[strings.LastIndexByte(f.File, '/')+1:] + ":" + strconv.Itoa(f.Line)
		n++
	}
	return text
}
