// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/conformance"
)

// Guests returns a factory of instances for package conformance, which calls them as it likes.
func (m *Module) Guests() conformance.Factory {
	return func(ctx context.Context) (conformance.Guest, error) {
		lines := &logLines{}
		s := surroundings{pool: &batch.Pool{}, now: clockAtOne}
		s.logs = newLogs(slog.New(lines), s.now, &m.engine.opts.Limits)
		g, err := m.instantiate(ctx, s)
		if err != nil {
			return nil, failed(err)
		}
		return &conformanceGuest{guest: g, lines: lines}, nil
	}
}

// conformanceGuest is an instance as package conformance sees it.
type conformanceGuest struct {
	*guest
	lines *logLines
	spent bool // a call has failed
}

var _ conformance.Guest = (*conformanceGuest)(nil)

// note keeps that a call failed, and turns its error into one that conformance knows.
func (c *conformanceGuest) note(err error) error {
	if err != nil {
		c.spent = true
	}
	return failed(err)
}

// failed returns the error of a call that the guest ended itself as *conformance.Failed.
func failed(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return &conformance.Failed{Kind: f.kind, Message: f.message}
	}
	if errors.As(err, new(*exit)) {
		return &conformance.Failed{Kind: abi.FailPanic, Message: err.Error()}
	}
	return err
}

// Version calls wasmill_version.
func (c *conformanceGuest) Version(ctx context.Context) (int32, error) {
	v, err := c.call(ctx, c.in.Function(abi.ExportVersion), abi.ExportVersion, nil)
	return int32(v), c.note(err)
}

// Describe calls wasmill_describe.
func (c *conformanceGuest) Describe(ctx context.Context) ([]byte, error) {
	text, err := c.description(ctx)
	return slices.Clone(text), c.note(err)
}

// Buffer calls wasmill_buffer.
func (c *conformanceGuest) Buffer(ctx context.Context, size uint32) (pointer, memory uint32, err error) {
	ptr, err := c.call(ctx, c.buffer, abi.ExportBuffer, nil, uint64(size))
	return uint32(ptr), uint32(c.in.Size()), c.note(err)
}

// Open calls wasmill_open.
func (c *conformanceGuest) Open(ctx context.Context, operator int, config []byte) error {
	if ops := c.module.description.Operators; operator >= 0 && operator < len(ops) {
		c.counts = make([]int64, len(ops[operator].Counters))
	}
	at, _, err := c.put(ctx, config, nil)
	if err != nil {
		return c.note(err)
	}
	return c.note(c.run(ctx, c.in.Function(abi.ExportOpen), abi.ExportOpen, nil, uint64(operator), uint64(at.ptr), uint64(at.size)))
}

// Process calls wasmill_process.
func (c *conformanceGuest) Process(ctx context.Context, in []byte, schema func(uint32) *abi.Schema) (conformance.Result, error) {
	at, _, err := c.put(ctx, in, nil)
	if err == nil {
		err = c.run(ctx, c.process, abi.ExportProcess, schema, uint64(at.ptr), uint64(at.size))
	}
	return c.result(), c.note(err)
}

// Aggregate calls wasmill_aggregate.
func (c *conformanceGuest) Aggregate(ctx context.Context, step abi.AggregateStep, a, b []byte, schema func(uint32) *abi.Schema) (conformance.Result, error) {
	at, bt, err := c.put(ctx, a, b)
	if err == nil {
		err = c.run(ctx, c.aggregate, abi.ExportAggregate, schema,
			uint64(step), uint64(at.ptr), uint64(at.size), uint64(bt.ptr), uint64(bt.size))
	}
	return c.result(), c.note(err)
}

// put copies one or two inputs into the guest's buffer.
func (c *conformanceGuest) put(ctx context.Context, a, b []byte) (at, bt span, err error) {
	at, bt, err = c.room(ctx, len(a), len(b))
	if err != nil {
		return at, bt, err
	}
	copy(c.view(at), a)
	if b == nil {
		return at, span{}, nil
	}
	copy(c.view(bt), b)
	return at, bt, nil
}

// result hands over what the last call did.
func (c *conformanceGuest) result() conformance.Result {
	r := conformance.Result{Emitted: slices.Clone(c.emitted), Logs: c.lines.kept, Counts: slices.Clone(c.counts)}
	clear(c.emitted)
	c.emitted = c.emitted[:0]
	clear(c.counts)
	c.lines.kept = nil
	return r
}

// Close calls wasmill_close and frees the instance.
func (c *conformanceGuest) Close(ctx context.Context) error {
	defer c.guest.close()
	if c.spent {
		return nil
	}
	return c.note(c.shut(ctx))
}

// logLines is a handler of log lines that keeps them.
type logLines struct{ kept []conformance.Log }

func (l *logLines) Enabled(context.Context, slog.Level) bool { return true }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	level := slices.Index(slogLevels[:], r.Level)
	l.kept = append(l.kept, conformance.Log{Level: abi.LogLevel(level), Text: r.Message})
	return nil
}

func (l *logLines) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *logLines) WithGroup(string) slog.Handler { return l }
