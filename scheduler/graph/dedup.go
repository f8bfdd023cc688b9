// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

// Dedup is being built.
type Dedup struct{}

func (c *checker) dedup(d *draft, o *Operator) { c.input(d) }
