// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
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

// GroupOf returns the group of an encoded key: its XXH64 modulo how many groups there are.
func GroupOf(key []byte, groups int) Group { return Group(xxhash.Sum64(key) % uint64(groups)) }

// Prefix returns what all keys of a group begin with; those of later groups are greater.
func (g Group) Prefix() []byte { return binary.BigEndian.AppendUint16(nil, uint16(g)) }

// Groups is the range [From, To) of key groups.
type Groups struct{ From, To Group }

// Contains says whether a group is in the range.
func (g Groups) Contains(group Group) bool { return g.From <= group && group < g.To }

// Check panics for a key that is of no group in the range.
func (g Groups) Check(key []byte) {
	if len(key) < headSize || !g.Contains(Group(binary.BigEndian.Uint16(key))) {
		panic(fmt.Sprintf("state: key %x in a store of key groups %d to %d", key[:min(len(key), 64)], g.From, g.To))
	}
}

// Split returns the range that a subtask owns: the groups are dealt out in order, evenly.
func Split(groups, subtask, parallelism int) Groups {
	first := func(subtask int) Group { return Group((subtask*groups + parallelism - 1) / parallelism) }
	return Groups{first(subtask), first(subtask + 1)}
}

// ID is the number of a state within an operator.
type ID uint16

// FirstReserved is the least number that a user's state can't have: those from here on are the engine's.
const FirstReserved ID = 0xff00

// headSize is how many bytes of a key are its group and its state.
const headSize = 4

// AppendKey appends the stored form of a key: group, state, key and namespace, so that the order
// of stored keys is the order of these four, each as bytes. The namespace is what lies under a key:
// a window, the key of a map; empty where there is nothing of the kind.
func AppendKey(dst []byte, g Group, id ID, key, namespace []byte) []byte {
	return append(AppendEscaped(appendHead(dst, g, id), key), namespace...)
}

func appendHead(dst []byte, g Group, id ID) []byte {
	return append(dst, byte(g>>8), byte(g), byte(id>>8), byte(id))
}

// AppendEscaped appends bytes such that their end is seen and their order kept, whatever follows:
// each 0 is followed by 0xff, and 0 1 is the end.
func AppendEscaped(dst, b []byte) []byte {
	for {
		zero := bytes.IndexByte(b, 0)
		if zero < 0 {
			return append(append(dst, b...), 0, 1)
		}
		dst = append(append(dst, b[:zero+1]...), 0xff)
		b = b[zero+1:]
	}
}

// Unescape appends to dst the bytes that AppendEscaped made src begin with, and returns what
// follows them. ok is false where src is not such an encoding.
func Unescape(dst, src []byte) (out, rest []byte, ok bool) {
	for {
		zero := bytes.IndexByte(src, 0)
		if zero < 0 || zero+1 == len(src) {
			return dst, nil, false
		}
		dst = append(dst, src[:zero]...)
		mark := src[zero+1]
		src = src[zero+2:]
		switch mark {
		case 1:
			return dst, src, true
		case 0xff:
			dst = append(dst, 0)
		default:
			return dst, nil, false
		}
	}
}

// ParseKey takes a stored key apart. The key is appended to dst; namespace is part of stored. ok is
// false where stored is not what AppendKey makes.
func ParseKey(dst, stored []byte) (g Group, id ID, key, namespace []byte, ok bool) {
	if len(stored) < headSize {
		return 0, 0, nil, nil, false
	}
	g, id = Group(binary.BigEndian.Uint16(stored)), ID(binary.BigEndian.Uint16(stored[2:]))
	key, namespace, ok = Unescape(dst, stored[headSize:])
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
