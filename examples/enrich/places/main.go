// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operators places, in which state of the country flights begin, and since, which
// says from when on airports exist.
package main

import wasmill "github.com/wasmill/wasmill/sdk/go"

// Listed is a row of the list of airports.
type Listed struct {
	Iata  string
	State string
}

// Dated is an airport with the time from when on it exists.
type Dated struct {
	Iata  string
	State string
	Since wasmill.Timestamp
}

// Since gives airports a time, which is before that of all flights. Where it is their event time, whoever
// reads flights too has no watermark that passes a flight until the list of airports has ended.
type Since struct {
	Since wasmill.Timestamp `default:"2000-01-01T00:00:00Z" doc:"From when on airports exist"`

	Out wasmill.Output[Dated]
}

// Process takes an airport.
func (s *Since) Process(a *Listed) error {
	s.Out.Emit(Dated{a.Iata, a.State, s.Since})
	return nil
}

var since = wasmill.Map("since", "Airports with the time from when on they exist.", (*Since).Process)

// Flight is a row of the input flights.
type Flight struct {
	Origin string `wasmill:",key"`
	Delay  int64
	At     wasmill.EventTime
}

// Airport is a row of the broadcast input airports: all subtasks are given all of them.
type Airport struct {
	Iata  string
	State string
}

// Placed is a flight and where it begins.
type Placed struct {
	Origin string
	State  wasmill.Null[string] `doc:"Null where the airport is not known"`
	Delay  int64
	At     wasmill.EventTime
}

// Waiting is a flight whose airport is not known yet. Its origin is the key.
type Waiting struct {
	Delay int64
	At    wasmill.Timestamp
}

// Places adds to a flight the state of the airport that it leaves. A flight of an airport that is not
// known waits until the watermark has come to it. The airports' watermark does not before all of them have
// been read: so it does not matter which of both inputs comes first.
type Places struct {
	Airports wasmill.MapState[string, string] `wasmill:",broadcast" doc:"the state of each airport"`
	Waiting  wasmill.ListState[Waiting]       `doc:"flights whose airport is not known yet"`
	Passed   wasmill.EventTimers
	Out      wasmill.Output[Placed]
}

// Airport takes an airport.
func (p *Places) Airport(a *Airport) error {
	p.Airports.Put(a.Iata, a.State)
	return nil
}

// Flight takes a flight.
func (p *Places) Flight(f *Flight) error {
	if state := p.state(f.Origin); state.Valid {
		p.Out.Emit(Placed{f.Origin, state, f.Delay, f.At})
		return nil
	}
	p.Waiting.Append(Waiting{f.Delay, wasmill.Timestamp(f.At)})
	p.Passed.Set(f.At)
	return nil
}

// Due is an airport of which flights wait that the watermark has passed.
type Due struct {
	wasmill.Timer
	Origin string
}

// OnPassed lets all flights of an airport go.
func (p *Places) OnPassed(d *Due) error {
	state := p.state(d.Origin)
	for w := range p.Waiting.All() {
		p.Out.Emit(Placed{d.Origin, state, w.Delay, wasmill.EventTime(w.At)})
	}
	p.Waiting.Clear()
	return nil
}

func (p *Places) state(airport string) wasmill.Null[string] {
	if !p.Airports.Has(airport) {
		return wasmill.Null[string]{}
	}
	return wasmill.NotNull(p.Airports.Get(airport))
}

var places = wasmill.Process("places", "In which state of the country a flight begins.",
	wasmill.Input("flights", (*Places).Flight), wasmill.BroadcastInput("airports", (*Places).Airport),
	wasmill.OnTimer((*Places).OnPassed))

func init() { wasmill.Register(since, places) }

func main() {}
