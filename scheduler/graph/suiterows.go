// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// kindKey is the key of a row that says what kind it is of.
const kindKey = "$kind"

var rowKinds = map[string]batch.RowKind{"+I": batch.Insert, "-U": batch.UpdateBefore, "+U": batch.UpdateAfter, "-D": batch.Delete}

// rows returns rows of a schema, and the columns that one of them names.
func (s *suiteChecker) rows(v *value, where place, schema *abi.Schema) (*batch.Batch, []int) {
	b := s.pool.NewBuilder(schema)
	if v.kind != list && v.kind != null {
		s.report(where, "write [{COLUMN: VALUE}]", "expected a list of rows, not %s", v.describe())
	}
	named := make([]bool, len(schema.Fields))
	kinds := slices.ContainsFunc(v.items, func(row *value) bool { _, ok := row.get(kindKey); return ok })
	for i, row := range v.items {
		at := where.under(strconv.Itoa(i))
		if row.kind != mapping {
			s.report(at, "write {COLUMN: VALUE}", "expected a row, not %s", row.describe())
			continue
		}
		kind := batch.Insert
		for _, e := range row.entries {
			col := schema.Index(e.key)
			switch {
			case e.key == kindKey:
				var ok bool
				if kind, ok = rowKinds[e.value.text]; !ok {
					s.report(at.under(e.key), `write "+I", "-U", "+U" or "-D"`, "%s is no kind of a row", e.value.describe())
				}
			case col < 0:
				s.unknown(at.under(e.key), schema.Names(), "there is no column %q", clip(e.key))
			case e.value.kind == null:
				named[col] = true
			default:
				named[col] = true
				if err := appendLiteral(b.Column(col), &schema.Fields[col], e.value); err != nil {
					s.report(at.under(e.key), "", "%v", err)
				}
			}
		}
		if s.count > 0 {
			continue // the builder may hold half a row
		}
		if kinds {
			b.AppendKind(kind)
		}
		b.EndRow()
	}
	var columns []int
	for i := range named {
		if named[i] {
			columns = append(columns, i)
		}
	}
	if s.count > 0 {
		return s.pool.NewBuilder(schema).Finish(), nil
	}
	return b.Finish(), columns
}

// RowText returns the given columns of a row as a test has them: {airport: ATL, movements: 3}.
func RowText(b *batch.Batch, row int, columns []int) string {
	var s strings.Builder
	s.WriteString("{")
	if b.Kinds != nil && b.Kinds[row] != batch.Insert {
		for name, kind := range rowKinds {
			if kind == b.Kinds[row] {
				fmt.Fprintf(&s, "%s: %q", kindKey, name)
			}
		}
	}
	for _, col := range columns {
		if s.Len() > 1 {
			s.WriteString(", ")
		}
		s.WriteString(b.Schema.Fields[col].Name + ": ")
		literalText(&s, &b.Schema.Fields[col], &b.Columns[col], row)
	}
	s.WriteString("}")
	return s.String()
}

// literalText writes a value as a pipeline file has it.
func literalText(s *strings.Builder, f *abi.Field, c *batch.Column, row int) {
	if c.Null(row) {
		s.WriteString("null")
		return
	}
	switch f.Type {
	case abi.Bool:
		fmt.Fprint(s, c.Bool(row))
	case abi.Int32:
		fmt.Fprint(s, c.Int32s()[row])
	case abi.Float64:
		s.WriteString(floatText(c.Float64s()[row]))
	case abi.Decimal:
		s.WriteString(decimalText(c.Int64s()[row], int(f.Scale)))
	case abi.Timestamp:
		s.WriteString(time.UnixMicro(c.Int64s()[row]).UTC().Format(time.RFC3339Nano))
	case abi.String, abi.Bytes:
		s.WriteString(strconv.Quote(c.String(row)))
	case abi.List:
		s.WriteString("[")
		for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
			if i > c.Offsets[row] {
				s.WriteString(", ")
			}
			literalText(s, &f.Children[0], &c.Children[0], int(i))
		}
		s.WriteString("]")
	case abi.Struct:
		s.WriteString("{")
		for i := range f.Children {
			if i > 0 {
				s.WriteString(", ")
			}
			s.WriteString(f.Children[i].Name + ": ")
			literalText(s, &f.Children[i], &c.Children[i], row)
		}
		s.WriteString("}")
	default:
		fmt.Fprint(s, c.Int64s()[row])
	}
}

func floatText(v float64) string {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	switch text {
	case "NaN":
		return ".nan"
	case "+Inf":
		return ".inf"
	case "-Inf":
		return "-.inf"
	}
	return text
}

func decimalText(v int64, scale int) string {
	sign, digits := "", strconv.FormatInt(v, 10)
	if v < 0 {
		sign, digits = "-", digits[1:]
	}
	if scale == 0 {
		return sign + digits
	}
	for len(digits) <= scale {
		digits = "0" + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// Outcome is what came out at a step that asks for it: rows as RowText has them, by sink.
type Outcome struct {
	Test, Step int
	Rows       map[string][]string
}

// UpdateSuite returns a file of tests with the rows that its steps expect replaced by what came out.
// Comments stay; the layout is YAML's usual one.
func UpdateSuite(data []byte, outcomes []Outcome) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	tests := member(doc.Content[0], "tests")
	for _, o := range outcomes {
		step := member(tests.Content[2*o.Test+1], "steps").Content[o.Step]
		expect := &yaml.Node{Kind: yaml.MappingNode}
		for _, sink := range sortedKeys(o.Rows) {
			rows := &yaml.Node{Kind: yaml.SequenceNode}
			for _, text := range o.Rows[sink] {
				var row yaml.Node
				if err := yaml.Unmarshal([]byte(text), &row); err != nil {
					return nil, fmt.Errorf("row %s: %w", text, err)
				}
				rows.Content = append(rows.Content, row.Content[0])
			}
			expect.Content = append(expect.Content, stringNode(sink), rows)
		}
		if len(expect.Content) == 0 {
			expect.Style = yaml.FlowStyle
		}
		if old := member(step, "expect"); old != nil {
			*old = *expect
		}
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// member returns the value of a key of a mapping, nil where there is none.
func member(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
