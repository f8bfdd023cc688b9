// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package file

import (
	"errors"
	"fmt"
	"os"
)

// lock keeps other writers away from a file, by a file that has to be removed by hand after a
// crash.
type lock struct{ file *os.File }

// acquire locks the file that a path names, which need not exist.
func acquire(path string) (*lock, error) {
	f, err := os.OpenFile(lockName(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s is being written by another sink; two can't write one file. If none does, a run has crashed: remove %s", path, lockName(path))
	} else if err != nil {
		return nil, noLock(path, err)
	}
	return &lock{file: f}, nil
}

// release lets others write.
func (l *lock) release() error { return errors.Join(l.file.Close(), os.Remove(l.file.Name())) }

// syncFolder does nothing: these systems do not sync folders.
func syncFolder(string) error { return nil }
