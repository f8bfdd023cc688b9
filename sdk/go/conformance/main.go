// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// This module holds the operators that abi/conformance asks of every SDK.
package main

import (
	"errors"
	"strconv"
	"strings"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

func init() { wasmill.Register(operators()...) }

func operators() []wasmill.Operator {
	return append([]wasmill.Operator{
		wasmill.Map("everything", "Each row unchanged, nulls too.", (*Everything).Process),
		wasmill.Map("split", "A row for each word of a text.", (*Split).Process),
		wasmill.Map("route", "Odd numbers to a side output.", (*Route).Process),
		wasmill.Map("shift", "Event times moved by a constant.", (*Shift).Process),
		wasmill.Map("refuse", "Opens with a positive limit only.", (*Refuse).Process),
		wasmill.Map("crash", "Panics at 13.", (*Crash).Process),
		wasmill.Map("say", "Logs each row.", (*Say).Process),
		wasmill.Aggregate("mean", "Mean and count of numbers.", (*Mean).Add, (*Mean).Merge, (*Mean).Result),
		wasmill.Aggregate("longest", "The longest string, the first of equally long ones.",
			(*Longest).Add, (*Longest).Merge, (*Longest).Result),
	}, processes()...)
}

func main() {}

// Values has a column of each type.
type Values struct {
	B  wasmill.Null[bool]
	I  wasmill.Null[int32]
	L  wasmill.Null[int64]
	F  wasmill.Null[float64]
	D  wasmill.Null[wasmill.Decimal] `wasmill:",scale=2"`
	S  wasmill.Null[string]
	Y  wasmill.Null[[]byte]
	T  wasmill.Null[wasmill.Timestamp]
	Ls wasmill.Null[[]wasmill.Null[string]]
	St wasmill.Null[Pair]
}

// Pair is the struct in Values.
type Pair struct {
	A wasmill.Null[int64]
	B wasmill.Null[string]
}

// Everything passes rows on.
type Everything struct{ Out wasmill.Output[Values] }

// Process passes a row on.
func (e *Everything) Process(v *Values) error {
	e.Out.Emit(*v)
	return nil
}

// Text is what Split takes.
type Text struct{ Text string }

// Word is what Split makes of it.
type Word struct {
	Word  string
	Index int32
}

// Split makes a row of each word.
type Split struct {
	Separator string `default:" " doc:"what lies between words"`

	Out   wasmill.Output[Word] `wasmill:",forward"`
	Words wasmill.Counter
}

// Process splits a text.
func (s *Split) Process(t *Text) error {
	index := int32(0)
	for word := range strings.SplitSeq(t.Text, s.Separator) {
		if word != "" {
			s.Out.Emit(Word{word, index})
			index++
		}
	}
	s.Words.Add(int64(index))
	return nil
}

// Number is a row of one number.
type Number struct{ N wasmill.Null[int64] }

// Route sends odd numbers another way.
type Route struct {
	Out wasmill.Output[Number]
	Odd wasmill.Output[Number]
}

// Process routes a number.
func (r *Route) Process(n *Number) error {
	switch {
	case !n.N.Valid:
	case n.N.V < 0:
		return errors.New("n is negative: " + strconv.FormatInt(n.N.V, 10))
	case n.N.V%2 == 0:
		r.Out.Emit(*n)
	default:
		r.Odd.Emit(*n)
	}
	return nil
}

// Event is a number and its event time.
type Event struct {
	N  wasmill.Null[int64]
	At wasmill.EventTime
}

// Shift moves event times.
type Shift struct {
	By  int64 `doc:"microseconds"`
	Out wasmill.Output[Event]
}

// Process moves an event.
func (s *Shift) Process(e *Event) error {
	e.At += wasmill.EventTime(s.By)
	s.Out.Emit(*e)
	return nil
}

// Refuse wants a positive limit.
type Refuse struct {
	Limit int64 `doc:"must be positive"`
	Out   wasmill.Output[Number]
}

// Open refuses a limit that is not positive.
func (r *Refuse) Open() error {
	if r.Limit <= 0 {
		return errors.New("limit must be positive, not " + strconv.FormatInt(r.Limit, 10))
	}
	return nil
}

// Process passes a row on.
func (r *Refuse) Process(n *Number) error {
	r.Out.Emit(*n)
	return nil
}

// Some is a row of a number that is not null.
type Some struct{ N int64 }

// Crash has bad luck.
type Crash struct{ Out wasmill.Output[Some] }

// Process passes a row on, unless it is 13.
func (c *Crash) Process(n *Some) error {
	if n.N == 13 {
		panic("unlucky 13")
	}
	c.Out.Emit(*n)
	return nil
}

// Line is a line of the log.
type Line struct {
	Level int32
	Text  string
}

// Say logs lines.
type Say struct{ Out wasmill.Output[Number] }

// Process logs a line.
func (s *Say) Process(l *Line) error {
	wasmill.Log(wasmill.Level(l.Level), l.Text)
	return nil
}

// Sample is what Mean takes.
type Sample struct{ X wasmill.Null[float64] }

// Sum is what it keeps.
type Sum struct {
	Sum   float64
	Count int64
}

// MeanOf is what it makes of that.
type MeanOf struct {
	Mean  wasmill.Null[float64]
	Count int64
}

// Mean takes the mean.
type Mean struct{ Out wasmill.Output[MeanOf] }

// Add adds a sample.
func (m *Mean) Add(acc *Sum, s *Sample) error {
	switch {
	case !s.X.Valid:
	case s.X.V < 0:
		return errors.New("x is negative")
	default:
		acc.Sum += s.X.V
		acc.Count++
	}
	return nil
}

// Merge adds a sum.
func (m *Mean) Merge(acc, other *Sum) error {
	acc.Sum += other.Sum
	acc.Count += other.Count
	return nil
}

// Result divides.
func (m *Mean) Result(acc *Sum) error {
	out := MeanOf{Count: acc.Count}
	if acc.Count > 0 {
		out.Mean = wasmill.NotNull(acc.Sum / float64(acc.Count))
	}
	m.Out.Emit(out)
	return nil
}

// Name is what Longest takes.
type Name struct{ S wasmill.Null[string] }

// LongestOf is what it makes.
type LongestOf struct{ Longest wasmill.Null[string] }

// Longest keeps the longest string.
type Longest struct{ Out wasmill.Output[LongestOf] }

// Add looks at a string.
func (l *Longest) Add(acc *wasmill.Null[string], n *Name) error { return l.Merge(acc, &n.S) }

// Merge keeps the longer one.
func (l *Longest) Merge(acc, other *wasmill.Null[string]) error {
	if other.Valid && (!acc.Valid || len(other.V) > len(acc.V)) {
		*acc = *other
	}
	return nil
}

// Result is the string.
func (l *Longest) Result(acc *wasmill.Null[string]) error {
	l.Out.Emit(LongestOf{*acc})
	return nil
}
