// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"bytes"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/table"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
)

// keys numbers the keys of the rows of one call, in the order in which they first come. It is made for
// being filled again for each call: nothing is cleared but by a round that is counted.
type keys struct {
	groups  int        // key groups of the job
	numbers []uint32   // of each row
	keys    []kind.Key // by number; their bytes lie in arena
	arena   []byte
	hashes  []uint64  // by number
	spans   []stretch // of each key in arena, by number
	ends    []int     // of each row's key in arena
	index   []place32
	round   uint32
}

// stretch is where a key lies in the arena.
type stretch struct{ from, to int }

// place32 is a place of the index, open addressing with linear probing: the number of a key, where
// round is that of the call.
type place32 struct{ round, number uint32 }

// begin empties k for a call with at most so many rows.
func (k *keys) begin(rows int) {
	k.numbers, k.keys, k.arena = k.numbers[:0], k.keys[:0], k.arena[:0]
	k.hashes, k.spans, k.ends = k.hashes[:0], k.spans[:0], k.ends[:0]
	size := 64
	for size < 2*rows {
		size *= 2
	}
	if size > len(k.index) {
		k.index = make([]place32, size)
		k.round = 0
	}
	if k.round++; k.round == 0 {
		clear(k.index)
		k.round = 1
	}
}

// rows numbers the rows of a batch by the values of its key columns. All keys are encoded before the first is hashed: a
// processor waits where what it has written just now by the byte is read by the word.
func (k *keys) rows(b *batch.Batch, columns []int) {
	k.begin(b.Rows())
	for row := range b.Rows() {
		for _, col := range columns {
			k.arena = batch.AppendValue(k.arena, &b.Columns[col], row)
		}
		k.ends = append(k.ends, len(k.arena))
	}
	from := 0
	for _, to := range k.ends {
		k.add(stretch{from, to})
		from = to
	}
	k.settle()
}

// add numbers the next row, whose key lies at a place of the arena, and says whether it is the first of its key.
func (k *keys) add(at stretch) (fresh bool) {
	key := k.arena[at.from:at.to]
	hash := table.Hash(key)
	mask := len(k.index) - 1
	for slot := int(hash) & mask; ; slot = (slot + 1) & mask {
		p := &k.index[slot]
		if p.round != k.round {
			*p = place32{k.round, uint32(len(k.spans))}
			k.numbers = append(k.numbers, uint32(len(k.spans)))
			k.hashes = append(k.hashes, hash)
			k.spans = append(k.spans, at)
			return true
		}
		if k.hashes[p.number] == hash && bytes.Equal(k.at(p.number), key) {
			k.numbers = append(k.numbers, p.number)
			return false
		}
	}
}

// at returns a key, valid until the next is encoded.
func (k *keys) at(number uint32) []byte {
	at := k.spans[number]
	return k.arena[at.from:at.to:at.to]
}

// settle makes the list of keys once all rows are numbered.
func (k *keys) settle() {
	for n := range k.spans {
		k.keys = append(k.keys, kind.Key{Group: state.GroupOfHash(k.hashes[n], k.groups), Key: k.at(uint32(n))})
	}
}

// list takes keys that differ, one a row.
func (k *keys) list(of []kind.Key, rows []uint32) {
	k.begin(0)
	if rows == nil {
		k.keys = append(k.keys, of...)
	}
	for _, row := range rows {
		k.keys = append(k.keys, of[row])
	}
	for n := range k.keys {
		k.numbers = append(k.numbers, uint32(n))
	}
}

// none empties k for a call whose rows have no keys.
func (k *keys) none() { k.begin(0) }
