// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"fmt"

	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/task"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// openSplits is how many splits of a bounded source are read at once. Those that wait hold their
// source's watermark back, as they must.
const openSplits = 64

// batchBytes is about how many bytes a batch may have.
const batchBytes = 256 << 10

// planner turns a graph into tasks: the physical graph. A node is chained to the one it reads
// where that is its only input, rows need not change their subtask, and both have as many
// subtasks. All tasks of a chain are alike.
type planner struct {
	*Job
	chains  []*chain
	byNode  map[*graph.Node]*chain
	groups  map[string]*task.Alignment
	stats   map[*graph.Node]nodeStats
	members map[*graph.Node][]*task.Node // by subtask
}

type chain struct {
	nodes    []*graph.Node
	subtasks int
	inboxes  []*exchange.Inbox // by subtask
	inputs   [][]int           // by subtask and channel: the input of the head's operator
	edges    []int             // by channel: the edge of the head that it is of; nil of a source
	base     []int             // by edge of the head: its first channel
}

func (p *planner) plan(ctx context.Context) error {
	p.byNode = map[*graph.Node]*chain{}
	p.members = map[*graph.Node][]*task.Node{}
	p.groups = map[string]*task.Alignment{}
	p.stats = map[*graph.Node]nodeStats{}
	for _, n := range p.graph.Nodes {
		p.stats[n] = nodeStats{node: n, counters: &operator.Counters{}}
		if n.OnError == operator.PolicyDeadLetter && p.opts.Rows == nil {
			return fmt.Errorf("job: %s has dead letters, and Options.Rows does not say how a row is written into one", n.Name)
		}
		p.place(n)
	}
	for _, c := range p.chains {
		if c.nodes[0].Source == nil {
			p.connect(c)
		} else if err := p.read(ctx, c); err != nil {
			return err
		}
	}
	for _, n := range p.graph.Nodes {
		if err := p.populate(ctx, n); err != nil {
			return err
		}
	}
	for _, n := range p.graph.Nodes {
		p.link(n)
	}
	for _, c := range p.chains {
		p.finish(c)
	}
	return nil
}

// chained says whether rows reach n without leaving the task of the node it reads.
func chained(n *graph.Node) bool {
	return len(n.Inputs) == 1 && n.Inputs[0].Partition == graph.Forward && n.Inputs[0].From.Parallelism == n.Parallelism
}

// place gives a node to a chain.
func (p *planner) place(n *graph.Node) {
	if chained(n) {
		c := p.byNode[n.Inputs[0].From]
		c.nodes = append(c.nodes, n)
		p.byNode[n] = c
		return
	}
	c := &chain{nodes: []*graph.Node{n}, subtasks: n.Parallelism}
	p.chains = append(p.chains, c)
	p.byNode[n] = c
}

// connect makes the inboxes of a chain that reads other tasks: per input of its head a channel for
// each subtask that sends to it.
func (p *planner) connect(c *chain) {
	head := c.nodes[0]
	var inputs, edges []int
	for i, in := range head.Inputs {
		c.base = append(c.base, len(inputs))
		senders := in.From.Parallelism
		if oneToOne(head, in) {
			senders = 1
		}
		for range senders {
			inputs, edges = append(inputs, in.Side), append(edges, i)
		}
	}
	for range c.subtasks {
		c.inboxes = append(c.inboxes, exchange.NewInbox(len(inputs)))
		c.inputs = append(c.inputs, inputs)
	}
	c.edges = edges
}

// oneToOne says whether an input brings rows from the subtask of the same number only.
func oneToOne(n *graph.Node, in graph.Edge) bool {
	return in.Partition == graph.Forward && in.From.Parallelism == n.Parallelism
}

// read makes the inboxes of a source's chain: a channel for each split, dealt out to the subtasks
// in turn.
func (p *planner) read(ctx context.Context, c *chain) error {
	n := c.nodes[0]
	splits, err := n.Source.Source.Splits(ctx)
	if err != nil {
		return operator.Of(n.Name, operator.FaultEnvironment, err)
	}
	limit := openSplits
	if !n.Source.Source.Bounded() {
		limit = len(splits)
	}
	open := make(chan struct{}, max(limit, 1))
	inputs := make([][]int, c.subtasks)
	for i := range splits {
		inputs[i%c.subtasks] = append(inputs[i%c.subtasks], -1)
	}
	for subtask := range c.subtasks {
		c.inboxes = append(c.inboxes, exchange.NewInbox(len(inputs[subtask])))
	}
	c.inputs = inputs
	for i, s := range splits {
		number := len(p.names)
		p.names = append(p.names, s)
		subtask := i % c.subtasks
		to := exchange.Target{Inbox: c.inboxes[subtask], Channel: i / c.subtasks}
		split := p.split(n, s, number, to)
		if len(splits) <= limit {
			split.Align.Join()
		}
		p.splits = append(p.splits, &splitTask{Split: split, node: n, subtask: subtask, open: open})
	}
	return nil
}

