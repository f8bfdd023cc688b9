// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lock keeps other writers away from a file. The system releases it when the process ends, however
// that happens.
type lock struct{ file *os.File }

// acquire locks the file that a path names, which need not exist.
func acquire(path string) (*lock, error) {
	name := lockName(path)
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, noLock(path, err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			err = busy(path, f, err)
			return nil, errors.Join(err, f.Close())
		}
		// The holder before us may have removed the file between our open and our lock.
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if there, err := os.Stat(name); err == nil && os.SameFile(mine, there) {
			_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
			if err != nil {
				return nil, errors.Join(noLock(path, err), os.Remove(name), f.Close())
			}
			return &lock{file: f}, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

func busy(path string, f *os.File, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	owner := "another sink"
	text := make([]byte, 32)
	if n, err := f.ReadAt(text, 0); n > 0 && errors.Is(err, io.EOF) {
		owner += " (process " + strings.TrimSpace(string(text[:n])) + ")"
	}
	return fmt.Errorf("%s is being written by %s; two can't write one file", path, owner)
}

// release lets others write.
func (l *lock) release() error { return errors.Join(os.Remove(l.file.Name()), l.file.Close()) }

// syncFolder makes a renaming durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
