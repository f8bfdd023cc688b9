// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package std

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// ErrClosed says that whoever read standard output has stopped, as head does.
var ErrClosed = errors.New("standard output is closed")

// flushBytes is how much the sink gathers before it writes.
const flushBytes = 64 << 10

// Stdout returns the connector "stdout", which writes to out. width is the number of columns of
// the terminal that out is, 0 where it is none.
func Stdout(out io.Writer, width int) operator.Connector {
	o := &output{out: out}
	return operator.Connector{Name: "stdout", Sink: func(c operator.Config, spec operator.SinkSpec) (operator.Sink, error) {
		var none struct{}
		if err := c.Decode(&none); err != nil {
			return nil, err
		}
		s := &sink{output: o}
		if width > 0 && spec.Format == nil {
			s.encoder = newTable(spec.Schema, width)
			return s, nil
		}
		f, err := orJSON(spec.Format)
		if err != nil {
			return nil, err
		}
		s.encoder, err = f.NewEncoder(spec.Schema)
		return s, err
	}}
}

// output is where all sinks write, and the sink that does.
type output struct {
	mu    sync.Mutex
	out   io.Writer
	owner *sink
}

// sink is what its subtasks share. The output's lock guards its fields.
type sink struct {
	output  *output
	encoder operator.Encoder
	data    []byte // encoded, not yet written
	open    int    // writers
	began   bool
}

var _ operator.Sink = (*sink)(nil)

// Open makes the writer of a subtask.
func (s *sink) Open(context.Context, int, int) (operator.Writer, error) {
	s.output.mu.Lock()
	defer s.output.mu.Unlock()
	if s.output.owner != nil && s.output.owner != s {
		return nil, &operator.Error{Fault: operator.FaultConfig, Err: errors.New("two sinks write to standard output; let one of them write to a file")}
	}
	s.output.owner = s
	s.open++
	if !s.began {
		s.data = s.encoder.Begin(s.data)
		s.began = true
	}
	return &writer{s}, nil
}

type writer struct{ *sink }

var _ operator.Writer = (*writer)(nil)

// Write takes rows.
func (w *writer) Write(_ context.Context, b *batch.Batch) error {
	w.output.mu.Lock()
	defer w.output.mu.Unlock()
	var err error
	if w.data, err = w.encoder.Append(w.data, b); err != nil {
		return fmt.Errorf("writing standard output: %w", err)
	}
	if len(w.data) < flushBytes {
		return nil
	}
	return w.flush()
}

// Flush shows what has been written.
func (w *writer) Flush(context.Context) error {
	w.output.mu.Lock()
	defer w.output.mu.Unlock()
	return w.flush()
}

func (s *sink) flush() error {
	if len(s.data) == 0 {
		return nil
	}
	_, err := s.output.out.Write(s.data)
	s.data = s.data[:0]
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe):
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		err = fmt.Errorf("writing standard output: %w", err)
	}
	return &operator.Error{Fault: operator.FaultEnvironment, Err: err}
}

// Commit shows what has been written; the last subtask ends the output.
func (w *writer) Commit(context.Context) error {
	w.output.mu.Lock()
	defer w.output.mu.Unlock()
	if w.close(); w.open == 0 {
		w.data = w.encoder.End(w.data)
	}
	return w.flush()
}

// Abort forgets what has not been shown.
func (w *writer) Abort() error {
	w.output.mu.Lock()
	defer w.output.mu.Unlock()
	w.close()
	w.data = w.data[:0]
	return nil
}

func (s *sink) close() {
	if s.open--; s.open == 0 {
		s.output.owner = nil
	}
}
