// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmilltest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/internal/guest"
	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

const (
	// timersAtOnce is how many timers are given at once.
	timersAtOnce = 100
	// maxTimerChain is how many timers may be due in turn, each set by the one before it.
	maxTimerChain = 10_000
)

// FailedTimer is a timer that failed.
type FailedTimer struct {
	wasmill.Timer
	Message string
}

// Process gives rows to an input, "" or its name, of an operator with state, in one batch. Timers
// wait for AdvanceWatermark and AdvanceClock.
//
// State is kept from call to call, by key: by the operator's key fields, or where it has none, by
// Operator.Key.
func Process[In any](o *Operator, input string, rows ...In) *Result {
	o.t.Helper()
	o.mustHaveState("Process")
	port := slices.IndexFunc(o.describe.Inputs, func(p wire.Port) bool { return p.Name == input })
	if port < 0 {
		var names []string
		for _, p := range o.describe.Inputs {
			names = append(names, fmt.Sprintf("%q", p.Name))
		}
		o.t.Fatalf("wasmilltest: operator %s has no input %q; it has %s", o.describe.Name, input, strings.Join(names, ", "))
	}
	r := o.result()
	keyed := !o.describe.Inputs[port].Broadcast
	o.run(r, 0, len(rows), func(from, to int) func(guest.Instance) error {
		m := encodeTo(o, port, rows[from:to])
		o.store.call = callState{keyed: keyed, broadcast: !keyed}
		if keyed {
			m.SetGroups(o.number(o.keysOf(port, m.Bytes())))
		}
		batch := m.Bytes()
		return func(i guest.Instance) error {
			defer poison(batch)
			return i.Process(batch)
		}
	})
	return r
}

// AdvanceWatermark moves the watermark and returns what comes of the timers of event time that
// are due then. EndOfInput is the last one.
func (o *Operator) AdvanceWatermark(to wasmill.EventTime) *Result {
	o.t.Helper()
	o.mustHaveState("AdvanceWatermark")
	o.store.advance(int64(to))
	r := o.result()
	o.fire(r, wire.SchemaEventTimer, o.store.watermark)
	return r
}

// EndOfInput is the watermark at the end of all input.
const EndOfInput wasmill.EventTime = math.MaxInt64

// AdvanceClock moves processing time, which is Now too, and returns what comes of the timers that
// are due then.
func (o *Operator) AdvanceClock(to wasmill.Timestamp) *Result {
	o.t.Helper()
	o.mustHaveState("AdvanceClock")
	o.Now = max(o.Now, to)
	r := o.result()
	o.fire(r, wire.SchemaProcessingTimer, int64(o.Now))
	return r
}

// mustHaveState fails the test of an operator that is not for that function.
func (o *Operator) mustHaveState(function string) {
	o.t.Helper()
	if o.store == nil {
		o.t.Fatalf("wasmilltest: operator %s is not made by wasmill.Process; %s is for those that are", o.describe.Name, function)
	}
}

// run gives the rows from one to another to a fresh instance, by the call that prepare returns. As
// the host does, it takes back a call that has put something where rows fail, and calls again
// without the first one that did.
func (o *Operator) run(r *Result, from, to int, prepare func(from, to int) func(guest.Instance) error) {
	o.t.Helper()
	if from >= to {
		return
	}
	instance := o.instance
	if !o.Reuse {
		instance = o.fresh()
	}
	o.store.keep()
	process := prepare(from, to)
	part := o.call(func() error { return process(instance) })
	if len(part.Failures) > 0 && o.store.call.put {
		o.store.restore()
		first := from + slices.Min(slices.Collect(maps.Keys(part.Failures)))
		o.run(r, from, first, prepare)
		r.Failures[first] = part.Failures[first-from]
		o.run(r, first+1, to, prepare)
		return
	}
	r.add(part, from, to)
}

// fresh returns a fresh instance.
func (o *Operator) fresh() (instance guest.Instance) {
	o.t.Helper()
	var err error
	host.With(o.recorder(o.result()), func() { instance, err = o.operator.Open(slices.Clone(o.config)) })
	if err != nil {
		o.t.Fatalf("wasmilltest: operator %s refuses to open again: %v", o.describe.Name, err)
	}
	return instance
}

// keysOf returns the key of each row of a batch.
func (o *Operator) keysOf(port int, batch []byte) []string {
	o.t.Helper()
	b := wire.Read(batch)
	fields := o.describe.Inputs[port].Fields
	names := o.Key
	if len(o.describe.Key) > 0 {
		names = nil
		for _, f := range o.describe.Key {
			names = append(names, f.Name)
		}
	}
	keys := make([]string, b.Rows)
	rows := decode(&b, fields)
	for i := range keys {
		key := []cell{}
		for _, name := range names {
			at := slices.IndexFunc(fields, func(f wire.Field) bool { return f.Name == name })
			if at < 0 {
				o.t.Fatalf("wasmilltest: input %q of operator %s has no column %q that would be a key", o.describe.Inputs[port].Name, o.describe.Name, name)
			}
			key = append(key, rows[i][at])
		}
		keys[i] = fmt.Sprintf("%#v", key)
		o.store.keys[keys[i]] = key
	}
	return keys
}

// number numbers the keys of the rows of a call in the order in which they come.
func (o *Operator) number(keys []string) []uint32 {
	groups := make([]uint32, len(keys))
	c := &o.store.call
	for i, key := range keys {
		at := slices.Index(c.keys, key)
		if at < 0 {
			at = len(c.keys)
			c.keys = append(c.keys, key)
		}
		groups[i] = uint32(at)
	}
	return groups
}

// fire gives the operator the timers of a clock that are due at a time, and those that they set.
func (o *Operator) fire(r *Result, schema uint32, at int64) {
	o.t.Helper()
	for fired := 0; ; {
		due := o.store.pop(schema, at, timersAtOnce)
		if len(due) == 0 {
			return
		}
		if fired += len(due); fired > maxTimerChain+timersAtOnce*len(o.store.keys) {
			o.t.Fatalf("wasmilltest: operator %s sets timers that are due at once, for ever", o.describe.Name)
		}
		fires := o.result()
		o.run(fires, 0, len(due), func(from, to int) func(guest.Instance) error {
			batch := o.timerBatch(schema, due[from:to])
			return func(i guest.Instance) error {
				defer poison(batch)
				return i.Timer(batch)
			}
		})
		for _, n := range slices.Sorted(maps.Keys(fires.Failures)) {
			clock := wasmill.ByEventTime
			if schema == wire.SchemaProcessingTimer {
				clock = wasmill.ByProcessingTime
			}
			r.FailedTimers = append(r.FailedTimers, FailedTimer{
				wasmill.Timer{Time: wasmill.Timestamp(due[n].time), Namespace: due[n].namespace, Clock: clock}, fires.Failures[n],
			})
		}
		r.addTimers(fires)
	}
}

// timerBatch makes a batch of timers that are due.
func (o *Operator) timerBatch(schema uint32, due []timer) []byte {
	fields := append(slices.Clip(timerFields), o.describe.Key...)
	var rows [][]cell
	var keys []string
	for _, t := range due {
		row := []cell{t.time, t.namespace}
		if len(o.describe.Key) > 0 {
			row = append(row, o.store.keys[t.key]...)
		}
		rows, keys = append(rows, row), append(keys, t.key)
	}
	m := wire.Message{}
	m.Begin(schema, len(rows), len(fields), nil)
	encodeRows(&m, fields, rows)
	o.store.call = callState{keyed: true}
	m.SetGroups(o.number(keys))
	return m.Bytes()
}
