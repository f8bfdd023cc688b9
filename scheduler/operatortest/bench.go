// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operatortest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// Bench returns a context for the only subtask of an operator under a benchmark, over a store in
// memory, and an output that throws rows away and fails the benchmark where one fails. The clock stands at Start.
func Bench(b testing.TB) (operator.Context, operator.Output) {
	return operator.Context{
		Node: "subject", Parallelism: 1, Pool: &batch.Pool{}, Now: func() time.Time { return Start },
		Log: slog.New(slog.DiscardHandler), Counters: &operator.Counters{},
		State: memory.New(state.Groups{From: 0, To: groups}), Groups: groups, Watermark: watermark.Min,
	}, discard{b}
}

type discard struct{ testing.TB }

func (discard) Emit(_ context.Context, _ int, b *batch.Batch) error {
	b.Release()
	return nil
}

func (d discard) Fail(_ context.Context, _ *batch.Batch, row int, reason error) error {
	d.Errorf("row %d failed: %v", row, reason)
	return nil
}
