// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operator traffic: how much goes on at an airport, hour by hour.
package main

import (
	"errors"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

const hour = 3_600_000_000

// Movement is a row of the input.
type Movement struct {
	Airport string `wasmill:",key"`
	At      wasmill.EventTime
}

// Traffic is what an airport has seen by a full hour.
type Traffic struct {
	Airport   string
	At        wasmill.Timestamp `doc:"The full hour"`
	Movements int64             `doc:"Departures and arrivals of the hours before it"`
}

// Count counts the movements of the last hours. It keeps a number for each of them, so that what one
// more hour costs does not depend on how much goes on.
type Count struct {
	Hours int64 `default:"24" doc:"How many hours count"`

	Movements wasmill.MapState[wasmill.Timestamp, int64] `doc:"movements of each hour, by its begin"`
	FullHour  wasmill.EventTimers
	Out       wasmill.Output[Traffic]
}

// Open refuses hours that are none.
func (c *Count) Open() error {
	if c.Hours < 1 {
		return errors.New("hours must be 1 or more")
	}
	return nil
}

// Process takes a movement.
func (c *Count) Process(m *Movement) error {
	begin := floor(m.At)
	c.Movements.Put(begin, c.Movements.Get(begin)+1)
	c.FullHour.Set(wasmill.EventTime(begin) + hour)
	return nil
}

// Due is a full hour at an airport.
type Due struct {
	wasmill.Timer
	Airport string
}

// OnFullHour says what the airport has seen, and looks again an hour later while that is not nothing.
func (c *Count) OnFullHour(d *Due) error {
	first := d.Time - wasmill.Timestamp(c.Hours)*hour
	var sum int64
	for begin, movements := range c.Movements.To(d.Time) {
		if begin < first {
			c.Movements.Remove(begin)
			continue
		}
		sum += movements
	}
	if sum == 0 {
		return nil
	}
	c.Out.Emit(Traffic{d.Airport, d.Time, sum})
	c.FullHour.Set(wasmill.EventTime(d.Time) + hour)
	return nil
}

// floor returns the begin of the hour of a time.
func floor(at wasmill.EventTime) wasmill.Timestamp {
	return wasmill.Timestamp(at - (at%hour+hour)%hour)
}

var traffic = wasmill.Process("traffic", "Movements of the last hours at each full hour.",
	wasmill.Input("", (*Count).Process), wasmill.OnTimer((*Count).OnFullHour))

func init() { wasmill.Register(traffic) }

func main() {}
