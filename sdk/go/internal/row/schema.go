// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package row moves rows between Go values and the columns of a batch.
//
// A Codec is made once from a struct type, by reflection; from then on it knows offsets and
// strides, and each column is read or written in one loop over the rows, without reflection and
// without allocation. Strings and bytes are not copied on the way in: they lie in the batch that
// they were read from and are valid as long as it is.
package row

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// SDK is the import path of the package whose types a codec knows by name.
const SDK = "github.com/wasmill/wasmill/sdk/go"

// Role is what rows are for; it decides what a field says of itself.
type Role int

// The roles.
const (
	Input  Role = iota // a field that can't be null is required
	Output             // no field is required
	Config             // a field that can't be null and has no default is required
)

// Codec reads and writes rows of one type.
type Codec struct {
	Fields []wire.Field
	Nodes  []*Node // one a field
	Time   bool    // rows have an event time
	Keys   []int   // of an Input: which fields have the option key

	columns int     // nested ones counted
	time    uintptr // offset of the event time
	stride  uintptr
	bad     []*Node
	segment [1]segment
	runs    []segment // of WriteAt
}

// Node is a column as it lies in a Go value.
type Node struct {
	wire.Field
	Merge    string       // the tag "merge" of its field
	column   int          // place in the batch
	offset   uintptr      // of the value, from the start of the row or of the list's item
	null     bool         // the value is a Null
	key      bool         // its field has the option key
	valid    uintptr      // where it is: offset of its flag
	children []*Node      // of a struct, or the one of a list
	slice    reflect.Type // of a list
	stride   uintptr      // of a list's items

	items    unsafe.Pointer // of a list: memory for items that are read
	room     int            // how many items it has
	segments []segment      // of a list: its rows, while they are written
	bad      []*Node
}

// Of returns the codec of a struct type. skip says of fields that they are no columns.
func Of(t reflect.Type, role Role, skip func(reflect.Type) bool) (*Codec, error) {
	if t.Kind() != reflect.Struct {
		return nil, errors.New(t.String() + " is not a struct, whose fields would be the columns")
	}
	c := &Codec{stride: t.Size()}
	b := builder{codec: c, role: role, skip: skip}
	var err error
	if c.Nodes, err = b.fields(t, 0, true); err != nil {
		return nil, err
	}
	for i, n := range c.Nodes {
		c.Fields = append(c.Fields, n.Field)
		if n.key {
			c.Keys = append(c.Keys, i)
		}
	}
	return c, nil
}

// OfValue returns the codec of a single column whose rows are structs of the type stride: first a
// value of type t, and at offset valid a flag that says whether it is there, unless t is a Null
// and has its own.
func OfValue(t reflect.Type, name string, stride, valid uintptr) (*Codec, error) {
	c := &Codec{stride: stride}
	b := builder{codec: c, role: Output}
	n, err := b.node(t, 0, tag{})
	if err != nil {
		return nil, err
	}
	if n.Name = name; !n.null {
		n.null, n.valid = true, valid
	}
	c.Nodes, c.Fields = []*Node{n}, []wire.Field{n.Field}
	return c, nil
}

type builder struct {
	codec *Codec
	role  Role
	skip  func(reflect.Type) bool
}

// tag is what a field's tags say of its column.
type tag struct {
	scale  uint8
	scaled bool
	def    string
	hasDef bool
	doc    string
}

// Tag splits the tag "wasmill" of a field into the column's name, which is the field's in
// snake_case where the tag has none, and the options after it.
func Tag(f reflect.StructField) (name string, options []string) {
	parts := strings.Split(f.Tag.Get("wasmill"), ",")
	if name = parts[0]; name == "" {
		name = Snake(f.Name)
	}
	return name, parts[1:]
}

// Option takes an option out of a tag's and says whether it was there.
func Option(options []string, name string) (found bool, rest []string) {
	at := slices.Index(options, name)
	if at < 0 {
		return false, options
	}
	return true, slices.Delete(slices.Clone(options), at, at+1)
}

// Is says whether t is a type of the SDK of that name, or, where the name ends in "[", an
// instance of the generic type.
func Is(t reflect.Type, name string) bool {
	if t.PkgPath() != SDK {
		return false
	}
	return t.Name() == name || name[len(name)-1] == '[' && strings.HasPrefix(t.Name(), name)
}

