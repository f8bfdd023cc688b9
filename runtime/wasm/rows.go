// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/state/kind"
)

// How many rows are read from the store at a time. Rows that are large, for all the host knows, are read few at a
// time: with the most that a row may have this bounds the memory that reading takes.
const (
	getSmall = 4096
	getLarge = 64
)

// chunk returns how many rows of a state are read at a time.
func chunk(d *describe.State) int {
	for i := range d.Fields {
		if f := &d.Fields[i]; f.Type != abi.Bool && f.Type.Width() == 0 {
			return getLarge
		}
	}
	return getSmall
}

// get makes the answer: a row for each that is asked for.
func (s *states) get(k *keptState, request *batch.Message) error {
	s.forget()
	switch {
	case k.rows != nil:
		return breachf("it called %s with list %q; a list is read by %s", abi.ImportStateGet, k.d.Name, abi.ImportStateScan)
	case k.entries != nil && request == nil:
		return breachf("it called %s with map %q and did not say of which map keys", abi.ImportStateGet, k.d.Name)
	}
	keys, err := s.asked(k, request)
	if err != nil {
		return err
	}
	s.missing = s.missing[:0]
	for from := 0; from < len(keys) && err == nil; from += k.chunk {
		err = s.getSome(k, keys[from:min(from+k.chunk, len(keys))], request, from)
	}
	if err != nil {
		k.abandon()
		return err
	}
	k.builder.EndRows(len(keys))
	s.markMissing(k, len(keys))
	s.answer = batch.Message{Number: uint32(abi.SchemaState + k.number), Batch: k.builder.Finish()}
	return nil
}

// abandon empties the builder.
func (k *keptState) abandon() {
	k.builder.DropRow()
	k.builder.Finish().Release()
}

// getSome appends the rows of some keys, which are those of the request from a row on.
func (s *states) getSome(k *keptState, keys []kind.Key, request *batch.Message, first int) error {
	var err error
	if k.entries == nil {
		err = k.value.Get(keys, &s.values)
	} else {
		s.mapKeys.Reset()
		for i := range keys {
			s.encoded = orderedKey(s.encoded[:0], request.Batch, first+i)
			s.mapKeys.Append(s.encoded)
		}
		err = k.entries.Get(keys, &s.mapKeys, &s.values)
	}
	if err != nil {
		return s.blame(k, err)
	}
	for i := range keys {
		value := s.values.At(i)
		if value == nil {
			s.missing = append(s.missing, uint32(first+i))
			for col := range k.stored.Fields {
				k.builder.Column(col).AppendNull()
			}
			continue
		}
		for col := range k.d.Key {
			k.builder.Column(col).AppendRow(&request.Batch.Columns[col], first+i)
		}
		if err := k.appendFields(value); err != nil {
			return err
		}
	}
	return k.bounded()
}

// bounded returns an error where the builder has more than a message may.
func (k *keptState) bounded() error {
	if size := k.builder.Bytes(); size > abi.MaxBatchBytes {
		return breachf("the rows of state %q that it asked for have more than %d MiB together: ask for fewer at once", k.d.Name, abi.MaxBatchBytes>>20)
	}
	return nil
}

// markMissing gives n rows their kinds where some are not there.
func (s *states) markMissing(k *keptState, n int) {
	if len(s.missing) == 0 {
		return
	}
	missing := s.missing
	for row := range n {
		if len(missing) > 0 && missing[0] == uint32(row) {
			k.builder.AppendKind(batch.Delete)
			missing = missing[1:]
			continue
		}
		k.builder.AppendKind(batch.Insert)
	}
}

// appendFields appends a row's fields, as they are stored. Fields that were declared after the row was written
// are null.
func (k *keptState) appendFields(stored []byte) error {
	var err error
	for i := range k.d.Fields {
		c := k.builder.Column(len(k.d.Key) + i)
		if len(stored) == 0 {
			c.AppendNull()
			continue
		}
		if stored, err = c.AppendValue(stored); err != nil {
			return &storeError{fmt.Errorf("state %q, field %q: %w", k.d.Name, k.d.Fields[i].Name, err)}
		}
	}
	if len(stored) > 0 {
		return &storeError{fmt.Errorf("state %q: a stored row has %d bytes more than its fields", k.d.Name, len(stored))}
	}
	return nil
}

