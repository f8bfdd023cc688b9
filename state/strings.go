// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"slices"
)

// Strings is a list of byte strings, each there or absent, in one piece of memory, so that a batch
// of keys or values costs no allocation once the list has grown. The zero value is empty.
type Strings struct {
	bytes []byte
	ends  []int // of each string in bytes, ^end where it is absent
}

// Reset empties the list. What At returned is no longer valid.
func (s *Strings) Reset() { s.bytes, s.ends = s.bytes[:0], s.ends[:0] }

// Len returns how many strings there are.
func (s *Strings) Len() int { return len(s.ends) }

// Size returns how many bytes the strings have together.
func (s *Strings) Size() int { return len(s.bytes) }

// Append appends a copy of a string.
func (s *Strings) Append(b []byte) {
	s.bytes = append(s.bytes, b...)
	s.ends = append(s.ends, len(s.bytes))
}

// AppendAbsent appends a string that is not there.
func (s *Strings) AppendAbsent() { s.ends = append(s.ends, ^len(s.bytes)) }

// AppendKey appends the key that the function of this name makes.
func (s *Strings) AppendKey(g Group, id ID, key, namespace []byte) {
	s.bytes = AppendKey(s.bytes, g, id, key, namespace)
	s.ends = append(s.ends, len(s.bytes))
}

// Open returns what the next string is to be appended to, and Close ends it: for encoding without a
// copy in between. Nothing else is done with the list in between; without a Close nothing is appended.
func (s *Strings) Open() []byte { return s.bytes }

// Close appends the string that was appended to what Open returned, and returns its size.
func (s *Strings) Close(opened []byte) int {
	size := len(opened) - len(s.bytes)
	s.bytes = opened
	s.ends = append(s.ends, len(opened))
	return size
}

// AppendFirst appends the first n strings of another list.
func (s *Strings) AppendFirst(of *Strings, n int) {
	if n == 0 {
		return
	}
	from := len(s.bytes)
	for _, end := range of.ends[:n] {
		if end < 0 {
			end -= from
		} else {
			end += from
		}
		s.ends = append(s.ends, end)
	}
	last := of.ends[n-1]
	if last < 0 {
		last = ^last
	}
	s.bytes = append(s.bytes, of.bytes[:last]...)
}

// At returns a string, valid until the list is reset: nil where it is absent, and never nil where
// it is there.
func (s *Strings) At(i int) []byte {
	end := s.ends[i]
	if end < 0 {
		return nil
	}
	start := 0
	if i > 0 {
		if start = s.ends[i-1]; start < 0 {
			start = ^start
		}
	}
	if s.bytes == nil {
		return []byte{}
	}
	return s.bytes[start:end:end]
}

// Equal says whether two lists have the same strings.
func (s *Strings) Equal(to *Strings) bool {
	return len(s.ends) == len(to.ends) && bytes.Equal(s.bytes, to.bytes) && slices.Equal(s.ends, to.ends)
}

// Copy makes the list one of the same strings as another.
func (s *Strings) Copy(of *Strings) {
	s.bytes = append(s.bytes[:0], of.bytes...)
	s.ends = append(s.ends[:0], of.ends...)
}

// Bytes returns how much memory the list holds.
func (s *Strings) Bytes() int64 { return int64(cap(s.bytes) + 8*cap(s.ends)) }
