// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// Stats are the figures of one subtask of a node, written by its task batch by batch, read by
// anyone.
type Stats struct {
	RowsIn  atomic.Int64
	RowsOut []atomic.Int64 // by output port
	Failed  atomic.Int64
	// Of the node's store, where it has one: what it holds in memory, in bytes and entries.
	StateBytes, StateEntries atomic.Int64

	mark    atomic.Int64
	waiting atomic.Uint64
}

// NewStats returns the stats of a node with so many outputs.
func NewStats(ports int) *Stats {
	s := &Stats{RowsOut: make([]atomic.Int64, ports)}
	s.mark.Store(int64(watermark.Min))
	return s
}

// Watermark returns the node's watermark.
func (s *Stats) Watermark() abi.EventTime { return abi.EventTime(s.mark.Load()) }

func (s *Stats) advance(t abi.EventTime) { s.mark.Store(int64(t)) }

// size takes the figures of the node's store, nil where it has none.
func (s *Stats) size(store state.Store) {
	if store != nil {
		now := store.Stats()
		s.StateBytes.Store(now.MemoryBytes)
		s.StateEntries.Store(int64(now.Entries))
	}
}

// Waiting says whether the node has no watermark because an edge, by its number, has brought none while
// others have. Of more than 64 edges the last share one answer.
func (s *Stats) Waiting(edge int) bool { return s.waiting.Load()&(1<<min(edge, 63)) != 0 }

func (s *Stats) waits(edges uint64) { s.waiting.Store(edges) }

func (s *Stats) out(port int) *atomic.Int64 { return &s.RowsOut[port] }

// SplitStats are the figures of one split of a source, written by its reader, read by anyone.
type SplitStats struct {
	rows, mark, idle atomic.Int64
	ended, paused    atomic.Bool
}

// NewSplitStats returns the stats of a split that has not begun.
func NewSplitStats() *SplitStats {
	s := &SplitStats{}
	s.mark.Store(int64(watermark.Min))
	return s
}

// Rows returns how many rows were read.
func (s *SplitStats) Rows() int64 { return s.rows.Load() }

// Watermark returns the split's watermark.
func (s *SplitStats) Watermark() abi.EventTime { return abi.EventTime(s.mark.Load()) }

// Idle returns since when the split is idle, the zero time where it is not.
func (s *SplitStats) Idle() time.Time {
	if since := s.idle.Load(); since != 0 {
		return time.UnixMicro(since)
	}
	return time.Time{}
}

// Ended says whether the split has been read whole.
func (s *SplitStats) Ended() bool { return s.ended.Load() }

// Paused says whether the split waits for others that it is ahead of.
func (s *SplitStats) Paused() bool { return s.paused.Load() }
