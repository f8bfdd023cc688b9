// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// weighed is an aggregate that knows how many bytes a slot has.
type weighed interface{ Size(slot uint32) int }

// few returns how many of the first slots give results that are not too many, nor too large, to be made at
// once: one at least.
func (a *accumulators) few(slots []uint32) int {
	n := min(len(slots), resultChunk)
	for i := range a.members {
		of, ok := a.members[i].Aggregate.(weighed)
		if !ok {
			continue
		}
		bytes := 0
		for at, slot := range slots[:n] {
			if bytes += of.Size(slot); bytes > resultBytes {
				n = max(at, 1)
				break
			}
		}
	}
	return n
}

// full says in an error of an aggregate that can't take more of which key its slot is; ids are the slots that it
// was called with, and others their likes that may be known where they are not.
func (a *accumulators) full(err error, ids, others []uint32) error {
	var full *aggregate.FullError
	if !errors.As(err, &full) {
		return err
	}
	key := ""
	if a.keyOf != nil {
		if key = a.keyOf(full.Slot); key == "" && others != nil {
			if i := slices.Index(ids, full.Slot); i >= 0 {
				key = a.keyOf(others[i])
			}
		}
	}
	return &operator.Error{Fault: operator.FaultConfig, Err: fmt.Errorf("a window%s: %w", key, err)}
}

// maxKeyText is how much of a value of a key is in an error.
const maxKeyText = 60

// describe returns the key at a place for people: " of key auction 7, user \"x\"".
func (x *index) describe(pool *batch.Pool, schema *abi.Schema, place int) string {
	if len(x.key.columns) == 0 {
		return ""
	}
	of := &abi.Schema{}
	var columns []int
	for i, col := range x.key.columns {
		of.Fields, columns = append(of.Fields, schema.Fields[col]), append(columns, i)
	}
	row := pool.NewBuilder(of)
	if x.appendValue(row, columns, place) != nil {
		return ""
	}
	row.EndRow()
	b := row.Finish()
	defer b.Release()
	var parts []string
	for i := range b.Columns {
		parts = append(parts, of.Fields[i].Name+" "+valueText(&b.Columns[i]))
	}
	return " of key " + strings.Join(parts, ", ")
}

// valueText returns the value in the only row of a column.
func valueText(c *batch.Column) string {
	if c.Null(0) {
		return "null"
	}
	switch c.Type {
	case abi.String, abi.Bytes:
		text := c.String(0)
		return fmt.Sprintf("%q", text[:min(len(text), maxKeyText)])
	case abi.Int32:
		return fmt.Sprint(c.Int32s()[0])
	case abi.Float64:
		return fmt.Sprint(c.Float64s()[0])
	case abi.Bool:
		return fmt.Sprint(c.Bool(0))
	case abi.List, abi.Struct:
		return c.Type.String()
	}
	return fmt.Sprint(c.Int64s()[0])
}

// keyOf returns the key of a slot for people.
func (w *Aligned) keyOf(slot uint32) string {
	for _, s := range w.slices {
		if int(slot) < len(w.place) {
			if at := int(w.place[slot]); at < s.keys.len() && s.keys.slots[at] == slot {
				return s.keys.describe(w.pool, w.spec.Input, at)
			}
		}
	}
	return ""
}

// keyOf returns the key of a slot for people.
func (w *PerKey) keyOf(slot uint32) string {
	for place := range w.keys {
		for i := range w.keys[place].windows {
			if w.keys[place].windows[i].slot == slot {
				return w.index.describe(w.pool, w.spec.Input, place)
			}
		}
	}
	return ""
}
