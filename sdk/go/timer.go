// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// Watermark returns the operator's watermark: no row is expected any more whose event time is not
// behind it. It is the least int64 before the first one, the greatest at the end of all input, and
// stands still during a call.
func Watermark() EventTime { return EventTime(host.Watermark()) }

// Clock is what a timer goes by.
type Clock uint8

// The clocks.
const (
	ByEventTime      Clock = iota // the watermark
	ByProcessingTime              // Now
)

// Timer is a timer that is due. The struct that OnTimer's method takes begins with it, embedded;
// the fields behind it are the operator's key fields, or there are none.
//
//	type Due struct {
//		wasmill.Timer
//		Account string
//	}
type Timer struct {
	Time      Timestamp // when it was due
	Namespace string
	Clock     Clock `wasmill:"-"`
}

// EventTimers sets timers that are due when the watermark reaches their time: a field of an
// operator's struct. A timer is one for its key, namespace and time, however often it is set. One
// whose time has passed already is due with the next watermark; where a timer has set it, with the
// one at hand.
type EventTimers struct{ timers }

// Set sets a timer of the key at hand.
func (t *EventTimers) Set(at EventTime) { t.add("", int64(at)) }

// SetIn sets a timer of the key at hand in a namespace, which must not change until the call at
// hand returns.
func (t *EventTimers) SetIn(namespace string, at EventTime) { t.add(namespace, int64(at)) }

// Delete deletes a timer of the key at hand, if there is one.
func (t *EventTimers) Delete(at EventTime) { t.remove("", int64(at)) }

// DeleteIn deletes a timer of the key at hand in a namespace, if there is one.
func (t *EventTimers) DeleteIn(namespace string, at EventTime) { t.remove(namespace, int64(at)) }

// ProcessingTimers is EventTimers by processing time: its timers are due when Now reaches their
// time, which the host looks at from time to time.
type ProcessingTimers struct{ timers }

// Set sets a timer of the key at hand.
func (t *ProcessingTimers) Set(at Timestamp) { t.add("", int64(at)) }

// SetIn sets a timer of the key at hand in a namespace, which must not change until the call at
// hand returns.
func (t *ProcessingTimers) SetIn(namespace string, at Timestamp) { t.add(namespace, int64(at)) }

// Delete deletes a timer of the key at hand, if there is one.
func (t *ProcessingTimers) Delete(at Timestamp) { t.remove("", int64(at)) }

// DeleteIn deletes a timer of the key at hand in a namespace, if there is one.
func (t *ProcessingTimers) DeleteIn(namespace string, at Timestamp) {
	t.remove(namespace, int64(at))
}

// timers are timers of one clock that are to be set or deleted.
type timers struct {
	call       *call
	schema     uint32
	times      []int64
	namespaces []string
	groups     []uint32
	kinds      []byte
	ends       []int32
}

func (t *timers) add(namespace string, at int64) { t.append(namespace, at, 0) }

func (t *timers) remove(namespace string, at int64) { t.append(namespace, at, wire.Delete) }

func (t *timers) append(namespace string, at int64, kind byte) {
	if !t.call.keyed {
		panic("wasmill: a timer is one of a key, and there is none here: only rows of keyed inputs and timers have one")
	}
	t.times = append(t.times, at)
	t.namespaces = append(t.namespaces, namespace)
	t.groups = append(t.groups, t.call.key)
	t.kinds = append(t.kinds, kind)
}

func (t *timers) begin() {}

func (t *timers) held() int { return len(t.times) }

func (t *timers) flush() {
	for from := 0; from < len(t.times); from += wire.MaxRows {
		t.put(from, min(from+wire.MaxRows, len(t.times)))
	}
	clear(t.namespaces)
	t.times, t.namespaces, t.groups, t.kinds = t.times[:0], t.namespaces[:0], t.groups[:0], t.kinds[:0]
}

// put hands over a run of timers.
func (t *timers) put(from, to int) {
	m, n := &t.call.puts, to-from
	m.Begin(t.schema, n, 2, nil)
	times := wire.Column{Rows: uint32(n), Size: uint32(8 * n)}
	times.Values = uint32(wire.AppendValues(m, t.times[from:to], 8))
	m.SetColumn(0, times)
	t.ends = append(t.ends[:0], 0)
	size := 0
	for _, namespace := range t.namespaces[from:to] {
		size += len(namespace)
		t.ends = append(t.ends, int32(size))
	}
	namespaces := wire.Column{Rows: uint32(n), Size: uint32(size)}
	namespaces.Offsets = uint32(wire.AppendValues(m, t.ends, 4))
	at := m.Reserve(size)
	namespaces.Values = uint32(at)
	text := wire.At[byte](m, at, size)
	for _, namespace := range t.namespaces[from:to] {
		text = text[copy(text, namespace):]
	}
	m.SetColumn(1, namespaces)
	m.SetGroups(t.groups[from:to])
	m.SetKinds(t.kinds[from:to])
	host.StatePut(m.Bytes())
}
