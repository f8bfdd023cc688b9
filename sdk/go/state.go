// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"reflect"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// keeper holds what an operator has put until the host is told: a state, or timers.
type keeper interface {
	// begin begins a call: nothing that was read in the last one counts.
	begin()
	// flush hands over what was put.
	flush()
	// held is how many rows flush would hand over, or hold memory for.
	held() int
}

// state is what states of all kinds share.
type state struct {
	call    *call
	number  uint32
	name    string
	scope   wire.Scope
	mask    uint32       // of key numbers: all ones where the state is kept by key, else 0
	stored  *row.Codec   // of its rows
	slice   reflect.Type // of its rows
	borrows bool         // rows that are read point into what they were read from
	checked bool         // in the call at hand it may be read
	written bool         // and written
	size    int          // of the largest result so far
	result  wire.Batch   // here, so that it need not be allocated
	free    []*scan
}

func (s *state) begin() { s.checked, s.written = false, false }

// read checks that the state may be read now.
func (s *state) read() {
	if s.checked {
		return
	}
	if s.scope == wire.ScopeKey && !s.call.keyed {
		panic("wasmill: state " + s.name + " is kept by key, and there is none here: only rows of keyed inputs and timers have one")
	}
	s.checked = true
}

// write checks that the state may be written now.
func (s *state) write() {
	if s.written {
		return
	}
	s.read()
	if s.scope == wire.ScopeBroadcast && !s.call.broadcast {
		panic("wasmill: state " + s.name + " is broadcast: only rows of a broadcast input may write it, so that it is the same on each subtask")
	}
	s.written = true
}

// key is the number that the state knows the key at hand by.
func (s *state) key() uint32 { return s.call.key & s.mask }

// request begins a request for rows.
func (s *state) request(rows, columns int) *wire.Message {
	m := &s.call.puts
	m.Begin(wire.SchemaRequest+s.number, rows, columns, nil)
	return m
}

// get reads rows; request is nil for the row of each key number, or the one row of a state that is
// not kept by key. The result is valid until the call returns.
func (s *state) get(request []byte) *wire.Batch {
	out := s.call.memory.room(s.size)
	return s.answer(out, host.StateGet(int(s.number), request, out))
}

// answer reads a result of a size, which lies in out where it fits.
func (s *state) answer(out []byte, size int) *wire.Batch {
	s.size = max(s.size, size)
	s.result = wire.Read(s.call.memory.take(out, size))
	return &s.result
}

// put hands over rows, in halves where they are too many or too large for one message. groups and
// kinds are of each row; kinds is nil where all are put.
func (s *state) put(rows unsafe.Pointer, groups []uint32, kinds []byte) {
	n := len(groups)
	m := s.message(n)
	if n > wire.MaxRows || !s.stored.Write(m, rows, n, limit(n)) {
		s.put(rows, groups[:n/2], half(kinds, 0, n/2))
		s.put(unsafe.Add(rows, uintptr(n/2)*s.stored.Stride()), groups[n/2:], half(kinds, n/2, n))
		return
	}
	s.handOver(m, groups, kinds)
}

// putAt is put of the rows with the given numbers of an array.
func (s *state) putAt(rows unsafe.Pointer, numbers, groups []uint32, kinds []byte) {
	n := len(numbers)
	m := s.message(n)
	if n > wire.MaxRows || !s.stored.WriteAt(m, rows, numbers, limit(n)) {
		s.putAt(rows, numbers[:n/2], groups[:n/2], half(kinds, 0, n/2))
		s.putAt(rows, numbers[n/2:], groups[n/2:], half(kinds, n/2, n))
		return
	}
	s.handOver(m, groups, kinds)
}

func (s *state) message(rows int) *wire.Message {
	m := &s.call.puts
	m.Begin(wire.SchemaState+s.number, rows, s.stored.Columns(), nil)
	return m
}

