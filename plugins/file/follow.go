// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/wasmill/wasmill/plugins/stream"
)

// poll is how often a file that is followed is looked at.
const poll = 200 * time.Millisecond

// tail reads a file as it grows.
type tail struct {
	path string
	file *os.File
	at   int64
}

var _ stream.Input = (*tail)(nil)

func follow(path string) (*tail, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, missing(path, err)
	}
	return &tail{path: path, file: f}, nil
}

// Close closes the file.
func (t *tail) Close() error { return t.file.Close() }

// Read waits for the file to grow, to be replaced or to be truncated.
func (t *tail) Read(ctx context.Context, p []byte, wait time.Duration) (int, error) {
	for {
		n, err := t.read(p)
		if n > 0 || err != nil {
			return n, err
		}
		nap := poll
		if wait >= 0 {
			if nap = min(poll, wait); nap == 0 {
				return 0, nil
			}
			wait -= nap
		}
		timer := time.NewTimer(nap)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, ctx.Err()
		case <-timer.C:
		}
	}
}

// read reads what is there, or goes over to what is there instead.
func (t *tail) read(p []byte) (int, error) {
	if n, err := t.more(p); n > 0 || err != nil {
		return n, err
	}
	old, err := t.file.Stat()
	if err != nil {
		return 0, err
	}
	now, err := os.Stat(t.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil // it is about to be replaced
	case err != nil:
		return 0, err
	case os.SameFile(old, now):
		if now.Size() >= t.at {
			return 0, nil
		}
		t.at = 0
		if _, err := t.file.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		return 0, stream.ErrRestart
	}
	// Whoever replaced the file may have written to the old one until just before.
	if n, err := t.more(p); n > 0 || err != nil {
		return n, err
	}
	f, err := os.Open(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	err = t.file.Close()
	t.file, t.at = f, 0
	return 0, errors.Join(stream.ErrRestart, err)
}

func (t *tail) more(p []byte) (int, error) {
	n, err := t.file.Read(p)
	t.at += int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
