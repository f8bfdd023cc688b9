// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"strings"
)

// Check is one thing that the contract asks for. Err says how the module breaks it, nil where it
// doesn't.
type Check struct {
	Name string
	Err  error
}

// Report is what a run found, in the order of the checks.
type Report struct {
	Checks []Check
}

func (r *Report) add(name string, err error) {
	r.Checks = append(r.Checks, Check{Name: name, Err: err})
}

// Failed returns the checks that found a breach.
func (r *Report) Failed() []Check {
	var failed []Check
	for _, c := range r.Checks {
		if c.Err != nil {
			failed = append(failed, c)
		}
	}
	return failed
}

// String writes a line a check and one that counts them.
func (r *Report) String() string {
	var out strings.Builder
	for _, c := range r.Checks {
		if c.Err == nil {
			fmt.Fprintf(&out, "ok      %s\n", c.Name)
		} else {
			fmt.Fprintf(&out, "FAILED  %s: %v\n", c.Name, c.Err)
		}
	}
	fmt.Fprintf(&out, "%d checks, %d failed\n", len(r.Checks), len(r.Failed()))
	return out.String()
}
