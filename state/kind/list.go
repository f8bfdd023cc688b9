// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmill/wasmill/state"
)

// List is a state of any number of values a key, in the order in which they were appended.
//
// Under a key lie a head without namespace, which counts, and the values by sequence number, so that
// appending reads no value. Of a list with a time to live the head has no stamp: it goes with the
// last value.
type List struct {
	entries
	most  int
	at    []int64 // the sequence number of each value that is being appended
	count state.Merge
	full  int // the first value that the list has no room for, -1 where all have
	heads [16]byte
	gone  state.Strings
}

// NewList returns the list state with a number, of at most so many values a key.
func NewList(store state.Store, id state.ID, ttl TTL, most int) *List {
	l := &List{most: most}
	l.init(store, id, ttl)
	l.count = l.countOne
	return l
}

// Append appends, for each n in order, the n-th value to the list of the n-th key. A *LimitError says
// which was one too many; those before it were appended.
func (l *List) Append(keys []Key, values *state.Strings) error {
	for done := 0; done < len(keys); {
		room, err := l.append(keys[done:], values, done)
		if err != nil {
			return err
		}
		if done += room; done < len(keys) {
			trimmed, err := l.trim(keys[done])
			if err != nil {
				return err
			}
			if trimmed == 0 {
				key := Key{keys[done].Group, append([]byte(nil), keys[done].Key...)}
				return &LimitError{Row: done, Key: key, Most: l.most}
			}
		}
	}
	return nil
}

// append appends the values from first on up to one for which its list has no room, and returns how
// many.
func (l *List) append(keys []Key, values *state.Strings, first int) (int, error) {
	l.at, l.full, l.err = l.at[:0], -1, nil
	l.load(keys, nil)
	if err := l.store.Update(&l.stored, l.count); err != nil {
		return 0, err
	}
	if l.err != nil {
		return 0, l.err
	}
	l.stored.Reset()
	l.values.Reset()
	for i, at := range l.at {
		l.stored.Close(state.AppendTime(state.AppendKey(l.stored.Open(), keys[i].Group, l.id, keys[i].Key, nil), at))
		l.stampInto(&l.values, values.At(first+i))
	}
	if err := putNew(l.store, &l.stored, &l.values); err != nil {
		return 0, err
	}
	return len(l.at), nil
}

// countOne counts a value in its list's head, unless it or one before it found no room.
func (l *List) countOne(i int, old []byte, found bool) ([]byte, bool) {
	next, count, err := parseHead(old, found)
	if err != nil {
		l.err = err
	}
	if l.err == nil && l.full < 0 && count >= int64(l.most) {
		l.full = i
	}
	if l.err != nil || l.full >= 0 {
		return old, found
	}
	l.at = append(l.at, next)
	return l.head(next+1, count+1), true
}

// head returns a head, valid until the next call: the next sequence number and how many values
// there are.
func (l *List) head(next, count int64) []byte {
	binary.BigEndian.PutUint64(l.heads[:], uint64(next))
	binary.BigEndian.PutUint64(l.heads[8:], uint64(count))
	return l.heads[:]
}

func parseHead(head []byte, found bool) (next, count int64, err error) {
	switch {
	case !found:
		return 0, 0, nil
	case len(head) != 16:
		return 0, 0, fmt.Errorf("state: %x is stored as the head of a list and is none", head)
	}
	return int64(binary.BigEndian.Uint64(head)), int64(binary.BigEndian.Uint64(head[8:])), nil
}

// Clear removes all values of a key.
func (l *List) Clear(key Key) error { return l.clear(key) }

// Scan resets values and appends those of a key's list from a position on, in order, until a limit
// is reached. The first position is 0. more says that there may be more, from position next on; then
// there is one at least.
func (l *List) Scan(key Key, from int64, limit state.Limit, values *state.Strings) (next int64, more bool, err error) {
	values.Reset()
	var namespace [8]byte
	l.bounds(key, state.AppendTime(namespace[:0], from), nil)
	for next = from; ; {
		more, err = l.store.Scan(l.from, l.to, limit, &l.stored, &l.values)
		if err != nil {
			return 0, false, err
		}
		if err := l.scanned(key, values); err != nil {
			return 0, false, err
		}
		if last := l.stored.Len() - 1; last >= 0 {
			key := l.stored.At(last)
			next = state.Time(key[len(key)-8:]) + 1
			l.from = state.AppendNext(l.from[:0], key)
		}
		if !more || values.Len() > 0 {
			return next, more, nil
		}
	}
}

// scanned appends the values that were read, but those that are over, which it removes.
func (l *List) scanned(key Key, values *state.Strings) error {
	gone := 0
	for i := range l.stored.Len() {
		value := l.values.At(i)
		if l.ttl.After > 0 {
			var live bool
			var err error
			if value, live, err = l.read(key.Group, l.stored.At(i), value); err != nil {
				return err
			}
			if !live {
				gone++
				continue
			}
		}
		values.Append(value)
	}
	return l.uncount(key, gone)
}

// uncount takes values that were removed off a list's head, which goes with the last one.
func (l *List) uncount(key Key, gone int) error {
	if gone == 0 {
		return nil
	}
	l.gone.Reset()
	l.gone.AppendKey(key.Group, l.id, key.Key, nil)
	var bad error
	err := l.store.Update(&l.gone, func(_ int, old []byte, found bool) ([]byte, bool) {
		next, count, err := parseHead(old, found)
		if bad = err; bad != nil || count <= int64(gone) {
			return old, bad != nil
		}
		return l.head(next, count-int64(gone)), true
	})
	if bad != nil {
		return bad
	}
	return err
}

// trim removes values that are over from the front of a list, and returns how many.
func (l *List) trim(key Key) (int, error) {
	if l.ttl.After == 0 {
		return 0, nil
	}
	var namespace [8]byte
	l.bounds(key, state.AppendTime(namespace[:0], 0), nil)
	if _, err := l.store.Scan(l.from, l.to, trimmed, &l.stored, &l.values); err != nil {
		return 0, err
	}
	gone := 0
	for i := range l.stored.Len() {
		stamp, _, err := cut(l.values.At(i))
		if err != nil {
			return 0, err
		}
		if !l.ttl.over(key.Group, stamp) {
			break
		}
		if err := l.store.Delete(l.stored.At(i)); err != nil {
			return 0, err
		}
		gone++
	}
	return gone, l.uncount(key, gone)
}

// trimmed is how much trim looks at.
var trimmed = state.Limit{Entries: 64, Bytes: 1 << 20}
