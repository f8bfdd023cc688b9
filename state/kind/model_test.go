// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"bytes"
	"math"
	"slices"

	"github.com/wasmill/wasmill/state/kind"
)

// never is the stamp of a row that was written before its clock began.
const never = math.MinInt64

// row is a value and the time from which its time to live counts.
type row struct {
	key, value string // key of a map's
	from       int64
}

// model is what one state of any kind has to hold, by key: at most one row of a value, a map's rows
// in order, a list's as they came.
type model struct {
	after int64
	renew kind.Renew
	now   int64
	rows  map[string][]row
}

func (m *model) advance(now int64) {
	if now == math.MaxInt64 || now <= m.now {
		return
	}
	if m.now == never {
		for _, rows := range m.rows {
			for i := range rows {
				if rows[i].from == never {
					rows[i].from = now
				}
			}
		}
	}
	m.now = now
}

func (m *model) age(r row) int64 {
	if r.from == never || m.now == never {
		return 0
	}
	return m.now - r.from
}

// live drops what is over and returns the rest.
func (m *model) live(key string) []row {
	if m.after > 0 {
		m.rows[key] = slices.DeleteFunc(m.rows[key], func(r row) bool { return m.age(r) >= m.after && m.now != never })
	}
	return m.rows[key]
}

// read returns the rows of a key that keep says, and renews them.
func (m *model) read(key string, keep func(mapKey string) bool) []row {
	var out []row
	rows := m.live(key)
	for i := range rows {
		if !keep(rows[i].key) {
			continue
		}
		out = append(out, rows[i])
		if m.renew == kind.OnReadAndWrite && m.age(rows[i]) > m.after/64 {
			rows[i].from = m.now
		}
	}
	return out
}

// put sets the row of a map key, or removes it.
func (m *model) put(key, mapKey string, value []byte) {
	rows := m.live(key)
	at, found := slices.BinarySearchFunc(rows, mapKey, func(r row, k string) int { return bytes.Compare([]byte(r.key), []byte(k)) })
	from := m.now
	switch {
	case value == nil:
		if found {
			m.rows[key] = slices.Delete(rows, at, at+1)
		}
		return
	case !found:
		rows = slices.Insert(rows, at, row{})
	case m.renew == kind.OnCreate:
		from = rows[at].from
	}
	rows[at] = row{mapKey, string(value), from}
	m.rows[key] = rows
}

func (m *model) append(key string, value []byte) {
	m.rows[key] = append(m.live(key), row{"", string(value), m.now})
}
