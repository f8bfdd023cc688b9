// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestDaysAreThoseOfTheZoneWhereClocksChange(t *testing.T) {
	for _, c := range []struct {
		zone         string
		at           string
		size, offset time.Duration
		start, end   string
	}{
		{"Europe/Berlin", "2024-03-30T23:00:00Z", day, 0, "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"},
		{"Europe/Berlin", "2024-10-27T22:59:59Z", day, 0, "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"},
		{"Europe/Berlin", "2024-03-31T03:59:00Z", day, 6 * time.Hour, "2024-03-30T05:00:00Z", "2024-03-31T04:00:00Z"},
		// 1970 began on a Thursday; weeks begin on Monday with an offset of 4 days.
		{"Europe/Berlin", "2024-03-28T12:00:00Z", 7 * day, 4 * day, "2024-03-24T23:00:00Z", "2024-03-31T22:00:00Z"},
		{"America/New_York", "1969-12-31T23:00:00Z", day, 0, "1969-12-31T05:00:00Z", "1970-01-01T05:00:00Z"},
		// The clocks went from midnight to one: the day begins at one.
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", day, 0, "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		// They showed half past two twice: the day begins at the first time.
		{"Europe/Berlin", "2024-10-27T12:00:00Z", day, 2*time.Hour + 30*time.Minute, "2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"},
	} {
		g := newGrid(&Spec{Size: c.size, Offset: c.offset, Zone: zone(t, c.zone)})
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		n := g.slice(abi.EventTime(at.UnixMicro()))
		if start, end := moment(g.start(n)).Format(time.RFC3339), moment(g.start(n+1)).Format(time.RFC3339); start != c.start || end != c.end {
			t.Errorf("%s in %s lies in %s to %s, should be %s to %s", c.at, c.zone, start, end, c.start, c.end)
		}
	}
}

// Samoa had no 30 December 2011, and Lisbon changed its clocks at midnight for years.
func TestSlicesFollowEachOtherInEachZone(t *testing.T) {
	for _, name := range []string{"Pacific/Apia", "Europe/Lisbon", "America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe", "UTC"} {
		for _, spec := range []Spec{
			{Size: day}, {Size: 3 * day, Slide: 2 * day, Offset: -7 * time.Hour}, {Size: day, Step: 5 * time.Hour}, {Size: 2 * day, Step: 6 * time.Hour},
		} {
			spec.Zone = zone(t, name)
			g := newGrid(&spec)
			last := abi.EventTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
			for at := abi.EventTime(time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()); at < last; at += abi.EventTime((11*time.Hour + 13*time.Minute).Microseconds()) {
				n := g.slice(at)
				if g.start(n) > at || g.start(n+1) <= at {
					t.Fatalf("%s, %+v: %v lies in slice %d, which is %v to %v", name, spec, moment(at), n, moment(g.start(n)), moment(g.start(n+1)))
				}
				if g.slice(g.start(n)) != n || g.slice(g.start(n+1)-1) != n {
					t.Fatalf("%s, %+v: the ends of slice %d, %v to %v, lie in others", name, spec, n, moment(g.start(n)), moment(g.start(n+1)))
				}
			}
		}
	}
}

func TestGridTakesTheExtremesOfTime(t *testing.T) {
	w := &Aligned{}
	for _, spec := range []Spec{
		{Size: MaxSize, Slide: MaxSize / MaxWindows, Offset: MaxSize}, {Size: time.Microsecond}, {Size: MaxSize, Step: MaxSize / 100, Offset: -MaxSize},
		{Size: day, Zone: zone(t, "Europe/Berlin")},
	} {
		g := newGrid(&spec)
		for _, at := range []abi.EventTime{-watermark.MaxEventTime, watermark.MaxEventTime, w.clamped(watermark.Max), w.clamped(watermark.Min)} {
			n := g.slice(at)
			if g.start(n) > at || g.start(n+1) <= at {
				t.Errorf("%+v: %d lies in slice %d, which is %d to %d", spec, at, n, g.start(n), g.start(n+1))
			}
			if first, last := g.firstEnd(n), g.lastEnd(n); g.begin(first) > n || first <= n || g.begin(last) > n || last < first {
				t.Errorf("%+v: slice %d is in windows %d to %d", spec, n, first, last)
			}
		}
	}
}
