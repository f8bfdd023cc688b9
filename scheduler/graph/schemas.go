// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"context"
	"strings"

	"go.yaml.in/yaml/v3"

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
	c := newChecker(ctx, p, catalog, out)
	c.declareSources()
	var schemas []SourceSchema
	for i, d := range c.drafts {
		if d.make(d); d.streams[0].schema != nil {
			schemas = append(schemas, SourceSchema{Source: d.name, Declared: p.Sources[i].Schema != nil, Schema: d.streams[0].schema})
		}
	}
	var problems Problems
	for _, problem := range c.sorted() {
		if section, _, _ := strings.Cut(problem.Path, "."); section == "sources" || section == "" {
			problems = append(problems, problem)
		}
	}
	return schemas, problems
}

// String returns the schema as it stands in a pipeline file: the key schema with a line for each
// column.
func (s SourceSchema) String() string {
	columns := &yaml.Node{Kind: yaml.MappingNode}
	for i := range s.Schema.Fields {
		f := &s.Schema.Fields[i]
		columns.Content = append(columns.Content, stringNode(f.Name), stringNode(f.TypeString()))
	}
	var out strings.Builder
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{stringNode("schema"), columns}}); err != nil {
		panic("graph: encoding strings as YAML: " + err.Error())
	}
	return out.String()
}

func stringNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	n.Tag = "!!str" // or a reader might take it for a number
	return n
}
