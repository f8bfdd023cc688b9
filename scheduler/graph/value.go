// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// value is a YAML value with its place in the file, aliases and merge keys resolved.
type value struct {
	kind    valueKind
	text    string // of a scalar, as it stands in the file without quotes
	line    int
	column  int
	items   []*value
	entries []entry
	index   map[string]int // of entries, by key
}

type entry struct {
	key          string
	line, column int // of the key
	value        *value
}

type valueKind uint8

const (
	null valueKind = iota
	boolean
	integer
	float
	text
	timestamp
	list
	mapping
)

var kindNames = [...]string{
	null: "nothing", boolean: "bool", integer: "number", float: "number", text: "string",
	timestamp: "timestamp", list: "a list", mapping: "a mapping",
}

func (k valueKind) String() string { return kindNames[k] }

// describe says what a value is, for a message about one that should be something else.
func (v *value) describe() string {
	switch v.kind {
	case null, list, mapping:
		return v.kind.String()
	case text:
		return fmt.Sprintf("the string %q", clip(v.text))
	}
	return fmt.Sprintf("the %s %s", v.kind, clip(v.text))
}

func (v *value) get(key string) (*entry, bool) {
	i, ok := v.index[key]
	if !ok {
		return nil, false
	}
	return &v.entries[i], true
}

func (v *value) put(e entry) {
	if v.index == nil {
		v.index = map[string]int{}
	}
	v.index[e.key] = len(v.entries)
	v.entries = append(v.entries, e)
}

// find returns the line and column of a place. Where it is not in the file, or nothing is said
// there, exact is false, and they are those of the key that it would belong under.
func (v *value) find(where place) (line, column int, exact bool) {
	if v == nil {
		return 0, 0, false
	}
	line, column = v.line, v.column
	for depth, key := range where.path {
		if i, err := strconv.Atoi(key); v.kind == list && err == nil && i < len(v.items) {
			v = v.items[i]
			line, column = v.line, v.column
			continue
		}
		e, ok := v.get(key)
		if !ok {
			return line, column, false
		}
		v, line, column = e.value, e.line, e.column
		if last := depth == len(where.path)-1; last && !where.key && v.kind != null {
			line, column = v.line, v.column
		}
	}
	return line, column, v.kind != null
}

// The bounds of a pipeline file.
const (
	maxBytes    = 1 << 20
	maxDepth    = 64
	maxExpanded = 10_000 // values that aliases stand for
)

// converter turns YAML nodes into values.
type converter struct {
	out      *reporter
	expanded int // values reached through aliases so far
	tooMany  bool
	within   []*yaml.Node // anchors that the value at hand lies in
}

func (c *converter) report(n *yaml.Node, hint, format string, args ...any) {
	c.out.add(Problem{Line: n.Line, Column: n.Column, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// value converts n. What can't be converted is reported, and null.
func (c *converter) value(n *yaml.Node, depth int, aliased bool) *value {
	v := &value{line: n.Line, column: n.Column}
	if aliased {
		if c.expanded++; c.expanded > maxExpanded {
			if !c.tooMany {
				c.report(n, "write values out", "aliases stand for more than %d values", maxExpanded)
			}
			c.tooMany = true
			return v
		}
	}
	if depth > maxDepth {
		c.report(n, "", "values are nested more than %d deep", maxDepth)
		return v
	}
	switch n.Kind {
	case yaml.AliasNode:
		if slices.Contains(c.within, n.Alias) {
			c.report(n, "", "*%s stands for a value that it is part of", n.Value)
			return v
		}
		c.within = append(c.within, n.Alias)
		v = c.value(n.Alias, depth+1, true)
		c.within = c.within[:len(c.within)-1]
	case yaml.SequenceNode:
		v.kind = list
		for _, item := range n.Content {
			v.items = append(v.items, c.value(item, depth+1, aliased))
		}
	case yaml.MappingNode:
		v.kind = mapping
		c.mapping(v, n, depth, aliased)
	default:
		v.text = n.Value
		kind, ok := scalarKinds[n.ShortTag()]
		if !ok {
			c.report(n, "leave it out", "the tag %s means nothing here", clip(n.Tag))
			kind = text
		}
		v.kind = kind
	}
	return v
}

var scalarKinds = map[string]valueKind{
	"!!null": null, "!!bool": boolean, "!!int": integer, "!!float": float, "!!str": text, "!!timestamp": timestamp,
	"!!merge": text,
}

func (c *converter) mapping(v *value, n *yaml.Node, depth int, aliased bool) {
	var merged []*value
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, content := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			c.report(n.Content[i], "", "a key is a name")
			continue
		}
		item := c.value(content, depth+1, aliased)
		if key.ShortTag() == "!!merge" {
			merged = append(merged, c.mergeable(content, item)...)
			continue
		}
		if old, ok := v.get(key.Value); ok {
			c.report(n.Content[i], "keep one of them", "the key %q is there twice, first on line %d", clip(key.Value), old.line)
			continue
		}
		v.put(entry{key.Value, n.Content[i].Line, n.Content[i].Column, item})
	}
	for _, m := range merged {
		for _, e := range m.entries {
			if _, ok := v.get(e.key); !ok {
				v.put(e)
			}
		}
	}
}

// mergeable returns the mappings that a merge key names.
func (c *converter) mergeable(n *yaml.Node, v *value) []*value {
	mappings := []*value{v}
	if v.kind == list {
		mappings = v.items
	}
	for _, m := range mappings {
		if m.kind != mapping {
			c.report(n, "", "<< takes a mapping, or a list of them")
			return nil
		}
	}
	return mappings
}

// valueOf turns a Go value of a pipeline that was built in Go into one of a file.
func valueOf(from any, where place, out *reporter) *value {
	if v, ok := from.(*value); ok {
		return v
	}
	if from == nil {
		return &value{}
	}
	var n yaml.Node
	if err := n.Encode(from); err != nil {
		out.report(where, "", "%v", err)
		return &value{}
	}
	return (&converter{out: out}).value(&n, 1, false)
}

func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}
