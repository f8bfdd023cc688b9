// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Key groups: every key is in one, and a subtask owns a range of them, so that rescaling moves
// ranges and nothing else.
const (
	DefaultGroups = 128
	MaxGroups     = 32768
)

// Group is the number of a key group.
type Group uint16

// Unkeyed is the group of the state that belongs to a subtask and to no key: the list state of an
// operator, broadcast state. Every store takes it, and no range of groups contains it.
const Unkeyed Group = 0xffff

// GroupOf returns the group of an encoded key: its XXH64 modulo how many groups there are.
func GroupOf(key []byte, groups int) Group { return GroupOfHash(xxhash.Sum64(key), groups) }

// GroupOfHash returns the group of a key with an XXH64.
func GroupOfHash(hash uint64, groups int) Group {
	n := uint64(groups)
	if n&(n-1) == 0 {
		return Group(hash & (n - 1)) // the same, without a division
	}
	return Group(hash % n)
}

// Prefix returns what all keys of a group begin with; those of later groups are greater.
func (g Group) Prefix() []byte { return binary.BigEndian.AppendUint16(nil, uint16(g)) }

// Groups is the range [From, To) of key groups.
type Groups struct{ From, To Group }

// Contains says whether a group is in the range.
func (g Groups) Contains(group Group) bool { return g.From <= group && group < g.To }

// Check panics for a key that is neither of a group in the range nor Unkeyed.
func (g Groups) Check(key []byte) {
	if len(key) >= headSize {
		if group := Group(binary.BigEndian.Uint16(key)); g.Contains(group) || group == Unkeyed {
			return
		}
	}
	g.panicAt(key)
}

func (g Groups) panicAt(key []byte) {
	panic(fmt.Sprintf("state: key %x in a store of key groups %d to %d", key[:min(len(key), 64)], g.From, g.To))
}

// Split returns the range that a subtask owns: the groups are dealt out in order, evenly.
func Split(groups, subtask, parallelism int) Groups {
	first := func(subtask int) Group { return Group((subtask*groups + parallelism - 1) / parallelism) }
	return Groups{first(subtask), first(subtask + 1)}
}

// ID is the number of a state within an operator.
type ID uint16

// FirstReserved is the least number that a user's state can't have: those from here on are the
// engine's, but the last, which no state has, so that each state ends before some key.
const FirstReserved ID = 0xff00

// headSize is how many bytes of a key are its group and its state.
const headSize = 4

// AppendKey appends the stored form of a key: group, state, key and namespace. Stored keys are
// in order of group and state, and those of one key in order of namespace; keys of one state have
// an order that means nothing. The namespace is what lies under a key: a window, the key of a map;
// empty where there is nothing of the kind.
func AppendKey(dst []byte, g Group, id ID, key, namespace []byte) []byte {
	return append(AppendSized(appendHead(dst, g, id), key), namespace...)
}

func appendHead(dst []byte, g Group, id ID) []byte {
	return append(dst, byte(g>>8), byte(g), byte(id>>8), byte(id))
}

// AppendSized appends b behind its length, a uvarint, so that its end is seen whatever follows.
func AppendSized(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// CutSized returns the bytes that AppendSized made src begin with, and what follows them, both part
// of src. ok is false where src does not begin like that.
func CutSized(src []byte) (b, rest []byte, ok bool) {
	size, n := binary.Uvarint(src)
	if n <= 0 || n > 1 && src[n-1] == 0 || size > uint64(len(src)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return src[n:end:end], src[end:], true
}

// ParseKey takes a stored key apart. key and namespace are part of it. ok is false where stored is
// not what AppendKey makes.
func ParseKey(stored []byte) (g Group, id ID, key, namespace []byte, ok bool) {
	if len(stored) < headSize {
		return 0, 0, nil, nil, false
	}
	g, id = Group(binary.BigEndian.Uint16(stored)), ID(binary.BigEndian.Uint16(stored[2:]))
	key, namespace, ok = CutSized(stored[headSize:])
	return g, id, key, namespace, ok
}

// AppendNext appends the least key that is greater than key.
func AppendNext(dst, key []byte) []byte { return append(append(dst, key...), 0) }

// AppendEnd appends the least bytes that are greater than all that begin with prefix, which is not
// empty and not all 0xff.
func AppendEnd(dst, prefix []byte) []byte {
	last := len(prefix) - 1
	for prefix[last] == 0xff {
		last--
	}
	dst = append(dst, prefix[:last+1]...)
	dst[len(dst)-1]++
	return dst
}

// AppendTime appends a time, or any int64, as 8 bytes in its order.
func AppendTime(dst []byte, t int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t)^1<<63)
}

// Time returns what AppendTime put at the beginning of src, which has 8 bytes at least.
func Time(src []byte) int64 { return int64(binary.BigEndian.Uint64(src) ^ 1<<63) }
