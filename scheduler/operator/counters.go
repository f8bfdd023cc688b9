// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Counters are a node's named counters, added to by all its subtasks. The zero value is ready;
// any goroutine may use it.
type Counters struct {
	mu     sync.Mutex
	byName map[string]*atomic.Int64
}

// Get returns the named counter, from 0 the first time.
func (c *Counters) Get(name string) *atomic.Int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]*atomic.Int64{}
	}
	n, ok := c.byName[name]
	if !ok {
		n = &atomic.Int64{}
		c.byName[name] = n
	}
	return n
}

// Values returns a copy of all counters.
func (c *Counters) Values() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	values := make(map[string]int64, len(c.byName))
	for name := range maps.Keys(c.byName) {
		values[name] = c.byName[name].Load()
	}
	return values
}
