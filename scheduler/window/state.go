// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/state"
)

// The states of a window operator; state/FORMAT.md has what lies in them.
const (
	stateGroups  = state.FirstReserved + 16 // the groups of a slice
	stateResults = state.FirstReserved + 17 // the results of a window that may be updated yet
	statePerKey  = state.FirstReserved + 18 // the windows of a key that has its own
)

// What is read from the store at a time.
var readLimit = state.Limit{Entries: 1024, Bytes: 256 << 10}

// saveChunk is how many groups are written at a time: a group may be large.
const saveChunk = 128

// keeper reads and writes groups. Its keys are a time and an encoded key, under a key group.
type keeper struct {
	store        state.Store
	groups       int
	accumulators *accumulators

	key          []byte
	value        []byte
	keys, values state.Strings
	slots        []uint32
	places       []uint32
}

// appendPrefix appends what the keys of a time begin with in a key group.
func appendPrefix(dst []byte, g state.Group, id state.ID, end abi.EventTime) []byte {
	return state.AppendTime(state.AppendKey(dst, g, id, nil, nil), int64(end))
}

// prefixSize is the length of appendPrefix.
const prefixSize = 5 + 8

// appendGroupKey appends the stored key of an encoded key at a time.
func (k *keeper) appendGroupKey(dst []byte, id state.ID, end abi.EventTime, key []byte) []byte {
	return append(appendPrefix(dst, state.GroupOf(key, k.groups), id, end), key...)
}

