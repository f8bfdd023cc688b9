// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/runtime/wasm"
)

// TestManySubtasksRunOneModuleAtOnce is for the race detector: an engine and its modules are shared
// by goroutines, instances are not.
func TestManySubtasksRunOneModuleAtOnce(t *testing.T) {
	m := testModule(t, wasm.Options{RecycleEachBatch: true})
	var all sync.WaitGroup
	for range 4 {
		s := newStage(t)
		sp := spec(t, m, s, "crash")
		o := openMap(t, m, s, sp)
		all.Go(func() {
			var wanted []string
			for range 10 {
				if err := o.Process(t.Context(), 0, rows(s.Pool, sp.Inputs[0].Schema, []any{1}, []any{13}, []any{2}), s); err != nil {
					t.Error(err)
				}
				wanted = append(wanted, "0 n=1 #1", "0 n=2 #3")
			}
			if diff := cmp.Diff(wanted, s.emitted); diff != "" || len(s.failed) != 10 {
				t.Errorf("%d rows failed; output (-want +got):\n%s", len(s.failed), diff)
			}
		})
	}
	all.Wait()
}
