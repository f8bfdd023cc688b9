// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package graph turns a pipeline, from a file or from a Go builder, into a checked graph of nodes:
// every name resolved, every schema and type agreed, every operator ready to be made. A graph that
// Check returned can be run; what can be known to fail before a row flows, fails here, with the
// line at fault. The package runs nothing: job does.
package graph

import (
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Graph is a checked pipeline. Nodes are in topological order: each after all that it reads.
type Graph struct {
	Name    string
	Nodes   []*Node
	Options Options
}

// Options are a pipeline's settings as a whole.
type Options struct {
	// Parallelism is the number of subtasks of each source and operator that sets none; sinks have
	// 1. Default 1.
	Parallelism int `yaml:"parallelism"`
	// Latency is the longest that a row waits for its batch to fill. Default 50 ms.
	Latency time.Duration `yaml:"latency"`
	// BatchRows is the most rows of a batch that a source makes. Default 1,024.
	BatchRows int `yaml:"batch_rows"`
	// Seed is where all randomness of the job comes from. Default 1.
	Seed uint64 `yaml:"seed"`
	// State is where operators keep their state.
	State State `yaml:"state"`
}

// Node is one source, operator or sink. Exactly one of Source, New and Sink is set.
type Node struct {
	Name        string
	Line        int // in the pipeline file; 0 where it has none
	Parallelism int
	Inputs      []Edge
	Outputs     []Port
	OnError     operator.Policy
	DeadLetters int // the output of rows that failed, -1 where it has none

	Source *SourceNode
	New    func(operator.Context) (operator.Operator, error)
	// Stateful says that New makes an operator.Stateful.
	Stateful bool
	// Time is set of an operator that makes the watermark anew, from the rows of its main output.
	Time *Time
	Sink operator.Sink

	about string // what the node is, for a plan
}

// Port is an output of a node. The first is the main one and has no name.
type Port struct {
	Name   string
	Schema *abi.Schema
}

// Edge is what a node reads.
type Edge struct {
	From      *Node
	Port      int // of From
	Side      int // the input of the node's operator that its rows belong to
	Partition Partition
	Key       []int // columns, where Partition is Hash
}

// Partition says which subtask a row goes to.
type Partition uint8

// The partitionings.
const (
	// Forward: to the subtask of the same number; where the numbers of subtasks differ, Rebalance.
	Forward Partition = iota
	// Hash: to the subtask that owns the key group of the row's key.
	Hash
	// Broadcast: to all.
	Broadcast
	// Rebalance: to each in turn, batch by batch.
	Rebalance
)

// SourceNode is what a source has besides a node's.
type SourceNode struct {
	Source operator.Source
	Time   *Time // nil where rows have no event time
}
