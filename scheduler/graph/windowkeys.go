// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"slices"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/window"
)

// Keep is which rows of a window are kept: so many, or those of so much event time before the latest. Exactly one
// is set.
type Keep struct {
	Rows int64         `yaml:"rows"`
	Time time.Duration `yaml:"time"`
}

func (k *Keep) about() string {
	if k.Rows != 0 {
		return fmt.Sprintf("keep rows %d", k.Rows)
	}
	return "keep time " + durationText(k.Time)
}

// ownKeys are the keys of which one makes windows that each key has of its own.
var ownKeys = []string{"session", "session_gap", "count", "global"}

// says tells which keys of a window are given, in a file or by a value.
func (c *checker) says(w *Window, where place) func(name string) bool {
	set := map[string]bool{
		"tumble": w.Tumble != 0, "slide": w.Slide != 0, "cumulate": w.Cumulate != 0, "size": w.Size != 0, "offset": w.Offset != 0,
		"zone": w.Zone != "", "two_phase": w.TwoPhase != nil, "session": w.Session != 0, "session_gap": w.SessionGap != "",
		"count": w.Count != 0, "every": w.Every != 0, "global": w.Global, "lateness": w.Lateness != 0, "early": w.Early != 0,
		"early_rows": w.EarlyRows != 0, "purge": w.Purge, "keep": w.Keep != nil, "trigger": w.Trigger != nil,
	}
	return func(name string) bool { return set[name] || c.given(where.under(name)) }
}

// perKey says whether a window is of a key's own, and checks its keys then.
func (c *checker) perKey(w *Window, where place, spec *window.Spec, in *stream) bool {
	says := c.says(w, where)
	own := slices.DeleteFunc(slices.Clone(ownKeys), func(name string) bool { return !says(name) })
	if says("every") && !says("count") {
		c.report(where.under("every").itsKey(), "add count: 100, or write early_rows", "every says when windows of so many rows end, and there is no count")
	}
	if len(own) == 0 {
		c.chosen(w, where, spec, in, says)
		return false
	}
	for _, other := range append([]string{"tumble", "slide", "cumulate"}, own[1:]...) {
		if says(other) {
			c.report(where.under(other).itsKey(), "keep one", "a window has one of %s and %s", own[0], other)
			return true
		}
	}
	for _, other := range c.meaningless(own[0]) {
		if says(other) {
			c.report(where.under(other).itsKey(), "leave it out", "%s means nothing to %s", other, own[0])
		}
	}
	switch own[0] {
	case "count":
		c.byCount(w, where, spec, says("every"))
	case "global":
		if spec.Global = true; !w.Global {
			c.report(where.under("global"), "leave it out, or write true", "global is false")
		}
	default:
		c.session(own[0], w, where, spec, in)
	}
	if in.changes {
		c.report(where.under(own[0]).itsKey(), "write tumble: 10s instead, or have the window read what comes before the updates begin", "the rows of a window by %s can't be taken back, and its input does that", own[0])
	}
	if own[0] != "count" {
		c.rows(w, where, spec)
	}
	return true
}

// chosen checks windows with a size whose results are of some of their rows, or have a trigger.
func (c *checker) chosen(w *Window, where place, spec *window.Spec, in *stream, says func(string) bool) {
	c.rows(w, where, spec)
	for _, key := range []string{"purge", "keep", "trigger"} {
		if key == "purge" && !w.Purge || key == "keep" && w.Keep == nil || key == "trigger" && w.Trigger == nil {
			continue
		}
		at := where.under(key).itsKey()
		for _, other := range []string{"slide", "cumulate"} {
			if says(other) {
				c.report(at, "leave it out", "%s is of tumbling, session and global windows; those that overlap share their rows", key)
			}
		}
		if in.changes {
			c.report(at, "leave it out", "the rows of a window with %s can't be taken back, and its input does that", key)
		}
		if w.TwoPhase != nil && *w.TwoPhase {
			c.report(where.under("two_phase"), "leave it out", "a window with %s can't be aggregated in two phases", key)
		}
	}
}

// rows checks which rows results are of.
func (c *checker) rows(w *Window, where place, spec *window.Spec) {
	if w.Keep != nil {
		c.keep(w.Keep, where.under("keep"), spec)
	}
	if w.Purge && w.Updates != window.Append {
		c.report(where.under("updates").itsKey(), "leave it, or purge, out", "a result after a purge is of other rows, and updates none")
	}
}

// keep checks which rows are kept.
func (c *checker) keep(k *Keep, where place, spec *window.Spec) {
	byRows, byTime := k.Rows != 0 || c.given(where.under("rows")), k.Time != 0 || c.given(where.under("time"))
	switch {
	case byRows && byTime:
		c.report(where.under("time").itsKey(), "keep one", "a window keeps so many rows, or rows for some time, not both")
	case byRows && (k.Rows < 1 || k.Rows > window.MaxKeepRows):
		c.report(where.under("rows"), "", "rows is %d; it can be 1 to %d", k.Rows, window.MaxKeepRows)
	case byTime:
		c.micros(k.Time, time.Microsecond, window.MaxSize, where.under("time"))
	case !byRows:
		c.missing(where.under("rows"), "write keep: {rows: 100} or keep: {time: 10m}", "keep does not say which rows")
	}
	spec.Keep = &window.Keep{Rows: k.Rows, Time: k.Time}
}

// meaningless returns the keys that mean nothing to windows of a kind.
func (c *checker) meaningless(kind string) []string {
	keys := []string{"size", "offset", "zone", "two_phase"}
	switch kind {
	case "count":
		return append(keys, "lateness", "early", "early_rows", "purge", "keep", "trigger")
	case "global":
		return append(keys, "lateness")
	}
	return keys
}

// byCount checks windows of so many rows.
func (c *checker) byCount(w *Window, where place, spec *window.Spec, every bool) {
	spec.Count = &window.Count{Rows: w.Count, Every: w.Every}
	if at := where.under("count"); w.Count < 1 || w.Count > window.MaxCount {
		c.report(at, "", "count is %d; it can be 1 to %d", w.Count, int64(window.MaxCount))
	} else if at := where.under("every"); every && (w.Every < 1 || w.Every > w.Count) {
		c.report(at, "", "every is %d; it can be 1 to the count, %d", w.Every, w.Count)
	}
}

// session checks the gap of sessions.
func (c *checker) session(key string, w *Window, where place, spec *window.Spec, in *stream) {
	at := where.under(key)
	if key == "session" {
		c.micros(w.Session, time.Microsecond, window.MaxSize, at)
		spec.Session = &window.Session{Gap: max(w.Session, time.Microsecond)}
		return
	}
	spec.Session = &window.Session{}
	if in.schema == nil || c.wrong(at) {
		return
	}
	if spec.Session.Column = max(c.column(in, w.SessionGap, at), 0); c.wrong(at) {
		return
	}
	if f := &in.schema.Fields[spec.Session.Column]; f.Type != abi.Int32 && f.Type != abi.Int64 {
		c.report(at, "make it one of milliseconds, of type int32 or int64", "the gap of sessions is a number of milliseconds; column %q is of type %s", f.Name, f.TypeString())
	}
}
