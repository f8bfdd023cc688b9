// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"github.com/wasmill/wasmill/state"
)

// entries is a state's entries, one a key and namespace, as all kinds have them.
type entries struct {
	store state.Store
	id    state.ID
	ttl   TTL

	stored state.Strings // keys of the call at hand
	values state.Strings // what the store has of them
	value  []byte        // a value with its stamp
	from   []byte
	to     []byte

	groups  []Key       // whose entries are updated
	merge   state.Merge // what the caller makes of them
	stamped state.Merge // mergeStamped, made once
	err     error       // of mergeStamped
}

func (e *entries) init(store state.Store, id state.ID, ttl TTL) {
	e.store, e.id, e.ttl = store, id, ttl
	e.stamped = e.mergeStamped
}

// load makes the stored keys of a batch. Without namespaces they are empty.
func (e *entries) load(keys []Key, namespaces *state.Strings) {
	e.stored.Reset()
	for i := range keys {
		var namespace []byte
		if namespaces != nil {
			namespace = namespaces.At(i)
		}
		e.stored.AppendKey(keys[i].Group, e.id, keys[i].Key, namespace)
	}
}

// get resets values and appends that of each key and namespace, or none.
func (e *entries) get(keys []Key, namespaces, values *state.Strings) error {
	e.load(keys, namespaces)
	if e.ttl.After == 0 {
		return e.store.Get(&e.stored, values)
	}
	if err := e.store.Get(&e.stored, &e.values); err != nil {
		return err
	}
	values.Reset()
	for i := range keys {
		value, live, err := e.read(keys[i].Group, e.stored.At(i), e.values.At(i))
		switch {
		case err != nil:
			return err
		case live:
			values.Append(value)
		default:
			values.AppendAbsent()
		}
	}
	return nil
}

// read takes the stamp off a value that was read, renews it where reading does, and removes the
// entry where it is over. It is for a state with a time to live.
func (e *entries) read(g state.Group, key, stored []byte) (value []byte, live bool, err error) {
	if stored == nil {
		return nil, false, nil
	}
	stamp, value, err := cut(stored)
	switch {
	case err != nil:
		return nil, false, err
	case e.ttl.over(g, stamp):
		return nil, false, e.store.Delete(key)
	case e.ttl.stale(g, stamp):
		return value, true, e.store.Put(key, e.stamp(e.ttl.Clock.now, value))
	}
	return value, true, nil
}

// stamp returns a value with a stamp before it, valid until the next call.
func (e *entries) stamp(at int64, value []byte) []byte {
	e.value = append(state.AppendTime(e.value[:0], at), value...)
	return e.value
}

// put sets the value of each key and namespace, in order, and removes it where the value is absent.
func (e *entries) put(keys []Key, namespaces, values *state.Strings) error {
	if e.ttl.After > 0 && e.ttl.Renew == OnCreate {
		return e.update(keys, namespaces, func(i int, _ []byte, _ bool) ([]byte, bool) {
			value := values.At(i)
			return value, value != nil
		})
	}
	e.load(keys, namespaces)
	if e.ttl.After == 0 {
		return putAll(e.store, &e.stored, values)
	}
	e.values.Reset()
	for i := range keys {
		e.stampInto(&e.values, values.At(i))
	}
	return putAll(e.store, &e.stored, &e.values)
}

// stampInto appends a value that is written now with its stamp, if any, and none where it is absent.
func (e *entries) stampInto(values *state.Strings, value []byte) {
	if value == nil {
		values.AppendAbsent()
		return
	}
	stored := values.Open()
	if e.ttl.After > 0 {
		stored = state.AppendTime(stored, e.ttl.Clock.now)
	}
	values.Close(append(stored, value...))
}

// update replaces each value, in order, by what merge makes of it.
func (e *entries) update(keys []Key, namespaces *state.Strings, merge state.Merge) error {
	e.load(keys, namespaces)
	if e.ttl.After == 0 {
		return e.store.Update(&e.stored, merge)
	}
	e.groups, e.merge, e.err = keys, merge, nil
	err := e.store.Update(&e.stored, e.stamped)
	e.groups, e.merge = nil, nil
	if e.err != nil {
		return e.err
	}
	return err
}

// mergeStamped is a Merge of stored values by one of values.
func (e *entries) mergeStamped(i int, stored []byte, found bool) ([]byte, bool) {
	now := e.ttl.Clock.now
	at := now
	var old []byte
	if found {
		stamp, value, err := cut(stored)
		if err != nil {
			e.err = err
			return stored, true
		}
		if found = !e.ttl.over(e.groups[i].Group, stamp); found {
			old = value
			if e.ttl.Renew == OnCreate {
				at = stamp
			}
		}
	}
	value, keep := e.merge(i, old, found)
	if !keep {
		return nil, false
	}
	return e.stamp(at, value), true
}

// bounds makes the range of a key's entries whose namespaces lie in [from, to); a nil to is no bound.
func (e *entries) bounds(key Key, from, to []byte) {
	e.from = state.AppendKey(e.from[:0], key.Group, e.id, key.Key, nil)
	if to != nil {
		e.to = append(append(e.to[:0], e.from...), to...)
	} else {
		e.to = state.AppendEnd(e.to[:0], e.from)
	}
	e.from = append(e.from, from...)
}

// clear removes all entries of a key.
func (e *entries) clear(key Key) error {
	e.bounds(key, nil, nil)
	return state.DeleteRange(e.store, e.from, e.to)
}
