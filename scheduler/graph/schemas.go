// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"context"

	"github.com/wasmill/wasmill/abi"
)

// SourceSchema is the schema of a source.
type SourceSchema struct {
	Source   string
	Declared bool // in the file; else it was inferred
	Schema   *abi.Schema
}

// Schemas returns the schemas of the sources in a pipeline file, in the order of the file,
// whatever else is wrong with it: it may have nothing but sources yet. Problems are those of the
// sources.
func Schemas(ctx context.Context, path string, data []byte, catalog Catalog) ([]SourceSchema, Problems) {
	p, out := parse(path, data, &catalog)
	if p == nil {
		return nil, out.sorted()
	}
	sources := Pipeline{Sources: p.Sources, Options: defaultOptions(), Folder: p.Folder}
	c := newChecker(ctx, &sources, catalog, &reporter{file: path, root: out.root})
	c.declare()
	var schemas []SourceSchema
	for i, d := range c.drafts {
		if d.make(d); d.streams[0].schema != nil {
			schemas = append(schemas, SourceSchema{Source: d.name, Declared: p.Sources[i].Schema != nil, Schema: d.streams[0].schema})
		}
	}
	return schemas, c.sorted()
}
