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
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/literal"
	"github.com/wasmill/wasmill/plugins/nearest"
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
	// Columns are the columns and how they are made, in the order of the schema.
	Columns Columns `yaml:"columns"`
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

// Columns are columns in order.
type Columns []Column

// Column is a column and how its values are made. In a pipeline it is one of
//
//	sequence: {start: 0, step: 1}      int64: one after the other, over all splits
//	uniform: [1, 100]                  int64, both ends included; float64 where one end has a point
//	zipf: {n: 1000, s: 1.1}            int64 from 0 to n-1, the k-th with a weight of 1/(k+1)^s
//	choice: [a, b]                     string; int64, float64 or bool where all are such
//	time: {start: 2026-01-01T00:00:00Z, step: 10ms, jitter: 2s}
//	                                   timestamp: start plus step for each row over all splits, less
//	                                   a random time of up to jitter, which puts rows out of order
//	string: {length: [3, 12]}          string of that many letters
//	bool: 0.5                          bool, true that often
//
// and beside it perhaps null: 0.1, how often there is no value.
type Column struct {
	field abi.Field
	null  float64
	make  maker
}

// UnmarshalYAML reads columns.
func (c *Columns) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return at(node, errors.New("columns are names with what they are made by, as in id: {sequence: {start: 0}}"))
	}
	for i := 0; i < len(node.Content); i += 2 {
		name := node.Content[i].Value
		column, err := parseColumn(node.Content[i+1])
		if err != nil {
			return at(node.Content[i+1], fmt.Errorf("column %s: %w", name, err))
		}
		column.field.Name = name
		*c = append(*c, column)
	}
	return nil
}

func at(node *yaml.Node, err error) error { return fmt.Errorf("line %d: %w", node.Line, err) }

// makers returns how values can be made.
func makers() map[string]func(*yaml.Node) (abi.Type, maker, error) {
	return map[string]func(*yaml.Node) (abi.Type, maker, error){
		"sequence": parseSequence, "uniform": parseUniform, "zipf": parseZipf, "choice": parseChoice,
		"time": parseTime, "string": parseString, "bool": parseBool,
	}
}

func parseColumn(node *yaml.Node) (Column, error) {
	if node.Kind != yaml.MappingNode {
		return Column{}, errors.New("say how it is made, as in {uniform: [1, 100]}")
	}
	var c Column
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i].Value, node.Content[i+1]
		if key == "null" {
			if err := value.Decode(&c.null); err != nil || !(c.null >= 0 && c.null <= 1) {
				return c, fmt.Errorf("null: %q is no share; it is from 0 to 1", value.Value)
			}
			continue
		}
		parse, ok := makers()[key]
		if !ok {
			return c, fmt.Errorf("nothing makes %q%s", key, nearest.Hint(key, slices.Sorted(maps.Keys(makers()))))
		}
		if c.make != nil {
			return c, fmt.Errorf("it is made in two ways; %s is one too many", key)
		}
		var err error
		if c.field.Type, c.make, err = parse(value); err != nil {
			return c, fmt.Errorf("%s: %w", key, err)
		}
	}
	if c.make == nil {
		return c, errors.New("say how it is made, as in {uniform: [1, 100]}")
	}
	return c, nil
}

// decode reads a mapping of known keys into a struct.
func decode(node *yaml.Node, into any, keys ...string) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("it has %v", keys)
	}
	for i := 0; i < len(node.Content); i += 2 {
		if key := node.Content[i].Value; !slices.Contains(keys, key) {
			return fmt.Errorf("unknown key %q%s", key, nearest.Hint(key, keys))
		}
	}
	return node.Decode(into)
}

func parseSequence(node *yaml.Node) (abi.Type, maker, error) {
	s := sequence{Step: 1}
	return abi.Int64, &s, decode(node, &s, "start", "step")
}

