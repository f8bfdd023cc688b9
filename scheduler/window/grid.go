// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"time"

	"github.com/wasmill/wasmill/abi"
)

// grid says which slices of event time there are, and which windows they make. It is arithmetic over
// numbers of slices: slice n is [start(n), start(n+1)), and a window ends before slice e, by which
// it is named.
//
//	tumbling     a window is a slice
//	hopping      a window is length slices; one begins every slide slices
//	cumulating   every length slices a cycle begins; a window is the first 1, 2, ... of a cycle
//
// With a zone a slice is so many calendar days, or a step within them; so a slice may have no length,
// where a zone leaves out a day, or where a day is shorter than its steps.
type grid struct {
	unit     int64 // of a slice, in microseconds; in a zone in days, of a cycle where there is a step
	offset   int64 // microseconds
	zone     *time.Location
	step     int64 // in a zone: microseconds of a slice, counted from the beginning of its cycle; 0 for none
	length   int64
	slide    int64
	cumulate bool
}

const (
	day    = 24 * time.Hour
	dayLen = int64(day / time.Microsecond)
)

func newGrid(s *Spec) grid {
	g := grid{unit: s.Size.Microseconds(), offset: s.Offset.Microseconds(), zone: s.Zone, length: 1, slide: 1}
	switch {
	case s.Slide > 0:
		g.unit = gcd(s.Size.Microseconds(), s.Slide.Microseconds())
		g.length, g.slide = s.Size.Microseconds()/g.unit, s.Slide.Microseconds()/g.unit
	case s.Step > 0:
		g.cumulate = true
		g.unit = s.Step.Microseconds()
		g.length = s.Size.Microseconds() / g.unit
		if g.zone != nil && s.Step%day != 0 {
			// A cycle may be longer than its size, by a day at most.
			g.step = g.unit
			g.unit = s.Size.Microseconds()
			g.length = (g.unit + dayLen + g.step - 1) / g.step
		}
	}
	if g.zone != nil {
		g.unit /= dayLen
	}
	return g
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// slice returns the number of the slice that a time lies in.
func (g *grid) slice(t abi.EventTime) int64 {
	if g.zone == nil {
		return floorDiv(int64(t)-g.offset, g.unit)
	}
	n := g.calendar(t)
	if g.step == 0 {
		return n
	}
	return n*g.length + int64(t-g.midnight(n))/g.step
}

// start returns the time at which a slice begins, which is when the one before it ends.
func (g *grid) start(n int64) abi.EventTime {
	switch {
	case g.zone == nil:
		return abi.EventTime(n*g.unit + g.offset)
	case g.step == 0:
		return g.midnight(n)
	}
	cycle := floorDiv(n, g.length)
	return min(g.midnight(cycle)+abi.EventTime((n-cycle*g.length)*g.step), g.midnight(cycle+1))
}

// calendar returns in which unit of days, counted from 1970 in the zone, a time lies.
func (g *grid) calendar(t abi.EventTime) int64 {
	_, east := time.UnixMicro(int64(t)).In(g.zone).Zone()
	n := floorDiv(int64(t)+int64(east)*1_000_000-g.offset, g.unit*dayLen)
	for g.midnight(n) > t {
		n--
	}
	for g.midnight(n+1) <= t {
		n++
	}
	return n
}

// midnight returns when a unit of days begins: when clocks in the zone first show the offset, or pass
// over it.
func (g *grid) midnight(n int64) abi.EventTime {
	t := time.Date(1970, 1, 1+int(n*g.unit), 0, 0, 0, int(g.offset*1000), g.zone)
	want := n*g.unit*dayLen + g.offset
	_, east := t.Zone()
	shown := t.UnixMicro() + int64(east)*1_000_000
	from, to := t.ZoneBounds()
	switch {
	case shown < want:
		return abi.EventTime(to.UnixMicro())
	case shown > want:
		return abi.EventTime(from.UnixMicro())
	case !from.IsZero():
		_, before := from.Add(-1).Zone()
		if first := want - int64(before)*1_000_000; first < from.UnixMicro() {
			return abi.EventTime(first)
		}
	}
	return abi.EventTime(t.UnixMicro())
}

// firstEnd returns the first window that a slice is in.
func (g *grid) firstEnd(n int64) int64 {
	if g.cumulate {
		return n + 1
	}
	return -floorDiv(g.length-1-n, g.slide)*g.slide + g.length
}

// lastEnd returns the last window that a slice is in.
func (g *grid) lastEnd(n int64) int64 {
	if g.cumulate {
		return (floorDiv(n, g.length) + 1) * g.length
	}
	return floorDiv(n, g.slide)*g.slide + g.length
}

// next returns the window after one.
func (g *grid) next(e int64) int64 { return e + g.slide }

// begin returns the first slice of a window.
func (g *grid) begin(e int64) int64 {
	if g.cumulate {
		return floorDiv(e-1, g.length) * g.length
	}
	return e - g.length
}

// middle returns where a window is cut in two to be merged: its part before is merged from the end
// to the beginning, its part from there on from the beginning to the end. It is the same for length
// windows in a row, so that each needs little more than what the one before it has merged; and it
// depends on nothing else, so that sums of floats are always rounded alike.
func (g *grid) middle(e int64) int64 { return floorDiv(e-1, g.length) * g.length }

// empty says whether a window is the one before it once more, since its last slice has no length.
func (g *grid) empty(e int64) bool { return g.zone != nil && g.start(e) == g.start(e-1) }

// endAfter returns the first window that ends after a time.
func (g *grid) endAfter(t abi.EventTime) int64 { return g.firstEnd(g.slice(t)) }

// sliced says whether a window may have several slices.
func (g *grid) sliced() bool { return g.length > 1 }