func (b *builder) fields(t reflect.Type, at uintptr, top bool) ([]*Node, error) {
	var nodes []*Node
	for i := range t.NumField() {
		f := t.Field(i)
		offset := at + f.Offset
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && !Is(f.Type, "Null["):
			if top && b.skip != nil && b.skip(f.Type) {
				continue
			}
			more, err := b.fields(f.Type, offset, top)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, more...)
			continue
		case f.PkgPath != "" || f.Tag.Get("wasmill") == "-" || top && b.skip != nil && b.skip(f.Type):
			continue // unexported, or not a column
		case top && Is(f.Type, "EventTime"):
			b.codec.Time, b.codec.time = true, offset
			continue
		}
		n, err := b.column(f, offset)
		if err != nil {
			return nil, errors.New(t.String() + "." + f.Name + ": " + err.Error())
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func (b *builder) column(f reflect.StructField, offset uintptr) (*Node, error) {
	name, options := Tag(f)
	key := false
	if b.role == Input {
		key, options = Option(options, "key")
	}
	tg := tag{doc: f.Tag.Get("doc")}
	tg.def, tg.hasDef = f.Tag.Lookup("default")
	if tg.scale, tg.scaled, options = scaleOf(options); len(options) > 0 {
		return nil, errors.New("unknown option \"" + options[0] + "\" in its tag; there is scale=0 to scale=18")
	}
	n, err := b.node(f.Type, offset, tg)
	if b.role == Config && err == nil {
		err = n.configurable()
	}
	if err != nil && b.role == Config {
		return nil, errors.New(err.Error() + ". A field that is no configuration is unexported, or tagged `wasmill:\"-\"`")
	}
	if err != nil {
		return nil, err
	}
	if key && (n.null || !n.scalar()) {
		return nil, errors.New("a key can't be a Null, a list or a struct")
	}
	n.Name, n.Doc, n.Default, n.key = name, tg.doc, tg.def, key
	n.Merge = f.Tag.Get("merge")
	switch b.role {
	case Input:
		n.Required = !n.null
	case Config:
		n.Required = !n.null && !tg.hasDef
	}
	return n, nil
}

// configurable returns an error for a type that a configuration field can't have.
func (n *Node) configurable() error {
	switch {
	case n.Type == wire.Struct, n.Type == wire.Bytes:
		return errors.New("a configuration field can't have the type " + n.Type.String())
	case n.Type == wire.List:
		if item := n.children[0].Type; item == wire.List || item == wire.Struct || item == wire.Bytes {
			return errors.New("a configuration field can't be a list of type " + item.String())
		}
	}
	return nil
}

// scaleOf takes the scale of a decimal out of a tag's options.
func scaleOf(options []string) (scale uint8, ok bool, rest []string) {
	for i, option := range options {
		digits, found := strings.CutPrefix(option, "scale=")
		for n := 0; found && n <= 18; n++ { // no Atoi: its error would bring Quote, and tables for that
			if strconv.Itoa(n) == digits {
				return uint8(n), true, append(options[:i:i], options[i+1:]...)
			}
		}
	}
	return 0, false, options
}

var errNoScale = errors.New("a Decimal says its digits after the point: `wasmill:\"name,scale=2\"`")

// Number returns the type and scale of a column of numbers, and the options that it did not use.
func Number(t reflect.Type, options []string) (typ wire.Type, scale uint8, rest []string, err error) {
	if typ, err = typeOf(t); err != nil || typ != wire.Decimal {
		return typ, 0, options, err
	}
	scale, ok, rest := scaleOf(options)
	if !ok {
		return typ, 0, rest, errNoScale
	}
	return typ, scale, rest, nil
}

// node makes the node of a type; the columns are numbered in the order of the calls.
func (b *builder) node(t reflect.Type, offset uintptr, tg tag) (*Node, error) {
	n := &Node{column: b.codec.columns, offset: offset}
	b.codec.columns++
	if Is(t, "Null[") {
		n.null, n.valid = true, offset+t.Field(1).Offset
		if t = t.Field(0).Type; Is(t, "Null[") {
			return nil, errors.New("a Null of a Null")
		}
	}
	var err error
	n.Type, err = typeOf(t)
	if err != nil {
		return nil, err
	}
	switch n.Type {
	case wire.Decimal:
		if n.Scale = tg.scale; !tg.scaled {
			return nil, errNoScale
		}
	case wire.List:
		n.slice, n.stride = t, t.Elem().Size()
		item, err := b.node(t.Elem(), 0, tg)
		if err != nil {
			return nil, err
		}
		item.Name = "item"
		n.children = []*Node{item}
	case wire.Struct:
		if n.children, err = (&builder{codec: b.codec, role: Output}).fields(t, offset, false); err != nil {
			return nil, err
		}
		if len(n.children) == 0 {
			return nil, errors.New(t.String() + " has no field that would be a column")
		}
	}
	for _, child := range n.children {
		n.Children = append(n.Children, child.Field)
	}
	return n, nil
}

func typeOf(t reflect.Type) (wire.Type, error) {
	switch {
	case Is(t, "Timestamp"):
		return wire.Timestamp, nil
	case Is(t, "Decimal"):
		return wire.Decimal, nil
	case Is(t, "EventTime"):
		return 0, errors.New("a row has one EventTime, among its own fields; inside it a time is a Timestamp")
	}
	switch t.Kind() {
	case reflect.Bool:
		return wire.Bool, nil
	case reflect.Int32:
		return wire.Int32, nil
	case reflect.Int64:
		return wire.Int64, nil
	case reflect.Float64:
		return wire.Float64, nil
	case reflect.String:
		return wire.String, nil
	case reflect.Struct:
		return wire.Struct, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return wire.Bytes, nil
		}
		return wire.List, nil
	}
	return 0, errors.New("no column has the type " + t.String() + "; there are bool, int32, int64, float64, string, []byte, " +
		"wasmill.Decimal, wasmill.Timestamp, slices and structs of these, and wasmill.Null of each")
}

// Snake returns a Go name in snake_case: LateAfter is late_after, UserID is user_id.
func Snake(name string) string {
	upper := func(i int) bool { return i < len(name) && name[i] >= 'A' && name[i] <= 'Z' }
	lower := func(i int) bool { return i < len(name) && name[i] >= 'a' && name[i] <= 'z' }
	var out []byte
	for i := range len(name) {
		if !upper(i) {
			out = append(out, name[i])
			continue
		}
		if i > 0 && name[i-1] != '_' && (!upper(i-1) || lower(i+1)) {
			out = append(out, '_')
		}
		out = append(out, name[i]+'a'-'A')
	}
	return string(out)
}