func parseUniform(node *yaml.Node) (abi.Type, maker, error) {
	var ends [2]float64
	var whole [2]int64
	if tags := tagsOf(node); len(tags) == 1 && tags["!!int"] && node.Decode(&whole) == nil {
		if whole[0] > whole[1] {
			return 0, nil, fmt.Errorf("%d is more than %d", whole[0], whole[1])
		}
		return abi.Int64, &uniform{low: whole[0], count: uint64(whole[1]-whole[0]) + 1}, nil
	}
	if err := node.Decode(&ends); err != nil {
		return 0, nil, errors.New("it has two numbers, the least and the largest, as in [1, 100]")
	}
	if size := ends[1] - ends[0]; !(size >= 0) || math.IsInf(size, 0) {
		return 0, nil, fmt.Errorf("there is nothing between %v and %v", ends[0], ends[1])
	}
	return abi.Float64, &uniformFloat{low: ends[0], size: ends[1] - ends[0]}, nil
}

// tagsOf returns the YAML types of a list's items.
func tagsOf(node *yaml.Node) map[string]bool {
	tags := map[string]bool{}
	for _, n := range node.Content {
		tags[n.Tag] = true
	}
	return tags
}

func parseZipf(node *yaml.Node) (abi.Type, maker, error) {
	spec := struct {
		N int     `yaml:"n"`
		S float64 `yaml:"s"`
	}{S: 1}
	if err := decode(node, &spec, "n", "s"); err != nil {
		return 0, nil, err
	}
	if spec.N < 1 || spec.N > maxZipf || !(spec.S >= 0 && spec.S <= 100) {
		return 0, nil, fmt.Errorf("n is from 1 to %d and s from 0 to 100, not %d and %v", maxZipf, spec.N, spec.S)
	}
	return abi.Int64, newZipf(spec.N, spec.S), nil
}

func parseChoice(node *yaml.Node) (abi.Type, maker, error) {
	var texts []string
	if err := node.Decode(&texts); err != nil || len(texts) == 0 {
		return 0, nil, errors.New("it has one value or more, as in [a, b]")
	}
	tags, c := tagsOf(node), &choice{}
	switch only := len(tags) == 1; {
	case only && tags["!!int"]:
		return abi.Int64, c, node.Decode(&c.ints)
	case only && tags["!!bool"]:
		return abi.Bool, c, node.Decode(&c.bools)
	case tags["!!float"] && (only || len(tags) == 2 && tags["!!int"]):
		return abi.Float64, c, node.Decode(&c.floats)
	}
	c.strings = texts
	return abi.String, c, nil
}

func parseTime(node *yaml.Node) (abi.Type, maker, error) {
	spec := struct {
		Start  string        `yaml:"start"`
		Step   time.Duration `yaml:"step"`
		Jitter time.Duration `yaml:"jitter"`
	}{}
	if err := decode(node, &spec, "start", "step", "jitter"); err != nil {
		return 0, nil, err
	}
	start, ok := literal.ParseTime([]byte(spec.Start))
	if !ok {
		return 0, nil, fmt.Errorf("start: %q is no time; expected one like 2026-01-01T00:00:00Z", spec.Start)
	}
	if spec.Jitter < 0 {
		return 0, nil, fmt.Errorf("jitter: %v is negative", spec.Jitter)
	}
	return abi.Timestamp, &clock{start: int64(start), step: spec.Step.Nanoseconds(), jitter: uint64(spec.Jitter.Microseconds()) + 1}, nil
}

func parseString(node *yaml.Node) (abi.Type, maker, error) {
	var spec struct {
		Length [2]int `yaml:"length"`
	}
	if err := decode(node, &spec, "length"); err != nil {
		return 0, nil, err
	}
	low, high := spec.Length[0], spec.Length[1]
	if low < 0 || high < max(low, 1) || high > maxString {
		return 0, nil, fmt.Errorf("length: [%d, %d] is no range within 0 to %d", low, high, maxString)
	}
	return abi.String, &letters{low: low, count: uint64(high-low) + 1}, nil
}

func parseBool(node *yaml.Node) (abi.Type, maker, error) {
	share, err := strconv.ParseFloat(node.Value, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, nil, fmt.Errorf("%q is no share; it is from 0 to 1", node.Value)
	}
	return abi.Bool, &coin{threshold(share)}, nil
}
