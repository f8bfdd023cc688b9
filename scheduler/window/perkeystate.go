// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/state"
)

// appendStoredKey appends the stored key of an encoded key.
func (w *PerKey) appendStoredKey(dst, key []byte) []byte {
	return state.AppendKey(dst, state.GroupOf(key, w.keyGroups), statePerKey, key, nil)
}

// read reads the keys from a place on, which are new in memory.
func (w *PerKey) read(ctx context.Context, from int) error {
	if from == len(w.keys) {
		return nil
	}
	w.stored.Reset()
	for place := from; place < len(w.keys); place++ {
		w.text = w.index.appendKey(w.text[:0], place)
		w.value = w.appendStoredKey(w.value[:0], w.text)
		w.stored.Append(w.value)
	}
	if err := w.store.Get(&w.stored, &w.values); err != nil {
		return err
	}
	var slots []uint32
	for i := range w.values.Len() {
		value := w.values.At(i)
		if value == nil {
			continue
		}
		var err error
		if slots, err = w.parse(&w.keys[from+i], value, slots); err != nil {
			return fmt.Errorf("window: the windows of a key are stored as %x: %w", value[:min(len(value), 256)], err)
		}
		w.live++
	}
	return w.load(ctx, slots)
}

// load puts the accumulators that parse has collected into slots.
func (w *PerKey) load(ctx context.Context, slots []uint32) error {
	if len(slots) == 0 {
		return nil
	}
	b := w.groups.column.Finish()
	defer b.Release()
	for i := range w.groups.members {
		if err := w.groups.members[i].Load(ctx, slots, &b.Columns[i]); err != nil {
			return err
		}
	}
	return nil
}

// The marks of a stored window.
const (
	storedChanged = 1 << iota
	storedEarly   // of a key, at its first window
)

var errShort = errors.New("it ends too early")

// parse reads a stored key, appends the slots of its windows, and collects their accumulators.
func (w *PerKey) parse(k *ofKey, value []byte, slots []uint32) ([]uint32, error) {
	p := parser{rest: value}
	k.stored = true
	k.due, k.rows = abi.EventTime(p.int64()), int64(p.uvarint())
	count := p.uvarint()
	if p.err == nil && (count == 0 || count > uint64(len(value))) {
		p.err = fmt.Errorf("it has %d windows", count)
	}
	for i := uint64(0); i < count && p.err == nil; i++ {
		of := ofWindow{slot: w.slot()}
		k.windows, slots = append(k.windows, of), append(slots, of.slot)
		w.parseWindow(k, &k.windows[i], &p)
	}
	if p.err == nil && len(p.rest) > 0 {
		p.err = fmt.Errorf("%d bytes follow", len(p.rest))
	}
	return slots, p.err
}

func (w *PerKey) parseWindow(k *ofKey, of *ofWindow, p *parser) {
	marks := p.byte()
	of.changed = marks&storedChanged != 0
	k.early = k.early || marks&storedEarly != 0
	of.start, of.end, of.since = abi.EventTime(p.int64()), abi.EventTime(p.int64()), int64(p.uvarint())
	if w.groups.counted {
		w.groups.rows[of.slot] = int64(p.uvarint())
	}
	for n := p.uvarint(); n > 0 && p.err == nil; n-- {
		t := told{start: abi.EventTime(p.int64()), end: abi.EventTime(p.int64())}
		t.values = slices.Clone(p.sized())
		w.told += int64(len(t.values))
		of.told = append(of.told, t)
	}
	w.parseKept(of, p)
	if p.err == nil {
		p.rest, p.err = w.groups.appendAccumulators(p.rest)
	}
}

// appendWindow appends a window but for its accumulators.
func (w *PerKey) appendWindow(dst []byte, k *ofKey, of *ofWindow) []byte {
	var marks byte
	if of.changed {
		marks |= storedChanged
	}
	if k.early {
		marks |= storedEarly
	}
	dst = state.AppendTime(append(dst, marks), int64(of.start))
	dst = state.AppendTime(dst, int64(of.end))
	dst = binary.AppendUvarint(dst, uint64(of.since))
	if w.groups.counted {
		dst = binary.AppendUvarint(dst, uint64(w.groups.rows[of.slot]))
	}
	dst = binary.AppendUvarint(dst, uint64(len(of.told)))
	for i := range of.told {
		t := &of.told[i]
		dst = state.AppendTime(state.AppendTime(dst, int64(t.start)), int64(t.end))
		dst = state.AppendSized(dst, t.values)
	}
	return w.appendKeptRows(dst, of)
}

