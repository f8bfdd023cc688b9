// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

// Join is being built.
type Join struct{}

func (j *Join) references(place) []*link { return nil }

func (c *checker) join(d *draft, o *Operator) { c.input(d) }
