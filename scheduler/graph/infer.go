// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"context"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wasmill/wasmill/abi"
)

// Inferred is a source whose file declares no schema, with the one that its first rows have.
type Inferred struct {
	Source string
	Schema *abi.Schema
}

// Infer returns the schemas of the sources that a pipeline file declares none for, and what is
// wrong with its sources.
func Infer(ctx context.Context, path string, data []byte, catalog Catalog) ([]Inferred, Problems) {
	p, out := parse(path, data, &catalog)
	if p == nil {
		return nil, out.sorted()
	}
	c := newChecker(ctx, p, catalog, out)
	var inferred []Inferred
	for i := range p.Sources {
		s := &p.Sources[i]
		if s.Schema != nil {
			continue
		}
		d := &draft{name: s.Name, kind: "source", where: at("sources", s.Name)}
		if source := c.makeSource(d, s); source != nil {
			if schema := c.sourceSchema(d, s, source); schema != nil {
				inferred = append(inferred, Inferred{s.Name, schema})
			}
		}
	}
	var ofSources Problems
	for _, problem := range c.sorted() {
		if problem.Path == "" || problem.Path == "sources" || strings.HasPrefix(problem.Path, "sources.") {
			ofSources = append(ofSources, problem)
		}
	}
	return inferred, ofSources
}

// String returns the schema as it stands in a pipeline file below its source.
func (i Inferred) String() string {
	columns := &yaml.Node{Kind: yaml.MappingNode}
	for n := range i.Schema.Fields {
		f := &i.Schema.Fields[n]
		columns.Content = append(columns.Content, stringNode(f.Name), stringNode(f.TypeString()))
	}
	var out strings.Builder
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	source := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{stringNode("schema"), columns}}
	err := e.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{stringNode(i.Source), source}})
	if err != nil {
		panic("graph: encoding strings as YAML: " + err.Error())
	}
	return out.String()
}

func stringNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	n.Tag = "!!str"
	return n
}
