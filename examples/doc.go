// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package examples is what a newcomer runs first: pipelines with the operators that they name, each
// in a folder. README.md is their page; its commands run in this package's tests, which also compare
// what each pipeline finds with what an oracle beside it computes in plain Python.
//
// The package itself says which modules the examples need and from which sources they are built.
package examples

import "github.com/wasmill/wasmill/sdk/build"

// Module is a module that a pipeline names. Paths count from this folder.
type Module struct {
	Path   string // where the pipeline looks for it
	Lang   build.Language
	Source string // the folder of its project
}

// Modules returns the modules of all examples.
func Modules() []Module {
	return []Module{
		{"flights/movements.wasm", build.Go, "flights/go"},
		{"mixed/parse.wasm", build.Rust, "mixed/parse"},
		{"mixed/enrich.wasm", build.Go, "mixed/enrich"},
		{"mixed/score.wasm", build.AssemblyScript, "mixed/score"},
		{"percentiles/delays.wasm", build.Rust, "percentiles/delays"},
		{"top/traffic.wasm", build.Go, "top/traffic"},
		{"enrich/places.wasm", build.Go, "enrich/places"},
		{"turnarounds/landings.wasm", build.Go, "turnarounds/landings"},
		{"fraud/fraud.wasm", build.Go, "fraud/go"},
		{"anomalies/watch.wasm", build.Rust, "anomalies/watch"},
	}
}
