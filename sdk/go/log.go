// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import "github.com/wasmill/wasmill/sdk/go/internal/host"

// Level is how much a line of the log matters.
type Level int32

// The levels.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Log writes a line to the pipeline's log, of at most 1,024 bytes. A level that does not exist is
// the nearest one. What is printed to stdout or stderr, by package log for one, goes there too.
func Log(level Level, text string) {
	host.Log(int32(min(max(level, LevelDebug), LevelError)), text)
}

// Now returns the job's processing time. It stands still during a call, and so does the clock of
// package time.
func Now() Timestamp { return Timestamp(host.Now()) }
