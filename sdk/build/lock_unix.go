// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package build

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock waits until no other process or goroutine holds the lock of that name, and takes it. The
// kernel gives it back when a process dies. The file stays: whoever removed it would give two
// waiters a lock each.
func lock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "lock", Path: name, Err: err}, file.Close())
	}
	return func() { _ = file.Close() }, nil
}