// Flush writes the keys that differ from what the store has, and what the trigger remembers.
func (w *PerKey) Flush(ctx context.Context) error {
	if err := w.writeKeys(ctx); err != nil || w.trigger == nil {
		return err
	}
	return w.trigger.flush(ctx)
}

// writeKeys writes the keys that differ from what the store has.
func (w *PerKey) writeKeys(ctx context.Context) error {
	var slots []uint32
	from := 0
	for i, place := range w.changed {
		for j := range w.keys[place].windows {
			slots = append(slots, w.keys[place].windows[j].slot)
		}
		if len(slots) < saveChunk && i < len(w.changed)-1 {
			continue
		}
		saved, err := w.groups.saved(ctx, slots)
		if err != nil {
			return err
		}
		err = w.save(w.changed[from:i+1], saved)
		saved.Release()
		if err != nil {
			return err
		}
		slots, from = slots[:0], i+1
	}
	w.changed = w.changed[:0]
	return nil
}

// save writes keys, of whose windows a batch has the accumulators in order.
func (w *PerKey) save(places []uint32, saved *batch.Batch) error {
	row := 0
	var stored []byte
	for _, place := range places {
		k := &w.keys[place]
		k.dirty = false
		if len(k.windows) == 0 {
			continue // what the store had is deleted
		}
		w.text = w.index.appendKey(w.text[:0], int(place))
		stored = w.appendStoredKey(stored[:0], w.text)
		w.value = state.AppendTime(w.value[:0], int64(k.due))
		w.value = binary.AppendUvarint(w.value, uint64(k.rows))
		w.value = binary.AppendUvarint(w.value, uint64(len(k.windows)))
		for i := range k.windows {
			w.value = w.appendWindow(w.value, k, &k.windows[i])
			for m := range saved.Columns {
				w.value = batch.AppendValue(w.value, &saved.Columns[m], row)
			}
			row++
		}
		if err := w.store.Put(stored, w.value); err != nil {
			return fmt.Errorf("window: keeping the windows of a key: %w", err)
		}
		k.stored = true
	}
	return nil
}

// memory returns about how many bytes the operator holds.
func (w *PerKey) memory() int64 {
	return w.groups.memory() + w.index.memory() + w.told + w.kept + 64*int64(len(w.keys)) + 64*int64(w.groups.live)
}

// fewKeys is how many keys without windows may lie in memory whatever the others are.
const fewKeys = 1024

// limit drops all keys from memory where they take too much, and those without windows where they are
// most.
func (w *PerKey) limit(ctx context.Context) error {
	if w.memory() > w.spec.Memory {
		if err := w.writeKeys(ctx); err != nil {
			return err
		}
		for place := range w.keys {
			for i := range w.keys[place].windows {
				w.drop(&w.keys[place].windows[i])
			}
		}
		w.index.reset()
		w.keys, w.live = w.keys[:0], 0
		return nil
	}
	if len(w.keys) > fewKeys && len(w.keys) > 2*w.live {
		w.compact()
	}
	return nil
}

// compact drops the keys without windows.
func (w *PerKey) compact() {
	was, keys := w.index, w.keys
	w.index, w.keys, w.changed = index{key: w.key}, make([]ofKey, 0, 2*w.live), w.changed[:0]
	for place := range keys {
		if len(keys[place].windows) == 0 {
			continue
		}
		at := w.index.putOther(&was, place, w.fresh)
		if w.keys[at] = keys[place]; keys[place].dirty {
			w.changed = append(w.changed, at)
		}
	}
}

// parser reads what state/FORMAT.md says of the windows of a key. After an error it reads zeros.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) take(n int) []byte {
	if p.err == nil && len(p.rest) < n {
		p.err = errShort
	}
	if p.err != nil {
		return make([]byte, n)
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) byte() byte   { return p.take(1)[0] }
func (p *parser) int64() int64 { return state.Time(p.take(8)) }

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if p.err == nil && n <= 0 {
		p.err = errShort
	}
	if p.err != nil {
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) sized() []byte {
	b, rest, ok := state.CutSized(p.rest)
	if p.err == nil && !ok {
		p.err = errShort
	}
	if p.err != nil {
		return nil
	}
	p.rest = rest
	return b
}
