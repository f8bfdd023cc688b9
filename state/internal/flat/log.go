// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package flat

import (
	"encoding/binary"
	"fmt"
	"slices"
)

const (
	recordHead  = 12
	offsetBits  = 14 // of a ref, in units of 8 bytes
	segmentSize = 8 << offsetBits
	maxSegments = 1 << (32 - offsetBits)
)

// ref is where a record lies: the number of its segment, then its offset there in units of 8 bytes.
type ref uint32

const noRef = ^ref(0)

func refOf(segment uint32, at int) ref { return ref(segment<<offsetBits | uint32(at/8)) }

// log is a queue of segments. A record that is larger than a segment has one of its own.
type log struct {
	segments []segment
	unused   []uint32 // numbers of segments to use again
	queue    []uint32 // numbers of segments from the oldest to the youngest
	spare    []byte   // a segment's memory, to use again
	held     int64    // bytes of all segments
	used     int64
	dead     int64 // of used, in records that no entry refers to
}

type segment struct {
	buf        []byte
	used, dead int
}

func sizeOf(rec []byte) int {
	return align(recordHead + int(binary.LittleEndian.Uint32(rec[4:])) + int(binary.LittleEndian.Uint32(rec[8:])))
}

func align(n int) int { return (n + 7) &^ 7 }

func (l *log) at(r ref) []byte {
	return l.segments[r>>offsetBits].buf[int(r&(1<<offsetBits-1))*8:]
}

// add writes a record. key and value may lie in the log.
func (l *log) add(n uint32, key, value []byte) ref {
	size := align(recordHead + len(key) + len(value))
	var id uint32
	if last := len(l.queue) - 1; last >= 0 && l.segments[l.queue[last]].used+size <= min(segmentSize, len(l.segments[l.queue[last]].buf)) {
		id = l.queue[last]
	} else {
		id = l.open(size)
	}
	seg := &l.segments[id]
	at := seg.used
	rec := seg.buf[at : at+size]
	binary.LittleEndian.PutUint32(rec, n)
	binary.LittleEndian.PutUint32(rec[4:], uint32(len(key)))
	binary.LittleEndian.PutUint32(rec[8:], uint32(size-recordHead-len(key)))
	copy(rec[recordHead:], key)
	copy(rec[recordHead+len(key):], value)
	seg.used += size
	l.used += int64(size)
	return refOf(id, at)
}

// open begins a segment that has room for a record.
func (l *log) open(size int) uint32 {
	buf := l.spare
	if size <= segmentSize && buf != nil {
		l.spare = nil
	} else {
		buf = make([]byte, max(size, segmentSize))
		l.held += int64(len(buf))
	}
	var id uint32
	if last := len(l.unused) - 1; last >= 0 {
		id = l.unused[last]
		l.unused = l.unused[:last]
		l.segments[id] = segment{buf: buf}
	} else {
		id = uint32(len(l.segments))
		if id == maxSegments-1 {
			panic(fmt.Sprintf("flat: a map of more than %d segments of %d bytes", maxSegments-1, segmentSize))
		}
		l.segments = append(l.segments, segment{buf: buf})
	}
	l.queue = append(l.queue, id)
	return id
}

// drop says that no entry refers to a record any more.
func (l *log) drop(r ref) {
	size := sizeOf(l.at(r))
	l.segments[r>>offsetBits].dead += size
	l.dead += int64(size)
}

// oldest takes the oldest segment off the queue. The youngest stays: records are added to it.
func (l *log) oldest() (uint32, bool) {
	if len(l.queue) < 2 {
		return 0, false
	}
	id := l.queue[0]
	l.queue = slices.Delete(l.queue, 0, 1)
	return id, true
}

// release frees the memory of a segment whose records have all moved or gone.
func (l *log) release(id uint32) {
	seg := &l.segments[id]
	l.used -= int64(seg.used)
	l.dead -= int64(seg.dead)
	if len(seg.buf) == segmentSize && l.spare == nil {
		l.spare = seg.buf
	} else {
		l.held -= int64(len(seg.buf))
	}
	*seg = segment{}
	l.unused = append(l.unused, id)
}

// wasteful says whether more than half of the log is garbage.
func (l *log) wasteful() bool { return l.dead > 4*segmentSize && 2*l.dead > l.used }

// skipFull moves the oldest segment to the second youngest place if little of it is garbage.
func (l *log) skipFull() bool {
	if len(l.queue) < 2 {
		return false
	}
	seg := &l.segments[l.queue[0]]
	if 4*seg.dead > seg.used {
		return false
	}
	last := len(l.queue) - 1
	id := l.queue[0]
	copy(l.queue, l.queue[1:last])
	l.queue[last-1] = id
	return true
}

func (l *log) clone() log {
	c := *l
	c.segments = slices.Clone(l.segments)
	c.unused, c.queue, c.spare = slices.Clone(l.unused), slices.Clone(l.queue), nil
	c.held = 0
	for i := range c.segments {
		c.segments[i].buf = slices.Clone(c.segments[i].buf)
		c.held += int64(len(c.segments[i].buf))
	}
	return c
}
