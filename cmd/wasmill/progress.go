// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/wasmill/wasmill/scheduler/job"
)

// screen is a terminal with a line at its bottom that is rewritten in place, while other text
// scrolls past above it. Without a terminal the line is never shown.
type screen struct {
	mu    sync.Mutex
	err   io.Writer  // where the line goes
	live  bool       // err is a terminal
	width func() int // its columns at the moment
	shown bool
	line  string
	half  bool // the text above does not end in a newline: the line waits for it
}

const eraseLine = "\r\x1b[K"

// show replaces the line.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.line, s.shown = line, true
		if !s.half {
			say(s.err, "%s", eraseLine+line)
		}
	}
}

// clear takes the line away.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown && !s.half {
		say(s.err, "%s", eraseLine)
	}
	s.line, s.shown = "", false
}

// above returns a writer to w, another view of the same terminal, whose text goes above the line.
func (s *screen) above(w io.Writer) io.Writer { return aboveLine{s, w} }

type aboveLine struct {
	screen *screen
	to     io.Writer
}

func (a aboveLine) Write(text []byte) (int, error) {
	s := a.screen
	if !s.live {
		return a.to.Write(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown && !s.half {
		say(s.err, "%s", eraseLine)
	}
	n, err := a.to.Write(text)
	if len(text) > 0 {
		s.half = text[len(text)-1] != '\n'
	}
	if s.shown && !s.half {
		say(s.err, "%s", s.line)
	}
	return n, err
}

const (
	refresh  = 200 * time.Millisecond
	averaged = 5 // refreshes over which the rate is taken
)

// watch shows a job's progress until done is closed.
func (s *screen) watch(j *job.Job, done <-chan struct{}) {
	if !s.live {
		<-done
		return
	}
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	past := []job.Progress{{}}
	for {
		select {
		case <-done:
			s.clear()
			return
		case <-tick.C:
		}
		now := j.Progress()
		s.show(fit(progressParts(past[0], now), s.width()-1))
		past = append(past, now)
		past = past[max(0, len(past)-averaged):]
	}
}

// progressParts say how far a job has come, and how fast since last.
func progressParts(last, now job.Progress) []string {
	parts := []string{
		count(now.RowsRead) + " rows",
		count(perSecond(now.RowsRead-last.RowsRead, now.Elapsed-last.Elapsed)) + " rows/s",
	}
	if now.Watermark != nil {
		parts = append(parts, "watermark "+time.UnixMicro(int64(*now.Watermark)).UTC().Format("2006-01-02 15:04:05"))
	}
	parts = append(parts, timeParts(now.Nodes)...)
	parts = append(parts, count(now.Late)+" late")
	if now.Failed > 0 {
		parts = append(parts, count(now.Failed)+" failed")
	}
	return parts
}

// timeParts say how far event time is behind, and what holds it up.
func timeParts(nodes []job.NodeProgress) []string {
	var parts []string
	var lag time.Duration
	splits, idle, paused := 0, 0, 0
	for _, n := range nodes {
		for _, s := range n.Splits {
			splits++
			if s.Lag != nil && !s.Ended && s.IdleSince == nil {
				lag = max(lag, *s.Lag)
			}
			if s.IdleSince != nil {
				idle++
			}
			if s.Paused {
				paused++
			}
		}
	}
	if lag > 0 {
		parts = append(parts, "lag "+roughly(lag))
	}
	for _, n := range nodes {
		for _, input := range n.WaitingFor {
			parts = append(parts, n.Name+" is waiting for input "+input+": no watermark yet")
		}
	}
	if idle > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d splits idle", idle, splits))
	}
	if paused > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d splits ahead", paused, splits))
	}
	return parts
}

// roughly writes a duration in its largest unit.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// fit joins those of the parts, which are ASCII, that fit one after the other into width columns: a
// line that wraps could not be rewritten.
func fit(parts []string, width int) string {
	line := ""
	for _, part := range parts {
		if line != "" {
			part = "   " + part
		}
		if len(line)+len(part) <= width {
			line += part
		}
	}
	return line
}

// summary says what a job did.
func summary(p job.Progress) string {
	text := fmt.Sprintf("%s rows read, %s written in %s (%s rows/s)",
		count(p.RowsRead), count(p.RowsOut), p.Elapsed.Round(time.Millisecond), count(perSecond(p.RowsRead, p.Elapsed)))
	if p.Late > 0 {
		text += fmt.Sprintf("; %s came too late", count(p.Late))
	}
	if p.Failed > 0 {
		text += fmt.Sprintf("; %s failed", count(p.Failed))
	}
	return text
}

func perSecond(rows int64, in time.Duration) int64 {
	if in <= 0 {
		return 0
	}
	return int64(float64(rows) / in.Seconds())
}

// count writes a number with a comma at each thousand.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
