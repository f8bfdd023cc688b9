// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package exchange carries rows between tasks: the bounded inbox that a task reads, and the
// partitioner that deals one task's rows out to the inboxes of others. Rows, watermarks and ends
// of one channel arrive in the order in which they were sent; nothing is said of the order
// between channels.
package exchange

import (
	"context"
	"sync"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// Kind says what an Element is.
type Kind uint8

// The kinds of elements.
const (
	Rows      Kind = iota // Batch has rows
	Watermark             // no row before Mark follows on this channel
	Idle                  // the channel is left out of the watermark until its next Watermark
	End                   // nothing follows on this channel
)

// Element is what flows through a channel.
type Element struct {
	Kind  Kind
	Batch *batch.Batch // the receiver owns the reference
	Port  int          // of rows from a source's split: the source's output
	Mark  abi.EventTime
}

// Bounds of a channel. It takes an element while it holds less than both.
const (
	channelElements = 16
	channelBytes    = 1 << 20
)

// Inbox is what a task has yet to read: one bounded queue a channel. Put may be called from one
// goroutine a channel, Get from one.
type Inbox struct {
	mu       sync.Mutex
	channels []channel
	next     int // the channel to look at first, so that all get their turn
	ready    chan struct{}
	timer    *time.Timer // of Get, stopped outside of it
}

type channel struct {
	queue []Element
	bytes int
	space chan struct{}
}

// NewInbox returns an inbox of n channels.
func NewInbox(n int) *Inbox {
	in := &Inbox{channels: make([]channel, n), ready: make(chan struct{}, 1)}
	for i := range in.channels {
		in.channels[i].space = make(chan struct{}, 1)
	}
	return in
}

// Put appends an element to a channel, and waits for room first. It gives the batch back to its
// pool where ctx is done before.
func (in *Inbox) Put(ctx context.Context, ch int, e Element) error {
	c := &in.channels[ch]
	for {
		in.mu.Lock()
		if len(c.queue) < channelElements && c.bytes < channelBytes {
			c.queue = append(c.queue, e)
			if e.Batch != nil {
				c.bytes += e.Batch.Bytes()
			}
			in.mu.Unlock()
			signal(in.ready)
			return nil
		}
		in.mu.Unlock()
		select {
		case <-c.space:
		case <-ctx.Done():
			if e.Batch != nil {
				e.Batch.Release()
			}
			return context.Cause(ctx)
		}
	}
}

// Get takes the next element, and waits for one until ctx is done or, where wait is not negative,
// for so long; ok is false then.
func (in *Inbox) Get(ctx context.Context, wait time.Duration) (ch int, e Element, ok bool) {
	if ch, e, ok = in.take(); ok {
		return ch, e, true
	}
	var expired <-chan time.Time
	if wait >= 0 {
		if in.timer == nil {
			in.timer = time.NewTimer(wait)
		} else {
			in.timer.Reset(wait)
		}
		defer in.timer.Stop()
		expired = in.timer.C
	}
	for {
		select {
		case <-in.ready:
		case <-expired:
			return 0, Element{}, false
		case <-ctx.Done():
			return 0, Element{}, false
		}
		if ch, e, ok = in.take(); ok {
			return ch, e, true
		}
	}
}

func (in *Inbox) take() (int, Element, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for range in.channels {
		ch := in.next
		c := &in.channels[ch]
		in.next = (in.next + 1) % len(in.channels)
		if len(c.queue) == 0 {
			continue
		}
		e := c.queue[0]
		copy(c.queue, c.queue[1:])
		last := len(c.queue) - 1
		c.queue[last] = Element{}
		c.queue = c.queue[:last]
		if e.Batch != nil {
			c.bytes -= e.Batch.Bytes()
		}
		signal(c.space)
		return ch, e, true
	}
	return 0, Element{}, false
}

// Drain gives back all that was never read.
func (in *Inbox) Drain() {
	for {
		_, e, ok := in.take()
		if !ok {
			return
		}
		if e.Batch != nil {
			e.Batch.Release()
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
