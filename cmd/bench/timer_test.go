// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
	"github.com/wasmill/wasmill/state/timer"
)

// BenchmarkTimer is timers set and fired, each of a key of 16 bytes of its own, with so many waiting; beside a
// heap of Go, which forgets no timer that is set twice.
func BenchmarkTimer(b *testing.B) {
	for _, waiting := range []int64{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("waiting=%d/go-heap", waiting), func(b *testing.B) {
			h := &timers{}
			benchmarkTimers(b, waiting, func(at int64, key []byte) error {
				heap.Push(h, plainTimer{at, string(key)})
				return nil
			}, func(upTo int64) (fired int64, err error) {
				for ; len(*h) > 0 && (*h)[0].at <= upTo; fired++ {
					heap.Pop(h)
				}
				return fired, nil
			})
		})
		b.Run(fmt.Sprintf("waiting=%d/%s", waiting, native), func(b *testing.B) {
			t := timer.New(memory.New(state.Groups{To: state.DefaultGroups}), timer.EventTime)
			benchmarkTimers(b, waiting, func(at int64, key []byte) error {
				return t.Set(timer.Timer{Group: state.GroupOf(key, state.DefaultGroups), Time: at, Key: key})
			}, func(upTo int64) (fired int64, err error) {
				_, err = t.Pop(upTo, 1<<30, func(*timer.Timer) error { fired++; return nil })
				return fired, err
			})
		})
	}
}

// benchmarkTimers sets timers at random within the next waiting microseconds, and fires those that are due, as many a
// step as are set.
func benchmarkTimers(b *testing.B, waiting int64, set func(at int64, key []byte) error, fire func(upTo int64) (int64, error)) {
	b.Helper()
	r, now, fired, count := rand.New(rand.NewPCG(1, 2)), int64(0), int64(0), uint64(0)
	var key [16]byte
	add := func(n int64) error {
		for range n {
			count++
			binary.LittleEndian.PutUint64(key[:], count)
			if err := set(now+r.Int64N(2*waiting), key[:]); err != nil {
				return err
			}
		}
		return nil
	}
	step := func() error {
		if err := add(rowsPerBatch); err != nil {
			return err
		}
		now += rowsPerBatch
		n, err := fire(now)
		fired += n
		return err
	}
	if err := add(waiting); err != nil {
		b.Fatal(err)
	}
	for range 4*waiting/rowsPerBatch + 1 { // until as many fire as are set
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	before := fired
	steps := int64(0)
	measure(b, rowsPerBatch, func() error { steps++; return step() })
	b.ReportMetric(float64(fired-before)/float64(steps*rowsPerBatch), "fired/set")
}

type plainTimer struct {
	at  int64
	key string
}

// timers is a heap.Interface.
type timers []plainTimer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(plainTimer)) }

func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}
