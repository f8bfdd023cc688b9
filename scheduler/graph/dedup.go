// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"strings"
	"time"

	"github.com/wasmill/wasmill/scheduler/dedup"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Dedup keeps one row of each key. What it gives is a changelog, but for the first row by arrival, and
// for one that is final. The last row by arrival may be that of a changelog by the same key: what it
// gives has each row that an update replaces, whether that has or not.
type Dedup struct {
	Keep dedup.Keep  `yaml:"keep"` // first (default) or last
	By   dedup.Clock `yaml:"by"`   // arrival (default) or time: the event time
	// Emit is changes (default) or final: of the first by time, only when the watermark has passed it,
	// so that nothing is taken back.
	Emit Emit `yaml:"emit"`
	// TTL is how long after its row a key is forgotten: by the clock of By. 0: never.
	TTL time.Duration `yaml:"ttl"`
	// Rows is how many rows of a key are kept: with TTL, a rate. Default 1; more of the first by arrival.
	Rows int `yaml:"rows"`
}

// Emit says when an operator gives a result that may change.
type Emit uint8

// The ways to give a result.
const (
	EmitChanges Emit = iota // at once, and takes it back where it was wrong
	EmitFinal               // when it can't change any more
)

// UnmarshalText reads changes or final.
func (e *Emit) UnmarshalText(text []byte) error {
	switch string(text) {
	case "changes":
		*e = EmitChanges
	case "final":
		*e = EmitFinal
	default:
		return fmt.Errorf("expected changes or final, not %.40q", text)
	}
	return nil
}

// dedup checks an operator that is a dedup.
func (c *checker) dedup(d *draft, o *Operator) {
	const what = "a dedup"
	in := c.input(d)
	c.only(d, o, what)
	where := d.where.under("dedup")
	w := o.Dedup
	if len(o.Key) == 0 {
		c.missing(d.where.under("key"), "add key: [COLUMN]", "dedup %q does not say of which columns a row is kept", d.name)
	}
	spec := dedup.Spec{
		Input: in.schema, Key: c.deal(d, o, in, what), Timed: in.untimed == "",
		Keep: w.Keep, By: w.By, Final: w.Emit == EmitFinal, TTL: w.TTL, Rows: w.Rows,
		Changelog: in.changes,
	}
	if spec.Keep != dedup.Last || spec.By != dedup.Arrival {
		c.insertsOnly(d, in, what, "write keep: last and by: arrival, which follows a changelog by its key, or put the dedup before the operator that takes rows back")
	}
	if spec.By == dedup.Time && in.untimed != "" {
		c.report(where.under("by"), in.untimed, "dedup %q goes by event time, which the rows lack", d.name)
	}
	if spec.Final && (spec.Keep != dedup.First || spec.By != dedup.Time) {
		c.report(where.under("emit"), "write keep: first and by: time, or leave emit out", "the %s row by %s is never final", spec.Keep, spec.By)
	}
	if w.Rows != 0 || c.given(where.under("rows")) {
		between(c, w.Rows, 1, dedup.MaxRows, where.under("rows"))
	}
	if w.Rows > 1 && (spec.Keep != dedup.First || spec.By != dedup.Arrival) {
		c.report(where.under("rows"), "write keep: first and by: arrival, or use a top", "only the first row by arrival is kept more than once, not the %s by %s", spec.Keep, spec.By)
	}
	c.micros(w.TTL, 0, dedup.MaxTTL, where.under("ttl"))
	d.node.about = dedupAbout(w, o.Key)
	d.node.Stateful = true
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return dedup.New(ctx, spec), nil }

	kept := &stream{schema: in.schema, origins: in.origins, untimed: in.untimed, changes: spec.Changes()}
	streams := []*stream{kept}
	if spec.Late() {
		streams = append(streams, &stream{port: portLate, schema: in.schema, origins: in.origins, untimed: in.untimed})
	}
	c.outputs(d, streams, o.OnError)
	d.portsKnown = true
}

func dedupAbout(w *Dedup, key []string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "dedup, %s by %s", w.Keep, w.By)
	if w.Rows > 1 {
		fmt.Fprintf(&s, ", %d rows", w.Rows)
	}
	if w.Emit == EmitFinal {
		s.WriteString(", final")
	}
	if w.TTL != 0 {
		fmt.Fprintf(&s, ", forgotten after %s", durationText(w.TTL))
	}
	fmt.Fprintf(&s, ", key %s", strings.Join(key, ", "))
	return s.String()
}
