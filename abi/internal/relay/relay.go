// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package relay writes the contract's messages with generated code, in layouts that FlatBuffers
// allow and the host never uses. Tests hold the host's readers against it.
package relay

import (
	"bytes"
	"encoding/binary"
	"slices"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/fbs"
)

// A Layout is a way in which a guest may lay a message out, and the host doesn't.
type Layout struct {
	Backwards bool // the buffers from the last to the first, with gaps between
	Sharing   bool // equal buffers are written once
	Validity  bool // there where nothing is null, too, and with its unused bits set
	Dirty     bool // what lies under a null is not 0
	Absent    bool // offsets of a column of no rows and an empty vector are left out
}

// Layouts returns some, by name.
func Layouts() map[string]Layout {
	return map[string]Layout{
		"plain":     {},
		"backwards": {Backwards: true, Validity: true, Dirty: true, Absent: true},
		"sharing":   {Sharing: true, Absent: true},
	}
}

// relaid is a message while generated code writes it. The buffers lie behind the envelope, whose
// length shows when it is written: it is written twice.
type relaid struct {
	layout  Layout
	parts   [][]byte // the buffers in the order in which they are asked for
	at      []int    // where each lies, known the second time
	next    int
	columns [][6]uint32
}

// Message writes a message.
func Message(m *batch.Message, l Layout) []byte {
	r := &relaid{layout: l}
	head := r.envelope(m)
	body := r.place(len(head))
	return append(r.envelope(m), body...)
}

// place lays the parts out behind a head of the given length and returns what follows the head.
func (r *relaid) place(head int) []byte {
	out := make([]byte, head)
	r.at = make([]int, len(r.parts))
	order := make([]int, len(r.parts))
	for i := range order {
		order[i] = i
	}
	if r.layout.Backwards {
		slices.Reverse(order)
	}
	for _, i := range order {
		if at := bytes.Index(out[head:], r.parts[i]); r.layout.Sharing && at >= 0 && (head+at)%8 == 0 {
			r.at[i] = head + at
			continue
		}
		for len(out)%8 != 0 || r.layout.Backwards && len(out)%16 != 0 {
			out = append(out, 0xee)
		}
		r.at[i] = len(out)
		out = append(out, r.parts[i]...)
	}
	return out[head:]
}

// buffer returns where a buffer lies, 0 for an empty one.
func (r *relaid) buffer(data []byte) uint32 {
	if len(data) == 0 {
		return 0
	}
	if r.at == nil {
		r.parts = append(r.parts, data)
		return 0
	}
	r.next++
	return uint32(r.at[r.next-1])
}

func (r *relaid) column(c *batch.Column) {
	validity, values, size := slices.Clone(c.Validity), slices.Clone(c.Values), len(c.Values)
	if r.layout.Validity {
		if validity == nil {
			validity = bytes.Repeat([]byte{0xff}, (c.Rows+7)/8)
		} else if c.Rows%8 != 0 {
			validity[len(validity)-1] |= 0xff << (c.Rows % 8)
		}
	}
	if width := c.Type.Width(); r.layout.Dirty && width > 0 {
		for n := range c.Rows {
			if c.Null(n) {
				copy(values[n*width:], bytes.Repeat([]byte{0xee}, width))
			}
		}
	}
	offsets := int32Bytes(c.Offsets)
	if r.layout.Absent && c.Rows == 0 {
		offsets = nil
	}
	r.columns = append(r.columns, [6]uint32{uint32(c.Rows), uint32(c.Nulls), r.buffer(validity), r.buffer(offsets), r.buffer(values), uint32(size)})
	for i := range c.Children {
		r.column(&c.Children[i])
	}
}

func int32Bytes[T int32 | uint32](values []T) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	return out
}

// envelope writes the Batch table with all its fields from the last to the first, which puts them
// in the order opposite to the host's.
func (r *relaid) envelope(m *batch.Message) []byte {
	r.next, r.columns = 0, nil
	b := flatbuffers.NewBuilder(0)
	for i := range m.Batch.Columns {
		r.column(&m.Batch.Columns[i])
	}
	perRow := map[string][]byte{"origin": int32Bytes(m.Origin), "group": int32Bytes(m.Group)}
	for _, t := range m.Batch.Times {
		perRow["time"] = binary.LittleEndian.AppendUint64(perRow["time"], uint64(t))
	}
	for _, k := range m.Batch.Kinds {
		perRow["kind"] = append(perRow["kind"], byte(k))
	}
	var failures [][3]uint32
	for _, f := range m.Failures {
		failures = append(failures, [3]uint32{uint32(f.Row), r.buffer([]byte(f.Message)), uint32(len(f.Message))})
	}
	fbs.BatchStartColumnsVector(b, len(r.columns))
	for _, c := range slices.Backward(r.columns) {
		fbs.CreateColumn(b, c[0], c[1], c[2], c[3], c[4], c[5])
	}
	columns := b.EndVector(len(r.columns))
	fbs.BatchStartFailuresVector(b, len(failures))
	for _, f := range slices.Backward(failures) {
		fbs.CreateFailure(b, f[0], f[1], f[2])
	}
	failed := b.EndVector(len(failures))
	fbs.BatchStart(b)
	own := func(name string, add func(*flatbuffers.Builder, flatbuffers.UOffsetT)) {
		if data := perRow[name]; data != nil {
			add(b, fbs.CreateColumn(b, uint32(m.Batch.Rows()), 0, 0, 0, r.buffer(data), uint32(len(data))))
		}
	}
	own("group", fbs.BatchAddGroup)
	own("origin", fbs.BatchAddOrigin)
	own("kind", fbs.BatchAddKind)
	own("time", fbs.BatchAddTime)
	if len(failures) > 0 || !r.layout.Absent {
		fbs.BatchAddFailures(b, failed)
	}
	fbs.BatchAddColumns(b, columns)
	fbs.BatchAddRows(b, uint32(m.Batch.Rows()))
	fbs.BatchAddSchema(b, m.Number)
	b.FinishWithFileIdentifier(fbs.BatchEnd(b), []byte("WMB1"))
	return b.FinishedBytes()
}
