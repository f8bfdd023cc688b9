// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"golang.org/x/term"
)

// usualWidth is that of a terminal that does not say.
const usualWidth = 80

// stdoutWidth returns the columns of the terminal that standard output is, 0 where it is none.
func (a *app) stdoutWidth() int {
	if !a.stdoutTerminal {
		return 0
	}
	return width(os.Stdout)
}

// stderrWidth is stdoutWidth for standard error.
func (a *app) stderrWidth() int {
	if !a.stderrTerminal {
		return 0
	}
	return width(os.Stderr)
}

func width(terminal *os.File) int {
	columns, _, err := term.GetSize(int(terminal.Fd()))
	if err != nil || columns <= 0 {
		return usualWidth
	}
	return columns
}
