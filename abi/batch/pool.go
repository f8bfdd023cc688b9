// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/wasmill/wasmill/abi"
)

// Buffers are pooled by size class: powers of two from 2^minClass to 2^maxClass bytes. Larger
// ones are left to the collector.
const (
	minClass = 6
	maxClass = 26
)

type buffer struct {
	data  []byte // its whole length is usable
	class int    // -1 for one that is not pooled
}

// Pool is where batches take their memory and give it back. One serves a whole job; its methods
// may be called from any goroutine. The zero value is ready.
type Pool struct {
	classes  [maxClass + 1]sync.Pool // of *buffer
	batches  sync.Pool               // of *Batch
	builders sync.Pool               // of *Builder, empty
	noRows   [1]int32                // the offsets of a column of no rows, 0 for ever
	live     atomic.Int64
}

// Live returns how many batches of the pool have a reference. After a job that ended well there is
// none: a test sees by it who forgets to Release.
func (p *Pool) Live() int64 { return p.live.Load() }

// get returns a buffer of at least size bytes, its contents arbitrary, aligned to 8.
func (p *Pool) get(size int) *buffer {
	class := max(bits.Len(uint(max(size, 1)-1)), minClass)
	if class > maxClass {
		return &buffer{data: words(size), class: -1}
	}
	if b, ok := p.classes[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{data: words(1 << class), class: class}
}

func words(size int) []byte {
	w := make([]uint64, (size+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), len(w)*8)
}

func (p *Pool) put(b *buffer) {
	if b.class >= 0 {
		p.classes[b.class].Put(b)
	}
}

// batch returns an empty batch with one reference.
func (p *Pool) batch(schema *abi.Schema, rows int) *Batch {
	b, ok := p.batches.Get().(*Batch)
	if !ok {
		b = &Batch{}
	}
	b.Schema, b.rows, b.pool = schema, rows, p
	b.refs.Store(1)
	p.live.Add(1)
	return b
}

func (p *Pool) recycle(b *Batch) {
	for _, o := range b.owned {
		p.put(o)
	}
	clear(b.owned)
	clear(b.parents)
	clear(b.Columns)
	b.owned, b.parents, b.Columns = b.owned[:0], b.parents[:0], b.Columns[:0]
	b.Schema, b.Times, b.Kinds, b.Positions, b.rows = nil, nil, nil, nil, 0
	p.batches.Put(b)
	p.live.Add(-1)
}
