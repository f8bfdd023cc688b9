// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"time"

	"github.com/wasmill/wasmill/abi"
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
	Name     string           `json:"name"`
	RowsIn   int64            `json:"rows_in"`
	RowsOut  map[string]int64 `json:"rows_out,omitempty"` // by output; the main one is ""
	Failed   int64            `json:"failed"`
	Counters map[string]int64 `json:"counters,omitempty"`
}

// portLate is the output of a window's late rows.
const portLate = "late"

// Progress returns how far the job has come. It may be called at any time.
func (j *Job) Progress() Progress {
	p := Progress{Elapsed: j.opts.Now().Sub(j.started)}
	least := watermark.Max
	for _, n := range j.nodes {
		np := NodeProgress{Name: n.node.Name, Counters: n.counters.Values()}
		for _, s := range n.subtasks {
			np.RowsIn += s.RowsIn.Load()
			np.Failed += s.Failed.Load()
			for i, port := range n.node.Outputs {
				if np.RowsOut == nil {
					np.RowsOut = map[string]int64{}
				}
				np.RowsOut[port.Name] += s.RowsOut[i].Load()
			}
			if mark := s.Watermark(); n.node.Source != nil && mark != watermark.Min {
				least = min(least, mark)
			}
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
	if least != watermark.Max {
		p.Watermark = &least
	}
	return p
}
