// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"slices"

	"github.com/wasmill/wasmill/scheduler/operator"
)

// A batch of results has at most so many rows, and is sent when it has about so many bytes, which is
// looked at every few rows: an aggregate may keep much a group.
const (
	resultRows  = 1024
	resultBytes = 256 << 10
	resultChunk = 128
)

// emit sends the results of groups of one window. A group all of whose rows failed has none.
func (w *Tumbling) emit(ctx context.Context, p *pane, slots []uint32, out operator.Output) error {
	w.given = w.given[:0]
	for _, s := range slots {
		if w.rows[s] > 0 {
			w.given = append(w.given, s)
		}
	}
	for chunk := range slices.Chunk(w.given, resultChunk) {
		if err := w.result(ctx, p, chunk); err != nil {
			return err
		}
		if w.results.Rows() >= resultRows || w.results.Bytes() >= resultBytes {
			if err := out.Emit(ctx, PortResults, w.results.Finish()); err != nil {
				return err
			}
		}
	}
	if w.results.Rows() == 0 {
		return nil
	}
	return out.Emit(ctx, PortResults, w.results.Finish())
}

// result appends the results of groups of one window to w.results.
func (w *Tumbling) result(ctx context.Context, p *pane, slots []uint32) error {
	keys := len(w.spec.Key)
	for _, slot := range slots {
		rest := w.groups.Key(slot)[8:]
		for i := range keys {
			var err error
			if rest, err = w.results.Column(i).AppendValue(rest); err != nil {
				return err
			}
		}
		w.results.Column(keys).AppendInt64(int64(p.start))
		w.results.Column(keys + 1).AppendInt64(int64(p.start + w.size))
		w.results.AppendTime(p.start + w.size - 1)
	}
	for i := range w.aggregates {
		m := &w.aggregates[i]
		if err := m.aggregate.Result(ctx, slots, m.columns); err != nil {
			return err
		}
		if m.columns[0] != m.out {
			m.out.EndStructs(len(slots))
		}
	}
	w.results.EndRows(len(slots))
	return nil
}
