// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmilltest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// store is the state and the timers of an operator, as a host keeps them: an implementation of
// host.State. Rows are never changed, so that a copy of the maps and lists is a snapshot.
type store struct {
	t         testing.TB
	op        *wire.Operator
	now       int64
	watermark int64
	eventTime int64                // by which rows are over: the watermark, but for the end of input
	states    []map[string][]entry // by number: the rows of each key, "" where the scope has none
	timers    map[timer]bool
	keys      map[string][]cell // the cells of each key that was seen

	call    callState
	restore func() // to what keep was called for
}

// callState is what a store knows of the call at hand.
type callState struct {
	keys      []string // by key number
	keyed     bool
	broadcast bool
	put       bool // something was put
	scans     []openScan
	open      int // scans that have not ended
	result    []byte
}

// openScan is the rows of a state that a scan has not given yet.
type openScan struct {
	state int
	rows  [][]cell
}

// entry is a row of a state.
type entry struct {
	key   []cell // of a map
	row   []cell
	stamp int64 // what its time to live counts from
}

// timer is a timer; of event time or of processing time by its schema.
type timer struct {
	schema    uint32
	time      int64
	key       string
	namespace string
}

func newStore(t testing.TB, op *wire.Operator) *store {
	s := &store{t: t, op: op, watermark: math.MinInt64, eventTime: math.MinInt64, timers: map[timer]bool{}, keys: map[string][]cell{}}
	for range op.States {
		s.states = append(s.states, map[string][]entry{})
	}
	return s
}

// keep has restore bring back what there is now.
func (s *store) keep() {
	var states []map[string][]entry
	for _, rows := range s.states {
		kept := map[string][]entry{}
		for key, entries := range rows {
			kept[key] = slices.Clone(entries)
		}
		states = append(states, kept)
	}
	timers := maps.Clone(s.timers)
	s.restore = func() { s.states, s.timers = states, timers }
}

func (s *store) Watermark() int64 { return s.watermark }

func (s *store) breach(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("wasmilltest: operator %s: %s", s.op.Name, fmt.Sprintf(format, args...))
}

// keyOf returns the key that a number stands for in a state.
func (s *store) keyOf(state *wire.State, number uint32) string {
	switch {
	case state.Scope != wire.ScopeKey:
		return ""
	case int(number) >= len(s.call.keys):
		s.breach("state %s: there is no key number %d in a call with %d keys", state.Name, number, len(s.call.keys))
	}
	return s.call.keys[number]
}

// live returns the rows of a key that are not over. Where the state says so, reading renews them.
func (s *store) live(number int, key string, read bool) []entry {
	ttl := s.op.States[number].TTL
	if ttl.After == 0 {
		return s.states[number][key]
	}
	now := s.clock(ttl)
	var left []entry
	for _, e := range s.states[number][key] {
		if now != math.MinInt64 && now-e.stamp >= ttl.After {
			continue
		}
		if read && ttl.Renew == wire.RenewReadAndWrite {
			e.stamp = now
		}
		left = append(left, e)
	}
	s.states[number][key] = left
	return left
}

func (s *store) clock(ttl wire.TTL) int64 {
	if ttl.EventTime {
		return s.eventTime
	}
	return s.now
}

// advance moves the watermark. What was written before the first one counts as written then.
func (s *store) advance(to int64) {
	s.watermark = max(s.watermark, to)
	if s.watermark == math.MaxInt64 || s.watermark == s.eventTime {
		return
	}
	first := s.eventTime == math.MinInt64
	s.eventTime = s.watermark
	for number := range s.states {
		for _, rows := range s.states[number] {
			for i := range rows {
				if first && s.op.States[number].TTL.EventTime {
					rows[i].stamp = s.eventTime
				}
			}
		}
	}
}

// message reads a batch of the operator's, and the key number of each row.
func (s *store) message(data []byte, schema uint32, fields []wire.Field, keyed bool) (rows [][]cell, groups []uint32, kinds []byte) {
	b := wire.Read(data)
	if b.Schema != schema {
		s.breach("it handed over a batch of schema %#x instead of %#x", b.Schema, schema)
	}
	rows, groups, kinds = decode(&b, fields), b.Groups(), b.Kinds()
	if len(fields) == 0 {
		rows = make([][]cell, b.Rows)
	}
	if groups == nil {
		if keyed && b.Rows > 0 {
			s.breach("it handed over rows of a keyed state without key numbers")
		}
		groups = make([]uint32, b.Rows)
	}
	if kinds == nil {
		kinds = make([]byte, b.Rows)
	}
	return rows, groups, kinds
}

// state returns the state with a number.
func (s *store) state(number int) *wire.State {
	if number >= len(s.op.States) {
		s.breach("it has no state %d", number)
	}
	return &s.op.States[number]
}

func stored(st *wire.State) []wire.Field { return append(slices.Clip(st.Key), st.Fields...) }

// Get answers a request for rows.
func (s *store) Get(number int, request, out []byte) int {
	st := s.state(number)
	keyed := st.Scope == wire.ScopeKey
	groups := make([]uint32, len(s.call.keys))
	var keys [][]cell
	switch {
	case request != nil:
		keys, groups, _ = s.message(request, wire.SchemaRequest+uint32(number), st.Key, keyed)
	case st.Kind == wire.MapState:
		s.breach("it asked map %s for rows without saying which", st.Name)
	default:
		if !keyed {
			groups = make([]uint32, 1)
		}
		for i := range groups {
			groups[i] = uint32(i)
		}
		keys = make([][]cell, len(groups))
	}
	rows, kinds := make([][]cell, len(groups)), make([]byte, len(groups))
	for i, group := range groups {
		kinds[i] = wire.Delete
		if e := s.find(number, s.keyOf(st, group), keys[i], true); e != nil {
			rows[i], kinds[i] = append(slices.Clip(e.key), e.row...), 0
		}
	}
	return s.answer(number, rows, kinds, out)
}

