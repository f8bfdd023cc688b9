// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import "github.com/wasmill/wasmill/state"

// Value is a state of at most one value a key.
type Value struct{ entries }

// NewValue returns the value state with a number.
func NewValue(store state.Store, id state.ID, ttl TTL) *Value {
	v := &Value{}
	v.init(store, id, ttl)
	return v
}

// Get resets values and appends the value of each key, or none where there is none.
func (v *Value) Get(keys []Key, values *state.Strings) error { return v.get(keys, nil, values) }

// Put sets the value of each key, in order, or removes it where it is absent.
func (v *Value) Put(keys []Key, values *state.Strings) error { return v.put(keys, nil, values) }

// Update replaces the value of each key, in order, by what merge makes of it: a key that is there
// twice is merged twice.
func (v *Value) Update(keys []Key, merge state.Merge) error { return v.update(keys, nil, merge) }
