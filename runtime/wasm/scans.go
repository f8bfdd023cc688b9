// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
)

// scan reads a list or a map of one key in order.
type scan struct {
	state *keptState
	key   kind.Key
	at    int64  // of a list
	from  []byte // of a map
	to    []byte // nil: to the end
	done  bool
	ended bool // and the guest knows
}

// What a batch of a scan has at most, where the guest does not ask for fewer rows.
const (
	scanRows  = 1024
	scanBytes = 1 << 20
)

// scan begins a scan and returns its number.
func (s *states) scan(k *keptState, number uint32, bounds abi.Bounds, request *batch.Message) (int, error) {
	switch {
	case k.value != nil:
		return 0, breachf("it called %s with %s state %q; only lists and maps are scanned", abi.ImportStateScan, k.d.Kind, k.d.Name)
	case bounds < abi.BoundsNone || bounds > abi.BoundsPrefix:
		return 0, breachf("it called %s with bounds %d; there are %d to %d", abi.ImportStateScan, bounds, abi.BoundsNone, abi.BoundsPrefix)
	case bounds != abi.BoundsNone && (k.rows != nil || request == nil || request.Batch.Rows() == 0):
		return 0, breachf("it called %s of state %q with bounds %d and no row that says which; a list has none", abi.ImportStateScan, k.d.Name, bounds)
	}
	free := slices.IndexFunc(s.scans, func(sc scan) bool { return sc.ended })
	if free < 0 && len(s.scans) >= abi.MaxScans {
		return 0, breachf("it has %d scans open; a scan ends with its last row, or when %s is called with limit -1", abi.MaxScans, abi.ImportStateNext)
	}
	key, err := s.key(k, number)
	if err != nil {
		return 0, err
	}
	made := scan{state: k, key: key}
	if bounds == abi.BoundsFrom || bounds == abi.BoundsFromTo {
		made.from = orderedKey(nil, request.Batch, 0)
	}
	if bounds == abi.BoundsTo || bounds == abi.BoundsFromTo {
		made.to = orderedKey([]byte{}, request.Batch, request.Batch.Rows()-1)
	}
	if bounds == abi.BoundsPrefix {
		if rows := request.Batch.Rows(); rows != 1 {
			return 0, breachf("it called %s of state %q with %d rows to begin with; it takes one", abi.ImportStateScan, k.d.Name, rows)
		}
		if made.from = batch.AppendOrderedPrefix(nil, request.Batch.Columns, 0); len(made.from) > 0 {
			made.to = state.AppendEnd(nil, made.from)
		}
	}
	if free < 0 {
		free, s.scans = len(s.scans), append(s.scans, scan{})
	}
	s.scans[free] = made
	return free, nil
}

// next makes the answer of the next rows of a scan.
func (s *states) next(number uint32, limit int) error {
	s.forget()
	if uint64(number) >= uint64(len(s.scans)) || s.scans[number].ended {
		return breachf("it called %s with scan %d, which is not open", abi.ImportStateNext, number)
	}
	sc := &s.scans[number]
	k := sc.state
	if !sc.done && limit >= 0 {
		most := state.Limit{Entries: scanRows, Bytes: scanBytes}
		if limit > 0 {
			most.Entries = min(limit, abi.MaxRows)
		}
		if err := s.read(sc, most); err != nil {
			k.abandon()
			return err
		}
	}
	s.answer = batch.Message{Number: uint32(abi.SchemaState + k.number), Batch: k.builder.Finish()}
	sc.ended = s.answer.Batch.Rows() == 0
	return nil
}

// read appends the next rows of a scan to its state's builder.
func (s *states) read(sc *scan, most state.Limit) error {
	k := sc.state
	var more bool
	var err error
	if k.rows != nil {
		sc.at, more, err = k.rows.Scan(sc.key, sc.at, most, &s.values)
	} else if sc.to == nil || string(sc.from) < string(sc.to) {
		more, err = k.entries.Scan(sc.key, sc.from, sc.to, most, &s.mapKeys, &s.values)
	} else {
		s.values.Reset()
	}
	if err != nil {
		return s.blame(k, err)
	}
	n := s.values.Len()
	for i := range n {
		if k.entries != nil {
			if err := k.appendKey(s.mapKeys.At(i)); err != nil {
				return err
			}
		}
		if err := k.appendFields(s.values.At(i)); err != nil {
			return err
		}
	}
	k.builder.EndRows(n)
	if sc.done = !more || n == 0; !sc.done && k.entries != nil {
		sc.from = state.AppendNext(sc.from[:0], s.mapKeys.At(n-1))
	}
	return k.bounded()
}

// appendKey appends the key of a map's row, as it is stored.
func (k *keptState) appendKey(stored []byte) error {
	var err error
	for i := range k.d.Key {
		if stored, err = k.builder.Column(i).AppendOrdered(stored); err != nil {
			return &storeError{fmt.Errorf("state %q, key field %q: %w", k.d.Name, k.d.Key[i].Name, err)}
		}
	}
	if len(stored) > 0 {
		return &storeError{fmt.Errorf("state %q: a stored key has %d bytes more than its fields", k.d.Name, len(stored))}
	}
	return nil
}
