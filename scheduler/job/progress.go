// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"math"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/task"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// Progress is how far a job has come.
type Progress struct {
	Elapsed   time.Duration  `json:"elapsed_ns"`
	RowsRead  int64          `json:"rows_read"` // from all sources, those that failed included
	RowsOut   int64          `json:"rows_out"`  // to all sinks
	Late      int64          `json:"late"`      // rows that came too late for a window
	Failed    int64          `json:"failed"`    // rows that failed, in whatever node
	Watermark *abi.EventTime `json:"watermark"` // the least over all sources with event time; nil before the first
	Nodes     []NodeProgress `json:"nodes"`
}

// NodeProgress is how far a node has come, over its subtasks.
type NodeProgress struct {
	Name      string           `json:"name"`
	RowsIn    int64            `json:"rows_in"`
	RowsOut   map[string]int64 `json:"rows_out,omitempty"` // by output; the main one is ""
	Failed    int64            `json:"failed"`
	Watermark *abi.EventTime   `json:"watermark"` // the least over the subtasks; nil before the first, and after the last
	Lag       *time.Duration   `json:"lag_ns"`    // of the watermark behind the job's clock; nil where there is none
	// WaitingFor has the inputs, NODE or NODE.PORT, that have brought no watermark yet while others
	// have: without one the node's event time stands still.
	WaitingFor   []string         `json:"waiting_for,omitempty"`
	StateBytes   int64            `json:"state_bytes,omitempty"`   // memory that the state takes
	StateEntries int64            `json:"state_entries,omitempty"` // of the state that lie in memory
	Counters     map[string]int64 `json:"counters,omitempty"`
	Splits       []SplitProgress  `json:"splits,omitempty"` // of a source
}

// SplitProgress is how far a source's split has come.
type SplitProgress struct {
	Name      string         `json:"name"`
	Rows      int64          `json:"rows"` // read
	Watermark *abi.EventTime `json:"watermark"`
	Lag       *time.Duration `json:"lag_ns"`               // as of a node; nil at its end
	IdleSince *time.Time     `json:"idle_since,omitempty"` // where it is idle
	Paused    bool           `json:"paused,omitempty"`     // it is ahead of the others of its group, and waits
	Ended     bool           `json:"ended,omitempty"`
}

// portLate is the output of a window's late rows.
const portLate = "late"

// Progress returns how far the job has come. It may be called at any time.
func (j *Job) Progress() Progress {
	now := j.opts.Now()
	p := Progress{Elapsed: now.Sub(j.started)}
	least := watermark.Max
	for _, n := range j.nodes {
		np, mark := j.node(n, now)
		if n.node.Source != nil && mark != watermark.Min {
			least = min(least, mark)
		}
		p.Failed += np.Failed
		p.Late += np.RowsOut[portLate]
		switch {
		case n.node.Source != nil:
			p.RowsRead += np.RowsOut[""] + np.Failed
		case n.node.Sink != nil:
			p.RowsOut += np.RowsIn
		}
		p.Nodes = append(p.Nodes, np)
	}
	p.Watermark, _ = shown(least, now)
	return p
}

// node returns how far a node has come, and the least watermark of those subtasks that have one.
func (j *Job) node(n nodeStats, now time.Time) (NodeProgress, abi.EventTime) {
	p := NodeProgress{Name: n.node.Name, Counters: n.counters.Values()}
	least, known := watermark.Max, watermark.Max
	for _, s := range n.subtasks {
		p.RowsIn += s.RowsIn.Load()
		p.Failed += s.Failed.Load()
		p.StateBytes += s.StateBytes.Load()
		p.StateEntries += s.StateEntries.Load()
		for i, port := range n.node.Outputs {
			if p.RowsOut == nil {
				p.RowsOut = map[string]int64{}
			}
			p.RowsOut[port.Name] += s.RowsOut[i].Load()
		}
		mark := s.Watermark()
		least = min(least, mark)
		if mark != watermark.Min {
			known = min(known, mark)
		}
	}
	p.Watermark, p.Lag = shown(least, now)
	for i, in := range n.node.Inputs {
		if slices.ContainsFunc(n.subtasks, func(s *task.Stats) bool { return s.Waiting(i) }) {
			p.WaitingFor = append(p.WaitingFor, output(in))
		}
	}
	for _, s := range j.splits {
		if s.node == n.node {
			p.Splits = append(p.Splits, splitProgress(s, now))
		}
	}
	if known == watermark.Max && least == watermark.Min {
		known = watermark.Min
	}
	return p, known
}

func splitProgress(s *splitTask, now time.Time) SplitProgress {
	p := SplitProgress{Name: s.Split.Split.Name, Rows: s.Stats.Rows(), Paused: s.Stats.Paused(), Ended: s.Stats.Ended()}
	if p.Watermark, p.Lag = shown(s.Stats.Watermark(), now); p.Ended {
		p.Lag = nil
	}
	if since := s.Stats.Idle(); !since.IsZero() && !p.Ended {
		p.IdleSince = &since
	}
	return p
}

// output names an output as a pipeline file does.
func output(in graph.Edge) string {
	if port := in.From.Outputs[in.Port].Name; port != "" {
		return in.From.Name + "." + port
	}
	return in.From.Name
}

// shown returns a watermark and how far it is behind now, nil where it is the first or the last.
func shown(mark abi.EventTime, now time.Time) (*abi.EventTime, *time.Duration) {
	if mark == watermark.Min || mark == watermark.Max {
		return nil, nil
	}
	const most = math.MaxInt64 / int64(time.Microsecond)
	lag := time.Duration(min(max(now.UnixMicro()-int64(mark), -most), most)) * time.Microsecond
	return &mark, &lag
}
