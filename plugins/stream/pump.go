// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"io"
	"time"
)

// Pump is an Input that reads in a goroutine of its own, as opening and reading a terminal or a
// pipe can't be interrupted. The goroutine ends when the call in which it sits returns, at the
// latest with the process.
type Pump struct {
	pieces chan piece
	back   chan []byte // the buffer, after its piece has been taken
	closed chan struct{}
	rest   piece
	whole  []byte // the buffer that rest lies in
}

type piece struct {
	data []byte
	err  error
}

var _ Input = (*Pump)(nil)

const pumped = 64 << 10 // bytes of the buffer

// NewPump returns an Input that reads what open returns, and closes it.
func NewPump(open func() (io.ReadCloser, error)) *Pump {
	in := &Pump{pieces: make(chan piece), back: make(chan []byte, 1), closed: make(chan struct{})}
	in.back <- make([]byte, pumped)
	go in.pump(open)
	return in
}

func (in *Pump) pump(open func() (io.ReadCloser, error)) {
	r, err := open()
	if err != nil {
		in.put(piece{err: err})
		return
	}
	defer func() { _ = r.Close() }() // it was only read
	for err == nil {
		var buffer []byte
		select {
		case buffer = <-in.back:
		case <-in.closed:
			return
		}
		var n int
		n, err = r.Read(buffer)
		if !in.put(piece{buffer[:n], err}) {
			return
		}
	}
}

// put hands a piece to Read; it returns false where that will not come any more.
func (in *Pump) put(p piece) bool {
	select {
	case in.pieces <- p:
		return true
	case <-in.closed:
		return false
	}
}

// Read waits for input.
func (in *Pump) Read(ctx context.Context, p []byte, wait time.Duration) (int, error) {
	for len(in.rest.data) == 0 {
		if in.rest.err != nil {
			return 0, in.rest.err
		}
		var timeout <-chan time.Time
		if wait >= 0 {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			timeout = timer.C
		}
		if in.whole != nil {
			in.back <- in.whole
			in.whole = nil
		}
		select {
		case in.rest = <-in.pieces:
			in.whole = in.rest.data[:cap(in.rest.data)]
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-timeout:
			return 0, nil
		}
	}
	n := copy(p, in.rest.data)
	in.rest.data = in.rest.data[n:]
	return n, nil
}

// Close lets the goroutine end.
func (in *Pump) Close() error {
	close(in.closed)
	return nil
}
