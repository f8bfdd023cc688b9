// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
	"github.com/wasmill/wasmill/state/memory"
)

// goMap is the name of the contender that keeps what it knows in a map of Go, which no checkpoint could save.
const goMap = "go-map"

// processes are the operators with state that are measured.
var processes = []string{"count_process", "count_process_rows"}

// BenchmarkProcess is how many rows of its key each row has seen: a read, a change and a write of a value.
func BenchmarkProcess(b *testing.B) {
	for _, keys := range []int64{10_000, 1_000_000} {
		for _, name := range processes {
			for _, contender := range append([]string{goMap}, contenders()...) {
				if name != processes[0] && (contender == goMap || contender == native) {
					continue // there is one way to write these
				}
				b.Run(fmt.Sprintf("%s/keys=%d/%s", name, keys, contender), func(b *testing.B) {
					benchmarkProcess(b, contender, name, keys)
				})
			}
		}
	}
}

func benchmarkProcess(b *testing.B, contender, name string, keys int64) {
	c, out := keyedSurroundings(b), &sink{}
	op := openProcess(b, c, contender, name)
	for first := int64(0); first < keys; first += rowsPerBatch { // each key once
		in := keyed(c.Pool, func(row int64) int64 { return min(first+row, keys-1) })
		if err := op.Process(b.Context(), 0, in, out); err != nil {
			b.Fatal(err)
		}
		in.Release()
	}
	r, batches := rand.New(rand.NewPCG(1, 2)), make([]*batch.Batch, 1024)
	for i := range batches {
		batches[i] = keyed(c.Pool, func(int64) int64 { return r.Int64N(keys) })
	}
	before, rows := c.Counters.Get("fuel").Load(), int64(0)
	at := 0
	measure(b, rowsPerBatch, func() error {
		rows += rowsPerBatch
		at++
		return op.Process(b.Context(), 0, batches[at%len(batches)], out)
	})
	if contender != native && contender != goMap {
		b.ReportMetric(float64(c.Counters.Get("fuel").Load()-before)/float64(rows), "fuel/row")
	}
}

func TestAllContendersCountTheSameByState(t *testing.T) {
	count := func(t *testing.T, contender, name string) []string {
		c, out := keyedSurroundings(t), &lines{}
		op := openProcess(t, c, contender, name)
		r := rand.New(rand.NewPCG(1, 2))
		for range 3 {
			in := keyed(c.Pool, func(int64) int64 { return r.Int64N(700) })
			if err := op.Process(t.Context(), 0, in, out); err != nil {
				t.Fatal(err)
			}
			in.Release()
		}
		return out.text
	}
	want := count(t, goMap, processes[0])
	for _, name := range processes {
		for _, contender := range contenders() {
			t.Run(name+"/"+contender, func(t *testing.T) {
				if diff := cmp.Diff(want, count(t, contender, name)); diff != "" {
					t.Errorf("against a map (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// keyedSurroundings is surroundings with state.
func keyedSurroundings(t testing.TB) operator.Context {
	c := surroundings(t)
	c.State, c.Groups, c.Watermark = memory.New(state.Groups{To: state.DefaultGroups}), state.DefaultGroups, watermark.Min
	return c
}

// keyed returns a batch with the keys of its rows.
func keyed(pool *batch.Pool, key func(row int64) int64) *batch.Batch {
	b := pool.NewBuilder(numbers("k"))
	for row := range int64(rowsPerBatch) {
		b.Column(0).AppendInt64(key(row))
		b.AppendTime(abi.EventTime(row))
		b.AppendPosition(batch.At(0, row))
		b.EndRow()
	}
	return b.Finish()
}

// openProcess returns an open operator with state of a contender; the test closes it.
func openProcess(t testing.TB, c operator.Context, contender, name string) operator.Operator {
	if contender != native && contender != goMap {
		return openMap(t, c, contender, name, numbers("k"))
	}
	n := &nativeCount{pool: c.Pool, rows: c.Pool.NewBuilder(numbers("count"))}
	n.out, _ = operator.Forward(numbers("k"), numbers("count").Fields)
	if contender == goMap {
		counts := map[int64]int64{}
		return nativeMap{func(in *batch.Batch) *batch.Batch { return n.byMap(in, counts) }}
	}
	n.counts = kind.NewValue(c.State, 1, kind.TTL{})
	n.merge = n.add
	return nativeProcess{nativeMap{n.byState}, n}
}

// nativeProcess is a nativeMap with state.
type nativeProcess struct {
	nativeMap
	count *nativeCount
}

// Process makes an error of the store one of the operator.
func (p nativeProcess) Process(ctx context.Context, input int, b *batch.Batch, out operator.Output) error {
	if err := p.nativeMap.Process(ctx, input, b, out); err != nil {
		return err
	}
	return p.count.err
}

// nativeCount is count_process as an operator of the host would be written.
type nativeCount struct {
	pool *batch.Pool
	rows *batch.Builder
	out  *abi.Schema

	counts *kind.Value
	keys   []kind.Key
	arena  []byte
	column []int64 // of the batch in hand
	sum    [8]byte
	merge  state.Merge
	err    error
}

func (n *nativeCount) byMap(in *batch.Batch, counts map[int64]int64) *batch.Batch {
	keys := in.Columns[0].Int64s()
	out := n.rows.Column(0).AppendInt64s(len(keys))
	for row, key := range keys {
		count := counts[key] + 1
		counts[key], out[row] = count, count
	}
	return n.finish(in)
}

// byState updates the store once a row.
func (n *nativeCount) byState(in *batch.Batch) *batch.Batch {
	rows := in.Rows()
	n.column = n.rows.Column(0).AppendInt64s(rows)
	n.keys, n.arena = n.keys[:0], n.arena[:0]
	for row := range rows {
		at := len(n.arena)
		n.arena = batch.AppendValue(n.arena, &in.Columns[0], row)
		key := n.arena[at:]
		n.keys = append(n.keys, kind.Key{Group: state.GroupOf(key, state.DefaultGroups), Key: key})
	}
	n.err = n.counts.Update(n.keys, n.merge)
	return n.finish(in)
}

func (n *nativeCount) add(row int, old []byte, found bool) ([]byte, bool) {
	count := int64(1)
	if found {
		count += int64(binary.LittleEndian.Uint64(old))
	}
	n.column[row] = count
	binary.LittleEndian.PutUint64(n.sum[:], uint64(count))
	return n.sum[:], true
}

// finish adds the counts to the columns of a batch.
func (n *nativeCount) finish(in *batch.Batch) *batch.Batch {
	n.rows.EndRows(in.Rows())
	made := n.rows.Finish()
	defer made.Release()
	return n.pool.Compose(n.out, in, []batch.Part{{From: in, Column: 0}, {From: made, Column: 0}})
}
