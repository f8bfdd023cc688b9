// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/wasmill/wasmill/plugins/file"
	"github.com/wasmill/wasmill/plugins/format/csv"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/plugins/format/raw"
	"github.com/wasmill/wasmill/plugins/generator"
	"github.com/wasmill/wasmill/plugins/std"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// catalog is all that a pipeline can name. Rows for the terminal go to out.
func (a *app) catalog(engine *wasm.Engine, out io.Writer) graph.Catalog {
	return graph.Catalog{
		Connectors: []operator.Connector{file.Connector(), std.Stdin(a.stdin), std.Stdout(out, a.stdoutWidth()), generator.Connector()},
		Formats:    []operator.FormatType{json.Type(), csv.Type(), raw.Type()},
		Modules:    engine,
	}
}

// engine returns an engine as the environment wishes it; see README.md.
func (a *app) engine() (*wasm.Engine, error) {
	opts := wasm.Options{Compiler: a.compiler, CacheDir: os.Getenv("WASMILL_CACHE")}
	if text := os.Getenv("WASMILL_COMPILE_TIME"); text != "" {
		limit, err := time.ParseDuration(text)
		if err != nil || limit <= 0 {
			return nil, userError{fmt.Errorf("WASMILL_COMPILE_TIME is %q; it is how long a module may take to compile, such as 30s", text)}
		}
		opts.Budget.Time = limit
	}
	return wasm.NewEngine(opts)
}

// logger writes what operators log, a line each.
func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) == 0 && attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}}))
}
