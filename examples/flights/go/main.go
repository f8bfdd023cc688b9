// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operator movements: what flights mean for airports.
package main

import (
	"errors"
	"strconv"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

// Distances in miles, from which a flight is a long haul, and a very long one.
const (
	long     = 1500
	veryLong = 2500
)

// Flight is a row of the input.
type Flight struct {
	Origin      string              `doc:"Code of the airport it left"`
	Destination string              `doc:"Code of the airport it reached"`
	Delay       wasmill.Null[int64] `doc:"Minutes late at arrival"`
	Distance    wasmill.Null[int64] `doc:"Miles flown"`
}

// Movement is a departure or an arrival.
type Movement struct {
	Airport  string             `doc:"Code of the airport"`
	Movement string             `doc:"departure or arrival"`
	Late     wasmill.Null[bool] `doc:"Whether the flight was late; null where that is not known"`
}

// LongHaul is what a long flight gets besides the columns that it has.
type LongHaul struct {
	Band string `doc:"long or very long"`
}

// Movements makes a departure and an arrival of each flight.
type Movements struct {
	LateAfter int64 `default:"15" doc:"Minutes of delay from which a flight is late"`

	Out      wasmill.Output[Movement]
	LongHaul wasmill.Output[LongHaul] `wasmill:",forward"`
	Flights  wasmill.Counter
}

// Open refuses a configuration that makes no sense.
func (m *Movements) Open() error {
	if m.LateAfter < 0 {
		return errors.New("late_after must not be negative, got " + strconv.FormatInt(m.LateAfter, 10))
	}
	return nil
}

// Process takes a flight.
func (m *Movements) Process(f *Flight) error {
	if f.Origin == f.Destination {
		return errors.New("flight from " + f.Origin + " to itself")
	}
	m.Flights.Add(1)
	late := wasmill.Null[bool]{V: f.Delay.V >= m.LateAfter, Valid: f.Delay.Valid}
	m.Out.Emit(Movement{f.Origin, "departure", late})
	m.Out.Emit(Movement{f.Destination, "arrival", late})
	if !f.Distance.Valid || f.Distance.V < long {
		return nil
	}
	band := "long"
	if f.Distance.V >= veryLong {
		band = "very long"
	}
	m.LongHaul.Emit(LongHaul{band})
	return nil
}

var movements = wasmill.Map("movements", "Turns each flight into a departure and an arrival.", (*Movements).Process)

func init() { wasmill.Register(movements) }

func main() {}