// orderedKey appends the key of a row of a map, or of a request for one: all columns of a request.
func orderedKey(dst []byte, b *batch.Batch, row int) []byte {
	return orderedColumns(dst, b.Columns, row)
}

func orderedColumns(dst []byte, columns []batch.Column, row int) []byte {
	for i := range columns {
		dst = batch.AppendOrdered(dst, &columns[i], row)
	}
	return dst
}

// put writes rows of a state.
func (s *states) put(m *batch.Message) error {
	s.wrote = true
	if m.Number < abi.SchemaState {
		return s.timers.put(s, m)
	}
	k := s.list[m.Number-abi.SchemaState]
	if k.d.Scope == describe.ScopeBroadcast && !s.broadcast {
		return breachf("it wrote broadcast state %q in a call without rows of a broadcast input: only in one of these it would be the same on each subtask", k.d.Name)
	}
	if m.Batch.Rows() == 0 {
		return nil
	}
	keys, err := s.asked(k, m)
	if err != nil {
		return err
	}
	if k.rows != nil {
		return s.putList(k, keys, m.Batch)
	}
	s.values.Reset()
	s.mapKeys.Reset()
	for row := range keys {
		if err := s.putRow(k, m.Batch, row); err != nil {
			return err
		}
	}
	switch {
	case k.entries != nil:
		err = k.entries.Put(keys, &s.mapKeys, &s.values)
	case k.d.Kind == describe.Reducing:
		s.reducing, s.failure = k, nil
		if err = k.value.Update(keys, s.reduce); s.failure != nil {
			err = s.failure
		}
	default:
		err = k.value.Update(keys, s.merge)
	}
	return s.blame(k, err)
}

// putRow appends what is to be stored of a row to the lists, absent where it is to be removed.
func (s *states) putRow(k *keptState, b *batch.Batch, row int) error {
	if k.entries != nil {
		s.encoded = orderedColumns(s.encoded[:0], b.Columns[:len(k.d.Key)], row)
		s.mapKeys.Append(s.encoded)
	}
	if removes(b, row) {
		s.values.AppendAbsent()
		return nil
	}
	value := s.values.Open()
	for i := len(k.d.Key); i < len(b.Columns); i++ {
		value = batch.AppendValue(value, &b.Columns[i], row)
	}
	return s.small(k, s.values.Close(value))
}

func removes(b *batch.Batch, row int) bool { return b.Kinds != nil && b.Kinds[row] == batch.Delete }

// small returns an error for a row that is larger than a state's may be.
func (s *states) small(k *keptState, size int) error {
	if int64(size) > s.limits.StateRowBytes {
		return breachf("a row of state %q would have %d bytes; at most %d are possible", k.d.Name, size, s.limits.StateRowBytes)
	}
	return nil
}

// setValue is a merge that sets.
func (s *states) setValue(i int, _ []byte, _ bool) ([]byte, bool) {
	value := s.values.At(i)
	return value, value != nil
}

// mergeRow is a merge of a reducing state.
func (s *states) mergeRow(i int, old []byte, found bool) ([]byte, bool) {
	value := s.values.At(i)
	if value == nil || !found || s.failure != nil {
		return value, value != nil
	}
	var err error
	if s.encoded, err = s.reducing.combine(s.encoded[:0], old, value); err == nil {
		err = s.small(s.reducing, len(s.encoded))
	}
	if err != nil {
		s.failure = err
		return old, true
	}
	return s.encoded, true
}

// putList appends rows to lists, and clears lists, in order.
func (s *states) putList(k *keptState, keys []kind.Key, b *batch.Batch) error {
	s.values.Reset()
	first := 0 // of the rows that wait to be appended
	for row := range keys {
		if !removes(b, row) {
			if err := s.putRow(k, b, row); err != nil {
				return err
			}
			continue
		}
		err := k.rows.Append(keys[first:row], &s.values)
		if err == nil {
			err = k.rows.Clear(keys[row])
		}
		if err != nil {
			return s.blame(k, err)
		}
		s.values.Reset()
		first = row + 1
	}
	return s.blame(k, k.rows.Append(keys[first:], &s.values))
}
