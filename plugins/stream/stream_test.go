// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/format/raw"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// script is an input that gives one piece a Read: a string, an error, or nil for a wait in vain.
type script struct {
	pieces []any
	waits  []time.Duration
	buffer int // the largest that was offered
}

func (s *script) Read(_ context.Context, p []byte, wait time.Duration) (int, error) {
	s.waits = append(s.waits, wait)
	s.buffer = max(s.buffer, len(p))
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	piece := s.pieces[0]
	switch piece := piece.(type) {
	case string:
		n := copy(p, piece)
		if s.pieces[0] = piece[n:]; n < len(piece) {
			return n, nil
		}
		s.pieces = s.pieces[1:]
		return n, nil
	case error:
		s.pieces = s.pieces[1:]
		return 0, piece
	}
	s.pieces = s.pieces[1:]
	return 0, nil
}

func (s *script) Close() error { return nil }

type result struct {
	Batches [][]string
	Rejects []string
	Err     error
}

func run(t *testing.T, in Input, opts Options) result {
	t.Helper()
	var out result
	opts.Format, opts.Schema = raw.New(), formattest.Schema(t, "v", "string")
	opts.Name, opts.Pool = "in", &batch.Pool{}
	opts.Bytes, opts.Rows = max(opts.Bytes, 1000), max(opts.Rows, 3)
	opts.Now = time.Now
	if opts.Reject == nil {
		opts.Reject = func(record []byte, at batch.Position, reason error) error {
			out.Rejects = append(out.Rejects, fmt.Sprintf("%d %d bytes: %v", at.Offset(), len(record), reason))
			return nil
		}
	}
	r, err := NewReader(in, opts)
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := r.Next(t.Context())
		if err != nil {
			out.Err = err
			return out
		}
		var rows []string
		for row := range b.Rows() {
			rows = append(rows, fmt.Sprintf("%d %s", b.Positions[row].Offset(), b.Columns[0].String(row)))
		}
		out.Batches = append(out.Batches, rows)
		b.Release()
	}
}

func TestReaderMakesBatches(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name   string
		pieces []any
		opts   Options
		want   [][]string
		reject []string
		err    error
	}{
		{name: "nothing", err: io.EOF},
		{name: "full batches", pieces: []any{"a\nb\nc\nd", "\ne"}, want: [][]string{{"1 a", "2 b", "3 c"}, {"4 d", "5 e"}}, err: io.EOF},
		{name: "a batch that has waited long enough", pieces: []any{"a\nb", nil, "b\n"}, want: [][]string{{"1 a"}, {"2 bb"}}, err: io.EOF},
		{name: "an error behind rows", pieces: []any{"a\nb", broken}, want: [][]string{{"1 a"}}, err: broken},
		{name: "another stream", pieces: []any{"a\nb", ErrRestart, "c\n"}, want: [][]string{{"1 a", "2 b", "1 c"}}, err: io.EOF},
		{name: "long records", pieces: []any{"a\n" + strings.Repeat("x", 100), "y\nb\n" + strings.Repeat("z", 20) + "\nc"}, opts: Options{MaxRecord: 8},
			want: [][]string{{"1 a", "3 b", "5 c"}}, err: io.EOF,
			reject: []string{"2 8 bytes: the line is longer than 8 B (max_record)", "4 8 bytes: the line is longer than 8 B (max_record)"}},
		{name: "a long record at the end", pieces: []any{"a\n" + strings.Repeat("x", 100)}, opts: Options{MaxRecord: 8},
			want: [][]string{{"1 a"}}, err: io.EOF, reject: []string{"2 8 bytes: the line is longer than 8 B (max_record)"}},
		{name: "a record as long as may be", pieces: []any{"1234567\n1234567"}, opts: Options{MaxRecord: 8}, want: [][]string{{"1 1234567", "2 1234567"}}, err: io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Wait = time.Minute
			in := &script{pieces: c.pieces}
			got := run(t, in, c.opts)
			if !errors.Is(got.Err, c.err) {
				t.Errorf("error %v, want %v", got.Err, c.err)
			}
			got.Err = nil
			if diff := cmp.Diff(result{Batches: c.want, Rejects: c.reject}, got); diff != "" {
				t.Errorf("want (-), got (+)\n%s", diff)
			}
			if c.opts.MaxRecord > 0 && in.buffer > int(c.opts.MaxRecord) {
				t.Errorf("a buffer of %d bytes for records of %d", in.buffer, c.opts.MaxRecord)
			}
		})
	}
}

