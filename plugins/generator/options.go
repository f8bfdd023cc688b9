// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package generator makes rows up: to try a pipeline without data, and to measure one. Its columns
// are typed by how they are made. The same seed gives the same rows, whatever the sizes of
// batches; each split and each column has random numbers of its own, so that adding a column
// leaves the others alone.
package generator

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/literal"
)

// Options are the options of the source.
type Options struct {
	// Rows is how many there are, over all splits. Default: without end.
	Rows *int64 `yaml:"rows"`
	// Rate is how many rows a second are made at most, over all splits. Default: as many as are
	// taken. A source that has fallen behind makes up for a second at most.
	Rate float64 `yaml:"rate"`
	// Splits is how many splits the rows come in, in turn: row 0 in the first, row 1 in the second.
	// Default 1.
	Splits int `yaml:"splits"`
	// Columns are the columns, by name, and how they are made. Their order is that of the schema,
	// or, where none is declared, of their names.
	Columns map[string]ColumnOptions `yaml:"columns"`
}

func (o *Options) check() error {
	switch {
	case len(o.Columns) == 0:
		return errors.New("columns: there are none; write columns: {id: {sequence: {start: 0}}}")
	case o.Rows != nil && *o.Rows < 0:
		return fmt.Errorf("rows: there can't be %d", *o.Rows)
	case o.Rate < 0 || math.IsInf(o.Rate, 0) || math.IsNaN(o.Rate):
		return fmt.Errorf("rate: %v is no number of rows a second", o.Rate)
	case o.Splits < 1 || o.Splits > maxSplits:
		return fmt.Errorf("splits: there can be 1 to %d, not %d", maxSplits, o.Splits)
	}
	return nil
}

const (
	maxSplits = 1024
	maxZipf   = 1 << 20 // values that a zipf column may have
	maxString = 256     // bytes of a string
)

// ColumnOptions are how the values of a column are made: one of the options, and perhaps Nulls.
type ColumnOptions struct {
	// Sequence makes int64: one after the other, over all splits.
	Sequence *SequenceOptions `yaml:"sequence"`
	// Uniform makes int64 between two numbers, both included, or float64 where one has a point.
	Uniform []any `yaml:"uniform"`
	// Zipf makes int64 from 0 to n-1 that are the rarer the larger they are.
	Zipf *ZipfOptions `yaml:"zipf"`
	// Choice makes one of its values: int64, float64 or bool where all are such, string otherwise.
	Choice []any `yaml:"choice"`
	// Time makes timestamps that grow with the rows, over all splits.
	Time *TimeOptions `yaml:"time"`
	// String makes strings of lower-case letters.
	String *StringOptions `yaml:"string"`
	// Bool makes bool, and is the share that is true, from 0 to 1.
	Bool *float64 `yaml:"bool"`

	// Nulls is the share of rows that have no value, from 0 to 1. Default 0.
	Nulls float64 `yaml:"nulls"`
}

// SequenceOptions are the first value, by default 0, and the distance of the next, by default 1.
type SequenceOptions struct {
	Start int64  `yaml:"start"`
	Step  *int64 `yaml:"step"`
}

// ZipfOptions are the number of values, and the exponent: the k-th has a weight of 1/(k+1)^s.
type ZipfOptions struct {
	N int     `yaml:"n"`
	S float64 `yaml:"s"`
}

// TimeOptions are the first time, the distance of the next, and the longest random time that is
// taken off, which puts rows out of order. Step and Jitter are durations such as 10ms, by default 0.
type TimeOptions struct {
	Start  Instant       `yaml:"start"`
	Step   time.Duration `yaml:"step"`
	Jitter time.Duration `yaml:"jitter"`
}

// StringOptions are the least and the largest length, in letters.
type StringOptions struct {
	Length []int `yaml:"length"`
}

// Instant is a time, written as in package literal.
type Instant abi.EventTime

// UnmarshalText reads a time.
func (i *Instant) UnmarshalText(text []byte) error {
	t, ok := literal.ParseTime(text)
	if !ok {
		return fmt.Errorf("%q is no time; expected one like 2026-01-01T00:00:00Z", text)
	}
	*i = Instant(t)
	return nil
}

// column is a column and what makes it.
type column struct {
	field abi.Field
	nulls float64
	make  maker
}

