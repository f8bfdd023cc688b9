// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds a trigger: a window has a result at each so many rows of its key and some time after each of them, in event
// time, and is purged when a row says so.
package main

import wasmill "github.com/wasmill/wasmill/sdk/go"

const second = 1_000_000

// Row is a row of a window.
type Row struct {
	User        string `wasmill:",key"`
	Last        bool
	At          wasmill.Timestamp
	WindowStart wasmill.Null[wasmill.Timestamp]
}

// Decision is what is to be done with a window.
type Decision struct {
	User        string
	WindowStart wasmill.Null[wasmill.Timestamp]
	Fire, Purge bool
}

// Due is the end of a pause.
type Due struct {
	wasmill.Timer
	User string
}

// Often decides when windows have results.
type Often struct {
	Rows  int64 `default:"10"`
	Pause int64 `default:"60" doc:"Seconds"`

	Seen wasmill.ValueState[int64]
	Rest wasmill.ValueState[wasmill.Null[wasmill.Timestamp]]
	Over wasmill.EventTimers
	Out  wasmill.Output[Decision]
}

// Process takes a row.
func (o *Often) Process(r *Row) error {
	n := o.Seen.Get() + 1
	o.Seen.Set(n)
	o.Out.Emit(Decision{r.User, r.WindowStart, n%o.Rows == 0 || r.Last, r.Last})
	o.Rest.Set(r.WindowStart)
	o.Over.Set(wasmill.EventTime(r.At + wasmill.Timestamp(o.Pause*second)))
	return nil
}

// OnOver is told that a pause is over.
func (o *Often) OnOver(due *Due) error {
	o.Out.Emit(Decision{due.User, o.Rest.Get(), true, false})
	return nil
}

func init() {
	wasmill.Register(wasmill.Process("often", "Results of windows at each so many rows and after pauses.",
		wasmill.Input("", (*Often).Process), wasmill.OnTimer((*Often).OnOver)))
}

func main() {}
