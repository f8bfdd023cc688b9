// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operator places: where the airports of a flight lie.
package main

import (
	_ "embed"
	"errors"
	"strconv"
	"strings"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

// airports are the columns iata, city, state, latitude and longitude of those airports in
// examples/flights/data/airports.csv that flights there leave or reach. No value has quotes.
//
//go:embed airports.csv
var airports string

// Flight is a row of the input.
type Flight struct {
	Origin      string
	Destination string
}

// Places are the columns that are added.
type Places struct {
	OriginCity           string
	OriginState          string
	OriginLatitude       float64
	OriginLongitude      float64
	DestinationCity      string
	DestinationState     string
	DestinationLatitude  float64
	DestinationLongitude float64
}

type airport struct {
	city, state         string
	latitude, longitude float64
}

// Enrich adds to a flight where its airports lie.
type Enrich struct {
	Out wasmill.Output[Places] `wasmill:",forward"`

	airports map[string]airport
}

// Open reads the list of airports.
func (e *Enrich) Open() error {
	_, lines, _ := strings.Cut(airports, "\n")
	e.airports = map[string]airport{}
	for line := range strings.Lines(lines) {
		values := strings.Split(strings.TrimSuffix(line, "\n"), ",")
		if len(values) != 5 {
			return errors.New("airports.csv: " + strconv.Quote(line) + " has not five values")
		}
		latitude, wrong := strconv.ParseFloat(values[3], 64)
		longitude, alsoWrong := strconv.ParseFloat(values[4], 64)
		if err := errors.Join(wrong, alsoWrong); err != nil {
			return err
		}
		e.airports[values[0]] = airport{values[1], values[2], latitude, longitude}
	}
	return nil
}

// Process takes a flight.
func (e *Enrich) Process(f *Flight) error {
	from, ok := e.airports[f.Origin]
	if !ok {
		return errors.New("there is no airport " + f.Origin)
	}
	to, ok := e.airports[f.Destination]
	if !ok {
		return errors.New("there is no airport " + f.Destination)
	}
	e.Out.Emit(Places{
		from.city, from.state, from.latitude, from.longitude,
		to.city, to.state, to.latitude, to.longitude,
	})
	return nil
}

var places = wasmill.Map("places", "Where the airports of a flight lie.", (*Enrich).Process)

func init() { wasmill.Register(places) }

func main() {}
