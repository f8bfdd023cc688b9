// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/job"
)

// terminal is what a person sees of text that returns to the beginning of a line and erases it.
func terminal(text string) []string {
	lines := []string{""}
	for text != "" {
		last := &lines[len(lines)-1]
		switch {
		case strings.HasPrefix(text, eraseLine):
			*last, text = "", text[len(eraseLine):]
		case text[0] == '\n':
			lines, text = append(lines, ""), text[1:]
		default:
			*last, text = *last+text[:1], text[1:]
		}
	}
	return lines
}

func TestTextGoesAboveTheLineThatIsRewritten(t *testing.T) {
	var both bytes.Buffer // standard output and error are one terminal
	s := &screen{err: &both, live: true}
	out := s.above(&both)
	step := func(what string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, terminal(both.String())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	say(out, "before\n")
	step("before the line", "before", "")
	s.show("1 row")
	s.show("2 rows")
	step("rewritten", "before", "2 rows")
	say(out, "a\n")
	say(out, "b\nc\n")
	step("text", "before", "a", "b", "c", "2 rows")
	say(out, "half")
	step("half a line", "before", "a", "b", "c", "half")
	say(out, " done\n")
	s.show("3 rows")
	step("the other half", "before", "a", "b", "c", "half done", "3 rows")
	s.clear()
	s.clear()
	say(out, "after\n")
	step("cleared", "before", "a", "b", "c", "half done", "after", "")
}

func TestWithoutATerminalThereIsNoLine(t *testing.T) {
	var err, out bytes.Buffer
	s := &screen{err: &err}
	s.show("1 row")
	say(s.above(&out), "a\n")
	s.clear()
	if err.String() != "" || out.String() != "a\n" {
		t.Errorf("err %q, out %q", err.String(), out.String())
	}
}

func TestTheLineSaysHowFarAJobIs(t *testing.T) {
	mark := abi.EventTime(978_350_400_000_000)
	last := job.Progress{RowsRead: 1_000, Elapsed: time.Second}
	now := job.Progress{RowsRead: 2_501_000, Elapsed: 3 * time.Second, Watermark: &mark, Late: 12, Failed: 1}
	tests := map[int]string{
		200: "2,501,000 rows   1,250,000 rows/s   watermark 2001-01-01 12:00:00   12 late   1 failed",
		79:  "2,501,000 rows   1,250,000 rows/s   watermark 2001-01-01 12:00:00   12 late",
		50:  "2,501,000 rows   1,250,000 rows/s   12 late",
		20:  "2,501,000 rows",
		5:   "",
	}
	for width, want := range tests {
		if line := fit(progressParts(last, now), width); line != want {
			t.Errorf("%d columns: %q, want %q", width, line, want)
		}
	}
	if line := fit(progressParts(job.Progress{}, job.Progress{}), 80); line != "0 rows   0 rows/s   0 late" {
		t.Errorf("at the start: %q", line)
	}
}

func TestTheLineSaysWhatHoldsEventTimeUp(t *testing.T) {
	lag, more, since := 90*time.Second, 50*time.Hour, time.Now()
	p := job.Progress{Nodes: []job.NodeProgress{
		{Name: "in", Splits: []job.SplitProgress{{Lag: &lag}, {Lag: &more, IdleSince: &since}, {Lag: &more, Ended: true}, {Paused: true}}},
		{Name: "joined", WaitingFor: []string{"quiet.late"}},
	}}
	want := "0 rows   0 rows/s   lag 90.0s   joined is waiting for input quiet.late: no watermark yet   1 of 4 splits idle   1 of 4 splits ahead   0 late"
	if line := fit(progressParts(job.Progress{}, p), 200); line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	for d, want := range map[time.Duration]string{time.Millisecond: "0.0s", 3 * time.Minute: "3m", 47 * time.Hour: "47h", 49 * time.Hour: "2d"} {
		if got := roughly(d); got != want {
			t.Errorf("%v is shown as %s, want %s", d, got, want)
		}
	}
}

func TestTheSummarySaysWhatAJobDid(t *testing.T) {
	p := job.Progress{RowsRead: 10_000, RowsOut: 20, Elapsed: 2 * time.Second}
	if got, want := summary(p), "10,000 rows read, 20 written in 2s (5,000 rows/s)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.Late, p.Failed = 3, 1_000
	if got, want := summary(p), "10,000 rows read, 20 written in 2s (5,000 rows/s); 3 came too late; 1,000 failed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNumbersHaveACommaAtEachThousand(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -999: "-999", -1000: "-1,000", 123456: "123,456", 1 << 62: "4,611,686,018,427,387,904"} {
		if got := count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestRowsPerSecond(t *testing.T) {
	for _, test := range []struct {
		rows int64
		in   time.Duration
		want int64
	}{{0, 0, 0}, {5, 0, 0}, {5, -time.Second, 0}, {5, time.Second, 5}, {1, 2 * time.Second, 0}, {3_000_000, time.Millisecond, 3_000_000_000}} {
		if got := perSecond(test.rows, test.in); got != test.want {
			t.Errorf("%d in %v: %d, want %d", test.rows, test.in, got, test.want)
		}
	}
}
