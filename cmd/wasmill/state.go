// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/pebble"
)

// stateDisk is where the state of a job lies while it runs, where that is on disk.
type stateDisk struct {
	db     *pebble.DB
	dir    string
	nodes  []string // those with state, by name: a node's number is its place
	memory int64    // of a store
}

// openState makes room for the state of a job, nil where it lies in memory.
func openState(g *graph.Graph) (*stateDisk, error) {
	s := &stateDisk{}
	var stores int64
	for _, n := range g.Nodes {
		if n.Stateful {
			s.nodes = append(s.nodes, n.Name)
			stores += int64(n.Parallelism)
		}
	}
	o := g.Options.State
	if o.Backend == graph.BackendMemory || stores == 0 {
		return nil, nil
	}
	slices.Sort(s.nodes)
	blocks := int64(o.Memory) / 8 // for what was read from files
	s.memory = (int64(o.Memory) - blocks) / stores
	if s.memory < pebble.MinMemory {
		return nil, userError{fmt.Errorf("options.state.memory: %s is too little for the state of %d subtasks; write memory: %dMiB or more",
			o.Memory, stores, stores*pebble.MinMemory*8/7>>20+1)}
	}
	if err := s.open(o.Dir, blocks); err != nil {
		return nil, &operator.Error{Fault: operator.FaultEnvironment, Err: fmt.Errorf("options.state: %w", err)}
	}
	return s, nil
}

// open makes a folder in another one, and a database in it.
func (s *stateDisk) open(in string, blocks int64) (err error) {
	if in != "" {
		if err := os.MkdirAll(in, 0o700); err != nil {
			return err
		}
	}
	if s.dir, err = os.MkdirTemp(in, "wasmill-state-"); err != nil {
		return err
	}
	if s.db, err = pebble.Open(pebble.Options{Dir: s.dir, CacheBytes: blocks}); err != nil {
		return errors.Join(err, os.RemoveAll(s.dir))
	}
	return nil
}

// store makes the store of a subtask.
func (s *stateDisk) store(node string, _ int, groups state.Groups) (state.Store, error) {
	number, _ := slices.BinarySearch(s.nodes, node)
	return s.db.Store(uint32(number), groups, s.memory)
}

// close frees the room. The stores are closed before.
func (s *stateDisk) close() error {
	return errors.Join(s.db.Close(), os.RemoveAll(s.dir))
}
