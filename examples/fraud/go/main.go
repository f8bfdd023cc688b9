// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operator fraud: stolen cards are tried with a small charge, then used for a
// large one.
package main

import (
	"errors"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

const second = 1_000_000

// Charge is a row of the input.
type Charge struct {
	Card   string            `wasmill:",key" doc:"The card that is charged"`
	Amount int64             `doc:"Cents"`
	At     wasmill.Timestamp `doc:"When it was charged"`
}

// Alert is a large charge that follows a small one.
type Alert struct {
	Card  string            `doc:"The card that was charged"`
	At    wasmill.Timestamp `doc:"When it was charged with the large amount"`
	Small int64             `doc:"The small charge before, in cents"`
	Large int64             `doc:"The large one, in cents"`
}

// Trial is a small charge, until it is too long ago.
type Trial struct {
	At     wasmill.Timestamp
	Amount int64
}

// Fraud finds large charges within some seconds after a small one.
type Fraud struct {
	Small  int64 `default:"100" doc:"Cents below which a charge is small"`
	Large  int64 `default:"50000" doc:"Cents from which on a charge is large"`
	Within int64 `default:"60" doc:"Seconds after a small charge in which a large one is an alert"`

	Trial  wasmill.ValueState[Trial] `doc:"The last small charge"`
	Over   wasmill.EventTimers
	Out    wasmill.Output[Alert]
	Alerts wasmill.Counter
}

// Open refuses a configuration that makes no sense.
func (f *Fraud) Open() error {
	if f.Small > f.Large || f.Within < 1 {
		return errors.New("small must not be more than large, and within be a second or more")
	}
	return nil
}

// Process takes a charge.
func (f *Fraud) Process(c *Charge) error {
	trial, tried := f.Trial.Get(), f.Trial.Has()
	if tried && c.Amount >= f.Large && c.At < f.end(trial) {
		f.Out.Emit(Alert{c.Card, c.At, trial.Amount, c.Amount})
		f.Alerts.Add(1)
	}
	if c.Amount < f.Small {
		if tried {
			f.Over.Delete(wasmill.EventTime(f.end(trial)))
		}
		trial = Trial{c.At, c.Amount}
		f.Trial.Set(trial)
		f.Over.Set(wasmill.EventTime(f.end(trial)))
	}
	return nil
}

// end is when a large charge is no alert any more.
func (f *Fraud) end(t Trial) wasmill.Timestamp {
	return t.At + wasmill.Timestamp(f.Within*second)
}

// OnOver forgets a small charge.
func (f *Fraud) OnOver(*wasmill.Timer) error {
	f.Trial.Clear()
	return nil
}

var fraud = wasmill.Process("fraud", "Large charges that follow a small one.",
	wasmill.Input("", (*Fraud).Process), wasmill.OnTimer((*Fraud).OnOver))

func init() { wasmill.Register(fraud) }

func main() {}
