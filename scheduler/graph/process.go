// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

// Input is what an input of a process reads. Its name is the port's.
type Input struct {
	Name string   `yaml:"-"`
	From []string `yaml:"from"`
	// Key is as an operator's, where the module does not say what it is.
	Key []string `yaml:"key"`
	// Columns are as a Wasm's.
	Columns map[string]string `yaml:"columns"`
}

func (in *Input) setName(name string) { in.Name = name }

func (c *checker) wasm(d *draft, o *Operator) { c.wasmMap(d, o) }