func (s *state) handOver(m *wire.Message, groups []uint32, kinds []byte) {
	if s.mask != 0 {
		m.SetGroups(groups)
	}
	if kinds != nil {
		m.SetKinds(kinds)
	}
	host.StatePut(m.Bytes())
}

// limit is how many bytes a message of so many rows may have.
func limit(rows int) int {
	if rows <= 1 {
		return maxInt
	}
	return maxMessage
}

func half(kinds []byte, from, to int) []byte {
	if kinds == nil {
		return nil
	}
	return kinds[from:to]
}

// rowsOf returns memory for n rows.
func (s *state) rowsOf(n int) unsafe.Pointer {
	return reflect.MakeSlice(s.slice, n, n).UnsafePointer()
}

// scan is a state that is being ranged over: the rows at hand, and the scan on the host.
type scan struct {
	number int
	rows   unsafe.Pointer // an array of room rows
	room   int
	n      int
	ended  bool
}

// scan begins to range over the rows of the key at hand.
func (s *state) scan(bounds int, request []byte) *scan {
	var sc *scan
	if n := len(s.free); n > 0 {
		sc, s.free = s.free[n-1], s.free[:n-1]
	} else {
		sc = &scan{}
	}
	sc.number, sc.ended = host.StateScan(int(s.number), s.key(), bounds, request), false
	return sc
}

// next reads the next rows of a scan; false is its end.
func (s *state) next(sc *scan) bool {
	memory := &s.call.memory
	mark := memory.mark()
	out := memory.room(s.size)
	b := s.answer(out, host.StateNext(sc.number, 0, out))
	if sc.n = b.Rows; sc.n == 0 {
		sc.ended = true
		return false
	}
	if sc.room < sc.n {
		sc.room = max(sc.n, 2*sc.room)
		sc.rows = s.rowsOf(sc.room)
	}
	if s.borrows {
		s.stored.Forget()
	}
	s.stored.Lenient(b, 0, sc.n, sc.rows)
	if !s.borrows {
		memory.release(mark)
	}
	return true
}

// end ends a scan, which the host has done where there are no more rows.
func (s *state) end(sc *scan) {
	if !sc.ended {
		host.StateNext(sc.number, wire.EndScan, nil)
	}
	s.free = append(s.free, sc)
}

const (
	// chunkBytes is the least memory for results that is asked for at once.
	chunkBytes = 64 << 10
	// keptBytes is how much of it is kept for the next call.
	keptBytes = 4 << 20
)

// arena is memory for results, which stay as they are until the next call.
type arena struct {
	chunks [][]byte
	at     int // the chunk at hand
	used   int // of it
}

// mark is a place in an arena.
type mark struct{ at, used int }

func (a *arena) mark() mark { return mark{a.at, a.used} }

// release gives up what was taken since a mark.
func (a *arena) release(m mark) { a.at, a.used = m.at, m.used }

func (a *arena) reset() {
	kept := 0
	for i := range a.chunks {
		if kept += len(a.chunks[i]); kept > keptBytes && i > 0 {
			clear(a.chunks[i:])
			a.chunks = a.chunks[:i]
			break
		}
	}
	a.at, a.used = 0, 0
}

// room returns memory for a result that is likely to have at most so many bytes.
func (a *arena) room(likely int) []byte {
	for ; a.at < len(a.chunks); a.at++ {
		if chunk := a.chunks[a.at]; len(chunk)-a.used >= max(likely, 1<<10) {
			return chunk[a.used:]
		}
		a.used = 0
	}
	a.chunks = append(a.chunks, wire.Words(max(chunkBytes, likely+likely/2)))
	return a.chunks[a.at]
}

// take keeps the result that lies in out, which room returned; one that did not fit is read again.
func (a *arena) take(out []byte, size int) []byte {
	if size > len(out) {
		out = a.room(size)
		if again := host.StateRead(out); again != size {
			panic("wasmill: the host gives another result than it said")
		}
	}
	a.used += (size + 7) &^ 7
	return out[:size]
}
