// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operator landings: when and where flights land.
package main

import (
	"errors"
	"strconv"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

const minute = 60_000_000

// Flight is a row of the input.
type Flight struct {
	Date        wasmill.Timestamp `doc:"When it departed"`
	Distance    int64             `doc:"Miles flown"`
	Origin      string            `doc:"Code of the airport it left"`
	Destination string            `doc:"Code of the airport it reached"`
}

// Landing is where a flight ends.
type Landing struct {
	Airport string            `doc:"Code of the airport it reached"`
	From    string            `doc:"Code of the airport it left"`
	Landed  wasmill.Timestamp `doc:"About when it landed"`
}

// Landings says when flights land, which their log does not.
type Landings struct {
	Speed  int64 `default:"8" doc:"Miles that a plane flies in a minute"`
	Ground int64 `default:"30" doc:"Minutes that it takes to start and to land"`

	Out wasmill.Output[Landing]
}

// Open refuses a configuration that makes no sense.
func (l *Landings) Open() error {
	if l.Speed < 1 || l.Ground < 0 {
		return errors.New("speed must be 1 or more and ground not negative, got " +
			strconv.FormatInt(l.Speed, 10) + " and " + strconv.FormatInt(l.Ground, 10))
	}
	return nil
}

// Process takes a flight.
func (l *Landings) Process(f *Flight) error {
	minutes := l.Ground + f.Distance/l.Speed
	l.Out.Emit(Landing{f.Destination, f.Origin, f.Date + wasmill.Timestamp(minutes)*minute})
	return nil
}

var landings = wasmill.Map("landings", "When and where a flight lands.", (*Landings).Process)

func init() { wasmill.Register(landings) }

func main() {}
