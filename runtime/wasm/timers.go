// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/table"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/kind"
	"github.com/wasmill/wasmill/state/timer"
)

// timerSchema is of the timers that a guest sets. Those that are due have the key's fields too.
var timerSchema = &abi.Schema{Fields: []abi.Field{{Name: "time", Type: abi.Timestamp}, {Name: "namespace", Type: abi.Bytes}}}

// pendingTimers are the timers that a call has set and deleted, in order.
type pendingTimers struct {
	list       []timerChange
	namespaces []byte
}

type timerChange struct {
	time    int64
	key     uint32 // number of the call
	end     int    // of its namespace, which begins where that of the one before ends
	number  uint32 // of the clock's schema
	deletes bool
}

func (p *pendingTimers) reset() { p.list, p.namespaces = p.list[:0], p.namespaces[:0] }

// timerOverhead is what a timer's key has besides its key and namespace, or more.
const timerOverhead = 64

// put takes timers that the guest sets or deletes.
func (p *pendingTimers) put(s *states, m *batch.Message) error {
	if m.Group == nil && m.Batch.Rows() > 0 {
		return breachf("a batch of %d timers does not say by group which key each has", m.Batch.Rows())
	}
	times, namespaces := &m.Batch.Columns[0], &m.Batch.Columns[1]
	for row, number := range m.Group {
		switch {
		case uint64(number) >= uint64(len(s.keys.keys)):
			return breachf("it set a timer of key number %d; the call has %d keys, and rows of a broadcast input have none", number, len(s.keys.keys))
		case times.Null(row):
			return breachf("it set a timer without a time")
		case len(namespaces.Bytes(row))+len(s.keys.keys[number].Key) > state.MaxKey-timerOverhead:
			return breachf("it set a timer whose key and namespace have %d bytes; at most %d are possible",
				len(namespaces.Bytes(row))+len(s.keys.keys[number].Key), state.MaxKey-timerOverhead)
		}
		if !namespaces.Null(row) {
			p.namespaces = append(p.namespaces, namespaces.Bytes(row)...)
		}
		p.list = append(p.list, timerChange{
			time: times.Int64s()[row], key: number, end: len(p.namespaces), number: m.Number, deletes: removes(m.Batch, row),
		})
	}
	return nil
}

// service is the timers of one clock.
type service struct {
	*timer.Timers
	number uint32 // of the schema
	behind bool   // timers are due that a Tick has left
	chains chains
}

// due are the timers that are being fired.
type due struct {
	clock   *service // nil while none are
	upTo    int64
	keys    keys
	builder *batch.Builder
}

// What a batch of timers has at most.
const (
	timerRows  = 1024
	timerBytes = 256 << 10
)

// tickCalls is how many calls a Tick makes at most: a guest that takes longer over its timers of processing time than they
// lie apart would never get to its rows otherwise, nor to its end.
const tickCalls = 1024

// fire hands all timers of a clock up to a time to the guest, also those that it sets on the way; of processing time
// so many as one Tick may.
func (o *process) fire(ctx context.Context, clock *service, upTo int64, out operator.Output) error {
	o.due.clock, o.due.upTo = clock, upTo
	if !clock.behind {
		clock.chains.reset()
	}
	clock.behind = false
	defer func() { o.due.clock = nil }()
	for calls := 0; ; calls++ {
		if clock.number == abi.SchemaProcessingTimer && calls == tickCalls {
			clock.behind = true
			return nil
		}
		timers, err := o.collect()
		if timers == nil || err != nil {
			return err
		}
		o.begin()
		err = o.finish(ctx, timers, nil, o.triesTimers, out)
		timers.Release()
		if err != nil {
			return err
		}
	}
}

// collect takes the next timers that are due off their clock, nil where none is: each key once, so that what its
// timer sets, deletes and writes counts for its next one.
func (o *process) collect() (*batch.Batch, error) {
	d := &o.due
	d.keys.begin(timerRows)
	for d.builder.Rows() < timerRows && d.builder.Bytes() < timerBytes {
		t, err := d.clock.Next(d.upTo)
		if err != nil {
			return nil, &storeError{err}
		}
		if t == nil {
			break
		}
		at := len(d.keys.arena)
		d.keys.arena = append(d.keys.arena, t.Key...)
		if !d.keys.add(stretch{at, len(d.keys.arena)}) {
			break
		}
		if err := o.appendTimer(t); err != nil {
			d.builder.DropRow()
			d.builder.Finish().Release()
			return nil, &storeError{err}
		}
		if err := d.clock.Take(); err != nil {
			d.builder.Finish().Release()
			return nil, &storeError{err}
		}
	}
	if d.builder.Rows() == 0 {
		return nil, nil
	}
	d.keys.settle()
	return d.builder.Finish(), nil
}

