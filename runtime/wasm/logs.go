// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/wasmill/wasmill/abi"
)

// logs is where the lines of a subtask's guests go, under a quota of bytes that fills up again with
// time. One goroutine uses it.
type logs struct {
	log   *slog.Logger // nil for none
	now   func() time.Time
	left  float64 // bytes
	most  float64
	rate  float64 // bytes a second
	last  time.Time
	drops int
}

// lineCost is what a line takes from the quota besides its bytes: its time, level and node.
const lineCost = 64

func newLogs(log *slog.Logger, now func() time.Time, l *Limits) *logs {
	return &logs{log: log, now: now, left: float64(l.LogBytes), most: float64(l.LogBytes), rate: float64(l.LogRate)}
}

var slogLevels = [...]slog.Level{
	abi.LogDebug: slog.LevelDebug, abi.LogInfo: slog.LevelInfo, abi.LogWarn: slog.LevelWarn, abi.LogError: slog.LevelError,
}

// line logs a line of a guest. from is the stream that it was written to, "" where it was logged.
func (l *logs) line(level abi.LogLevel, from string, text []byte) {
	if l.log == nil || !l.log.Enabled(context.Background(), slogLevels[level]) {
		return
	}
	text = text[:min(len(text), abi.MaxLogLine)]
	l.refill()
	cost := float64(len(text) + lineCost)
	if l.left < cost {
		l.drops++
		return
	}
	l.left -= cost
	l.report()
	var attrs []slog.Attr
	if from != "" {
		attrs = []slog.Attr{slog.String("stream", from)}
	}
	l.log.LogAttrs(context.Background(), slogLevels[level], clean(text), attrs...)
}

func (l *logs) refill() {
	now := l.now()
	if passed := now.Sub(l.last).Seconds(); passed > 0 && !l.last.IsZero() {
		l.left = min(l.left+passed*l.rate, l.most)
	}
	l.last = now
}

// report says how many lines were dropped since the last report.
func (l *logs) report() {
	if l.drops == 0 {
		return
	}
	l.log.LogAttrs(context.Background(), slog.LevelWarn, "the module logs too much: lines were dropped", slog.Int("dropped", l.drops))
	l.drops = 0
}

// clean makes text of a guest fit for a terminal or a file: valid UTF-8 without control characters
// but tabs and line ends.
func clean(text []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(string(text), "\uFFFD"))
}

// lines cuts a stream into lines and logs them.
type lines struct {
	logs  *logs
	level abi.LogLevel
	from  string
	part  []byte // of a line, at most abi.MaxLogLine bytes
}

func (l *lines) write(p []byte) {
	for {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		l.part = append(l.part, line[:min(len(line), abi.MaxLogLine-len(l.part))]...)
		if !whole {
			return
		}
		l.flush()
		p = rest
	}
}

// flush logs a line that has no end yet.
func (l *lines) flush() {
	if len(bytes.TrimSpace(l.part)) > 0 {
		l.logs.line(l.level, l.from, l.part)
	}
	l.part = l.part[:0]
}

// tail keeps the end of what a guest wrote to standard error in a call.
type tail struct{ kept []byte }

// mostSaid leaves room for the traces that Go's runtime writes after a panic.
const mostSaid = 16 << 10

func (t *tail) reset() { t.kept = t.kept[:0] }

func (t *tail) write(p []byte) {
	if len(p) >= mostSaid {
		t.kept = append(t.kept[:0], p[len(p)-mostSaid:]...)
		return
	}
	if over := len(t.kept) + len(p) - mostSaid; over > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[over:])]
	}
	t.kept = append(t.kept, p...)
}

// message returns what the guest said last, at most abi.MaxFailMessage bytes. Of a panic of Go's it
// returns what precedes the goroutines' traces: the guest's stack is known better.
func (t *tail) message() string {
	said := t.kept
	for _, mark := range []string{"panic: ", "fatal error: "} {
		if at := lastLine(said, mark); at >= 0 {
			said, _, _ = bytes.Cut(said[at:], []byte("\n\ngoroutine "))
			break
		}
	}
	said = bytes.TrimSpace(said)
	return clean(said[max(0, len(said)-abi.MaxFailMessage):])
}

// lastLine returns where the last line begins that has the prefix, -1 where none has.
func lastLine(text []byte, prefix string) int {
	if at := bytes.LastIndex(text, []byte("\n"+prefix)); at >= 0 {
		return at + 1
	}
	if bytes.HasPrefix(text, []byte(prefix)) {
		return 0
	}
	return -1
}
