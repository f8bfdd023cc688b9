// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"cmp"
	"context"
	"path/filepath"
	"reflect"
	"time"

	"github.com/wasmill/wasmill/scheduler/operator"
)

// Catalog is what pipelines can be made of.
type Catalog struct {
	Connectors []operator.Connector
	Formats    []operator.FormatType
	Modules    operator.Modules // nil where there are none
}

// sources returns the names of the connectors that can be a source.
func (c *Catalog) sources() (names []string) {
	for _, conn := range c.Connectors {
		if conn.Source != nil {
			names = append(names, conn.Name)
		}
	}
	return names
}

// sinks returns the names of the connectors that can be a sink.
func (c *Catalog) sinks() (names []string) {
	for _, conn := range c.Connectors {
		if conn.Sink != nil {
			names = append(names, conn.Name)
		}
	}
	return names
}

// Load checks the pipeline in data, the content of the file path. It returns a graph, or all that
// is wrong. It loads the modules that the pipeline names and makes its sources and sinks; data and
// what lies behind those is all that it reads.
func Load(ctx context.Context, path string, data []byte, catalog Catalog) (*Graph, Problems) {
	p, out := parse(path, data, &catalog)
	if p == nil {
		return nil, out.sorted()
	}
	return newChecker(ctx, p, catalog, out).graph()
}

// Check checks a pipeline that was built in Go, as Load does one in a file.
func Check(ctx context.Context, p *Pipeline, catalog Catalog) (*Graph, Problems) {
	whole := *p
	defaults := defaultOptions()
	o := &whole.Options
	o.Parallelism = cmp.Or(o.Parallelism, defaults.Parallelism)
	o.Latency = cmp.Or(o.Latency, defaults.Latency)
	o.BatchRows = cmp.Or(o.BatchRows, defaults.BatchRows)
	o.Seed = cmp.Or(o.Seed, defaults.Seed)
	return newChecker(ctx, &whole, catalog, &reporter{}).graph()
}

func defaultOptions() Options {
	return Options{Parallelism: 1, Latency: 50 * time.Millisecond, BatchRows: 1024, Seed: 1}
}

// parse reads a file into a Pipeline, as far as it can; nil where it is no YAML.
func parse(path string, data []byte, catalog *Catalog) (*Pipeline, *reporter) {
	out := &reporter{file: path}
	root := document(data, out)
	if root == nil {
		return nil, out
	}
	out.root = root
	p := &Pipeline{Options: defaultOptions(), Folder: filepath.Dir(path)}
	d := &decoder{out: out, sources: catalog.sources(), sinks: catalog.sinks()}
	d.decode(root, reflect.ValueOf(p).Elem(), at())
	return p, out
}
