// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
)

// rescue ends a call that panicked: it tells the host the panic and where it happened. Without it
// Go would print the same to stderr, with the frames of its runtime and of this package around
// the user's, and the host would have to tell a panic from a plain exit. What can't be recovered
// (a stack overflow, memory that has run out, a deadlock) still goes that way.
func rescue() {
	if v := recover(); v != nil {
		host.Fail(host.Bug, panicMessage(v)+stack(row.SDK+"."))
	}
}