// appendTimer appends a timer to the batch that is being collected.
func (o *process) appendTimer(t *timer.Timer) error {
	b := o.due.builder
	b.Column(0).AppendInt64(t.Time)
	b.Column(1).AppendBytes(t.Namespace)
	for i, key := 0, t.Key; i < len(o.op.Key); i++ {
		var err error
		if key, err = b.Column(2 + i).AppendValue(key); err != nil {
			return fmt.Errorf("the key %x of a timer: %w", t.Key, err)
		}
	}
	at := abi.EventTime(t.Time)
	if o.due.clock.number == abi.SchemaProcessingTimer {
		at = o.mark
	}
	b.AppendTime(min(max(at, -watermark.MaxEventTime), watermark.MaxEventTime))
	b.EndRow()
	return nil
}

// tryTimers hands the timers of a part to the guest.
func (o *process) tryTimers(ctx context.Context, part *batch.Batch, rows []uint32) error {
	o.keys.list(o.due.keys.keys, rows)
	o.message = batch.Message{Number: o.due.clock.number, Batch: part, Group: o.keys.numbers}
	return o.step(ctx, part, rows, abi.ExportTimer)
}

// clock returns the timers with a schema number.
func (o *process) clock(number uint32) *service {
	if number == abi.SchemaEventTimer {
		return o.event
	}
	return o.processing
}

// setTimers sets and deletes the timers of a call that has succeeded.
func (o *process) setTimers() error {
	p := &o.states.timers
	from := 0
	for _, c := range p.list {
		key := &o.keys.keys[c.key]
		t := timer.Timer{Group: key.Group, Time: c.time, Key: key.Key, Namespace: p.namespaces[from:c.end]}
		from = c.end
		var err error
		if c.deletes {
			err = o.clock(c.number).Delete(t)
		} else {
			err = o.clock(c.number).Set(t)
		}
		if err != nil {
			return &storeError{err}
		}
		if o.chained(&c) {
			o.due.clock.chains.add(key)
		}
	}
	return nil
}

// chained says that a timer is due when a timer of its key sets it, and that nothing but a limit ends a chain of such: it
// goes no further in time, or there is no end to time.
func (o *process) chained(c *timerChange) bool {
	d := &o.due
	return d.clock != nil && d.clock.number == c.number && !c.deletes && c.time <= d.upTo &&
		(d.upTo == int64(watermark.Max) || c.time <= o.message.Batch.Columns[0].Int64s()[c.key])
}

// checkChains returns an error where a call makes a chain of timers too long.
func (o *process) checkChains() error {
	for i := range o.states.timers.list {
		c := &o.states.timers.list[i]
		if o.chained(c) && o.due.clock.chains.full(&o.keys.keys[c.key]) {
			cure := "set one that is later, or none"
			if o.due.upTo == int64(watermark.Max) {
				cure = "at the end of all input, when the watermark is the greatest there is, set none"
			}
			return breachf("the timers of the key %s go on for ever: each of %d set another that was due already; %s",
				o.keyText(o.keys.keys[c.key].Key), abi.MaxTimerChain, cure)
		}
	}
	return nil
}

// chains counts, for each key, the timers that were due when a timer of the key set them. It knows so many keys at
// a time, and forgets them all where there are more: memory is bounded, and a bound on all links together ends what would
// go on for ever then.
type chains struct {
	table table.Table
	links []uint32
	all   int
}

const chainedKeys = 1 << 16

func (c *chains) reset() {
	if c.table.Len() > 0 {
		c.table, c.links = table.Table{}, c.links[:0]
	}
	c.all = 0
}

func (c *chains) add(key *kind.Key) {
	if c.table.Len() >= chainedKeys {
		c.table, c.links = table.Table{}, c.links[:0]
	}
	n, fresh := c.table.Put(key.Key, table.Hash(key.Key))
	if fresh {
		c.links = append(c.links, 0)
	}
	c.links[n]++
	c.all++
}

// full says whether another link is one too many.
func (c *chains) full(key *kind.Key) bool {
	n := c.table.Get(key.Key, table.Hash(key.Key))
	return n != table.None && c.links[n] >= abi.MaxTimerChain || c.all >= chainedKeys*abi.MaxTimerChain
}
