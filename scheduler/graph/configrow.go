// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// configRow returns the configuration of a module's operator as the one row that it is opened
// with.
func (c *checker) configRow(g *guest, given Literal, where place) *batch.Batch {
	where = where.under("config")
	schema := &abi.Schema{Fields: g.op.Config}
	v := valueOf(given, where, c.reporter)
	switch {
	case v.kind != mapping && v.kind != null:
		c.report(where, "its keys are "+strings.Join(schema.Names(), ", "), "expected a mapping, not %s", v.describe())
		v = &value{}
	case c.wrong(where):
		v = &value{}
	}
	for _, e := range v.entries {
		if schema.Index(e.key) < 0 {
			c.unknown(where.under(e.key), schema.Names(), "operator %q has no configuration %q", g.op.Name, clip(e.key))
		}
	}
	row := c.pool.NewBuilder(schema)
	for i := range schema.Fields {
		f := &schema.Fields[i]
		col := row.Column(i)
		if e, ok := v.get(f.Name); ok && e.value.kind != null {
			if err := appendLiteral(col, f, e.value); err != nil {
				c.report(where.under(f.Name), "", "%v", err)
			}
			continue
		}
		switch {
		case f.Default != "":
			if err := appendLiteral(col, f, defaultValue(f)); err != nil {
				c.report(where.under(f.Name), "give it here", "the module's default of %q can't be used: %v", f.Name, err)
			}
		case f.Required:
			c.missing(where.under(f.Name), doc(f), "operator %q needs the configuration %q of type %s", g.op.Name, f.Name, f.TypeString())
		}
	}
	if c.wrong(where) {
		return nil
	}
	row.EndRow()
	return row.Finish()
}

func doc(f *abi.Field) string {
	if f.Doc == "" {
		return ""
	}
	return "it is: " + clip(f.Doc)
}

// defaultValue reads a default: of a string the string itself, of another type as in a file.
func defaultValue(f *abi.Field) *value {
	if f.Type == abi.String {
		return &value{kind: text, text: f.Default}
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(f.Default), &n); err != nil || len(n.Content) != 1 {
		return &value{kind: text, text: f.Default}
	}
	return (&converter{out: &reporter{}}).value(n.Content[0], 1, false)
}

// appendLiteral appends a value to a column. Types are not converted: what has quotes is a string,
// what has none is not.
func appendLiteral(col *batch.ColumnBuilder, f *abi.Field, v *value) error {
	wrong := func(expected string) error { return fmt.Errorf("expected %s, not %s", expected, v.describe()) }
	switch f.Type {
	case abi.Bool:
		if v.kind != boolean {
			return wrong("true or false")
		}
		col.AppendBool(strings.EqualFold(v.text, "true"))
	case abi.Int32, abi.Int64, abi.Float64, abi.Decimal:
		if expected := appendNumber(col, f, v); expected != "" {
			return wrong(expected)
		}
	case abi.String:
		switch v.kind {
		case text:
			col.AppendString(v.text)
		case list, mapping:
			return wrong("a string")
		default:
			return fmt.Errorf("expected a string, not %s; put quotes around it: %q", v.describe(), v.text)
		}
	case abi.Timestamp:
		t, ok := parseTimestamp(v.text)
		if v.kind != timestamp && v.kind != text || !ok {
			return wrong("a timestamp like 2001-01-31 or 2001-01-31T23:59:59Z")
		}
		col.AppendInt64(t)
	case abi.List:
		if v.kind != list {
			return wrong("a list")
		}
		for i, item := range v.items {
			if item.kind == null {
				col.Child(0).AppendNull()
			} else if err := appendLiteral(col.Child(0), &f.Children[0], item); err != nil {
				return fmt.Errorf("item %d: %w", i+1, err)
			}
		}
		col.EndList()
	case abi.Bytes:
		if v.kind != text {
			return wrong("a string, whose bytes it is")
		}
		col.AppendString(v.text)
	case abi.Struct:
		return appendStruct(col, f, v)
	default:
		return fmt.Errorf("a pipeline can't give a value of type %s", f.TypeString())
	}
	return nil
}

func appendStruct(col *batch.ColumnBuilder, f *abi.Field, v *value) error {
	if v.kind != mapping {
		return fmt.Errorf("expected a mapping, not %s", v.describe())
	}
	schema := &abi.Schema{Fields: f.Children}
	for _, e := range v.entries {
		if schema.Index(e.key) < 0 {
			return fmt.Errorf("there is no field %q; there are %s", clip(e.key), strings.Join(schema.Names(), ", "))
		}
	}
	for i := range f.Children {
		e, ok := v.get(f.Children[i].Name)
		if !ok || e.value.kind == null {
			col.Child(i).AppendNull()
		} else if err := appendLiteral(col.Child(i), &f.Children[i], e.value); err != nil {
			return fmt.Errorf("field %q: %w", f.Children[i].Name, err)
		}
	}
	col.EndStruct()
	return nil
}

// infinities are the numbers of YAML that have a point which Go's lack.
var infinities = map[string]int{".inf": 1, "+.inf": 1, "-.inf": 1, ".nan": 1}

// appendNumber appends a number, or returns what was expected.
func appendNumber(col *batch.ColumnBuilder, f *abi.Field, v *value) (expected string) {
	number := (v.kind == integer || v.kind == float) && !octal(v.text)
	switch f.Type {
	case abi.Float64:
		n, err := strconv.ParseFloat(strings.Replace(v.text, ".", "", infinities[strings.ToLower(v.text)]), 64)
		if !number || err != nil {
			return "a number"
		}
		col.AppendFloat64(n)
	case abi.Decimal:
		n, ok := parseDecimal(v.text, int(f.Scale))
		if !number || !ok {
			return fmt.Sprintf("a number with at most %d digits, %d of them after the point", abi.DecimalDigits, f.Scale)
		}
		col.AppendInt64(n)
	default:
		n, err := strconv.ParseInt(v.text, 10, 8*f.Type.Width())
		switch {
		case !number || v.kind != integer || err != nil:
			return "a whole number of type " + f.TypeString()
		case f.Type == abi.Int32:
			col.AppendInt32(int32(n))
		default:
			col.AppendInt64(n)
		}
	}
	return ""
}

// parseDecimal reads a decimal without rounding it.
func parseDecimal(s string, scale int) (int64, bool) {
	unsigned := strings.TrimLeft(s, "+-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if len(s)-len(unsigned) > 1 || whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) > scale {
		return 0, false
	}
	n, err := strconv.ParseInt("0"+whole+fraction+strings.Repeat("0", scale-len(fraction)), 10, 64)
	if err != nil || n >= abi.DecimalAbsLimit {
		return 0, false
	}
	if s[0] == '-' {
		n = -n
	}
	return n, true
}

// parseTimestamp returns microseconds. A date is its midnight, a time without a zone is UTC.
func parseTimestamp(s string) (int64, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro(), t.Nanosecond()%1000 == 0
		}
	}
	return 0, false
}
