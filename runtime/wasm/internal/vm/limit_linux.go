// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// limitProcess bounds the address space that this process may still take and its time on the CPU.
func limitProcess(memory, seconds int64) error {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	size, _, _ := bytes.Cut(statm, []byte(" "))
	pages, err := strconv.ParseInt(string(size), 10, 64)
	if err != nil {
		return fmt.Errorf("read /proc/self/statm: %w", err)
	}
	space := uint64(pages*int64(os.Getpagesize()) + memory)
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: space, Max: space}); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	cpu := unix.Rlimit{Cur: uint64(seconds), Max: uint64(seconds) + 1}
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &cpu); err != nil {
		return fmt.Errorf("limit CPU time: %w", err)
	}
	return nil
}
