// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmilltest

import (
	"cmp"
	"slices"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

func (s *store) putTimers(schema uint32, data []byte) {
	if schema != wire.SchemaEventTimer && schema != wire.SchemaProcessingTimer {
		s.breach("it put a batch of schema %#x", schema)
	}
	rows, groups, kinds := s.message(data, schema, timerFields, true)
	for i, row := range rows {
		if int(groups[i]) >= len(s.call.keys) || row[0] == nil {
			s.breach("it sets a timer of key number %d, of %d keys, at %v", groups[i], len(s.call.keys), row[0])
		}
		namespace, _ := row[1].(string)
		t := timer{schema, row[0].(int64), s.call.keys[groups[i]], namespace}
		if kinds[i] == wire.Delete {
			delete(s.timers, t)
		} else {
			s.timers[t] = true
		}
	}
}

var timerFields = []wire.Field{{Name: "time", Type: wire.Timestamp}, {Name: "namespace", Type: wire.Bytes}}

// pop takes the earliest timers of a clock that are due at a time, at most so many and one a key.
func (s *store) pop(schema uint32, at int64, most int) []timer {
	var due []timer
	for t := range s.timers {
		if t.schema == schema && t.time <= at {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b timer) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.key, b.key), cmp.Compare(a.namespace, b.namespace))
	})
	keys := map[string]bool{}
	for i, t := range due {
		if i == most || keys[t.key] {
			return due[:i]
		}
		keys[t.key] = true
		delete(s.timers, t)
	}
	return due
}
