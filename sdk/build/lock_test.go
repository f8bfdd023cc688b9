// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package build

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLockLetsOneInAtATime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	var inside, entered atomic.Int64 // a file lock orders nothing that the race detector knows of
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				unlock, err := lock(name)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d inside", n)
				}
				entered.Add(1)
				inside.Add(-1)
				unlock()
			}
		})
	}
	all.Wait()
	if n := entered.Load(); n != 400 {
		t.Errorf("entered %d times, want 400", n)
	}
}
