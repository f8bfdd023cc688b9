// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/wasmill/wasmill/scheduler/operator"
)

// State says where the operators of a job keep their state while it runs. A file may give the
// backend alone.
type State struct {
	// Backend is memory (default), where state is as large as memory, or pebble, where it lies on
	// disk behind a cache.
	Backend Backend `yaml:"backend"`
	// Memory is what the caches of all operators take together. Of pebble; default 256 MiB.
	Memory operator.Size `yaml:"memory"`
	// Dir is where each run makes a folder, which it removes at its end. Of pebble; default the
	// system's folder for such files.
	Dir string `yaml:"dir"`
}

// Backend is where state lies.
type Backend uint8

// The backends.
const (
	BackendMemory Backend = iota
	BackendPebble
)

var backendNames = []string{BackendMemory: "memory", BackendPebble: "pebble"}

// String returns the backend as a pipeline file names it.
func (b Backend) String() string { return backendNames[b] }

// UnmarshalText reads a name.
func (b *Backend) UnmarshalText(text []byte) error {
	i := slices.Index(backendNames, string(text))
	if i < 0 {
		return fmt.Errorf("expected memory or pebble, not %q", clip(string(text)))
	}
	*b = Backend(i)
	return nil
}

// SetScalar takes the short form.
func (s *State) SetScalar(text string) error { return s.Backend.UnmarshalText([]byte(text)) }

const (
	defaultStateMemory operator.Size = 256 << 20
	minStateMemory     operator.Size = 1 << 20
)

// state checks where state lies, and fills in what is not said.
func (c *checker) state(s *State) {
	where := at("options", "state")
	switch {
	case int(s.Backend) >= len(backendNames):
		c.report(where.under("backend"), "", "there is no backend number %d", s.Backend)
	case s.Backend == BackendMemory:
		const hint = "leave it out, or write backend: pebble"
		if s.Memory != 0 {
			c.report(where.under("memory").itsKey(), hint, "memory bounds the cache of a backend on disk; the backend is memory, which holds all state")
		}
		if s.Dir != "" {
			c.report(where.under("dir").itsKey(), hint, "the backend is memory, which has no folder")
		}
		return
	case s.Memory == 0:
		s.Memory = defaultStateMemory
	case s.Memory < minStateMemory:
		c.report(where.under("memory"), "", "memory is %s; it is %s at least", s.Memory, minStateMemory)
	}
	if s.Dir != "" && !filepath.IsAbs(s.Dir) {
		s.Dir = filepath.Join(c.folder, s.Dir)
	}
}

// text says where state lies, "" for memory.
func (s *State) text() string {
	if s.Backend == BackendMemory {
		return ""
	}
	return fmt.Sprintf("%s, %s of memory", s.Backend, s.Memory)
}
