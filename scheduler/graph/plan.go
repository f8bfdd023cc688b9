// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
)

// Plan says what a job of a graph will do, for people and, as JSON, for programs.
type Plan struct {
	Name        string     `json:"name"`
	Parallelism int        `json:"parallelism"`
	Latency     string     `json:"latency"`
	BatchRows   int        `json:"batch_rows"`
	Seed        uint64     `json:"seed"`
	State       string     `json:"state,omitempty"` // where it lies, if not in memory
	Nodes       []PlanNode `json:"nodes"`           // each after all that it reads
}

// PlanNode is a node of a plan.
type PlanNode struct {
	Name        string       `json:"name"`
	Kind        string       `json:"kind"` // source, operator or sink
	About       string       `json:"about"`
	Line        int          `json:"line,omitempty"`
	Parallelism int          `json:"parallelism"`
	OnError     string       `json:"on_error,omitempty"` // not of a sink
	Time        *PlanTime    `json:"time,omitempty"`     // of a source, or of an operator that makes it anew
	Inputs      []PlanInput  `json:"inputs,omitempty"`
	Outputs     []PlanOutput `json:"outputs,omitempty"`
}

// PlanInput is an edge.
type PlanInput struct {
	From      string       `json:"from"` // NODE or NODE.PORT
	Partition string       `json:"partition"`
	Key       []string     `json:"key,omitempty"`
	Schema    []PlanColumn `json:"schema"`
}

// PlanOutput is an output. The main one has no name.
type PlanOutput struct {
	Name   string       `json:"name,omitempty"`
	Schema []PlanColumn `json:"schema"`
}

// PlanColumn is a column of a stream.
type PlanColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Plan returns the graph's plan.
func (g *Graph) Plan() *Plan {
	o := &g.Options
	p := &Plan{Name: g.Name, Parallelism: o.Parallelism, Latency: durationText(o.Latency), BatchRows: o.BatchRows, Seed: o.Seed, State: o.State.text()}
	for _, n := range g.Nodes {
		p.Nodes = append(p.Nodes, n.plan())
	}
	return p
}

func (n *Node) plan() PlanNode {
	p := PlanNode{Name: n.Name, Kind: "operator", About: n.about, Line: n.Line, Parallelism: n.Parallelism}
	switch {
	case n.Source != nil:
		p.Kind = "source"
		if t := n.Source.Time; t != nil {
			p.Time = t.plan(n.Outputs[0].Schema)
		}
	case n.Sink != nil:
		p.Kind = "sink"
	case n.Time != nil:
		p.Time = n.Time.plan(n.Outputs[0].Schema)
	}
	if n.Sink == nil {
		p.OnError = policyNames[n.OnError]
	}
	for _, in := range n.Inputs {
		port := in.From.Outputs[in.Port]
		edge := PlanInput{From: in.From.Name, Partition: in.Partition.String(), Schema: planColumns(port.Schema)}
		if port.Name != "" {
			edge.From += "." + port.Name
		}
		if in.Partition == Forward && in.From.Parallelism != n.Parallelism {
			edge.Partition = Rebalance.String()
		}
		for _, col := range in.Key {
			edge.Key = append(edge.Key, port.Schema.Fields[col].Name)
		}
		p.Inputs = append(p.Inputs, edge)
	}
	for _, port := range n.Outputs {
		p.Outputs = append(p.Outputs, PlanOutput{Name: port.Name, Schema: planColumns(port.Schema)})
	}
	return p
}

func planColumns(s *abi.Schema) []PlanColumn {
	columns := make([]PlanColumn, len(s.Fields))
	for i := range s.Fields {
		columns[i] = PlanColumn{s.Fields[i].Name, s.Fields[i].TypeString()}
	}
	return columns
}

// String returns the plan as text.
func (p *Plan) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "pipeline %s: parallelism %d, latency %s, %d rows a batch, seed %d\n", p.Name, p.Parallelism, p.Latency, p.BatchRows, p.Seed)
	if p.State != "" {
		fmt.Fprintf(&s, "state in %s\n", p.State)
	}
	for i := range p.Nodes {
		p.Nodes[i].write(&s)
	}
	return s.String()
}

func (n *PlanNode) write(s *strings.Builder) {
	fmt.Fprintf(s, "\n%s %s: %s\n", n.Kind, n.Name, n.About)
	fmt.Fprintf(s, "  parallelism %d", n.Parallelism)
	if n.OnError != "" {
		fmt.Fprintf(s, ", on_error %s", n.OnError)
	}
	s.WriteString("\n")
	if n.Time != nil {
		fmt.Fprintf(s, "  event time     %s\n", n.Time)
	}
	for _, in := range n.Inputs {
		fmt.Fprintf(s, "  reads          %s, %s", in.From, in.Partition)
		if len(in.Key) > 0 {
			fmt.Fprintf(s, " of %s", strings.Join(in.Key, ", "))
		}
		fmt.Fprintf(s, "  %s\n", columnsText(in.Schema))
	}
	for _, out := range n.Outputs {
		name := "produces"
		if out.Name != "" {
			name = "." + out.Name
		}
		fmt.Fprintf(s, "  %-14s %s\n", name, columnsText(out.Schema))
	}
}

func columnsText(columns []PlanColumn) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = c.Name + ": " + c.Type
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// durationText returns a duration as a pipeline file has it: 1h30m, not 1h30m0s.
func durationText(d time.Duration) string {
	s := strings.ReplaceAll(d.String(), "µ", "u")
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
