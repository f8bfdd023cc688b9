// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Failures decides what becomes of the rows of one node that fail. It belongs to one goroutine.
type Failures struct {
	Node   string
	Policy operator.Policy
	Port   int                         // of dead letters, where the policy asks for them
	Locate func(batch.Position) string // a position in words
	Rows   operator.Format             // how a row is written into a dead letter
	Pool   *batch.Pool
	Stats  *Stats

	letters  *batch.Builder
	encoders map[*abi.Schema]operator.Encoder
}

// Row returns a dead letter for a row that failed, nil where it is dropped, or the error that
// ends the job.
func (f *Failures) Row(b *batch.Batch, row int, reason error) (*batch.Batch, error) {
	position := func() string {
		if b.Positions == nil {
			return ""
		}
		return f.Locate(b.Positions[row])
	}
	text := func() (string, error) { return f.text(b, uint32(row)) }
	return f.fail(position, text, reason)
}

// Record is like Row for a record that a source could not read as a row.
func (f *Failures) Record(record []byte, at batch.Position, reason error) (*batch.Batch, error) {
	text := func() (string, error) { return string(bytes.ToValidUTF8(record, []byte("\uFFFD"))), nil }
	return f.fail(func() string { return f.Locate(at) }, text, reason)
}

func (f *Failures) fail(position func() string, text func() (string, error), reason error) (*batch.Batch, error) {
	f.Stats.Failed.Add(1)
	switch f.Policy {
	case operator.PolicyDrop:
		return nil, nil
	case operator.PolicyDeadLetter:
		row, err := text()
		if err != nil {
			return nil, err
		}
		return f.letter(position(), row, reason), nil
	}
	var user *operator.Error
	whole := &operator.Error{Fault: operator.FaultRow, Err: reason}
	if errors.As(reason, &user) {
		whole = about(reason, user)
	}
	whole.Node, whole.Position = f.Node, position()
	return nil, whole
}

func (f *Failures) letter(position, row string, reason error) *batch.Batch {
	if f.letters == nil {
		f.letters = f.Pool.NewBuilder(operator.DeadLetterSchema())
	}
	f.letters.Column(0).AppendString(f.Node)
	if position != "" {
		f.letters.Column(1).AppendString(position)
	}
	f.letters.Column(2).AppendString(strings.ToValidUTF8(reason.Error(), "\uFFFD"))
	f.letters.Column(3).AppendString(row)
	if f.letters.Column(1).Rows() == 0 {
		f.letters.Column(1).AppendNull()
	}
	f.letters.EndRow()
	return f.letters.Finish()
}

// text returns a row in the format of f.Rows.
func (f *Failures) text(b *batch.Batch, row uint32) (string, error) {
	enc := f.encoders[b.Schema]
	if enc == nil {
		var err error
		if enc, err = f.Rows.NewEncoder(b.Schema); err != nil {
			return "", fmt.Errorf("writing a dead letter: %w", err)
		}
		if f.encoders == nil {
			f.encoders = map[*abi.Schema]operator.Encoder{}
		}
		f.encoders[b.Schema] = enc
	}
	one := f.Pool.Take(b, []uint32{row})
	defer one.Release()
	line, err := enc.Append(nil, one)
	if err != nil {
		return "", fmt.Errorf("writing a dead letter: %w", err)
	}
	return strings.TrimSuffix(string(line), "\n"), nil
}