func TestReaderWaitsOnlyWithRowsAtHand(t *testing.T) {
	in := &script{pieces: []any{"a\n", nil, "b\n"}}
	run(t, in, Options{ReadOptions: operator.ReadOptions{Wait: time.Minute}})
	if len(in.waits) < 3 || in.waits[0] >= 0 || in.waits[1] < time.Second || in.waits[1] > time.Minute || in.waits[2] >= 0 {
		t.Errorf("waits %v", in.waits)
	}
}

func TestReaderGrowsForLongRecordsAndShrinksAgain(t *testing.T) {
	long := strings.Repeat("x", 3*chunk)
	in := &script{pieces: []any{long + "\n", "a\n"}}
	got := run(t, in, Options{ReadOptions: operator.ReadOptions{Bytes: 10 * chunk}})
	if !errors.Is(got.Err, io.EOF) || len(got.Batches) != 1 || got.Batches[0][0] != "1 "+long || got.Batches[0][1] != "2 a" {
		t.Errorf("%d batches, %v", len(got.Batches), got.Err)
	}
}

func TestReaderPassesOnAnErrorOfReject(t *testing.T) {
	stop := errors.New("stop")
	in := &script{pieces: []any{"a\n\xff\n"}}
	got := run(t, in, Options{ReadOptions: operator.ReadOptions{Reject: func([]byte, batch.Position, error) error { return stop }}})
	if got.Err != stop || !slices.Equal(got.Batches[0], []string{"1 a"}) {
		t.Errorf("%+v", got)
	}
}

// cancelling is an input during whose Read, after the first, the wait is given up.
type cancelling struct {
	script
	cancel context.CancelFunc
	err    error // of that Read, instead of the context's
}

func (c *cancelling) Read(ctx context.Context, p []byte, wait time.Duration) (int, error) {
	if n, err := c.script.Read(ctx, p, wait); n > 0 || len(c.pieces) > 0 {
		return n, err
	}
	c.cancel()
	if err := c.err; err == ErrRestart {
		c.err = nil
		return 0, err
	} else if err != nil {
		return 0, err
	}
	return 0, ctx.Err()
}

// Whoever stops a job, or takes a split for idle, must not lose what the reader has read.
func TestReaderThatIsNotToWaitAnyMoreGivesTheRowsAtHand(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		err  error
		then error // after the rows
	}{
		{"stopped", nil, context.Canceled},
		{"broken just then", broken, broken},
		{"at the end just then", io.EOF, io.EOF},
		{"replaced just then", ErrRestart, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			in := &cancelling{script: script{pieces: []any{"a\nb", ""}}, cancel: cancel, err: c.err}
			opts := Options{Format: raw.New(), Schema: formattest.Schema(t, "v", "string"), Name: "in"}
			opts.Pool, opts.Bytes, opts.Rows, opts.Now, opts.Wait = &batch.Pool{}, 1000, 3, time.Now, time.Hour
			r, err := NewReader(in, opts)
			if err != nil {
				t.Fatal(err)
			}
			b, err := r.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			want := "a"
			if c.err == io.EOF || c.err == ErrRestart {
				want = "ab" // what was cut short is whole
			}
			got := ""
			for row := range b.Rows() {
				got += b.Columns[0].String(row)
			}
			if got != want {
				t.Errorf("the rows are %q, should be %q", got, want)
			}
			if _, err := r.Next(ctx); !errors.Is(err, c.then) {
				t.Errorf("behind them came %v, should be %v", err, c.then)
			}
		})
	}
}
