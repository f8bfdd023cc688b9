// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"

	"github.com/wasmill/wasmill/scheduler/graph"
)

// load returns the graph of a pipeline file. Its problems are the user's to mend.
func (a *app) load(ctx context.Context, path string, catalog graph.Catalog) (*graph.Graph, error) {
	data, err := read(ctx, path)
	if err != nil {
		return nil, err
	}
	g, problems := graph.Load(ctx, path, data, catalog)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if problems != nil {
		return nil, userError{problems}
	}
	return g, nil
}

// read returns the content of a pipeline file. It may be a pipe, which keeps one waiting.
func read(ctx context.Context, path string) ([]byte, error) {
	type content struct {
		data     []byte
		problems graph.Problems
	}
	done := make(chan content, 1)
	go func() {
		data, problems := graph.Read(path)
		done <- content{data, problems}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx) // the goroutine ends with the process
	case c := <-done:
		switch {
		case c.problems != nil:
			return nil, userError{c.problems}
		case bytes.HasPrefix(c.data, []byte("\x00asm")):
			return nil, userError{graph.Problems{{
				File: path, Message: "this is a WebAssembly module, not a pipeline file",
				Hint: "a pipeline names it, as in wasm: " + path + "; what it holds says: wasmill inspect " + path,
			}}}
		}
		return c.data, nil
	}
}
