// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

// Lookup is being built.
type Lookup struct{}

func (c *checker) lookup(d *draft, o *Operator) { c.input(d) }
