// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"sync/atomic"

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

	mark atomic.Int64
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

func (s *Stats) out(port int) *atomic.Int64 { return &s.RowsOut[port] }
