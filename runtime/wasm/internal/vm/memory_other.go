// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package vm

// guestMemory is the memory of one instance, on the Go heap: elsewhere than on Unix there is no
// other. Its address never changes, since its capacity is its maximum.
type guestMemory struct{ space []byte }

func (m *guestMemory) reserve(most uint64) error {
	m.space = make([]byte, most)
	return nil
}

// Reallocate is wazero's: it returns the first size bytes, nil where there is no room.
func (m *guestMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.space)) {
		return nil
	}
	return m.space[:size:size]
}

// Free is wazero's, too. It can be called again.
func (m *guestMemory) Free() { m.space = nil }
