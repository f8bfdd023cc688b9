// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

// Top is being built.
type Top struct{}

func (c *checker) top(d *draft, o *Operator) { c.input(d) }