// find returns the row of a map key; nil where there is none.
func (s *store) find(number int, key string, mapKey []cell, read bool) *entry {
	rows := s.live(number, key, read)
	if at, found := place(rows, mapKey); found {
		return &rows[at]
	}
	return nil
}

// place returns where in rows that of a map key lies or belongs.
func place(rows []entry, mapKey []cell) (int, bool) {
	return slices.BinarySearchFunc(rows, mapKey, func(e entry, key []cell) int { return compareRows(e.key, key) })
}

// answer keeps a result and writes it to out, where it fits.
func (s *store) answer(number int, rows [][]cell, kinds []byte, out []byte) int {
	fields := stored(&s.op.States[number])
	columns := 0
	for i := range fields {
		columns += nodes(&fields[i])
	}
	m := wire.Message{}
	m.Begin(wire.SchemaState+uint32(number), len(rows), columns, nil)
	encodeRows(&m, fields, rows)
	if slices.Contains(kinds, wire.Delete) {
		m.SetKinds(kinds)
	}
	s.call.result = m.Bytes()
	return s.Read(out)
}

// Read gives the last result.
func (s *store) Read(out []byte) int {
	if n := len(s.call.result); n <= len(out) {
		return copy(out, s.call.result)
	}
	return len(s.call.result)
}

// maxScans is how many scans may be open.
const maxScans = 64

// Scan begins to read a list or a map.
func (s *store) Scan(number int, key uint32, bounds int, request []byte) int {
	st := s.state(number)
	var ends [][]cell
	if bounds != wire.BoundsNone {
		ends, _, _ = s.message(request, wire.SchemaRequest+uint32(number), st.Key, false)
	}
	var rows [][]cell
	for _, e := range s.live(number, s.keyOf(st, key), true) {
		if within(e.key, bounds, ends) {
			rows = append(rows, append(slices.Clip(e.key), e.row...))
		}
	}
	if s.call.open++; s.call.open > maxScans {
		s.breach("it has more than %d scans open", maxScans)
	}
	s.call.scans = append(s.call.scans, openScan{number, rows})
	return len(s.call.scans) - 1
}

func within(key []cell, bounds int, ends [][]cell) bool {
	switch bounds {
	case wire.BoundsFrom:
		return compareRows(key, ends[0]) >= 0
	case wire.BoundsTo:
		return compareRows(key, ends[0]) < 0
	case wire.BoundsFromTo:
		return compareRows(key, ends[0]) >= 0 && compareRows(key, ends[1]) < 0
	case wire.BoundsPrefix:
		n := len(ends[0])
		for n > 0 && ends[0][n-1] == nil {
			n--
		}
		for i, want := range ends[0][:n] {
			text, ok := want.(string)
			if have, _ := key[i].(string); ok && i == n-1 && key[i] != nil && len(have) >= len(text) && have[:len(text)] == text {
				continue
			}
			if compareCells(key[i], want) != 0 {
				return false
			}
		}
	}
	return true
}

// scanRows is how many rows of a scan are given at once: few, so that tests see several.
const scanRows = 100

// Next gives the next rows of a scan.
func (s *store) Next(scan, limit int, out []byte) int {
	if scan >= len(s.call.scans) || s.call.scans[scan].state < 0 {
		s.breach("it has no scan %d open", scan)
	}
	sc := &s.call.scans[scan]
	number, rows := sc.state, sc.rows
	n := min(len(rows), scanRows)
	if limit == wire.EndScan {
		n = 0
	} else if limit > 0 {
		n = min(n, limit)
	}
	if sc.rows = rows[n:]; n == 0 {
		s.call.open--
		sc.state = -1
	}
	return s.answer(number, rows[:n], nil, out)
}

// Put writes rows of a state, or sets timers.
func (s *store) Put(data []byte) {
	s.call.put = true
	b := wire.Read(data)
	if b.Schema < wire.SchemaState {
		s.putTimers(b.Schema, data)
		return
	}
	number := int(b.Schema - wire.SchemaState)
	st := s.state(number)
	if st.Scope == wire.ScopeBroadcast && !s.call.broadcast {
		s.breach("it writes broadcast state %s for rows of a keyed input or timers", st.Name)
	}
	rows, groups, kinds := s.message(data, b.Schema, stored(st), st.Scope == wire.ScopeKey)
	for i, row := range rows {
		s.putRow(number, s.keyOf(st, groups[i]), row, kinds[i] == wire.Delete)
	}
}

func (s *store) putRow(number int, key string, row []cell, remove bool) {
	st := &s.op.States[number]
	now := s.clock(st.TTL)
	if st.Kind == wire.ListState {
		if rows := s.live(number, key, false); remove {
			delete(s.states[number], key)
		} else {
			s.states[number][key] = append(rows, entry{row: row, stamp: now})
		}
		return
	}
	e := entry{key: row[:len(st.Key)], row: row[len(st.Key):], stamp: now}
	rows := s.live(number, key, false)
	at, found := place(rows, e.key)
	switch {
	case remove && !found:
	case remove:
		s.states[number][key] = slices.Delete(rows, at, at+1)
	case !found:
		s.states[number][key] = slices.Insert(rows, at, e)
	default:
		if st.Kind == wire.ReducingState {
			e.row = slices.Clone(rows[at].row)
			for i, how := range st.Merge {
				e.row[i] = merged(how, e.row[i], row[i])
			}
		}
		if st.TTL.Renew == wire.RenewCreate {
			e.stamp = rows[at].stamp
		}
		rows[at] = e
	}
}
