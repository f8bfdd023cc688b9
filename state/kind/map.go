// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"errors"

	"github.com/wasmill/wasmill/state"
)

// Map is a state of values by map key, of each key, in the order of the map keys' bytes.
type Map struct{ entries }

// NewMap returns the map state with a number.
func NewMap(store state.Store, id state.ID, ttl TTL) *Map {
	m := &Map{}
	m.init(store, id, ttl)
	return m
}

// Get resets values and appends, for each n, the value under the n-th map key of the n-th key, or
// none where there is none.
func (m *Map) Get(keys []Key, mapKeys, values *state.Strings) error {
	return m.get(keys, mapKeys, values)
}

// Put sets, for each n in order, the value under the n-th map key of the n-th key, or removes it
// where it is absent.
func (m *Map) Put(keys []Key, mapKeys, values *state.Strings) error {
	return m.put(keys, mapKeys, values)
}

// Clear removes all values of a key.
func (m *Map) Clear(key Key) error { return m.clear(key) }

// Scan resets mapKeys and values and appends those of a key whose map keys lie in [from, to), in
// order, until a limit is reached; a nil to is no bound. more says that there may be more, from
// state.AppendNext(the last map key) on; then there is one at least.
func (m *Map) Scan(key Key, from, to []byte, limit state.Limit, mapKeys, values *state.Strings) (more bool, err error) {
	mapKeys.Reset()
	values.Reset()
	m.bounds(key, from, to)
	for {
		more, err = m.store.Scan(m.from, m.to, limit, &m.stored, &m.values)
		if err != nil {
			return false, err
		}
		for i := range m.stored.Len() {
			if err := m.scanned(key.Group, m.stored.At(i), m.values.At(i), mapKeys, values); err != nil {
				return false, err
			}
		}
		if !more || mapKeys.Len() > 0 {
			return more, nil
		}
		m.from = state.AppendNext(m.from[:0], m.stored.At(m.stored.Len()-1))
	}
}

// scanned appends an entry that was read, unless it is over.
func (m *Map) scanned(g state.Group, key, value []byte, mapKeys, values *state.Strings) error {
	if m.ttl.After > 0 {
		var live bool
		var err error
		if value, live, err = m.read(g, key, value); err != nil || !live {
			return err
		}
	}
	_, _, _, mapKey, ok := state.ParseKey(key)
	if !ok {
		return errors.New("state: a key of a map is none that a state has")
	}
	mapKeys.Append(mapKey)
	values.Append(value)
	return nil
}
