// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func schema() *abi.Schema {
	return &abi.Schema{Fields: []abi.Field{{Name: "n", Type: abi.Int64}, {Name: "at", Type: abi.Timestamp}}}
}

// row is one of the streams of these tests; its event time may be null.
type row struct {
	n    int64
	at   int64
	null bool
}

func rows(pool *batch.Pool, all ...row) *batch.Batch {
	b := pool.NewBuilder(schema())
	for i, r := range all {
		b.Column(0).AppendInt64(r.n)
		if r.null {
			b.Column(1).AppendNull()
		} else {
			b.Column(1).AppendInt64(r.at)
		}
		b.AppendPosition(batch.At(0, int64(i+1)))
		b.EndRow()
	}
	return b.Finish()
}

// numberFormat writes the first column of a row; a 13 it can't.
type numberFormat struct{ operator.Format }

func (numberFormat) NewEncoder(*abi.Schema) (operator.Encoder, error) { return numberEncoder{}, nil }

type numberEncoder struct{ operator.Encoder }

func (numberEncoder) Append(dst []byte, b *batch.Batch) ([]byte, error) {
	n := b.Columns[0].Int64s()[0]
	if n == 13 {
		return nil, errors.New("no such number")
	}
	return fmt.Appendf(dst, "n=%d\n", n), nil
}

func failures(pool *batch.Pool, policy operator.Policy) Failures {
	return Failures{
		Node: "node", Policy: policy, Port: 1, Rows: numberFormat{}, Pool: pool, Stats: NewStats(2),
		Locate: func(p batch.Position) string { return fmt.Sprint("line ", p.Offset()) },
	}
}

// letterText returns the columns of a dead letter.
func letterText(b *batch.Batch) string {
	text := ""
	for i := range b.Columns {
		if c := &b.Columns[i]; c.Null(0) {
			text += "<null>|"
		} else {
			text += c.String(0) + "|"
		}
	}
	return text
}

func TestRowThatFailsIsWhatItsNodesPolicySays(t *testing.T) {
	pool := &batch.Pool{}
	plain := errors.New("it is odd")
	trap := &operator.Error{Fault: operator.FaultModule, Err: errors.New("trap"), Stack: "at f"}
	for _, c := range []struct {
		name       string
		policy     operator.Policy
		row        int64
		positions  bool
		reason     error
		letter     string
		wrong      string
		fault      operator.Fault
		ownProblem bool
	}{
		{name: "fail", row: 1, positions: true, reason: plain, wrong: "node: line 1: it is odd", fault: operator.FaultRow},
		{name: "fail, nobody knows where", row: 1, reason: plain, wrong: "node: it is odd", fault: operator.FaultRow},
		{name: "fail by the module's fault", row: 1, positions: true, reason: trap, wrong: "node: line 1: trap\nat f", fault: operator.FaultModule},
		{name: "fail with more to say", row: 1, positions: true, reason: fmt.Errorf("column %q: %w", "n", trap), wrong: "node: line 1: column \"n\": trap\nat f", fault: operator.FaultModule},
		{name: "drop", policy: operator.PolicyDrop, row: 1, positions: true, reason: plain},
		{name: "letter", policy: operator.PolicyDeadLetter, row: 1, positions: true, reason: plain, letter: "node|line 1|it is odd|n=1|"},
		{name: "letter, nobody knows where", policy: operator.PolicyDeadLetter, row: 1, reason: plain, letter: "node|<null>|it is odd|n=1|"},
		{name: "letter, no text", policy: operator.PolicyDeadLetter, row: 1, reason: errors.New("\xff"), letter: "node|<null>|\uFFFD|n=1|"},
		{name: "letter that can't be written", policy: operator.PolicyDeadLetter, row: 13, reason: plain, wrong: "writing a dead letter: no such number", ownProblem: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := failures(pool, c.policy)
			b := rows(pool, row{n: c.row})
			if !c.positions {
				b.Positions = nil
			}
			letter, err := f.Row(b, 0, c.reason)
			if got := f.Stats.Failed.Load(); got != 1 {
				t.Errorf("%d rows have failed, should be 1", got)
			}
			if c.letter != "" {
				if err != nil || letter == nil || letterText(letter) != c.letter {
					t.Fatalf("the letter is %v (%v), should be %q", letter, err, c.letter)
				}
				return
			}
			if letter != nil || (err == nil) != (c.wrong == "") || err != nil && err.Error() != c.wrong {
				t.Fatalf("got %v and the error %v, should be %q", letter, err, c.wrong)
			}
			var user *operator.Error
			if err != nil && !c.ownProblem && (!errors.As(err, &user) || user.Fault != c.fault || !errors.Is(err, c.reason) && user.Err != trap.Err) {
				t.Fatalf("the error is %#v", err)
			}
		})
	}
	if trap.Node != "" || trap.Position != "" {
		t.Errorf("the reason itself was changed: %v", trap)
	}
}

func TestRecordThatIsNoRowIsADeadLetterAsItWasRead(t *testing.T) {
	f := failures(&batch.Pool{}, operator.PolicyDeadLetter)
	for range 2 { // the builder is used again
		letter, err := f.Record([]byte("a\xfeb"), batch.At(0, 7), errors.New("what is this?"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := letterText(letter), "node|line 7|what is this?|a\uFFFDb|"; got != want {
			t.Fatalf("the letter is %q, should be %q", got, want)
		}
	}
}