// column checks the options of the named column.
func (o *ColumnOptions) column(name string) (column, error) {
	c := column{field: abi.Field{Name: name}, nulls: o.Nulls}
	ways := []struct {
		option string
		given  bool
		make   func() (abi.Type, maker, error)
	}{
		{"sequence", o.Sequence != nil, func() (abi.Type, maker, error) { return o.Sequence.maker() }},
		{"uniform", o.Uniform != nil, func() (abi.Type, maker, error) { return makeUniform(o.Uniform) }},
		{"zipf", o.Zipf != nil, func() (abi.Type, maker, error) { return o.Zipf.maker() }},
		{"choice", o.Choice != nil, func() (abi.Type, maker, error) { return makeChoice(o.Choice) }},
		{"time", o.Time != nil, func() (abi.Type, maker, error) { return o.Time.maker() }},
		{"string", o.String != nil, func() (abi.Type, maker, error) { return o.String.maker() }},
		{"bool", o.Bool != nil, func() (abi.Type, maker, error) { return makeBool(*o.Bool) }},
	}
	for _, way := range ways {
		if !way.given {
			continue
		}
		if c.make != nil {
			return c, fmt.Errorf("column %s: it is made in two ways; %s is one too many", name, way.option)
		}
		var err error
		if c.field.Type, c.make, err = way.make(); err != nil {
			return c, fmt.Errorf("column %s: %s: %w", name, way.option, err)
		}
	}
	switch {
	case c.make == nil:
		return c, fmt.Errorf("column %s: say how it is made, as in {uniform: [1, 100]}", name)
	case !(o.Nulls >= 0 && o.Nulls <= 1):
		return c, fmt.Errorf("column %s: nulls: %v is no share; it is from 0 to 1", name, o.Nulls)
	}
	return c, nil
}

func (o *SequenceOptions) maker() (abi.Type, maker, error) {
	s := &sequence{start: o.Start, step: 1}
	if o.Step != nil {
		s.step = *o.Step
	}
	return abi.Int64, s, nil
}

// number returns a number of a pipeline file, and whether it is whole.
func number(v any) (whole int64, f float64, isWhole, ok bool) {
	switch v := v.(type) {
	case int:
		return int64(v), float64(v), true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}

func makeUniform(ends []any) (abi.Type, maker, error) {
	problem := errors.New("it has two numbers, the least and the largest, as in [1, 100]")
	if len(ends) != 2 {
		return 0, nil, problem
	}
	low, lowFloat, lowWhole, ok := number(ends[0])
	high, highFloat, highWhole, ok2 := number(ends[1])
	size := highFloat - lowFloat
	switch {
	case !ok || !ok2:
		return 0, nil, problem
	case !(size >= 0) || math.IsInf(size, 0):
		return 0, nil, fmt.Errorf("there is nothing between %v and %v", ends[0], ends[1])
	case lowWhole && highWhole:
		return abi.Int64, &uniform{low: low, count: uint64(high-low) + 1}, nil
	}
	return abi.Float64, &uniformFloat{low: lowFloat, size: size}, nil
}

func (o *ZipfOptions) maker() (abi.Type, maker, error) {
	if o.N < 1 || o.N > maxZipf || !(o.S >= 0 && o.S <= 100) {
		return 0, nil, fmt.Errorf("n is from 1 to %d and s from 0 to 100, not %d and %v", maxZipf, o.N, o.S)
	}
	return abi.Int64, newZipf(o.N, o.S), nil
}

func makeChoice(values []any) (abi.Type, maker, error) {
	c := &choice{}
	whole := 0
	for _, v := range values {
		if i, f, isWhole, ok := number(v); ok {
			if isWhole {
				whole++
				c.ints = append(c.ints, i)
			}
			c.floats = append(c.floats, f)
		} else if b, ok := v.(bool); ok {
			c.bools = append(c.bools, b)
		}
		c.strings = append(c.strings, fmt.Sprint(v))
	}
	typ := abi.String
	switch n := len(values); n {
	case 0:
		return 0, nil, errors.New("it has one value or more, as in [a, b]")
	case whole:
		typ = abi.Int64
	case len(c.floats):
		typ = abi.Float64
	case len(c.bools):
		typ = abi.Bool
	}
	c.typ = typ
	return typ, c, nil
}

func (o *TimeOptions) maker() (abi.Type, maker, error) {
	if o.Jitter < 0 {
		return 0, nil, fmt.Errorf("jitter: %v is negative", o.Jitter)
	}
	return abi.Timestamp, &clock{start: int64(o.Start), step: o.Step.Nanoseconds(), jitter: uint64(o.Jitter.Microseconds()) + 1}, nil
}

func (o *StringOptions) maker() (abi.Type, maker, error) {
	if len(o.Length) != 2 || o.Length[0] < 0 || o.Length[1] < max(o.Length[0], 1) || o.Length[1] > maxString {
		return 0, nil, fmt.Errorf("length: %v is no range within 0 to %d, such as [3, 12]", o.Length, maxString)
	}
	return abi.String, &letters{low: o.Length[0], count: uint64(o.Length[1]-o.Length[0]) + 1}, nil
}

func makeBool(share float64) (abi.Type, maker, error) {
	if !(share >= 0 && share <= 1) {
		return 0, nil, fmt.Errorf("%v is no share; it is from 0 to 1", share)
	}
	return abi.Bool, &coin{threshold(share)}, nil
}
