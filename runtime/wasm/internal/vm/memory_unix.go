// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package vm

import (
	"golang.org/x/sys/unix"
)

// guestMemory is the memory of one instance: address space for its maximum, of which the kernel
// gives pages when they are touched. Its address never changes. It belongs to one instance, which
// one goroutine uses.
type guestMemory struct {
	space []byte // all of it, nil once it is freed
	open  uint64 // bytes that may be accessed
}

// reserve takes address space for most bytes.
func (m *guestMemory) reserve(most uint64) error {
	if most == 0 {
		return nil
	}
	space, err := unix.Mmap(-1, 0, int(most), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	m.space = space
	return err
}

// Reallocate is wazero's: it opens the first size bytes, and returns nil where there is no room.
func (m *guestMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.space)) {
		return nil
	}
	if size > m.open {
		if err := unix.Mprotect(m.space[m.open:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil
		}
		m.open = size
	}
	return m.space[:size:size]
}

// Free is wazero's, too. It can be called again.
func (m *guestMemory) Free() {
	if m.space != nil {
		_ = unix.Munmap(m.space) // fails only for an address that is not a mapping's
	}
	m.space, m.open = nil, 0
}
