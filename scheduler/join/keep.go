// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"fmt"
	"math"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/state"
)

// keeper collects rows of a batch that are to be kept by key and time, and writes them in one call.
// Nothing reads them before: the rows of a batch are of one input, and meet those of the other.
type keeper struct {
	keys  state.Strings
	alone []bool // by key: the row has not met a partner, and this matters
	key   []byte
	value []byte
}

// add takes the row at hand.
func (k *keeper) add(b *base, input int, at abi.EventTime, alone bool) {
	k.key = state.AppendKey(k.key[:0], b.group, stateOf(input), b.key, nil)
	k.key = append(state.AppendTime(k.key, int64(at)), b.row...)
	k.keys.Append(k.key)
	k.alone = append(k.alone, alone)
}

// write writes the rows, each a copy more of what is there.
func (k *keeper) write(store state.Store) error {
	var broken error
	err := store.Update(&k.keys, func(i int, old []byte, found bool) ([]byte, bool) {
		e := entry{expires: math.MaxInt64}
		if found {
			var err error
			if e, err = parseEntry(old); err != nil {
				broken = err
				return old, true
			}
		}
		e.copies++
		if k.alone[i] {
			e.alone++
		}
		k.value = e.append(k.value[:0])
		return k.value, true
	})
	k.keys.Reset()
	k.alone = k.alone[:0]
	if err != nil {
		return fmt.Errorf("join: keeping rows: %w", err)
	}
	return broken
}
