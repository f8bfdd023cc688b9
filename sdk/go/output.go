// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

const (
	// maxPending is how many rows an output collects before it hands them over, give or take what
	// comes of a chunk of the input.
	maxPending = 1 << 14
	// maxMessage is how many bytes of rows are handed over at once; a single row may be larger.
	maxMessage = 4 << 20
	// maxFailure is how many bytes of a failed row's message the host keeps.
	maxFailure = 4096
	// maxInt is the limit of a message that can't be split.
	maxInt = int(^uint(0) >> 1)
)

// call is the call at hand, which all outputs of an operator share.
type call struct {
	row       uint32   // of the input
	key       uint32   // number of its key
	rows      int      // of the input
	groups    []uint32 // numbers of the rows' keys, nil where they have none
	keyed     bool     // they have
	broadcast bool     // the input is a broadcast one
	aggregate bool     // emits exactly once
	ending    bool     // all failures are known
	failures  []wire.Failure
	outputs   []emitter
	counters  []*Counter
	message   wire.Message
	keepers   []keeper
	puts      wire.Message  // what goes to the host's state
	memory    arena         // what came from there
	in        [2]wire.Batch // what the call was given; here, so that it need not be allocated
}

// emitter is an output that may hold rows.
type emitter interface {
	// flush hands over what the output holds; always says that it does so without rows too.
	flush(always bool)
	// width is how many columns the output has, nested ones counted.
	width() int
	// held is how many rows the output holds.
	held() int
}

// begin begins a call with its first input.
func (c *call) begin(batch []byte) *wire.Batch {
	b := c.read(0, batch)
	c.row, c.rows, c.ending = 0, b.Rows, false
	for _, k := range c.keepers {
		k.begin()
	}
	c.memory.reset()
	return b
}

// selects makes a row of the input the one at hand.
func (c *call) selects(row int) {
	if c.row = uint32(row); c.groups != nil {
		c.key = c.groups[row]
	}
}

func (c *call) read(i int, batch []byte) *wire.Batch {
	c.in[i] = wire.Read(batch)
	return &c.in[i]
}

// fail makes the row at hand a failed one.
func (c *call) fail(row int, message string) {
	c.failures = append(c.failures, wire.Failure{Row: row, Message: message[:min(len(message), maxFailure)]})
}

// end hands over what the call left. It emits nothing where there is nothing, except for an
// aggregate.
func (c *call) end(emit bool) {
	c.ending = true
	for _, k := range c.keepers {
		k.flush()
	}
	if emit {
		for i, o := range c.outputs {
			o.flush(c.aggregate && i == 0)
		}
		if len(c.failures) > 0 { // and no rows that they could have gone with
			c.message.Begin(0, 0, c.outputs[0].width(), c.failures)
			c.handOver(&c.message)
		}
	}
	for i, counter := range c.counters {
		if counter.pending != 0 {
			host.Count(i, counter.pending)
			counter.pending = 0
		}
	}
}

// known returns the failures, which go with the first message that is written after the last row.
func (c *call) known() []wire.Failure {
	if c.ending {
		return c.failures
	}
	return nil
}

// handOver emits a message. c's own message carries the failures that are known.
func (c *call) handOver(m *wire.Message) {
	host.Emit(m.Bytes())
	if c.ending && m == &c.message {
		clear(c.failures)
		c.failures = c.failures[:0]
	}
}

// relieve hands over what has become much, before all of the input has been read.
func (c *call) relieve() {
	for _, o := range c.outputs {
		if o.held() >= maxPending && !c.aggregate {
			o.flush(false)
		}
	}
	for _, k := range c.keepers {
		if k.held() >= maxPending {
			k.flush()
		}
	}
}

// Output is where an operator's rows go: a field of its struct. The first one is the main output;
// any other is a side output, called by its field's name in snake_case or by its tag. With the
// option forward, `wasmill:"name,forward"`, the columns of the input pass by: an emitted row has
// those of the row that it came from, and T's.
type Output[T any] struct {
	output
	rows []T
}

// output is an Output without its type. The rows follow it in memory.
type output struct {
	call    *call
	codec   *row.Codec
	port    uint32
	origins []uint32 // of each row
}

// Emit adds a row to the output. Strings and slices in it must not change until the call at hand
// returns. Emit may be called any number of times for a row of the input, and not outside of one.
func (o *Output[T]) Emit(row T) {
	// Small enough to be inlined: a call costs more than all the rest.
	o.rows = append(o.rows, row)
	o.origins = append(o.origins, o.call.row)
}

// header is Output.rows without its type.
type header struct {
	data     unsafe.Pointer
	len, cap int
}

func (o *output) pending() *header {
	return (*header)(unsafe.Add(unsafe.Pointer(o), unsafe.Sizeof(*o)))
}

func (o *output) width() int { return o.codec.Columns() }

func (o *output) held() int { return len(o.origins) }

func (o *output) flush(always bool) {
	if rows := o.pending(); rows.len > 0 || always {
		o.write(rows.data, o.origins, len(o.origins) == o.call.rows && identity(o.origins))
		rows.len, o.origins = 0, o.origins[:0]
	}
}

// write hands over rows, in halves where they are too many or too large for one message. same
// says that row n came from row n of the input, which has as many.
func (o *output) write(rows unsafe.Pointer, origins []uint32, same bool) {
	m, n, limit := &o.call.message, len(origins), maxMessage
	if n <= 1 || o.call.aggregate {
		limit = maxInt
	}
	m.Begin(o.port, n, o.codec.Columns(), o.call.known())
	if n > wire.MaxRows && !o.call.aggregate || !o.codec.Write(m, rows, n, limit) {
		o.write(rows, origins[:n/2], false)
		o.write(unsafe.Add(rows, uintptr(n/2)*o.codec.Stride()), origins[n/2:], false)
		return
	}
	if !same {
		m.SetOrigins(wire.AppendValues(m, origins, 4))
	}
	o.call.handOver(m)
}

// identity says whether row n came from row n.
func identity(origins []uint32) bool {
	moved, i := uint32(0), uint32(0)
	for ; len(origins) >= 4; origins = origins[4:] {
		o := (*[4]uint32)(origins)
		moved |= (o[0] ^ i) | (o[1] ^ (i + 1)) | (o[2] ^ (i + 2)) | (o[3] ^ (i + 3))
		i += 4
	}
	for _, origin := range origins {
		moved |= origin ^ i
		i++
	}
	return moved == 0
}

// Counter counts something of an operator: a field of its struct. The pipeline's metrics have it
// under the field's name in snake_case or its tag.
type Counter struct{ pending int64 }

// Add adds to the counter.
func (c *Counter) Add(n int64) { c.pending += n }
