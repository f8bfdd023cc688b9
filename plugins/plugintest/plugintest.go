// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugintest drives connectors in tests as a job does: options from YAML, all splits of a
// source, rows into a sink.
package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Config is options as YAML, in a pipeline file of a folder.
type Config struct {
	YAML   string
	Folder string
}

var _ operator.Config = Config{}

// Decode reads the options as a pipeline file has them.
func (c Config) Decode(into any) error {
	options, err := graph.ParseOptions(c.YAML, c.Folder)
	if err != nil {
		return err
	}
	return options.Decode(into)
}

// Path makes a path absolute.
func (c Config) Path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Folder, path)
}

// Result is what a source has given.
type Result struct {
	Rows      [][]any
	Positions []string // of the rows: "name unit offset"
	Rejects   []string // "name unit offset: reason"
	Batches   []int    // their rows
	Err       error
}

// Options are the options of a read that tests begin with.
func Options() operator.ReadOptions {
	return operator.ReadOptions{
		Pool: &batch.Pool{}, Rows: 1024, Bytes: 1 << 20, Wait: 10 * time.Millisecond, Now: time.Now, Seed: 1,
	}
}

// ReadAll reads all splits of a source, one after the other, until they end, an error, or ctx.
func ReadAll(ctx context.Context, s operator.Source, opts operator.ReadOptions) Result {
	var out Result
	splits, err := s.Splits(ctx)
	if err != nil {
		out.Err = err
		return out
	}
	where := func(at batch.Position) string {
		split := splits[at.Split()]
		return fmt.Sprintf("%s %s %d", split.Name, split.Unit, at.Offset())
	}
	for i, split := range splits {
		opts.Number = i
		opts.Reject = func(_ []byte, at batch.Position, reason error) error {
			out.Rejects = append(out.Rejects, where(at)+": "+reason.Error())
			return nil
		}
		r, err := s.Read(ctx, split, opts)
		if err != nil {
			out.Err = err
			return out
		}
		out.Err = read(ctx, r, func(b *batch.Batch) {
			out.Rows = append(out.Rows, formattest.Values(b)...)
			out.Batches = append(out.Batches, b.Rows())
			for _, p := range b.Positions {
				out.Positions = append(out.Positions, where(p))
			}
		})
		if err := r.Close(); out.Err == nil {
			out.Err = err
		}
		if out.Err != nil {
			return out
		}
	}
	return out
}

func read(ctx context.Context, r operator.Reader, take func(*batch.Batch)) error {
	for {
		b, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		take(b)
		b.Release()
	}
}

// Source makes a source.
func Source(t testing.TB, c operator.Connector, config Config, spec operator.SourceSpec) operator.Source {
	t.Helper()
	s, err := c.Source(config, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Open makes a sink and opens its only writer.
func Open(t testing.TB, c operator.Connector, config Config, spec operator.SinkSpec) operator.Writer {
	t.Helper()
	s, err := c.Sink(config, spec)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Open(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