// save writes the groups at places of a slice.
func (k *keeper) save(ctx context.Context, s *slice, places []uint32) error {
	a := k.accumulators
	for chunk := range slices.Chunk(places, saveChunk) {
		k.slots = k.slots[:0]
		for _, place := range chunk {
			k.slots = append(k.slots, s.keys.slots[place])
		}
		saved, err := a.saved(ctx, k.slots)
		if err != nil {
			return err
		}
		err = k.write(s, chunk, saved)
		saved.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) write(s *slice, places []uint32, saved *batch.Batch) error {
	a := k.accumulators
	var text []byte
	for i, place := range places {
		slot := k.slots[i]
		text = s.keys.appendKey(text[:0], int(place))
		k.key = k.appendGroupKey(k.key[:0], stateGroups, s.end, text)
		k.value = a.appendHead(k.value[:0], slot)
		for m := range saved.Columns {
			k.value = batch.AppendValue(k.value, &saved.Columns[m], i)
		}
		if err := k.store.Put(k.key, k.value); err != nil {
			return fmt.Errorf("window: keeping a group of the window that ends at %v: %w", moment(s.end), err)
		}
		a.marks[slot] = a.marks[slot]&^dirty | stored
	}
	return nil
}

// saved returns the accumulators in slots, a row each.
func (a *accumulators) saved(ctx context.Context, slots []uint32) (*batch.Batch, error) {
	for i := range a.members {
		if err := a.members[i].Save(ctx, slots, a.column.Column(i)); err != nil {
			return nil, err
		}
	}
	a.column.EndRows(len(slots))
	return a.column.Finish(), nil
}

// appendHead appends what a stored group begins with.
func (a *accumulators) appendHead(dst []byte, slot uint32) []byte {
	dst = append(dst, byte(a.marks[slot]&changed))
	if a.counted {
		dst = binary.AppendVarint(dst, a.rows[slot])
	}
	return dst
}

// isChanged says whether a stored group has changed since the last early result.
func isChanged(value []byte) bool { return len(value) > 0 && mark(value[0])&changed != 0 }

// load puts stored groups into slots.
func (a *accumulators) load(ctx context.Context, slots []uint32, value func(i int) []byte) error {
	if len(slots) == 0 {
		return nil
	}
	for i, slot := range slots {
		if err := a.appendStored(slot, value(i)); err != nil {
			return fmt.Errorf("window: a group is stored as %x: %w", value(i), err)
		}
	}
	b := a.column.Finish()
	defer b.Release()
	for i := range a.members {
		if err := a.members[i].Load(ctx, slots, &b.Columns[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *accumulators) appendStored(slot uint32, value []byte) error {
	if len(value) == 0 {
		return fmt.Errorf("it is empty")
	}
	a.marks[slot] = mark(value[0])&changed | stored
	value = value[1:]
	if a.counted {
		n, used := binary.Varint(value)
		if used <= 0 {
			return fmt.Errorf("it does not say how many rows there are")
		}
		a.rows[slot], value = n, value[used:]
	}
	value, err := a.appendAccumulators(value)
	if err == nil && len(value) > 0 {
		err = fmt.Errorf("%d bytes follow its accumulators", len(value))
	}
	return err
}

// appendAccumulators appends a row of encoded accumulators to a.column and returns what follows them.
func (a *accumulators) appendAccumulators(value []byte) ([]byte, error) {
	var err error
	for i := range a.members {
		if value, err = a.column.Column(i).AppendValue(value); err != nil {
			return nil, err
		}
	}
	a.column.EndRow()
	return value, nil
}

// miss loads those of the places of a slice from one on that the store has: they are new in memory.
func (k *keeper) miss(ctx context.Context, s *slice, from int) error {
	if from == s.keys.len() {
		return nil
	}
	k.keys.Reset()
	k.places = k.places[:0]
	for place := from; place < s.keys.len(); place++ {
		k.value = s.keys.appendKey(k.value[:0], place)
		k.key = k.appendGroupKey(k.key[:0], stateGroups, s.end, k.value)
		k.keys.Append(k.key)
	}
	if err := k.store.Get(&k.keys, &k.values); err != nil {
		return err
	}
	k.slots = k.slots[:0]
	for i := range k.values.Len() {
		if k.values.At(i) != nil {
			k.slots, k.places = append(k.slots, s.keys.slots[from+i]), append(k.places, uint32(i))
		}
	}
	return k.accumulators.load(ctx, k.slots, func(i int) []byte { return k.values.At(int(k.places[i])) })
}

// fetch brings those groups of a slice into memory that the store has under keys of another index.
func (k *keeper) fetch(ctx context.Context, s *slice, of *index, places []uint32, fresh func() uint32) error {
	if !s.partial {
		return nil
	}
	k.keys.Reset()
	k.places = k.places[:0]
	for _, place := range places {
		if _, ok := s.keys.find(of, int(place)); !ok {
			k.value = of.appendKey(k.value[:0], int(place))
			k.key = k.appendGroupKey(k.key[:0], stateGroups, s.end, k.value)
			k.keys.Append(k.key)
			k.places = append(k.places, place)
		}
	}
	if err := k.store.Get(&k.keys, &k.values); err != nil {
		return err
	}
	k.slots = k.slots[:0]
	found := k.places[:0]
	for i, place := range k.places {
		if k.values.At(i) != nil {
			k.slots, found = append(k.slots, s.keys.putOther(of, int(place), fresh)), append(found, uint32(i))
		}
	}
	return k.accumulators.load(ctx, k.slots, func(i int) []byte { return k.values.At(int(found[i])) })
}

// scan gives the stored entries of a time to visit, chunk by chunk, key group by key group. The keys
// begin with prefixSize bytes; keys and values are valid until visit returns, which must not use
// k.keys and k.values otherwise.
func (k *keeper) scan(id state.ID, end abi.EventTime, groups state.Groups, visit func(keys, values *state.Strings) error) error {
	for g := groups.From; g < groups.To; g++ {
		from := appendPrefix(nil, g, id, end)
		to := state.AppendEnd(nil, from)
		for more := true; more; {
			var err error
			if more, err = k.store.Scan(from, to, readLimit, &k.keys, &k.values); err != nil {
				return err
			}
			if k.keys.Len() == 0 {
				break
			}
			from = state.AppendNext(from[:0], k.keys.At(k.keys.Len()-1))
			if err := visit(&k.keys, &k.values); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove deletes the stored entries of a time.
func (k *keeper) remove(id state.ID, end abi.EventTime) error {
	groups := k.store.Groups()
	for g := groups.From; g < groups.To; g++ {
		from := appendPrefix(nil, g, id, end)
		if err := state.DeleteRange(k.store, from, state.AppendEnd(nil, from)); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes what the store has of a slice.
func (k *keeper) forget(s *slice) error {
	if s.partial {
		return k.remove(stateGroups, s.end)
	}
	var text []byte
	for place, slot := range s.keys.slots {
		if k.accumulators.marks[slot]&stored == 0 {
			continue
		}
		text = s.keys.appendKey(text[:0], place)
		k.key = k.appendGroupKey(k.key[:0], stateGroups, s.end, text)
		if err := k.store.Delete(k.key); err != nil {
			return err
		}
	}
	return nil
}

// times returns the times of which a state has entries, sorted. It looks at one entry of each
// time and key group.
func (k *keeper) times(id state.ID) ([]abi.EventTime, error) {
	seen := map[abi.EventTime]bool{}
	groups := k.store.Groups()
	for g := groups.From; g < groups.To; g++ {
		prefix := state.AppendKey(nil, g, id, nil, nil)
		from, to := slices.Clone(prefix), state.AppendEnd(nil, prefix)
		for {
			if _, err := k.store.Scan(from, to, state.Limit{Entries: 1}, &k.keys, &k.values); err != nil {
				return nil, err
			}
			if k.keys.Len() == 0 {
				break
			}
			stored := k.keys.At(0)
			if len(stored) < prefixSize {
				return nil, fmt.Errorf("window: %x is stored as a group and is none", stored)
			}
			t := state.Time(stored[len(prefix):])
			seen[abi.EventTime(t)] = true
			from = state.AppendTime(append(from[:0], prefix...), t+1)
		}
	}
	var times []abi.EventTime
	for t := range seen {
		times = append(times, t)
	}
	slices.Sort(times)
	return times, nil
}

// moment is an event time for people.
func moment(t abi.EventTime) time.Time { return time.UnixMicro(int64(t)).UTC() }
