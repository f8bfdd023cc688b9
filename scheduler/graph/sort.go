// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

// Sort is being built.
type Sort struct{}

func (c *checker) sort(d *draft, o *Operator) { c.input(d) }