func (p *planner) split(n *graph.Node, s operator.Split, number int, to exchange.Target) *task.Split {
	split := &task.Split{
		Source: n.Source.Source, Split: s, To: to, Stats: task.NewSplitStats(),
		Options: operator.ReadOptions{
			Number: number, Pool: p.opts.Pool, Rows: p.graph.Options.BatchRows, Bytes: batchBytes,
			Wait: p.graph.Options.Latency, Now: p.opts.Now, Seed: p.graph.Options.Seed,
		},
	}
	if t := n.Source.Time; t != nil {
		split.Time, split.Idle = p.timestamps(n, t), t.Idle
		if t.Align != nil {
			group := p.groups[t.Align.Group]
			if group == nil {
				group = &task.Alignment{}
				p.groups[t.Align.Group] = group
			}
			split.Align = group.NewMember(t.Align.Drift)
		}
	}
	return split
}

func (p *planner) timestamps(n *graph.Node, t *graph.Time) *task.Timestamps {
	return task.NewTimestamps(t.Column, t.MarkColumn(), t.OutOfOrder, p.opts.Pool, p.stats[n].counters)
}

// populate makes the operators or writers of a node, one a subtask.
func (p *planner) populate(ctx context.Context, n *graph.Node) error {
	stats := p.stats[n]
	for subtask := range n.Parallelism {
		s := task.NewStats(len(n.Outputs))
		stats.subtasks = append(stats.subtasks, s)
		member := &task.Node{
			Name: n.Name, Stats: s, Ports: make([][]task.Link, len(n.Outputs)),
			Failures: p.failures(n, s),
		}
		if n.Time != nil {
			member.Time = p.timestamps(n, n.Time)
			member.Time.Idle = n.Time.Idle
		}
		switch {
		case n.New != nil:
			if err := p.operate(n, member, subtask, stats.counters); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
		case n.Sink != nil:
			w, err := n.Sink.Open(ctx, subtask, n.Parallelism)
			if err != nil {
				return operator.Of(n.Name, operator.FaultEnvironment, err)
			}
			member.Writer = w
			p.writers = append(p.writers, writer{node: n.Name, Writer: w})
		}
		p.members[n] = append(p.members[n], member)
	}
	p.nodes = append(p.nodes, stats)
	for _, s := range p.splits {
		if s.node == n {
			s.Failures = p.failures(n, stats.subtasks[s.subtask])
		}
	}
	return nil
}

// operate makes the operator of a subtask, and its store.
func (p *planner) operate(n *graph.Node, member *task.Node, subtask int, counters *operator.Counters) (err error) {
	ctx := operator.Context{
		Node: n.Name, Subtask: subtask, Parallelism: n.Parallelism, Pool: p.opts.Pool, Now: p.opts.Now,
		Seed: p.graph.Options.Seed, Log: p.opts.Log.With("node", n.Name), Counters: counters,
		Groups: state.DefaultGroups, Watermark: watermark.Min,
	}
	if n.Stateful {
		groups := state.Split(ctx.Groups, subtask, n.Parallelism)
		if ctx.State, err = p.opts.State(n.Name, subtask, groups); err != nil {
			return err
		}
		p.stores = append(p.stores, ctx.State)
		member.State = ctx.State
	}
	member.Operator, err = n.New(ctx)
	return err
}

func (p *planner) failures(n *graph.Node, s *task.Stats) task.Failures {
	return task.Failures{
		Node: n.Name, Policy: n.OnError, Port: n.DeadLetters, Locate: p.locate, Rows: p.opts.Rows,
		Pool: p.opts.Pool, Stats: s,
	}
}

// link connects the nodes that a node reads to it.
func (p *planner) link(n *graph.Node) {
	for i, in := range n.Inputs {
		for subtask, from := range p.members[in.From] {
			l := task.Link{Input: in.Side}
			if chained(n) {
				l.Next = p.members[n][subtask]
			} else {
				l.Edge = p.edge(n, i, subtask)
			}
			from.Ports[in.Port] = append(from.Ports[in.Port], l)
		}
	}
}

// edge makes the writer of a subtask of the node that input i reads.
func (p *planner) edge(n *graph.Node, i, subtask int) exchange.Writer {
	c, in := p.byNode[n], n.Inputs[i]
	if oneToOne(n, in) {
		return &exchange.Direct{Targets: []exchange.Target{{Inbox: c.inboxes[subtask], Channel: c.base[i]}}}
	}
	var targets []exchange.Target
	for _, inbox := range c.inboxes {
		targets = append(targets, exchange.Target{Inbox: inbox, Channel: c.base[i] + subtask})
	}
	if in.Partition != graph.Hash {
		return &exchange.Direct{Targets: targets, Broadcast: in.Partition == graph.Broadcast}
	}
	return exchange.NewHash(exchange.HashOptions{
		Targets: targets, Groups: state.DefaultGroups, Key: in.Key, Schema: in.From.Outputs[in.Port].Schema, Pool: p.opts.Pool,
		Rows: p.graph.Options.BatchRows, Bytes: batchBytes, Latency: p.graph.Options.Latency, Now: p.opts.Now,
	})
}

// finish makes the tasks of a chain.
func (p *planner) finish(c *chain) {
	for subtask := range c.subtasks {
		t := &task.Task{
			Name:  fmt.Sprintf("%s[%d]", c.nodes[0].Name, subtask),
			Inbox: c.inboxes[subtask], Inputs: c.inputs[subtask], Edges: c.edges,
			Latency: p.graph.Options.Latency, Now: p.opts.Now,
		}
		for _, n := range c.nodes {
			t.Chain = append(t.Chain, p.members[n][subtask])
		}
		p.tasks = append(p.tasks, t)
	}
}
