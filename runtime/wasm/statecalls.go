// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"errors"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// The imports by which guests work with state. What is wrong with a call ends it.

// Prices of work with state, in fuel, besides those of the bytes that are handed over.
const (
	stateFuel    = 500
	stateRowFuel = 200
)

// kept returns the states of a call in which they may be used.
func (g *guest) kept(what string) *states {
	if g.states == nil || g.schema == nil {
		g.breach("it called %s inside of %s; only %s and %s of a process may", what, g.function, abi.ExportProcess, abi.ExportTimer)
	}
	g.in.Charge(stateFuel)
	return g.states
}

// stop ends the call where there is an error.
func (g *guest) stop(err error) {
	if err != nil {
		g.in.Stop(err)
	}
}

// request takes over a request for rows of a state, nil where the guest gives none.
func (g *guest) request(s *states, k *keptState, ptr, size uint32, what string) *batch.Message {
	if size == 0 {
		return nil
	}
	return g.take(s, ptr, size, what, k.request)
}

// take takes over a batch, which is released with the next one.
func (g *guest) take(s *states, ptr, size uint32, what string, schema func(uint32) *abi.Schema) *batch.Message {
	if s.incoming.Batch != nil {
		s.incoming.Batch.Release()
		s.incoming = batch.Message{}
	}
	s.incoming = g.decode(g.batch(ptr, size, what), what, schema)
	g.in.Charge(stateRowFuel * int64(s.incoming.Batch.Rows()))
	return &s.incoming
}

func (g *guest) stateGet(number, ptr, size, out, room uint32) uint32 {
	s := g.kept(abi.ImportStateGet)
	k, err := s.state(number, abi.ImportStateGet)
	g.stop(err)
	request := g.request(s, k, ptr, size, abi.ImportStateGet)
	if request == nil {
		g.in.Charge(stateRowFuel * int64(len(s.keys.keys)))
	}
	g.stop(s.get(k, request))
	return g.answer(s, out, room)
}

func (g *guest) stateScan(number, key uint32, bounds abi.Bounds, ptr, size uint32) uint32 {
	s := g.kept(abi.ImportStateScan)
	k, err := s.state(number, abi.ImportStateScan)
	g.stop(err)
	n, err := s.scan(k, key, bounds, g.request(s, k, ptr, size, abi.ImportStateScan))
	g.stop(err)
	return uint32(n)
}

func (g *guest) stateNext(scan, limit, out, room uint32) uint32 {
	s := g.kept(abi.ImportStateNext)
	g.stop(s.next(scan, int(int32(limit))))
	g.in.Charge(stateRowFuel * int64(s.answer.Batch.Rows()))
	return g.answer(s, out, room)
}

func (g *guest) stateRead(out, room uint32) uint32 {
	s := g.kept(abi.ImportStateRead)
	if s.answer.Batch == nil {
		g.breach("it called %s before %s and %s: there is no result", abi.ImportStateRead, abi.ImportStateGet, abi.ImportStateNext)
	}
	return g.answer(s, out, room)
}

// answer writes the result of a call into guest memory, if there is room, and returns its size.
func (g *guest) answer(s *states, out, room uint32) uint32 {
	size := s.answer.Size()
	switch {
	case size > abi.MaxBatchBytes:
		g.breach("its result has %d bytes; %d are allowed: ask for fewer rows", size, abi.MaxBatchBytes)
	case size > int(room):
		return uint32(size)
	case out%8 != 0:
		g.breach("it asked for a result at address %d, which is not a multiple of 8", out)
	}
	dst := g.bytes(out, uint32(size), "for a result")
	g.in.Charge(int64(size) >> emitByteShift)
	return uint32(s.answer.Encode(dst))
}

func (g *guest) statePut(ptr, size uint32) {
	s := g.kept(abi.ImportStatePut)
	if err := s.left.spend(int64(size)); err != nil {
		g.breach("it put more than %d MiB into its state in one call", s.left.limit>>20)
	}
	m := g.take(s, ptr, size, abi.ImportStatePut, s.schemas)
	if timers := m.Number < abi.SchemaState; timers && g.timer == nil {
		g.breach("it set a timer, but the module does not export %s", abi.ExportTimer)
	}
	if err := s.put(m); err != nil {
		g.in.Stop(err)
	}
}

// isStore says that a store failed, whatever call of a guest was in its way.
func isStore(err error) bool { return errors.As(err, new(*storeError)) }
